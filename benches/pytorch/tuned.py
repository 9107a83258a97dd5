"""The best that we know to do in PyTorch for the same maps: all occluders of a map made in one
call; only the part of the image that the unit sees; the last layer for one unit at one position;
channels last, inference mode, compiled; on a GPU in reduced precision, on a CPU on request. Of several batches,
and of two ways to bfloat16, the fastest is found for each layer."""

import copy
import functools
import time

import torch

from common import WHOLE_MAP, main, module, window

#: Images at a time: all occluders of a map on a GPU; on a CPU, about what stays in its caches.
BATCHES = {"cpu": (32, 64, 128), "cuda": (1024,)}
#: How the layers below the last are computed: as they are, with autocast, or converted to bfloat16.
ARITHMETIC = {"cuda": ("autocast",), "fp32": ("as they are",), "bf16": ("autocast", "converted")}
torch.backends.cuda.matmul.allow_tf32 = True
torch.backends.cudnn.allow_tf32 = True
torch.backends.cudnn.benchmark = True
# Receptive fields are cut in many ways at the border: each has shapes of its own, for which PyTorch
# compiles, and beyond this many it would no longer.
torch._dynamo.config.recompile_limit = 1024
torch._dynamo.config.accumulated_recompile_limit = 1024


def total_stride(network):
    """Pixels of the image from one position of a network's output to the next."""
    strides = {}
    for node in network.graph.nodes:
        layer = module(network, node)
        if isinstance(layer, WHOLE_MAP):
            raise SystemExit(f"{node.target}: each position sees the whole map, so no part of the image will do; "
                             "give --without tuned,tuned-bf16")
        strides[node] = window(layer).stride * max(
            (strides[source] for source in node.all_input_nodes), default=1)
    return strides[node]


def crop(problem, job):
    """The part of the image that is computed: the receptive field's box, widened to where all
    strides begin anew, so that each position of the crop is a position of the whole image; and
    the unit's window in the last layer's input.

    Zero padding at the crop's edge reaches no position that the unit depends on.
    """
    step = total_stride(problem.below(job.layer))
    size = problem.image(job.image).shape[-2:]
    last = window(problem.convolution(job.layer))
    cut, windows = [], []
    for (low, high), length, position in zip(problem.field(job).box, size, (job.y, job.x)):
        start = low // step * step
        # A crop that ends inside the image must not lose a last window to rounding.
        end = min(length, high + 1 + step)
        cut.append((start, end))
        first = position * last.stride - last.padding - start // step
        windows.append((first, first + last.kernel))
    return cut, windows


@functools.cache
def network(problem, layer, arithmetic):
    below = problem.below(layer).to(memory_format=torch.channels_last)
    if problem.device.type == "cuda":
        return torch.compile(below, mode="max-autotune", dynamic=False)
    return copy.deepcopy(below).to(torch.bfloat16) if arithmetic == "converted" else below


def draw(problem, job):
    """The noise of a job's occluders: one call draws the same stream as one call an occluder. Where maps are not
    compared it is drawn where it is needed."""
    field = problem.field(job)
    corners, side = field.corners, field.side
    source = "cpu" if problem.compared else problem.device
    return (torch.rand(len(corners), 3, side, side, device=source) * 2 - 1).to(problem.device)


#: The fastest arithmetic and batch of each layer.
FASTEST = {}


def differences(problem, job):
    noise = draw(problem, job)
    if job.layer not in FASTEST:
        device = problem.device.type
        ways = [(arithmetic, batch) for batch in BATCHES[device]
                for arithmetic in ARITHMETIC["cuda" if device == "cuda" else problem.precision]]
        FASTEST[job.layer] = ways[0] if len(ways) == 1 else min(
            ways, key=lambda way: seconds(problem, job, noise, way))
    return presented(problem, job, noise, FASTEST[job.layer])


def seconds(problem, job, noise, way):
    """What a way takes, once what happens only once has happened."""
    presented(problem, job, noise, way)
    start = time.perf_counter()
    presented(problem, job, noise, way)
    return time.perf_counter() - start


@torch.inference_mode()
def presented(problem, job, noise, way):
    arithmetic, batch = way
    (rows, columns), (ys, xs) = crop(problem, job)
    field = problem.field(job)
    corners, side = field.corners, field.side
    image = problem.image(job.image)[..., slice(*rows), slice(*columns)]
    if arithmetic == "converted":
        image, noise = image.to(torch.bfloat16), noise.to(torch.bfloat16)
    convolution = problem.convolution(job.layer)
    below = network(problem, job.layer, arithmetic)
    # The channels of the unit's group.
    each = convolution.weight.shape[1]
    group = job.unit // (convolution.out_channels // convolution.groups)
    channels = slice(group * each, (group + 1) * each)
    low_precision = torch.autocast(
        problem.device.type, torch.bfloat16, enabled=arithmetic == "autocast")

    def responses(images):
        with low_precision:
            activations = below(images)
        height, width = activations.shape[-2:]
        # The window's part outside of the map is padding: zero.
        y, x = (max(ys[0], 0), min(ys[1], height)), (max(xs[0], 0), min(xs[1], width))
        filters = convolution.weight[job.unit][
            :, y[0] - ys[0] : y[1] - ys[0], x[0] - xs[0] : x[1] - xs[0]]
        seen = activations[:, channels, slice(*y), slice(*x)].float()
        return torch.einsum("nchw,chw->n", seen, filters)

    original = responses(image)
    found = []
    tops = torch.tensor([y - rows[0] for y, _ in corners], device=problem.device)
    lefts = torch.tensor([x - columns[0] for _, x in corners], device=problem.device)
    inside = torch.arange(side, device=problem.device)
    for first in range(0, len(corners), batch):
        some = slice(first, first + batch)
        images = image.repeat(len(corners[some]), 1, 1, 1).contiguous(
            memory_format=torch.channels_last)
        index = torch.arange(len(images), device=problem.device)[:, None, None]
        y = (tops[some, None] + inside)[:, :, None]
        x = (lefts[some, None] + inside)[:, None, :]
        # Indexed so, channels come last.
        images[index, :, y, x] = noise[some].permute(0, 2, 3, 1)
        found.append(responses(images) - original)
    return torch.cat(found).float().cpu().tolist()


if __name__ == "__main__":
    main("tuned", __doc__, differences)
