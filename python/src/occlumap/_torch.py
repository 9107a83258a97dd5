"""Modules of torch as networks, by ``torch.export``."""

from __future__ import annotations

import copy
import json
import re
import warnings
from typing import Any

import numpy as np
import torch
from torch.fx import Node

from ._aten import GATES, MODULES, OPERATIONS, WHOLE_MAP
from ._call import SAME, Call, Layer, Translation, Unsupported, WholeImage, name_of
from ._errors import UnsupportedLayer
from ._network import Network
from ._progress import log
from ._whole import has_channels_last

RGB = 3
"""Channels of pictures."""

TOLERANCE = 1e-4
"""How far responses may differ from torch's, as a part of the layer's largest."""


def import_module(
    cls: type[Network],
    module: torch.nn.Module,
    image_size: int | tuple[int, int],
    *,
    check: bool,
    name: str | None,
) -> Network:
    """See :meth:`Network.from_torch`."""
    exported = Exported(module, image_size)
    network = exported.network(cls, name)
    if check:
        height, width = exported.image_size
        shape = (1, exported.channels, height, width)
        noise = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
        exported.check(network, noise)
    return network


def import_for(module: torch.nn.Module, images: np.ndarray, layers: Any) -> tuple[Network, list[str]]:
    """The network of a module and the names of layers, compared with torch on some images.

    Raises
    ------
    UnsupportedLayer
        Layers that depend on operations that are not supported.
    """
    exported = Exported(module, images.shape[2:])
    network = exported.network(Network, None)
    if layers is not None:
        exported.check_layers(network, layers)
    exported.check(network, images, layers)
    return network, network.layer_names(layers)


