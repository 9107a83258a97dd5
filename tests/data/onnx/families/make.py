"""Makes the files of this folder: small networks of the families that people map, exported by both of PyTorch's
exporters with other weights each, and of some units the responses to occluded images.

    pip install torch onnx onnxscript numpy
    python make.py [NAME...]

With names it makes those families alone, and keeps what `maps.json` has of others.

`NAME.onnx` is a network of torch's dynamo exporter, `NAME_old.onnx` one of the older exporter. `maps.json` has for each
file jobs: a layer, unit and position, the pixels that it sees along each axis, first and last, without end of the
image; the top left corners of the occluders and their size; the seed of `torch.rand`, whose stream fills all occluders
in order (channel, row, column; `u * 2 - 1`); the response to the image and the differences of the responses, in 64-bit
arithmetic by whole images, and what PyTorch's own 32-bit arithmetic is off by, as a part of the largest difference.
Convolutions are those before a batch normalisation that the exporters fold into them: their responses are those
behind it.

Made with torch 2.15.0 and onnx 1.23.2.
"""
import json
import os
import sys

import numpy as np
import torch
import torch.fx
from torch import nn

torch.set_grad_enabled(False)
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.dirname(HERE))
from export import export  # noqa: E402
from networks import FAMILIES, Blur, Channels  # noqa: E402

HEIGHT, WIDTH = 41, 37


class Tracer(torch.fx.Tracer):
    """A blur is one node."""

    def is_leaf_module(self, module, name):
        return isinstance(module, Blur) or super().is_leaf_module(module, name)


def image():
    """The image that all is computed on."""
    channel, y, x = np.ogrid[:3, :HEIGHT, :WIDTH]
    return torch.from_numpy(((channel * 7 + y * 13 + x * 29 + x * y) % 17 / 8 - 1).astype(np.float32))


def random_weights(net, seed):
    """Numbers of which each matters, and responses with a spread of about 1."""
    torch.manual_seed(seed)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 1.5)
            module.weight.uniform_(-1.4, 1.4)
            module.bias.normal_(0, 0.2)
        elif isinstance(module, (nn.LayerNorm, nn.GroupNorm)):
            module.weight.uniform_(0.6, 1.4)
            module.bias.normal_(0, 0.2)
        elif isinstance(module, (nn.Conv2d, nn.Linear)):
            module.weight.normal_(0, 1.5 / module.weight[0].numel() ** 0.5)
            if module.bias is not None:
                module.bias.normal_(0, 0.2)
        elif isinstance(module, Channels):
            module.scale.uniform_(0.5, 1.5)


def pair(value):
    return (value, value) if isinstance(value, int) else tuple(value)


def field(node, modules, box):
    """The pixels (first row, last row, first column, last column) that `box` of a node's output sees; None if none."""
    if node.op == "placeholder":
        return box
    module = modules.get(node.target) if node.op == "call_module" else None
    if isinstance(module, nn.AdaptiveAvgPool2d):
        return None
    if isinstance(module, (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d, Blur)):
        box = [
            end
            for axis in (0, 1)
            for end in (
                box[2 * axis] * pair(module.stride)[axis] - pair(module.padding)[axis],
                box[2 * axis + 1] * pair(module.stride)[axis]
                - pair(module.padding)[axis]
                + (pair(module.kernel_size)[axis] - 1) * pair(getattr(module, "dilation", 1))[axis],
            )
        ]
    seen = [found for source in node.all_input_nodes if (found := field(source, modules, box))]
    if not seen:
        return None
    return [min(s[0] for s in seen), max(s[1] for s in seen), min(s[2] for s in seen), max(s[3] for s in seen)]


def after_norm(name, modules):
    """The module whose output the convolution `name` has in a file: the batch normalisation behind it, if any."""
    folder, _, index = name.rpartition(".")
    behind = f"{folder}.{int(index) + 1}" if index.isdigit() else name
    return behind if isinstance(modules.get(behind), nn.BatchNorm2d) else name


