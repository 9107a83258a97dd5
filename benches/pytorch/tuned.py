"""The best that we know to do in PyTorch for the same maps: all occluders of a map made in one
call; only the part of the image that the unit sees; the last layer for one unit at one position;
channels last, inference mode, compiled; on a GPU in reduced precision."""

import functools

import torch

from common import WHOLE_MAP, main, module, window

#: Images at a time: all occluders of a map on a GPU; on a CPU, what stays in its caches.
BATCH = {"cpu": 32, "cuda": 1024}
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
                             "give --without tuned")
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
def network(problem, layer):
    below = problem.below(layer).to(memory_format=torch.channels_last)
    if problem.device.type == "cuda":
        return torch.compile(below, mode="max-autotune", dynamic=False)
    return below


@torch.inference_mode()
def differences(problem, job):
    (rows, columns), (ys, xs) = crop(problem, job)
    field = problem.field(job)
    corners, side = field.corners, field.side
    image = problem.image(job.image)[..., slice(*rows), slice(*columns)]
    # One call draws the same stream as one call an occluder. Where maps are not compared it is drawn
    # where it is needed.
    source = "cpu" if problem.compared else problem.device
    noise = (torch.rand(len(corners), 3, side, side, device=source) * 2 - 1).to(problem.device)
    convolution = problem.convolution(job.layer)
    below = network(problem, job.layer)
    # The channels of the unit's group.
    each = convolution.weight.shape[1]
    group = job.unit // (convolution.out_channels // convolution.groups)
    channels = slice(group * each, (group + 1) * each)
    low_precision = torch.autocast("cuda", torch.bfloat16, enabled=problem.device.type == "cuda")

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
    batch = BATCH[problem.device.type]
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