class Exported:
    """A module's graph, and what of it can be computed."""

    def __init__(self, module: torch.nn.Module, image_size: Any) -> None:
        module = unwrapped(module)
        self.module = module
        size = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
        self.image_size: tuple[int, int] = (int(size[0]), int(size[1]))
        check_mode(module)
        self.channels = image_channels(module)
        self.copy = plain_copy(module)
        self.program = export(self.copy, self.channels, self.image_size)
        self.graph = self.program.graph_module.graph
        self.walk = Walk(self.copy, self.program)

    def network(self, cls: type[Network], name: str | None) -> Network:
        """What can be computed as a network."""
        walk = self.walk
        if not any(
            layer.op == "conv" and label not in walk.whole_map for label, layer, _ in walk.layers
        ):
            raise UnsupportedLayer(
                message_of(type(self.module).__name__, walk.unsupported, []), walk.unsupported, []
            )
        layers, tensors = [], {}
        for label, layer, inputs in walk.layers:
            layers.append({"name": label, "op": layer.op, **layer.fields, "inputs": inputs})
            for tensor, values in layer.tensors.items():
                tensors[f"{label}.{tensor}"] = values
        title = name or type(self.module).__name__.lower()
        description: dict[str, Any] = {"name": title, "layers": layers}
        if self.channels != RGB:
            description["channels"] = self.channels
        network = cls._of_arrays(json.dumps(description), tensors)
        # Of a compiled or a wrapped module the names are those of the module inside.
        network._modules.update({id(part): path for path, part in self.module.named_modules() if path})
        network._calls = walk.calls
        network.unsupported = list(walk.unsupported)
        return network

    def check_layers(self, network: Network, layers: Any) -> None:
        """An error for layers that are asked for and depend on what is not supported, or have no positions."""
        if isinstance(layers, str) or not hasattr(layers, "__iter__"):
            layers = [layers]
        paths = {id(part): path for path, part in self.module.named_modules()}
        named = [layer if isinstance(layer, str) else paths.get(id(layer), "") for layer in layers]
        blocked = [path for path in named if path in self.walk.blocked and path not in self.walk.nodes]
        ends = [path for path in named if path in self.walk.head]
        if ends and not blocked:
            raise ValueError(
                f"{network.name}: {', '.join(ends)}: each of its values is of the whole map, so it has no "
                "receptive field; choose a layer that is not behind a global pooling, or behind the gate"
            )
        if blocked:
            mappable = [layer.name for layer in network.layers]
            message = message_of(network.name, self.walk.unsupported, mappable, blocked)
            raise UnsupportedLayer(message, self.walk.unsupported, mappable)

    def check(self, network: Network, images: np.ndarray, layers: Any = None) -> None:
        """Compares the responses of some layers to some images with torch's.

        Raises
        ------
        ValueError
            A response that differs by more than rounding.
        """
        found = network.extremes(images, layers)
        # The parts of an operation have no values in torch.
        found = {name: values for name, values in found.items() if name in self.walk.nodes}
        nodes = {name: self.walk.nodes[name] for name in found}
        for index, image in enumerate(images):
            expected, output = self.run(image, set(nodes.values()))
            for name in found:
                responses = expected[nodes[name]]
                if self.walk.has_channels_last(nodes[name]):
                    responses = np.moveaxis(responses, 2, 0)
                compare(name, index, responses, [part[index] for part in found[name]])
            self.check_output(image, output)

    def run(self, image: np.ndarray, kept: set[Node]) -> tuple[dict[Node, np.ndarray], Any]:
        """The values of some nodes for an image, as torch computes them, and the output."""
        recorder = Recorder(self.program.graph_module, kept)
        batch = torch.from_numpy(np.ascontiguousarray(image)[None])
        tensors = tensors_of(self.program)
        inputs = [tensors.get(node.name, batch) for node in self.graph.nodes if node.op == "placeholder"]
        with torch.no_grad():
            output = recorder.run(*inputs)
        return recorder.values, output

    def check_output(self, image: np.ndarray, output: Any) -> None:
        """Compares the output of the graph with that of the module itself, where that is the same
        arithmetic: hooks, or parts that the export took for constants, could change it.
        """
        tensors = [*self.module.parameters(), *self.module.buffers()]
        if any(
            t.device.type != "cpu"
            or t.dtype == torch.float16
            or t.dtype == torch.bfloat16
            or t.dtype == torch.float64
            for t in tensors
        ):
            return
        with torch.no_grad():
            direct = self.module(torch.from_numpy(np.ascontiguousarray(image)[None]))
        ours = [t for t in torch.utils._pytree.tree_leaves(output) if isinstance(t, torch.Tensor)]
        direct = [t for t in torch.utils._pytree.tree_leaves(direct) if isinstance(t, torch.Tensor)]
        for one, other in zip(ours, direct):
            if one.shape != other.shape:
                continue
            largest = float(other.abs().max()) if other.numel() else 0.0
            error = float((one - other).abs().max()) if other.numel() else 0.0
            if not error <= TOLERANCE * max(largest, 1e-6):
                raise ValueError(
                    f"the exported module's output differs from the module's by {error:.3g} (its "
                    f"largest value is {largest:.3g}); are there forward hooks that change values, or "
                    "does the module compute something else each time? remove the hooks, and call "
                    "model.eval()"
                )


class Recorder(torch.fx.Interpreter):
    """Runs a graph, and keeps the values of some nodes."""

    def __init__(self, module: torch.nn.Module, kept: set[Node]) -> None:
        super().__init__(module)
        self.kept = kept
        self.values: dict[Node, np.ndarray] = {}

    def run_node(self, n: Node) -> Any:
        """Runs a node."""
        value = super().run_node(n)
        if n in self.kept:
            # An operation in place may change it later.
            self.values[n] = value[0].clone().numpy()
        return value


