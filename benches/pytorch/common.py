"""What the contenders share: the network, the jobs, where occluders go, and the clock.

A job is one discrepancy map: a unit of a layer, an image, a position on the layer's output, and a
seed of torch.manual_seed, from which its noise is drawn.
"""

import argparse
import functools
import json
import platform
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
import torch.fx
import torchvision


#: How long the jobs of a layer are timed at least: they are run again until they took so long.
LEAST_SECONDS = 1.0


#: Layers of which each position sees the whole map.
WHOLE_MAP = torch.nn.AdaptiveAvgPool2d, torch.nn.AdaptiveMaxPool2d


def convolutional(model):
    """One of torchvision's networks, traced: its nodes are modules and functions in order of execution."""
    return torch.fx.symbolic_trace(torchvision.models.get_model(model, weights=None).eval())


def module(network, node):
    """The module that a node calls, if any."""
    return network.get_submodule(node.target) if node.op == "call_module" else None


def layers(network):
    """The nodes of a network's convolutions, by their short names. A product of channels (`Linear`)
    counts as a convolution; those of a gate that the whole map makes and of the head do not."""
    nodes, found, of_whole_map = [], {}, set()
    for node in network.graph.nodes:
        layer = module(network, node)
        sources = node.all_input_nodes
        if isinstance(layer, WHOLE_MAP) or (sources and of_whole_map.issuperset(sources)):
            of_whole_map.add(node)
        elif isinstance(layer, (torch.nn.Conv2d, torch.nn.Linear)):
            nodes.append(node)
            if isinstance(layer, torch.nn.Conv2d):
                found[f"conv{len(nodes)}"] = node
    return found


def up_to(network, last):
    """The part of a network that computes a node."""
    graph, copies = torch.fx.Graph(), {}
    for node in network.graph.nodes:
        copies[node] = graph.node_copy(node, copies.__getitem__)
        if node is last:
            break
    graph.output(copies[last])
    part = torch.fx.GraphModule(network, graph)
    part.graph.eliminate_dead_code()
    part.recompile()
    return part


def is_head(network, name):
    """Whether a tensor belongs to a fully connected layer behind the convolutions."""
    owner = name.rpartition(".")[0]
    return (name.split(".")[0] in ("classifier", "fc")
            and isinstance(network.get_submodule(owner), torch.nn.Linear))


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


@dataclass
class Window:
    """Positions that one position of a layer sees, along one axis."""
    kernel: int = 1
    stride: int = 1
    padding: int = 0
    dilation: int = 1


def window(layer):
    """The window of a layer; of layers that work position by position it is one position."""
    if not isinstance(layer, (torch.nn.Conv2d, torch.nn.MaxPool2d, torch.nn.AvgPool2d)):
        return Window()
    sizes = [getattr(layer, name, 1) for name in ("kernel_size", "stride", "padding", "dilation")]
    return Window(*(size if isinstance(size, int) else size[0] for size in sizes))


def field(network, position):
    """First and last pixel, along one axis, of a position's receptive field, unclipped. A gate that the
    whole map makes does not widen it."""
    seen = {}
    for node in reversed(network.graph.nodes):
        if node.op == "output":
            seen[node] = (position, position)
        if node not in seen:
            continue
        low, high = seen[node]
        if node.op == "placeholder":
            return low, high
        layer = module(network, node)
        if isinstance(layer, WHOLE_MAP):
            continue
        w = window(layer)
        low, high = low * w.stride - w.padding, high * w.stride - w.padding + w.dilation * (w.kernel - 1)
        for source in node.all_input_nodes:
            first, last = seen.get(source, (low, high))
            seen[source] = (min(low, first), max(high, last))
    raise ValueError("the network has no input")


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


@dataclass
class Field:
    """A receptive field and its occluders."""
    #: First and last row, first and last column, inside the image.
    box: tuple
    #: First row and column, where the image does not cut it.
    start: tuple
    #: Side length, where the image does not cut it.
    rf: int
    #: Top left corners of the occluders, and their side length.
    corners: list
    side: int


class Problem:
    """The network, the images and the jobs."""

    def __init__(self, arguments):
        self.device = torch.device(arguments.device)
        self.network = convolutional(arguments.model)
        tensors = safetensors.torch.load_file(arguments.weights)
        missing, _ = self.network.load_state_dict(tensors, strict=False)
        missing = [name for name in missing if not is_head(self.network, name)]
        if missing:
            raise SystemExit(f"{arguments.weights}: expected {missing[0]}, as torchvision names it, and it is not there")
        self.network.to(self.device)
        self.layers = layers(self.network)
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

    @functools.cache
    def truncated(self, layer):
        """The network up to a convolution, that included."""
        return up_to(self.network, self.layers[layer])

    @functools.cache
    def below(self, layer):
        """The network up to the input of a convolution."""
        return up_to(self.network, self.layers[layer].args[0])

    def convolution(self, layer):
        return module(self.network, self.layers[layer])

    def field(self, job):
        """The receptive field's box, its first pixels and side length unclipped, occluders and their size."""
        height, width = self.image(job.image).shape[-2:]
        network = self.truncated(job.layer)
        (top, bottom), (left, right) = (field(network, p) for p in (job.y, job.x))
        rf = bottom - top + 1
        box = ((max(top, 0), min(bottom, height - 1)), (max(left, 0), min(right, width - 1)))
        corners, side = occluders(box, rf, (height, width))
        return Field(box, (top, left), rf, corners, side)


def deposit(job, problem, differences):
    """The discrepancy map [rf, rf]: each difference at its occluder's centre."""
    field = problem.field(job)
    found = np.zeros((field.rf, field.rf))
    for corner, difference in zip(field.corners, differences):
        y, x = [(2 * (pixel - start) + field.side - 1) // 2
                for pixel, start in zip(corner, field.start)]
        found[y, x] += abs(difference)
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
