"""Gaussian, difference of Gaussians and Gabor, fitted with SciPy alone: writes fits.json.

    python fits.py     (numpy and scipy, of the versions that the file names)
"""

import json
from pathlib import Path

import numpy as np
import scipy
from scipy.optimize import curve_fit

random = np.random.default_rng(28)
CELLS = 23
AT = 4.0 + 4.0 * np.arange(CELLS)  # of an RF of 99 pixels under occluders of 9 in steps of 4
Y, X = (a.ravel() for a in np.meshgrid(AT, AT, indexing="ij"))


def ellipse(y0, x0, a, q, c):
    """The squared distance from the centre, in standard deviations."""
    dy, dx = Y - y0, X - x0
    return (np.exp(a) * dy + q * dx) ** 2 + (np.exp(c) * dx) ** 2


def gaussian(_, amplitude, y0, x0, a, q, c, offset):
    return amplitude * np.exp(-ellipse(y0, x0, a, q, c) / 2) + offset


def dog(_, amplitude, y0, x0, a, q, c, offset, surround, ratio):
    d = ellipse(y0, x0, a, q, c)
    return amplitude * np.exp(-d / 2) + surround * np.exp(-d / 2 / ratio**2) + offset


def gabor(_, amplitude, y0, x0, a, q, c, offset, modulation, wave, angle, phase):
    k, turn = 2 * np.pi / wave, np.radians(angle)
    along = (X - x0) * np.cos(turn) - (Y - y0) * np.sin(turn)
    grating = np.cos(k * along + np.radians(phase))
    return (amplitude + modulation * grating) * np.exp(-ellipse(y0, x0, a, q, c) / 2) + offset


def fitted(model, values, guess):
    at = np.array(guess, float)
    # Once more from where it ended, until nothing moves.
    for _ in range(4):
        at, covariance = curve_fit(
            model, None, values, p0=at, xtol=1e-15, ftol=1e-15, gtol=1e-15, maxfev=100000
        )
    residuals = float(((model(None, *at) - values) ** 2).sum())
    n, k = len(values), len(at) + 1
    errors = np.sqrt(np.diag(covariance))
    if model is gabor:
        # One grating has many names: a wave above 0, its angle from 0 to 180 degrees, its phase too.
        at[10] += 180 * (at[7] < 0)
        at[10] = abs((at[10] + 180) % 360 - 180)
        at[7], at[8], at[9] = abs(at[7]), abs(at[8]), at[9] % 180
    shown = [0, 1, 2, 6, *range(7, len(at))]
    return {
        "residuals": residuals,
        "criterion": float(n * np.log(residuals / n) + k * np.log(n)),
        "own": [[float(at[i]), float(errors[i])] for i in shown],
    }


def main():
    base = [1.2, 45.0, 52.0, np.log(1 / 13), 0.01, np.log(1 / 11), 0.3]
    shapes = {
        "gaussian": (gaussian, base),
        "dog": (dog, [2.0, *base[1:], -0.9, 2.0]),
        "gabor": (gabor, [*base, 0.8, 17.0, 40.0, 60.0]),
    }
    cases = []
    for name in ("dog", "gabor"):
        model, truth = shapes[name]
        values = np.round(model(None, *truth) + random.normal(0, 0.05, CELLS**2), 6)
        guesses = {
            "gaussian": [[1, 45, 52, -2.5, 0.01, -2.4, 0.3]],
            "dog": [
                [2, 45, 52, -2.5, 0.01, -2.4, 0.3, s, r] for s in (-0.9, 0.3) for r in (1.5, 2, 3.5)
            ],
            "gabor": [
                [1, 45, 52, -2.5, 0.01, -2.4, 0.3, 0.3, w, t, p]
                for w in (9, 12, 17, 25, 40, 80)
                for t in (0, 22.5, 45, 67.5, 90, 112.5, 135, 157.5)
                for p in (0, 90, 180)
            ],
        }
        fits = []
        for shape in shapes:
            found = []
            for guess in guesses[shape]:
                try:
                    found.append(fitted(shapes[shape][0], values, guess))
                except RuntimeError:
                    pass
            fits.append(min(found, key=lambda fit: fit["residuals"]))
        best = min(range(3), key=lambda which: fits[which]["criterion"])
        assert list(shapes)[best] == name
        cases.append({"values": values.tolist(), "fits": fits, "best": name})
    found = {"numpy": np.__version__, "scipy": scipy.__version__, "cases": cases}
    Path(__file__).with_name("fits.json").write_text(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