class Walk:
    """The layers of an exported graph, one after the other.

    Attributes
    ----------
    layers : list of (str, Layer, list of str)
        In the order of computation, with the names of their inputs.
    labels : dict
        Of each node that can be computed the name of its layer, or ``image``.
    nodes : dict
        Of each layer the node that has its responses.
    whole_map : set of str
        Layers whose values have no positions, since the whole map makes them.
    head : set of str
        Paths of modules without positions that no gate reads, and that are left out.
    calls : dict
        Of each layer whose module is called several times the layers of all its calls, in order.
    unsupported : list of str
        Operations on which others with positions depend, each with the reason.
    blocked : set of str
        Paths of modules that cannot be computed.
    """

    def __init__(self, module: torch.nn.Module, program: Any) -> None:
        self.module = module
        self.layers: list[tuple[str, Layer, list[str]]] = []
        self.labels: dict[Node, str] = {}
        self.nodes: dict[str, Node] = {}
        self.whole_map: set[str] = set()
        self.calls: dict[str, list[str]] = {}
        self.blocked: set[str] = set()
        self._constants: dict[Node, Any] = {}
        self._reasons: dict[Node, str] = {}
        self._behind: dict[Node, set[Node]] = {}
        self._parts: dict[tuple[str, Node], str] = {}
        self._last: dict[Node, bool] = {}
        self._padding: dict[Node, tuple[int, ...]] = {}
        self._taken: set[str] = set()
        self._channels: dict[Node, int] = {}
        tensors = tensors_of(program)
        for node in program.graph_module.graph.nodes:
            if node.op == "placeholder":
                if node.name in tensors:
                    self._constants[node] = tensors[node.name].detach()
                else:
                    self.labels[node] = "image"
            elif node.op == "get_attr":
                self._constants[node] = getattr(program.graph_module, str(node.target), None)
            elif node.op == "call_function":
                self._visit(node)
        needed = set().union(*(self._behind[node] for node in self._behind if is_conv(node)), set())
        self.unsupported = [self._reasons[node] for node in self._reasons if node in needed]
        self.head = self._cut_head()

    def _visit(self, node: Node) -> None:
        inputs = node.all_input_nodes
        if all(source in self._constants for source in inputs):
            self._constants[node] = evaluate(node, self._constants)
            return
        path = path_of(node)
        missing = set().union(*(self._behind.get(source, set()) for source in inputs), set())
        try:
            self._translate(node, path, is_blocked=bool(missing))
        except WholeImage as why:
            # Of what is not supported already it is a consequence.
            if not missing:
                self._reasons[node] = f"{path or 'the module'}: {name_of(node)}: {why}"
                missing.add(node)
        except Unsupported as why:
            self._reasons[node] = f"{path or 'the module'}: {name_of(node)}: {why}"
            missing.add(node)
        if missing:
            self._behind[node] = missing
            self.blocked.update(prefixes(path))

    def _translate(self, node: Node, path: str, *, is_blocked: bool) -> None:
        """Makes a layer of an operation; of one that is blocked, checks only that it could be one."""
        name, module = name_of(node), self._module(path)
        whole = MODULES.get(type(module))
        if whole is not None:
            if not is_blocked:
                self._part_of(node, path, whole, module)
            return
        in_place = name.endswith("_") and not name.startswith("_")
        sources = node.all_input_nodes
        if name == "expand_as":
            # Of the other value the shape alone counts.
            sources = sources[:1]
        given = [source for source in sources if source not in self._constants]
        if not given:
            raise Unsupported("it repeats a constant")
        of_map = {source: self._channels[source] for source in given if source in self._channels}
        local = [source for source in given if source not in of_map]
        if not local:
            # Also of an operation that is refused: what follows has no positions either.
            self._channels[node] = channels_of_whole_map(node, of_map)
        translation = table_of(local, of_map).get(name.rstrip("_") if in_place else name)
        if translation is None:
            if of_map:
                raise WholeImage("this operation is not supported of what the whole map makes")
            raise Unsupported("this operation is not supported")
        last = {self.has_channels_last(source) for source in local or given}
        if len(last) > 1:
            raise Unsupported("it joins values with the channels on different axes")
        arguments = arguments_of(node, self._constants)
        padding = self._padding.get(given[0], (0, 0, 0, 0))
        call = Call(node, arguments, module, last.pop(), padding, of_map)
        layer = translation(call)
        if isinstance(layer, Layer) and layer.op == "global_avg_pool":
            self._channels[node] = channels_of_whole_map(node, of_map)
        self._check_shapes(node, given, name)
        if is_blocked:
            return
        self._last[node] = call.channels_last != (name == "permute")
        if name in ("pad", "constant_pad_nd") and layer == SAME:
            self._padding[node] = tuple([*arguments["pad"], 0, 0][:4])
        if layer == SAME:
            self.labels[node] = self.labels[given[0]]
            return
        assert not isinstance(layer, str)
        label = self._put(node, layer, self._name(path, name.rstrip("_"), module))
        if in_place:
            # Whoever uses the input later finds it changed.
            self.labels[given[0]] = label

    def has_channels_last(self, node: Node) -> bool:
        """Whether a value has its channels last."""
        return has_channels_last(node) if node in self._channels else self._last.get(node, False)

    def _check_shapes(self, node: Node, given: list[Node], name: str) -> None:
        """An error for values without rows and columns, but for steps of a channel shuffle."""
        steps = ("view", "reshape", "_unsafe_view", "transpose", "contiguous", "clone")
        for value in [node, *given]:
            of = None if value in self._channels else value.meta.get("val")
            if isinstance(of, torch.Tensor) and of.dim() != 4 and name not in steps:
                raise Unsupported("its values have no rows and columns")

    def _part_of(self, node: Node, path: str, whole: Any, module: torch.nn.Module) -> None:
        """Takes a node as a part of a module that becomes one layer."""
        sources = [source for source in node.all_input_nodes if source in self.labels]
        known = [source for source in sources if (path, source) in self._parts]
        if known:
            self.labels[node] = self._parts[path, known[0]]
        else:
            layer = whole(Call(node, {"self": sources[0]}, module))
            if layer != SAME and sources[0] in self._channels:
                raise Unsupported("this operation is not supported of what the whole map makes")
            if layer == SAME:
                self.labels[node] = self.labels[sources[0]]
                return
            self._put(node, layer, path)
            # Further operations of the module take its input, too.
            self._parts[path, sources[0]] = self.labels[node]
        self._parts[path, node] = self.labels[node]

    def _put(self, node: Node, layer: Layer | list[Layer], label: str) -> str:
        base, number = label, 0
        while label in self._taken:
            number += 1
            label = f"{base}_{number}"
        if number:
            self.calls.setdefault(base, [base]).append(label)
        layers = layer if isinstance(layer, list) else [layer]
        names = [*(f"{label}.{part}" for part in range(1, len(layers))), label]
        self._taken.update(names)
        for name, part in zip(names, layers):
            # Now: an operation in place may change what an input stands for.
            inputs = [names[of] if isinstance(of, int) else self.labels[of] for of in part.inputs]
            self.layers.append((name, part, inputs))
            if node in self._channels or part.op == "group_norm":
                self.whole_map.add(name)
        self.labels[node] = label
        self.nodes[label] = node
        return label

    def _cut_head(self) -> set[str]:
        """Leaves out layers without positions that no gate reads; returns the paths of their modules."""
        read: set[str] = set()
        kept, cut = [], set()
        for label, layer, inputs in reversed(self.layers):
            if label in self.whole_map and label not in read:
                cut.add(label)
                del self.nodes[label]
                continue
            read.update(inputs)
            kept.append((label, layer, inputs))
        self.layers = kept[::-1]
        self.whole_map -= cut
        for name, labels in list(self.calls.items()):
            self.calls[name] = [label for label in labels if label not in cut]
        paths = {path for label, *_ in kept for path in prefixes(label)}
        return {path for label in cut for path in prefixes(label)} - paths

    def _module(self, path: str) -> torch.nn.Module:
        try:
            return self.module.get_submodule(re.sub(r"@\d+", "", path))
        except AttributeError:
            return self.module

    def _name(self, path: str, name: str, module: torch.nn.Module) -> str:
        """A module's path where it is the layer, else the path and the operation."""
        path = re.sub(r"@\d+", "", path)
        is_leaf = next(module.children(), None) is None
        own = type(module).__module__.startswith("torch.nn") or name == "conv2d"
        # A convolution whose weights are computed has them as a part, and may pad its input.
        if isinstance(module, torch.nn.Conv2d):
            own = "pad" not in name
            is_leaf = True
        if path and is_leaf and own:
            return path
        return f"{path}.{name}" if path else name


