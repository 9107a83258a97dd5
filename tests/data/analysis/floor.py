"""Noise floors and what exceeds them, computed with NumPy and SciPy alone: writes floor.json.

    python floor.py     (numpy and scipy, of the versions that the file names)
"""

import json
from pathlib import Path

import numpy as np
import scipy
from scipy import stats

random = np.random.default_rng(28)
RATE = 0.1


def clipped(values):
    """The median of what is not more than three standard deviations above it, again and again."""
    kept = values
    while True:
        level = np.median(kept)
        deviation = stats.median_abs_deviation(kept, scale="normal")
        below = kept[kept <= level + 3 * deviation]
        if len(below) == len(kept):
            return level, np.sqrt(np.pi / 2 / len(kept)) * deviation, len(kept)
        kept = below


def main():
    students = [
        [float(t), float(df), float(stats.t.sf(t, df))]
        for t in (-4.0, -0.3, 0.0, 0.8, 2.2, 7.5, 40.0)
        for df in (1, 2, 3, 7, 19, 99, 1500.5)
    ]
    images = np.abs(random.normal(1.0, 0.6, (12, 80)))
    images[:, :9] += np.linspace(0.2, 2.0, 9)
    images = np.round(images, 6)
    means, errors = images.mean(0), stats.sem(images, axis=0)
    level, error, cells = clipped(means)
    p = stats.t.sf((means - level) / np.hypot(errors, error), len(images) - 1)
    found = {
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "student": students,
        "images": images.tolist(),
        "rate": RATE,
        "level": float(level),
        "error": float(error),
        "cells": cells,
        "errors": errors.tolist(),
        "probabilities": p.tolist(),
        "exceeds": (stats.false_discovery_control(p) <= RATE).tolist(),
    }
    assert 3 < sum(found["exceeds"]) < 12
    Path(__file__).with_name("floor.json").write_text(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
