"""Writes the goldens of this folder: a network of every supported layer under PyTorch.

    pip install torch numpy safetensors && python make.py

Made with Python 3.11, torch 2.15.0 (CPU), numpy, safetensors. The method is written out here
as the reference does it: one occluder drawn at a time from torch.rand, whole images presented.
"""

import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

FOLDER = Path(__file__).parent
HEIGHT, WIDTH = 42, 33

# name, function of its inputs, inputs, (kernel, stride, padding). `weights` is filled below.
weights = {}


def conv(name, stride=1, padding=0, groups=1):
    def apply(x):
        bias = weights.get(f"{name}.bias")
        return F.conv2d(x, weights[f"{name}.weight"], bias, stride, padding, 1, groups)

    return apply


LAYERS = [
    ("a", conv("a", padding=1), ["image"], (3, 1, 1)),
    ("a_relu", F.relu, ["a"], (1, 1, 0)),
    ("norm", lambda x: F.local_response_norm(x, 4, 0.5, 0.75, 2.0), ["a_relu"], (1, 1, 0)),
    ("pool", lambda x: F.max_pool2d(x, 3, 2, 0, ceil_mode=True), ["norm"], (3, 2, 0)),
    ("b", conv("b", padding=1, groups=3), ["pool"], (3, 1, 1)),
    ("b_relu", F.relu, ["b"], (1, 1, 0)),
    ("c", conv("c", padding=1), ["b_relu"], (3, 1, 1)),
    ("sum", lambda x, y: x + y, ["b_relu", "c"], (1, 1, 0)),
    ("stack", lambda x, y: torch.cat([x, y], 1), ["sum", "b_relu"], (1, 1, 0)),
    ("drop", lambda x: x, ["stack"], (1, 1, 0)),
    ("pool2", lambda x: F.max_pool2d(x, 2, 2, 1, ceil_mode=True), ["drop"], (2, 2, 1)),
    ("d", conv("d", stride=2), ["pool2"], (3, 2, 0)),
]
CONVOLUTIONS = ["a", "b", "c", "d"]


def make_weights(generator):
    shapes = {"a": (6, 3, 3, 3), "b": (9, 2, 3, 3), "c": (9, 9, 3, 3), "d": (4, 18, 3, 3)}
    for name, shape in shapes.items():
        fan_in = np.prod(shape[1:])
        weights[f"{name}.weight"] = torch.randn(shape, generator=generator) * (2 / fan_in) ** 0.5
        if name != "d":
            weights[f"{name}.bias"] = torch.randn(shape[0], generator=generator) * 0.1


def forward(x, last):
    outputs = {"image": x}
    for name, function, inputs, _ in LAYERS:
        outputs[name] = function(*(outputs[i] for i in inputs))
        if name == last:
            return outputs[name]


def project(name, lo, hi):
    """The interval of the image that positions lo..hi of a layer see, on one axis."""
    if name == "image":
        return lo, hi
    _, _, inputs, (kernel, stride, padding) = next(layer for layer in LAYERS if layer[0] == name)
    lo, hi = lo * stride - padding, hi * stride - padding + kernel - 1
    ends = [project(i, lo, hi) for i in inputs]
    return min(e[0] for e in ends), max(e[1] for e in ends)


def corners(first, last, size, stride, length):
    end = max(last - size + 2, first + 1)
    return [c for c in range(first, end, stride) if c + size <= length]


def golden_map(image, layer, unit, y, x, seed):
    (y_lo, y_hi), (x_lo, x_hi) = project(layer, y, y), project(layer, x, x)
    rf = y_hi - y_lo + 1
    size = max(rf // 10, 1)
    stride = max(size // 2, 1)
    box = [max(y_lo, 0), max(x_lo, 0), min(y_hi, HEIGHT - 1), min(x_hi, WIDTH - 1)]
    original = forward(image[None], layer)[0, unit, y, x]
    torch.manual_seed(seed)
    differences, discrepancy = [], np.zeros((rf, rf))
    for top in corners(box[0], box[2], size, stride, HEIGHT):
        for left in corners(box[1], box[3], size, stride, WIDTH):
            occluded = image.clone()
            noise = torch.rand(3, size, size) * 2 - 1
            occluded[:, top : top + size, left : left + size] = noise
            difference = forward(occluded[None], layer)[0, unit, y, x] - original
            differences.append(difference.item())
            centre = (2 * top + size - 1) // 2 - y_lo, (2 * left + size - 1) // 2 - x_lo
            discrepancy[centre] += abs(difference.item())
    record = {"layer": layer, "unit": unit, "y": y, "x": x, "box": box, "rf": rf}
    record |= {"occluders": len(differences), "torch_seed": seed, "response": original.item()}
    return record, np.float32(differences), discrepancy


@torch.inference_mode()
def main():
    generator = torch.Generator().manual_seed(20)
    make_weights(generator)
    images = torch.randn(2, 3, HEIGHT, WIDTH, generator=generator) * 0.5
    for index, image in enumerate(images):
        np.save(FOLDER / f"{index}.npy", image.numpy())
    save_file(weights, FOLDER / "ops.safetensors")

    keys, arrays, ranks = [], {}, {}
    for number, layer in enumerate(CONVOLUTIONS):
        output = forward(images, layer)
        height, width = output.shape[2:]
        flat = output.flatten(2)
        for side, best in (("max", flat.max(2)), ("min", flat.min(2))):
            ranks[f"conv{number + 1}_{side}"] = best.values.numpy()
            ranks[f"conv{number + 1}_{side}_idx"] = best.indices.numpy()
        positions = [(0, 0), (height - 1, width - 1), (height // 2, width // 2), (0, width - 1)]
        for case, (y, x) in enumerate(positions):
            unit, index = (5 * case + number) % output.shape[1], case % 2
            seed = 100 * number + case
            record, differences, discrepancy = golden_map(images[index], layer, unit, y, x, seed)
            key = f"conv{number + 1}_{case}"
            keys.append({"key": key, "image": index} | record)
            arrays[f"{key}_diff"], arrays[f"{key}_map"] = differences, discrepancy
    (FOLDER / "maps.json").write_text(json.dumps(keys, indent=1) + "\n")
    np.savez_compressed(FOLDER / "maps.npz", **arrays)
    np.savez_compressed(FOLDER / "rank.npz", **ranks)


if __name__ == "__main__":
    main()