def table_of(local: list[Node], whole: dict[Node, int]) -> dict[str, Translation]:
    """The table for an operation of values with positions and of such that the whole map makes."""
    if not whole:
        return OPERATIONS
    return GATES if local else WHOLE_MAP


def channels_of_whole_map(node: Node, whole: dict[Node, int]) -> int:
    """The channels of a value without positions."""
    value = node.meta.get("val")
    if not isinstance(value, torch.Tensor):
        return 0
    repeated = name_of(node) in ("expand", "expand_as")
    return next(iter(whole.values())) if repeated else value.numel()


def unwrapped(module: torch.nn.Module) -> torch.nn.Module:
    """The module inside of ``torch.compile``'s and of parallel wrappers."""
    if isinstance(module, (torch.jit.ScriptModule, torch.jit.ScriptFunction)):
        raise ValueError(
            "the model is a TorchScript module, which torch.export does not take; give the "
            "torch.nn.Module that it was made of"
        )
    while True:
        inside = getattr(module, "_orig_mod", None)
        if inside is None and type(module).__name__ in (
            "DataParallel",
            "DistributedDataParallel",
            "FullyShardedDataParallel",
        ):
            inside = module.module
        if not isinstance(inside, torch.nn.Module):
            return module
        module = inside


def check_mode(module: torch.nn.Module) -> None:
    """An error for a module in training mode, where that makes a difference."""
    kinds = (torch.nn.modules.batchnorm._NormBase, torch.nn.modules.dropout._DropoutNd)
    for path, part in module.named_modules():
        if part.training and (isinstance(part, kinds) or part is module):
            what = f"`{path}` is" if path else "the model is"
            raise ValueError(f"{what} in training mode; call model.eval() first")