def jobs_of(net, seed):
    """Jobs of the last convolution and of others."""
    graph = Tracer().trace(net)
    modules, rng = dict(net.named_modules()), np.random.default_rng(seed)
    nodes = {node.target: node for node in graph.nodes if node.op == "call_module"}
    named = [name for name in nodes if isinstance(modules[name], nn.Conv2d) and field(nodes[name], modules, [0] * 4)]
    jobs = []
    for number, name in enumerate([named[-1], *rng.choice(named[:-1], 3, replace=False)]):
        job = job_of(net, modules, nodes[name], rng, 1000 * seed + number)
        # Of a unit that hardly changes, 32 bits do not tell by how much.
        while job["pytorch"] > 1e-5:
            job = job_of(net, modules, nodes[name], rng, 1000 * seed + number)
        jobs.append(job)
    net.float()
    return jobs


def job_of(net, modules, node, rng, noise_seed):
    """A job of any unit of a convolution, at any position."""
    kept, picture, name = {}, image(), node.target
    handle = modules[after_norm(name, modules)].register_forward_hook(lambda _m, _i, out: kept.update(out=out))

    def responses(images, dtype):
        net.to(dtype)(images.to(dtype))
        return kept["out"][:, unit, y, x].double()

    unit = y = x = 0
    responses(picture[None], torch.float64)
    _, units, height, width = kept["out"].shape
    unit, y, x = int(rng.integers(units)), int(rng.integers(height)), int(rng.integers(width))
    seen = field(node, modules, [y, y, x, x])
    side = max(max(seen[1] - seen[0], seen[3] - seen[2]) + 1, 1)
    size = max(side // 10, 1)
    step = max(size // 2, 1)
    rows, columns = (max(seen[0], 0), min(seen[1], HEIGHT - 1)), (max(seen[2], 0), min(seen[3], WIDTH - 1))
    corners = [
        (top, left)
        for top in range(rows[0], max(rows[1] - size + 2, rows[0] + 1), step)
        for left in range(columns[0], max(columns[1] - size + 2, columns[0] + 1), step)
        if top + size <= HEIGHT and left + size <= WIDTH
    ]
    torch.manual_seed(noise_seed)
    noise = torch.rand(len(corners), 3, size, size) * 2 - 1
    every = max(len(corners) // 40, 1)
    corners, noise = corners[::every], noise[::every]
    images = picture.repeat(len(corners) + 1, 1, 1, 1)
    for which, (top, left) in enumerate(corners):
        images[which + 1, :, top : top + size, left : left + size] = noise[which]
    exact, plain = responses(images, torch.float64), responses(images, torch.float32)
    handle.remove()
    differences, rounded = exact[1:] - exact[0], plain[1:] - plain[0]
    largest = differences.abs().max()
    return {
        "layer": name,
        "unit": unit,
        "position": [y, x],
        "field": seen,
        "size": size,
        "every": every,
        "corners": corners,
        "torch_seed": noise_seed,
        "response": float(exact[0]),
        "differences": [float(f"{value:.9g}") for value in differences],
        "pytorch": float(f"{(differences - rounded).abs().max() / largest:.2g}"),
    }


maps = {}
if sys.argv[1:]:
    with open(os.path.join(HERE, "maps.json")) as file:
        maps = json.load(file)
for number, (name, family) in enumerate(FAMILIES.items()):
    if sys.argv[1:] and name not in sys.argv[1:]:
        continue
    for old in (False, True):
        seed = 10 * number + old
        net = family().eval()
        random_weights(net, seed)
        file = f"{name}_old.onnx" if old else f"{name}.onnx"
        export(net, image()[None], os.path.join(HERE, file), dynamo=not old)
        maps[file] = jobs_of(net, seed)
        print(file, [(job["layer"], len(job["corners"]), job["pytorch"]) for job in maps[file]])
with open(os.path.join(HERE, "maps.json"), "w") as file:
    json.dump(maps, file)
    file.write("\n")
