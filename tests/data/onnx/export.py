"""Export of a module to an ONNX file that is equal on every machine."""

import onnx
import torch


def export(net, sample, path, dynamo):
    """Exports by one of PyTorch's two exporters, without what depends on the machine."""
    torch.onnx.export(net, (sample,), path, dynamo=dynamo, **({"external_data": False} if dynamo else {}))
    model = onnx.load(path)
    # Paths of the machine, and shapes of intermediate values.
    for node in model.graph.node:
        kept = [entry for entry in node.metadata_props if entry.key.endswith("name_scopes")]
        del node.metadata_props[:]
        node.metadata_props.extend(kept)
        node.doc_string = ""
    del model.graph.value_info[:]
    del model.graph.metadata_props[:]
    del model.metadata_props[:]
    for value in [*model.graph.input, *model.graph.output, *model.graph.initializer]:
        del value.metadata_props[:]
    onnx.save(model, path)