def plain_copy(module: torch.nn.Module) -> torch.nn.Module:
    """The module itself, or a copy for the export: on the CPU, in 32 bits, without hooks."""
    tensors = [*module.parameters(), *module.buffers()]
    elsewhere = any(tensor.device.type != "cpu" for tensor in tensors)
    if any(tensor.device.type == "meta" for tensor in tensors):
        raise ValueError("the model's weights are on the device `meta`: it has none; load them first")
    floats = [tensor for tensor in tensors if tensor.is_floating_point()]
    other = any(tensor.dtype != torch.float32 for tensor in floats)
    hooked = [part for part in module.modules() if part._forward_hooks or part._forward_pre_hooks]
    if not (elsewhere or other or hooked):
        return module
    try:
        copied = copy.deepcopy(module)
    except Exception as error:
        raise ValueError(
            f"the model cannot be copied ({error}); give it on the CPU, in 32 bits and without hooks: "
            "model.cpu().float()"
        ) from error
    if other:
        log.info("the model's weights are taken as 32-bit floats")
    if hooked:
        log.info("forward hooks of %d modules are left out of the export", len(hooked))
    for part in copied.modules():
        part._forward_hooks.clear()
        part._forward_pre_hooks.clear()
    return copied.to("cpu", torch.float32)


def image_channels(module: torch.nn.Module) -> int:
    """The channels of the images that a module takes: those of its first convolution."""
    for part in module.modules():
        if isinstance(part, torch.nn.Conv2d):
            return part.in_channels
    return RGB


def export(module: torch.nn.Module, channels: int, image_size: tuple[int, int]) -> Any:
    """Exports a module for images of a size."""
    image = torch.zeros(1, channels, *image_size)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            return torch.export.export(module, (image,))
    except Exception as error:
        reason = str(error).strip().splitlines()
        raise ValueError(
            f"torch.export cannot export {type(module).__name__} for images of "
            f"{image_size[0]}×{image_size[1]}: {reason[0] if reason else type(error).__name__}; the "
            "module has to take one batch of images [n, channels, height, width], without branches that "
            "depend on values. Give the part of the model that does, such as model.features, or save "
            "its convolutions as a model description"
        ) from error


