"""What finished maps tell: derived maps, summaries, shapes, sizes, reliability."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Union

import numpy as np

from . import _occlumap
from ._progress import Progress, work
from ._results import SIDES, Folder, Maps, Sides, inner_of
from ._short import Short
from ._tables import Table, files, meanings_of, table_of

MapsOrFolder = Union[Maps, str, "os.PathLike[str]"]
"""Maps, or the folder of such."""

Names = Union[str, Iterable[str], None]


@dataclass(frozen=True, repr=False)
class DerivedMaps(Short):
    """The derived maps of a layer, float64 ``[units, rf, rf]``, NaN where nothing was measured.

    A kind that was not made is ``None``.

    Attributes
    ----------
    composite : array
        Top and bottom map together, each divided by its sum.
    relative : Sides
        The maps over the mean size of the responses to their images.
    floor : Sides
        The maps over their noise floor.
    exceeds : Sides
        1 where a map exceeds its floor, 0 where not, NaN where that was not tested.
    """

    composite: np.ndarray | None = None
    relative: Sides | None = None
    floor: Sides | None = None
    exceeds: Sides | None = None


@dataclass(frozen=True, repr=False)
class Derived(Short):
    """What was derived.

    Attributes
    ----------
    layers : dict of DerivedMaps
        The maps of each layer, by its short name, read from their files as needed.
    floors : dict of arrays
        A row for each unit and side, as ``floors.csv`` of ``occlumap derive`` has it.
    left_out : list of (str, str)
        Kinds that the sweep has not kept enough for, and why.
    meanings : dict of str
        What the columns of the table mean.
    """

    layers: dict[str, DerivedMaps]
    floors: Table
    left_out: list[tuple[str, str]]
    meanings: dict[str, str]
    _folder: Folder = field(repr=False)


@dataclass(frozen=True, repr=False)
class Summary(Short):
    """Receptive fields over the depth of networks.

    Attributes
    ----------
    measures : dict of arrays
        A row for each layer, side and measure, as ``summary.csv`` of ``occlumap summary`` has it.
    orientations : dict of arrays
        A row for each layer, side and bin of orientations (``orientations.csv``).
    reliability : dict of arrays
        A row for each layer, side and number of images (``reliability.csv``).
    meanings : dict of str
        What the measures and the columns of the tables mean.
    """

    measures: Table
    orientations: Table
    reliability: Table
    meanings: dict[str, str]


@dataclass(frozen=True, repr=False)
class UnitNumbers(Short):
    """Numbers of maps.

    Attributes
    ----------
    units : dict of arrays
        A row for each layer, unit and side, as the command's CSV has it.
    meanings : dict of str
        What the columns mean.
    """

    units: Table
    meanings: dict[str, str]


@dataclass(frozen=True, repr=False)
class ReliabilityCurve(Short):
    """Split-half reliability by the number of images.

    Attributes
    ----------
    units : dict of arrays
        A row for each layer, side, unit and number of images.
    layers : dict of arrays
        A row for each layer, side and number of images: the distribution over units; and a row with the
        images that would reach a reliability of 0.95.
    meanings : dict of str
        What the columns of both tables mean.
    """

    units: Table
    layers: Table
    meanings: dict[str, str]


def derive(
    maps: MapsOrFolder,
    *,
    layers: Names = None,
    only: Names = None,
    fdr: float = 0.05,
    out: str | os.PathLike[str] | None = None,
    force: bool = False,
    threads: int | None = None,
    progress: Progress = True,
) -> Derived:
    """Derives composite, normalised and tested maps; ``docs/findings.md`` tells what each is.

    Parameters
    ----------
    maps : Maps or path
        Maps, or a folder of such.
    layers : str or list of str, optional
        Layers, by name.
    only : str or list of str, optional
        Kinds: ``"composite"``, ``"relative"``, ``"floor"``, ``"exceeds"``; by default all that the sweep
        has kept enough for. ``exceeds`` takes ``statistics=True`` or ``repeats`` when mapping.
    fdr : float
        False discovery rate of cells that exceed the floor.
    out : path, optional
        A folder for the files of ``occlumap derive``; by default a temporary one, which goes with the
        result.
    force : bool
        Whether files of the same names are replaced.

    Returns
    -------
    Derived
    """
    folder = Folder(out)
    inner = inner_of(maps)
    told = files(folder.path, force)
    found = _occlumap.derive(
        inner, _list(layers), _list(only), float(fdr), told, work(threads, progress)
    )
    table, kinds, left_out = found
    floors = table_of(*table)
    made = {layer: _derived_maps(folder, layer, kinds) for layer in dict.fromkeys(floors["layer"])}
    return Derived(made, floors, list(left_out), meanings_of(table[0]), folder)


def summary(
    maps: MapsOrFolder | Sequence[MapsOrFolder],
    *,
    names: Names = None,
    blur: bool = False,
    out: str | os.PathLike[str] | None = None,
    force: bool = False,
    threads: int | None = None,
    progress: Progress = True,
) -> Summary:
    """Summarises receptive fields over the depth of one or several networks.

    Parameters
    ----------
    maps : Maps or path, or a list of such
        One for each network.
    names : str or list of str, optional
        What the networks are called; by default the names of their models.
    blur : bool
        Whether each map is blurred by a Gaussian of a thirtieth of the RF before the fit; the widths
        contain the blur.
    out : path, optional
        A folder for the files of ``occlumap summary``: tables and a figure.
    force : bool
        Whether files of the same names are replaced.

    Returns
    -------
    Summary
    """
    opened = [inner_of(one) for one in _several(maps)]
    called: list[str | None] = [*_list(names)] or [None] * len(opened)
    if len(called) != len(opened):
        raise ValueError(
            f"there are {len(called)} names for {len(opened)} networks; expected one for each"
        )
    named = list(zip(called, opened))
    tables, of_measures = _occlumap.summary(named, blur, files(out, force), work(threads, progress))
    meanings = {**meanings_of(*(columns for columns, _ in tables)), **dict(of_measures)}
    measures, orientations, reliability = (table_of(*table) for table in tables)
    return Summary(measures, orientations, reliability, meanings)


def models(
    maps: MapsOrFolder,
    *,
    layers: Names = None,
    out: str | os.PathLike[str] | None = None,
    force: bool = False,
    threads: int | None = None,
    progress: Progress = True,
) -> UnitNumbers:
    """Fits a Gaussian, a difference of Gaussians and a Gabor to each map, and chooses one.

    Parameters
    ----------
    maps : Maps or path
        Maps, or a folder of such.
    layers : str or list of str, optional
        Layers, by name.
    out : path, optional
        A folder for the files of ``occlumap models``.
    force : bool
        Whether files of the same names are replaced.

    Returns
    -------
    UnitNumbers
        The shape of each map, its parameters and their standard errors.
    """
    told = files(out, force)
    columns, rows = _occlumap.models(inner_of(maps), _list(layers), told, work(threads, progress))
    return UnitNumbers(table_of(columns, rows), meanings_of(columns))


def sizes(
    maps: Sequence[MapsOrFolder] | Mapping[int, Maps] | str | os.PathLike[str],
    *,
    out: str | os.PathLike[str] | None = None,
    force: bool = False,
    threads: int | None = None,
    progress: Progress = True,
) -> UnitNumbers:
    """Extrapolates the widths of maps to occluders of one pixel.

    Parameters
    ----------
    maps : list of Maps or paths, dict of Maps or path
        Maps of one network whose occluders differ in size, best three or more; what
        :func:`map_sizes` returns, or its ``out``.
    out : path, optional
        A folder for the files of ``occlumap sizes``.
    force : bool
        Whether files of the same names are replaced.

    Returns
    -------
    UnitNumbers
        The widths of each map, with their standard errors.
    """
    several: Sequence[MapsOrFolder] = _several(maps)
    if isinstance(maps, (str, os.PathLike)):
        several = _occlumap.sized_folders(os.fspath(maps)) or several
    opened = [inner_of(one) for one in several]
    columns, rows = _occlumap.sizes(opened, files(out, force), work(threads, progress))
    return UnitNumbers(table_of(columns, rows), meanings_of(columns))


def reliability_curve(maps: MapsOrFolder, *, layers: Names = None) -> ReliabilityCurve:
    """Tells how reliable maps are by how many images, of each unit and over the units of a layer.

    Parameters
    ----------
    maps : Maps or path
        Maps, or a folder of such; those of fewer than all images take ``reliability_curve=True`` when
        mapping.
    layers : str or list of str, optional
        Layers, by name.

    Returns
    -------
    ReliabilityCurve
    """
    of_units, of_layers = _occlumap.reliability_curve(inner_of(maps), _list(layers))
    meanings = meanings_of(of_units[0], of_layers[0])
    return ReliabilityCurve(table_of(*of_units), table_of(*of_layers), meanings)


def _derived_maps(folder: Folder, layer: str, made: Collection[str]) -> DerivedMaps:
    """The maps of the kinds that were made; others of these names are of an earlier call."""

    def load(name: str) -> np.ndarray:
        return np.load(folder.path / f"{layer}_{name}.npy", mmap_mode="r")

    sides = {
        kind: Sides(*(load(f"{side}_{kind}") for side in SIDES))
        for kind in ("relative", "floor", "exceeds")
        if kind in made
    }
    return DerivedMaps(load("composite") if "composite" in made else None, **sides)


def _list(names: Names) -> list[str]:
    return [names] if isinstance(names, str) else list(names or ())


def _several(
    maps: MapsOrFolder | Sequence[MapsOrFolder] | Mapping[Any, MapsOrFolder],
) -> list[MapsOrFolder]:
    if isinstance(maps, (Maps, str, os.PathLike)):
        return [maps]
    of_names: Iterable[Any] = maps.values() if isinstance(maps, Mapping) else maps
    return list(of_names)
