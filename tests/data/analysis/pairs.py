"""What `occlumap compare` finds, computed with NumPy and SciPy alone: writes pairs.json.

    python pairs.py     (numpy and scipy, of the versions that the file names)
"""

import json
from pathlib import Path

import numpy as np
import scipy
from scipy import ndimage, stats

RF = 51.0
BLURS = [0.0, 1 / 30, 1 / 8, 1 / 2]
REGION_BLUR = 1 / 30
MASS = 0.4

random = np.random.default_rng(28)


def gaussian(shape, step, y, x, long, short, degrees):
    """An elliptical Gaussian, the angle counter-clockwise with y downward."""
    rows = (np.arange(shape[0]) + 0.5) * step[0] - 0.5
    columns = (np.arange(shape[1]) + 0.5) * step[1] - 0.5
    dy, dx = rows[:, None] - y, columns[None, :] - x
    turn = np.radians(degrees)
    along = dx * np.cos(turn) - dy * np.sin(turn)
    across = dx * np.sin(turn) + dy * np.cos(turn)
    return np.exp(-0.5 * ((along / long) ** 2 + (across / short) ** 2))


def blurred(values, known, deviation, step):
    """The mean of the measured cells around each, weighted by a Gaussian."""
    if deviation == 0:
        return values
    sigma = [deviation / s for s in step]
    blur = lambda a: ndimage.gaussian_filter(a, sigma, mode="constant", truncate=4.0)
    return blur(np.where(known, values, 0.0)) / np.maximum(blur(known.astype(float)), 1e-300)


def region(values, known, step, mass):
    """Points, their measured ones, area, centre and covariance of what is high."""
    points = [-(-96 // n) for n in values.shape]
    at = [(np.arange(n * k) + 0.5) / k - 0.5 for n, k in zip(values.shape, points)]
    grid = np.meshgrid(*at, indexing="ij")
    linear = lambda a: ndimage.map_coordinates(a, grid, order=1, mode="nearest")
    weights = linear(known.astype(float))
    fine = linear(np.where(known, np.abs(values), 0.0)) / np.where(weights > 0, weights, 1)
    measured = np.kron(known, np.ones(points)).astype(bool)
    if mass is None:
        level = fine[measured].max() / 2
    else:
        ordered = np.sort(fine[measured])[::-1]
        level = ordered[np.searchsorted(np.cumsum(ordered), mass * ordered.sum())]
    inside = measured & (fine >= level)
    pixel = [s / k for s, k in zip(step, points)]
    y = (np.arange(fine.shape[0]) + 0.5) * pixel[0] - 0.5
    x = (np.arange(fine.shape[1]) + 0.5) * pixel[1] - 0.5
    y, x = (a[inside] for a in np.meshgrid(y, x, indexing="ij"))
    centre = [np.average(a, weights=fine[inside]) for a in (y, x)]
    covariance = np.cov(np.stack([y, x]), aweights=fine[inside], bias=True)
    return {
        "measured": measured,
        "inside": inside,
        "area": float(inside.sum() * pixel[0] * pixel[1]),
        "centre": [float(c) for c in centre],
        "covariance": [float(covariance[0, 0]), float(covariance[1, 1]), float(covariance[0, 1])],
    }


def angle(covariance):
    """The angle of the long axis, counter-clockwise with y downward, 0 to 180."""
    yy, xx, yx = covariance
    values, vectors = np.linalg.eigh([[yy, yx], [yx, xx]])
    down, right = vectors[:, 1]
    return float(np.degrees(np.arctan2(-down, right)) % 180)


def case(shape, profiles, cut, mass):
    """Two maps with noise, parts of which are not measured, and all that is told of the pair."""
    step = [RF / n for n in shape]
    maps, known = [], []
    for profile in profiles:
        noisy = gaussian(shape, step, *profile) + 0.05 * random.random(shape)
        maps.append(np.round(noisy, 6))
    known = [np.ones(shape, bool) for _ in maps]
    if cut:
        known[0][:2, :] = False
        known[1][:, -3:] = False
        known[1][5, 4] = False
    both = known[0] & known[1]
    found = {
        "shape": shape,
        "mass": mass,
        "maps": [np.where(k, m, -1.0).ravel().tolist() for m, k in zip(maps, known)],
        "blurred": blurred(maps[0], known[0], BLURS[2] * RF, step)[known[0]].tolist(),
        "r": [
            float(
                stats.pearsonr(
                    *(blurred(m, k, b * RF, step)[both] for m, k in zip(maps, known))
                ).statistic
            )
            for b in BLURS
        ],
    }
    regions = [
        region(blurred(m, k, REGION_BLUR * RF, step), k, step, mass) for m, k in zip(maps, known)
    ]
    one, two = regions
    shared = one["measured"] & two["measured"]
    found["overlap"] = float(
        (one["inside"] & two["inside"] & shared).sum()
        / ((one["inside"] | two["inside"]) & shared).sum()
    )
    found["areas"] = [r["area"] for r in regions]
    found["centres"] = [r["centre"] for r in regions]
    found["covariances"] = [r["covariance"] for r in regions]
    found["turn"] = (angle(two["covariance"]) - angle(one["covariance"]) + 90) % 180 - 90
    if not cut:
        sums = [m / m.sum() for m in maps]
        found["composite"] = (sums[0] + sums[1]).ravel().tolist()
    return found


def resampled():
    """A map on coarser cells: means by area, from an integral of the map."""
    values = np.round(random.random((9, 7)), 6)
    integral = np.zeros((10, 8))
    integral[1:, 1:] = values.cumsum(0).cumsum(1)
    edges = [np.linspace(0, n, m + 1) for n, m in zip(values.shape, (4, 3))]
    at = np.meshgrid(*edges, indexing="ij")
    corner = ndimage.map_coordinates(integral, at, order=1)
    sums = corner[1:, 1:] - corner[:-1, 1:] - corner[1:, :-1] + corner[:-1, :-1]
    area = (9 / 4) * (7 / 3)
    return {"values": values.ravel().tolist(), "means": (sums / area).ravel().tolist()}


def main():
    values = np.round(random.normal(size=37), 6)
    round_and_long = [(20.0, 30.0, 9.0, 5.0, 30.0), (24.0, 26.0, 12.0, 6.0, 55.0)]
    tilted = [(25.0, 25.0, 10.0, 4.0, 170.0), (22.0, 29.0, 8.0, 4.5, 10.0)]
    found = {
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "rf": RF,
        "blurs": BLURS,
        "region_blur": REGION_BLUR,
        "cases": [
            case([13, 13], round_and_long, False, None),
            case([12, 15], tilted, True, None),
            case([13, 13], round_and_long, True, MASS),
        ],
        "resampled": resampled(),
        "distribution": {
            "values": values.tolist(),
            "mean": float(values.mean()),
            "quantiles": np.quantile(values, [0.05, 0.25, 0.5, 0.75, 0.95]).tolist(),
        },
    }
    Path(__file__).with_name("pairs.json").write_text(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
