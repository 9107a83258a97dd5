"""The method as the reference script does it: occluders drawn one at a time, batches of ten whole
images, all units of the truncated network computed for the one that is asked for."""

import torch

from common import main

BATCH = 10


def occluded(image, corner, side):
    copy = image.clone().detach()
    (y, x) = corner
    noise = torch.rand(3, side, side).to(image.device) * 2 - 1
    copy[0, :, y : y + side, x : x + side] = noise
    return copy[0]


def differences(problem, job):
    image, network = problem.image(job.image), problem.truncated(job.layer)
    field = problem.field(job)
    with torch.no_grad():
        original = network(image)[0, job.unit, job.y, job.x].item()
    found = []
    for first in range(0, len(field.corners), BATCH):
        some = field.corners[first : first + BATCH]
        batch = torch.zeros((len(some), *image.shape[1:]), device=image.device)
        for index, corner in enumerate(some):
            batch[index] = occluded(image, corner, field.side)
        # As the reference has it, gradients are kept track of.
        responses = network(batch).cpu().detach().numpy()[:, job.unit, job.y, job.x]
        found.extend((responses - original).tolist())
    return found


if __name__ == "__main__":
    main("reference", __doc__, differences)
