"""Two sets of maps, unit by unit."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Union

import numpy as np

from . import _occlumap
from ._progress import Progress, work
from ._results import Maps, set_of
from ._settings import units_text
from ._tables import Table, files, meanings_of, table_of

MapSet = Union[Maps, str, "os.PathLike[str]", np.ndarray]
"""Maps, the folder of such, or an array ``[units, height, width]`` of another method."""


@dataclass(frozen=True)
class Comparison:
    """What was found; ``pandas.DataFrame`` takes either table as it is.

    Attributes
    ----------
    units : dict of arrays
        A row for each unit, layer and pair of sides, as ``units.csv`` of ``occlumap compare`` has it.
    layers : dict of arrays
        A row for each layer, pair of sides and measure, beside the baseline of shuffled units.
    left_out : list of (str, str)
        What only one set has: the layer, and what and why.
    meanings : dict of str
        What the columns of both tables mean.
    """

    units: Table
    layers: Table
    left_out: list[tuple[str, str]]
    meanings: dict[str, str]

    def __repr__(self) -> str:
        names = ", ".join(dict.fromkeys(self.units["layer"]))
        return f"<occlumap.Comparison of {names}: {len(self.units['unit'])} pairs of maps>"


def compare(
    a: MapSet,
    b: MapSet | None = None,
    *,
    layers: str | Iterable[str] | None = None,
    units: int | Iterable[int] | None = None,
    sides: str | Iterable[str] | None = None,
    blurs: Sequence[float] | None = None,
    region: str | float = "half",
    region_blur: float = 1 / 30,
    shuffles: int = 99,
    seed: int = 0,
    out: str | os.PathLike[str] | None = None,
    force: bool = False,
    threads: int | None = None,
    progress: Progress = True,
) -> Comparison:
    """Compares two sets of maps, unit by unit; ``docs/findings.md`` tells what each number is.

    Parameters
    ----------
    a, b : Maps, path or array
        Maps, a folder of such, or an array ``[units, height, width]`` that lies over the receptive
        field (RF), NaN where nothing was measured. Without ``b``, the maps of the top images of ``a``
        are compared with those of its bottom images.
    layers : str or list of str, optional
        Layers that both have; with an array one.
    units : int or iterable of int, optional
        Units of each layer.
    sides : str or list of str, optional
        ``"max"``, ``"min"``, ``"composite"``, or ``"max:min"`` for one side of each.
    blurs : list of float, optional
        Standard deviations of the blurs before correlations, as parts of the RF, ascending.
    region : "half" or float
        What belongs to a map's region: at least half its largest value, or the highest points that hold
        this share of its mass.
    region_blur : float
        The blur before that, as a part of the RF.
    shuffles, seed : int
        Shuffles of the units for the baseline.
    out : path, optional
        A folder for the files of ``occlumap compare``: tables, figures, a page.
    force : bool
        Whether files of the same names are replaced.

    Returns
    -------
    Comparison
    """
    if not isinstance(region, (int, float)) and region != "half":
        raise ValueError(f"region is {region!r}; expected 'half' or a share of the mass up to 1")
    options = {
        "layers": [layers] if isinstance(layers, str) else list(layers or ()),
        "units": units_text(units),
        "sides": [sides] if isinstance(sides, str) else list(sides or ()),
        "blurs": None if blurs is None else [float(blur) for blur in blurs],
        "mass": None if region == "half" else float(region),
        "region_blur": float(region_blur),
        "shuffles": int(shuffles),
        "seed": int(seed),
    }
    if b is None and isinstance(a, np.ndarray):
        raise ValueError("a is an array; expected a second set of maps")
    one, other = set_of(a), None if b is None else set_of(b)
    told = work(threads, progress)
    (units_table, layer_table), left_out = _occlumap.compare(
        one, other, options, files(out, force), told
    )
    meanings = meanings_of(units_table[0], layer_table[0])
    return Comparison(table_of(*units_table), table_of(*layer_table), list(left_out), meanings)