def tensors_of(program: Any) -> dict[str, torch.Tensor]:
    """Parameters, buffers and constants of an exported module, by the names of their nodes."""
    stored = {**program.state_dict, **program.constants}
    specifications = program.graph_signature.input_specs
    return {
        spec.arg.name: stored[spec.target]
        for spec in specifications
        if spec.target is not None and spec.target in stored
    }


def evaluate(node: Node, constants: dict[Node, Any]) -> Any:
    """The value of an operation on constants, such as a normalised weight."""
    arguments = torch.fx.node.map_arg(node.args, lambda source: constants[source])
    keywords = torch.fx.node.map_arg(node.kwargs, lambda source: constants[source])
    with torch.no_grad():
        return node.target(*arguments, **keywords)  # type: ignore[operator]


def arguments_of(node: Node, constants: dict[Node, Any]) -> dict[str, Any]:
    """The arguments of an operation by the names of its schema."""
    if name_of(node) == "getitem":
        return {"self": node.args[0], "index": node.args[1]}
    schema = getattr(node.target, "_schema", None)
    if schema is None:
        raise Unsupported("this operation is not supported")

    def known(value: Any) -> Any:
        return constants.get(value, value) if isinstance(value, Node) else value

    arguments = {}
    for index, argument in enumerate(schema.arguments):
        if index < len(node.args):
            value = node.args[index]
        elif argument.name in node.kwargs:
            value = node.kwargs[argument.name]
        else:
            value = argument.default_value
        arguments[argument.name] = known(value)
    return arguments


def path_of(node: Node) -> str:
    """The path of the innermost module that an operation belongs to."""
    stack = node.meta.get("nn_module_stack")
    path = str(list(stack.values())[-1][0]) if stack else ""
    return path.removeprefix("L['self']").lstrip(".")


def prefixes(path: str) -> list[str]:
    """A path and those of the modules around it."""
    parts = re.sub(r"@\d+", "", path).split(".")
    return [".".join(parts[: end + 1]) for end in range(len(parts))]


def is_conv(node: Node) -> bool:
    """Whether an operation is a convolution, whose channels are units."""
    return name_of(node) in ("conv2d", "convolution")


def compare(name: str, image: int, expected: np.ndarray, found: list[np.ndarray]) -> None:
    """Compares the extremes of a layer's units with torch's responses ``[units, height, width]``."""
    flat = expected.reshape(len(expected), -1)
    largest = float(np.abs(flat).max())
    allowed = TOLERANCE * max(largest, 1e-6)
    units = np.arange(len(flat))
    maximum, max_at, minimum, min_at = found
    for values, at, theirs, word in (
        (maximum, max_at, flat.max(axis=1), "largest"),
        (minimum, min_at, flat.min(axis=1), "smallest"),
    ):
        # Of equal responses any is the largest; an output of another size has other positions.
        there = flat[units, np.minimum(at, flat.shape[1] - 1)]
        errors = np.maximum(np.abs(values - theirs), np.abs(there - theirs))
        if not errors.max() <= allowed:
            unit = int(np.nanargmax(errors))
            raise ValueError(
                f"{name}: unit {unit} responds to image {image} with {values[unit]:.6g} at the {word}, "
                f"and in torch with {theirs[unit]:.6g}; that is not rounding (tolerance {allowed:.2g}). "
                "The imported network is not the module; please report this with the model"
            )


def message_of(
    model: str, unsupported: list[str], mappable: list[str], asked: list[str] | None = None
) -> str:
    """What is told of layers that are not supported."""
    paths_of: dict[str, list[str]] = {}
    for layer in unsupported:
        path, what = layer.split(": ", 1)
        paths_of.setdefault(what, []).append(path)
    lines = [f"{model}: operations that are not supported:"]
    for what, paths in paths_of.items():
        more = f" and {len(paths) - 4} more" if len(paths) > 4 else ""
        lines.append(f"  {what}: {', '.join(paths[:4])}{more}")
    if asked:
        lines.append(f"{', '.join(asked)} cannot be computed without them")
    if mappable:
        lines.append(f"these convolutions can be mapped: {', '.join(mappable)}")
    else:
        lines.append("no convolution can be mapped")
    return "\n".join(lines)
