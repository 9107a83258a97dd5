"""Widths extrapolated to occluders of one pixel, computed with NumPy and SciPy alone: writes sizes.json.

    python sizes.py     (numpy and scipy, of the versions that the file names)
"""

import json
from pathlib import Path

import numpy as np
import scipy
from scipy.optimize import curve_fit

random = np.random.default_rng(28)


def extrapolated(sizes, widths, errors):
    """The line through the variances by `curve_fit`, its value at one pixel and its slope."""
    x, y, sigma = sizes**2 - 1, widths**2, 2 * widths * errors
    line, covariance = curve_fit(
        lambda x, at, slope: at + slope * x, x, y, [16, 0.2], sigma, absolute_sigma=True, method="trf",
        jac=lambda x, at, slope: np.stack([np.ones_like(x), x], 1), x_scale=[10, 0.1], ftol=1e-15,
        xtol=1e-15, gtol=1e-15,
    )
    if len(sizes) > 2:
        off = (((y - line[0] - line[1] * x) / sigma) ** 2).sum() / (len(sizes) - 2)
        covariance = covariance * max(off, 1)
    if line[0] <= 0:
        return [None, None, line[1]]
    width = np.sqrt(line[0])
    return [width, np.sqrt(covariance[0, 0]) / (2 * width), line[1]]


def main():
    cases = []
    for sizes in ([3, 5], [1, 3, 5, 9], [5, 7, 11, 13, 17], [2, 3], [4, 8, 12]):
        sizes = np.array(sizes, float)
        for scatter in (0.0, 0.3):
            widths = np.sqrt(16 + (sizes**2 - 1) / 6) + scatter * random.normal(size=len(sizes))
            errors = random.uniform(0.05, 0.2, len(sizes))
            widths, errors = np.round(widths, 6), np.round(errors, 6)
            found = [None if v is None else float(v) for v in extrapolated(sizes, widths, errors)]
            cases.append([sizes.tolist(), widths.tolist(), errors.tolist(), found])
    # A line that falls below 0.
    low = [np.array(row, float) for row in ([3, 5], [1, 3], [0.1, 0.1])]
    found = [None if v is None else float(v) for v in extrapolated(*low)]
    assert found[0] is None
    cases.append([*(row.tolist() for row in low), found])
    versions = {"numpy": np.__version__, "scipy": scipy.__version__}
    Path(__file__).with_name("sizes.json").write_text(json.dumps({**versions, "cases": cases}) + "\n")


if __name__ == "__main__":
    main()
