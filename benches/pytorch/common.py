"""What the contenders share: the network, the jobs, where occluders go, and the clock.

A job is one discrepancy map: a unit of a layer, an image, a position on the layer's output, and a
seed of torch.manual_seed, from which its noise is drawn.
"""

import argparse
import json
import platform
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
import torchvision


#: How long the jobs of a layer are timed at least: they are run again until they took so long.
LEAST_SECONDS = 1.0


def features(model):
    """The convolutional part of one of torchvision's networks."""
    return torchvision.models.get_model(model, weights=None).features.eval()


def layers(network):
    """The places of a network's convolutions, by their short names."""
    places = [place for place, module in enumerate(network)
              if isinstance(module, torch.nn.Conv2d)]
    return {f"conv{number}": place for number, place in enumerate(places, 1)}


@dataclass
class Job:
    layer: str
    unit: int
    image: int
    y: int
    x: int
    seed: int

    @property
    def key(self):
        return f"{self.layer}-{self.unit}-{self.image}-{self.y}-{self.x}"


def window(module):
    """(kernel, stride, padding) of a layer; layers that work position by position have none."""
    if isinstance(module, (torch.nn.Conv2d, torch.nn.MaxPool2d)):
        first = [v if isinstance(v, int) else v[0] for v in
                 (module.kernel_size, module.stride, module.padding)]
        return tuple(first)
    return (1, 1, 0)


def field(network, position):
    """First and last pixel, along one axis, of a position's receptive field, unclipped."""
    low = high = position
    for module in reversed(network):
        kernel, stride, padding = window(module)
        low, high = low * stride - padding, high * stride - padding + kernel - 1
    return low, high


def occluders(box, rf, size):
    """Top left corners of a box's occluders, row by row, and their side length."""
    side = max(rf // 10, 1)
    step = max(side // 2, 1)
    (y_min, y_max), (x_min, x_max) = box
    starts = [range(low, max(high - side + 2, low + 1), step)
              for low, high in ((y_min, y_max), (x_min, x_max))]
    corners = [(y, x) for y in starts[0] for x in starts[1]
               if y + side <= size[0] and x + side <= size[1]]
    return corners, side


class Problem:
    """The network, the images and the jobs."""

    def __init__(self, arguments):
        self.device = torch.device(arguments.device)
        self.features = features(arguments.model)
        tensors = safetensors.torch.load_file(arguments.weights)
        self.features.load_state_dict({name.removeprefix("features."): value
                                       for name, value in tensors.items()
                                       if name.startswith("features.")})
        self.features.to(self.device)
        self.layers = layers(self.features)
        #: Whether maps are compared: then noise is the stream of torch.rand on the CPU.
        self.compared = arguments.maps is not None
        #: What a contender that has several may compute in.
        self.precision = arguments.precision
        self.folder = Path(arguments.images)
        self.jobs = [Job(**job) for job in json.loads(Path(arguments.jobs).read_text())]
        self.images = {}

    def image(self, index):
        """An image, [1, 3, height, width]."""
        if index not in self.images:
            pixels = np.load(self.folder / f"{index}.npy").astype(np.float32)
            self.images[index] = torch.from_numpy(pixels)[None].to(self.device)
        return self.images[index]

    def truncated(self, layer):
        """The layers up to a convolution, that included."""
        return self.features[: self.layers[layer] + 1]

    def place(self, job):
        """The receptive field's box, its unclipped side length, occluders and their size."""
        height, width = self.image(job.image).shape[-2:]
        network = self.truncated(job.layer)
        (top, bottom), (left, right) = (field(network, p) for p in (job.y, job.x))
        rf = bottom - top + 1
        box = ((max(top, 0), min(bottom, height - 1)), (max(left, 0), min(right, width - 1)))
        corners, side = occluders(box, rf, (height, width))
        return box, rf, corners, side


def deposit(job, problem, differences):
    """The discrepancy map [rf, rf]: each difference at its occluder's centre."""
    box, rf, corners, side = problem.place(job)
    # Where a box begins at the image's edge, its field began before it.
    offsets = [low if low > 0 else high + 1 - rf for low, high in box]
    found = np.zeros((rf, rf))
    for (y, x), difference in zip(corners, differences):
        centre = [(2 * (start - offset) + side - 1) // 2 for start, offset in zip((y, x), offsets)]
        found[centre[0], centre[1]] += abs(difference)
    return found


def main(name, description, differences, **more):
    """Runs a contender: `differences(problem, job)` are a job's response differences.

    The first job of each layer runs once before the clock starts, on a GPU every job, so that what
    happens only once is left out: there PyTorch compiles for every shape, and chooses algorithms.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--model", default="alexnet", help="alexnet, vgg16, …")
    parser.add_argument("--weights", required=True, help="as torchvision names them, .safetensors")
    parser.add_argument("--images", required=True, help="folder of 0.npy, 1.npy, …")
    parser.add_argument("--jobs", required=True, help="list of jobs, .json")
    parser.add_argument("--out", required=True, help="times, .json")
    parser.add_argument("--maps", help="also write each job's map, .npz")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="fp32", choices=["fp32", "bf16"])
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    problem = Problem(arguments)
    wait = torch.cuda.synchronize if problem.device.type == "cuda" else lambda: None

    times, maps = {}, {}
    for layer_name in dict.fromkeys(job.layer for job in problem.jobs):
        jobs = [job for job in problem.jobs if job.layer == layer_name]
        torch.manual_seed(jobs[0].seed)
        found = differences(problem, jobs[0])
        if "check" in more:
            more["check"](problem, jobs[0], found)
        if problem.device.type == "cuda":
            for job in jobs[1:]:
                differences(problem, job)
        layer = times.setdefault(layer_name, {"presentations": 0, "seconds": 0.0})
        # A fast layer's few jobs are over too soon to be timed once.
        while layer["seconds"] < LEAST_SECONDS:
            for job in jobs:
                torch.manual_seed(job.seed)
                wait()
                start = time.perf_counter()
                found = differences(problem, job)
                wait()
                layer["seconds"] += time.perf_counter() - start
                layer["presentations"] += len(found)
                if arguments.maps:
                    maps[job.key] = more.get("map", deposit)(job, problem, found)
    if arguments.maps:
        np.savez(arguments.maps, **maps)
    device = torch.cuda.get_device_name() if problem.device.type == "cuda" else platform.processor()
    Path(arguments.out).write_text(json.dumps({
        "name": name, "torch": torch.__version__, "device": device,
        "threads": arguments.threads, "layers": times,
    }, indent=2))
