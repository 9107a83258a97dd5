"""The same question asked of captum's `Occlusion`.

It slides its window over the whole image, not over the receptive field, so here the window is
larger and its steps wider: how many presentations it does in a second does not depend on that. It
fills windows from one noise image a map, not with fresh noise each, and gives each pixel the mean
over the windows that cover it. So its maps are not the others', and only presentations a second can
be compared. Its first map of each layer is checked against windows presented one by one.
"""

import numpy as np
import torch
from captum.attr import Occlusion

from common import main

#: captum's default is 1; more is faster here.
AT_A_TIME = 10
#: Pixels along a window, and from one to the next: 289 windows on an image of 227 × 227.
WINDOW = 14
STEP = 14


def fill(image, seed):
    """The noise image that windows are filled from."""
    torch.manual_seed(seed)
    return (torch.rand(*image.shape[1:]) * 2 - 1)[None].to(image.device)


def starts(size):
    """Where windows begin along an axis; the last may reach past the image."""
    return range(0, (-(-(size - WINDOW) // STEP) + 1) * STEP, STEP)


@torch.inference_mode()
def differences(problem, job):
    image, network = problem.image(job.image), problem.truncated(job.layer)
    attributions = Occlusion(lambda images: network(images)[:, job.unit, job.y, job.x]).attribute(
        image,
        sliding_window_shapes=(3, WINDOW, WINDOW),
        strides=(3, STEP, STEP),
        baselines=fill(image, job.seed),
        perturbations_per_eval=AT_A_TIME,
    )
    height, width = image.shape[-2:]
    return Attributions(attributions[0, 0].cpu().numpy(), len(starts(height)) * len(starts(width)))


class Attributions:
    """A map that counts as so many presentations."""

    def __init__(self, pixels, count):
        self.pixels, self.count = pixels, count

    def __len__(self):
        return self.count


@torch.inference_mode()
def check(problem, job, attributions):
    """Fails if captum's map is not what its windows give."""
    image, network = problem.image(job.image), problem.truncated(job.layer)
    noise = fill(image, job.seed)
    height, width = image.shape[-2:]
    original = network(image)[0, job.unit, job.y, job.x]
    sums, counts = np.zeros((height, width)), np.zeros((height, width))
    corners = [(top, left) for top in starts(height) for left in starts(width)]
    for first in range(0, len(corners), 64):
        some = corners[first : first + 64]
        batch = image.repeat(len(some), 1, 1, 1)
        for index, (top, left) in enumerate(some):
            here = (slice(top, top + WINDOW), slice(left, left + WINDOW))
            batch[index][:, *here] = noise[0][:, *here]
        changes = original - network(batch)[:, job.unit, job.y, job.x]
        for (top, left), change in zip(some, changes.tolist()):
            sums[top : top + WINDOW, left : left + WINDOW] += change
            counts[top : top + WINDOW, left : left + WINDOW] += 1
    expected = sums / np.maximum(counts, 1)
    if len(corners) != len(attributions):
        raise SystemExit(f"{job.key}: {len(corners)} windows, counted {len(attributions)}")
    error = np.abs(expected - attributions.pixels).max() / np.abs(expected).max()
    if not error < 1e-3:
        raise SystemExit(f"{job.key}: captum's map differs by {error:.1e} of its largest value")


if __name__ == "__main__":
    main("captum", __doc__, differences, check=check, map=lambda _job, _problem, found: found.pixels)
