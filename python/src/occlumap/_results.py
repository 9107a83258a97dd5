"""Rankings and maps, of a folder."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from . import _occlumap
from ._images import Images, read_images
from ._progress import Progress, work
from ._short import Short, short
from ._tables import Table, table_of

SIDES = ("max", "min")


class Sides(NamedTuple):
    """What there is of the top images' maps (``max``) and of the bottom images' (``min``)."""

    max: np.ndarray
    min: np.ndarray

    def __repr__(self) -> str:
        return f"<occlumap.Sides max={short(self.max)}, min={short(self.min)}>"

    def __getitem__(self, side: Any) -> Any:
        """The array of a side, by its name or its index."""
        if isinstance(side, str):
            check_side(side)
            return getattr(self, side)
        return tuple.__getitem__(self, side)


def check_side(side: str) -> None:
    """An error for what is no side."""
    if side not in SIDES:
        raise ValueError(f"side is {side!r}; expected max or min")


class Folder:
    """A folder of results; a temporary one goes with the last that uses it."""

    def __init__(self, path: str | os.PathLike[str] | None) -> None:
        self._temporary = None if path else tempfile.TemporaryDirectory(prefix="occlumap-")
        self.path = Path(path) if path else Path(self._temporary.name)  # type: ignore[union-attr]

    @property
    def is_temporary(self) -> bool:
        """Whether nobody has named the folder."""
        return self._temporary is not None

    def inside(self, name: str) -> Folder:
        """A folder in this one."""
        inner = Folder(self.path / name)
        inner._temporary = self._temporary
        return inner

    def save(self, path: str | os.PathLike[str]) -> None:
        """Copies the folder, which the command line and :func:`occlumap.open` then read."""
        shutil.copytree(self.path, path)


@dataclass(frozen=True, repr=False)
class LayerRanking(Short):
    """Which images drive each unit of a layer most and least, and where.

    Attributes
    ----------
    layer : str
        The layer's short name.
    indices : int64 [units, n, 4]
        Best first: image index and position ``y * width + x`` of the largest response, image index and
        position of the smallest.
    responses : float32 [units, n, 2]
        The largest and the smallest responses; NaN where nobody has kept them.
    """

    layer: str
    indices: np.ndarray
    responses: np.ndarray

    def images(self, side: str = "max") -> np.ndarray:
        """Indices of the images of a side, ``[units, n]``, best first."""
        check_side(side)
        return self.indices[:, :, 0 if side == "max" else 2]

    def positions(self, side: str = "max") -> np.ndarray:
        """Positions of the responses of a side, ``[units, n]``."""
        check_side(side)
        return self.indices[:, :, 1 if side == "max" else 3]

    @classmethod
    def read(cls, folder: Path, layer: str) -> LayerRanking:
        """Reads a layer's ranking."""
        indices = np.load(folder / f"{layer}.npy")
        path = folder / f"{layer}_responses.npy"
        shape = (*indices.shape[:2], 2)
        responses = np.load(path) if path.exists() else np.full(shape, np.nan, np.float32)
        return cls(layer, indices, responses)


class Ranking(Mapping[str, LayerRanking]):
    """The rankings of layers, by name; see :class:`LayerRanking`."""

    def __init__(self, folder: Folder, names: Mapping[str, str], modules: Mapping[str, str]) -> None:
        self._folder = folder
        self._names = dict(names)
        self._modules = dict(modules)

    @property
    def folder(self) -> Path:
        """The folder of the ranking."""
        return self._folder.path / "ranking"

    def __getitem__(self, layer: str) -> LayerRanking:
        """The ranking of a layer, by its name, its short name or the name that was asked for."""
        short = self._names.get(layer, self._modules.get(layer, layer))
        if short not in self._names.values():
            raise KeyError(f"there is no layer `{layer}`; there are {', '.join(self)}")
        return LayerRanking.read(self.folder, short)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Copies the ranking into a new folder."""
        self._folder.save(path)

    def __repr__(self) -> str:
        return f"<occlumap.Ranking of {', '.join(self)}>"


@dataclass(frozen=True, repr=False)
class Cells(Short):
    """A map by the cells of its occluder grid.

    Attributes
    ----------
    values : float64 [count, count]
        The mean change of the response by an occluder there; NaN where no image has one.
    extent : (float, float, float, float)
        Left, right, bottom and top edge in pixels of the RF, for matplotlib's ``imshow``.
    """

    values: np.ndarray
    extent: tuple[float, float, float, float]


class LayerMaps:
    """The maps of a layer.

    Attributes
    ----------
    name, short_name : str
        The layer's name, and its name in files.
    units : int
        Units of the layer.
    swept : list of int
        Those that were mapped; maps of others are NaN.
    rf : int
        Side length of the receptive field in pixels.
    step : (int, int)
        Pixels between the RFs of neighbouring positions.
    output : (int, int)
        Height and width of the layer's output.
    occluder_size, occluder_stride : int
        Side length and distance of occluders in pixels.
    """

    def __init__(self, maps: Maps, told: Mapping[str, Any]) -> None:
        self._maps = maps
        self.name: str = told["name"]
        self.short_name: str = told["short_name"]
        self.units: int = told["units"]
        self.swept: list[int] = told["swept"]
        self.rf: int = told["rf"]
        self.step: tuple[int, int] = told["step"]
        self.output: tuple[int, int] = told["output"]
        self.occluder_size: int = told["occluder_size"]
        self.occluder_stride: int = told["occluder_stride"]

    def _load(self, side: str, what: str) -> np.ndarray:
        # The file is checked against the manifest's SHA-256 first.
        path = self._maps._inner.file(self.short_name, side, what)
        return np.load(path, mmap_mode="r")

    def _both(self, what: str, option: str | None = None) -> Sides:
        if option and not self._maps.settings.get(option, False):
            raise ValueError(f"{self.name}: this was not kept; map the units with {option}=True")
        return Sides(*(self._load(side, what) for side in SIDES))

    @property
    def max(self) -> np.ndarray:
        """Mean maps over the top images, float64 ``[units, rf, rf]``, read from the file as needed."""
        return self._load("max", "map")

    @property
    def min(self) -> np.ndarray:
        """Mean maps over the bottom images, float64 ``[units, rf, rf]``."""
        return self._load("min", "map")

    @property
    def sem(self) -> Sides:
        """Standard errors of the maps, float64 ``[units, rf, rf]``; of maps with ``statistics=True``."""
        return self._both("sem", "statistics")

    @property
    def counts(self) -> Sides:
        """How many images cover each pixel, int32 ``[units, rf, rf]``; with ``statistics=True``."""
        return self._both("counts", "statistics")

    @property
    def signed(self) -> Sides:
        """Means of signed differences, float64 ``[units, rf, rf]``; with ``moments=True``."""
        return self._both("signed", "moments")

    @property
    def squared(self) -> Sides:
        """Means of squared differences, float64 ``[units, rf, rf]``; with ``moments=True``."""
        return self._both("squared", "moments")

    @property
    def reliability(self) -> Sides:
        """How well other images repeat each map, float64 ``[units]``."""
        return self._both("reliability")

    @property
    def reliability_curve(self) -> Sides:
        """Reliability of the first 2, 4, 8, … images, float64 ``[units, 16]``, NaN where there are fewer;
        of maps with ``reliability_curve=True``.
        """
        return self._both("curve", "reliability_curve")

    @property
    def frames(self) -> Sides:
        """Where on its image each map lies, int32 ``[units, n, 2]``: row and column of pixel [0, 0]."""
        return self._both("frames")

    @property
    def ranking(self) -> LayerRanking:
        """The ranking that the maps were made from, as far as any unit used it: of units that stop
        (``until_reliable``) ``frames`` tells at which image.
        """
        folder = self._maps._inner.ranking
        if folder is None:
            raise ValueError(
                f"{self._maps.folder}: there is no ranking beside the maps; open it with ranking="
            )
        ranking = LayerRanking.read(Path(folder), self.short_name)
        top = self._maps.settings["top"]
        return LayerRanking(ranking.layer, ranking.indices[:, :top], ranking.responses[:, :top])

    def numbers(
        self, *, blur: bool = False, threads: int | None = None, progress: Progress = None
    ) -> Table:
        """Peak, centre, radii, area and the Gaussian that fits best, of each map.

        Parameters
        ----------
        blur : bool
            Whether each map is blurred by a Gaussian of a thirtieth of the RF before the fit; the
            widths contain the blur.

        Returns
        -------
        dict of arrays
            A table by its columns, a row for each swept unit and side; columns as in the CSV files of
            ``occlumap plot``. ``pandas.DataFrame`` takes it as it is.
        """
        told = work(threads, progress)
        return table_of(*self._maps._inner.numbers(self.short_name, blur, told))

    @property
    def fits(self) -> Any:
        """:meth:`numbers` as a ``pandas.DataFrame`` where pandas is installed, else as a dict."""
        numbers = self.numbers()
        try:
            import pandas
        except ImportError:
            return numbers
        return pandas.DataFrame(numbers)

    def cells(self, unit: int, side: str = "max", *, blur: bool = False) -> Cells:
        """A unit's map by the cells of its occluder grid: what a picture of it shows.

        In the map itself only the centres of occluders have values, and zeros lie between them.

        Parameters
        ----------
        unit : int
            The unit.
        side : {"max", "min"}
            The map of the top or of the bottom images.
        blur : bool
            Whether the map is blurred by a Gaussian with a standard deviation of a thirtieth of the RF.
        """
        check_side(side)
        found = self._maps._inner.cells(self.short_name, self._unit(unit), side, blur)
        values, first, step, shift = found
        low, high = first + shift - 0.5, first + shift + len(values) * step - 0.5
        return Cells(values, (low, high, high, low))

    def plot(self, unit: int, side: str = "max", **options: Any) -> Any:
        """Draws a unit's map; see :meth:`Maps.plot`."""
        from ._plot import plot_map

        return plot_map(self, self._unit(unit), side, **options)

    def _unit(self, unit: int) -> int:
        if not 0 <= unit < self.units:
            raise ValueError(f"{self.name} has no unit {unit}; its units are 0 to {self.units - 1}")
        return int(unit)

    def __repr__(self) -> str:
        return (
            f"<occlumap.LayerMaps {self.name}: {len(self.swept)} of {self.units} units, "
            f"RF of {self.rf} pixels>"
        )


class Maps(Mapping[str, LayerMaps]):
    """The maps of layers, by name: ``maps["layer2.0.conv1"].max``; see :class:`LayerMaps`.

    A layer is found by its name and by its short name (``conv7``); the order is the network's.
    """

    def __init__(
        self,
        folder: Folder,
        ranking: str | os.PathLike[str] | None = None,
        images: Images | None = None,
    ) -> None:
        self._folder = folder
        self._images = None if images is None else read_images(images)
        given = None if ranking is None else os.fspath(ranking)
        self._inner = _occlumap.Results(os.fspath(folder.path), given)
        self._layers = {told["name"]: told for told in self._inner.layers()}

    @property
    def folder(self) -> Path:
        """The folder of the maps: as of the command line's ``--out``."""
        return self._folder.path

    @property
    def complete(self) -> bool:
        """Whether all layers that were asked for are there."""
        return self._inner.complete

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """What the maps were made from, and how (``manifest.json``)."""
        return json.loads(self._inner.manifest())

    @property
    def settings(self) -> dict[str, Any]:
        """What decided the values of the maps."""
        return self.manifest["configuration"]["settings"]

    @property
    def image_names(self) -> list[str]:
        """The names of the images, by their indices."""
        return self._inner.image_names

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the images."""
        return self._inner.image_size

    def __getitem__(self, layer: str) -> LayerMaps:
        name = self._inner.layer_named(layer) if isinstance(layer, str) else None
        if name is None:
            raise KeyError(f"there is no layer `{layer}`; there are {', '.join(self)}")
        found = self._layers[name]
        # Made anew each time, so that a temporary folder goes with its last user at once.
        return LayerMaps(self, found)

    def __iter__(self) -> Iterator[str]:
        return iter(self._layers)

    def __len__(self) -> int:
        return len(self._layers)

    def image(self, index: int) -> np.ndarray:
        """One of the images for the eye, uint8 ``[height, width, 3]``, before its preprocessing."""
        return self._inner.picture(index, self._images)

    def plot(self, layer: str, unit: int, side: str = "max", **options: Any) -> Any:
        """Draws a unit's map by the cells of its occluder grid, as the sheets of ``occlumap plot`` do.

        The colour bar has the scale of the map's numbers: without ``blur`` its end is ``peak``. A silent
        unit, which no occluder changes, is grey and says so; cells without an occluder are hatched.

        Parameters
        ----------
        layer : str
            The layer.
        unit : int
            The unit.
        side : {"max", "min"}
            The map of the top or of the bottom images; by default of the top images.
        image : int, optional
            The rank of an image of the unit, from 0: the map is laid on it, where it belongs, and the
            axes are pixels of the image. By default there is none, and they are pixels of the
            receptive field (RF).
        blur : bool
            Whether the map is blurred by a Gaussian with a standard deviation of a thirtieth of the RF;
            the colour bar says so in pixels. By default it is not.
        fit : bool
            Whether the Gaussian that fits the map best, without blur, is drawn, at half its height; by
            default it is not.
        ax : matplotlib.axes.Axes, optional
            Where to draw; by default into a new figure.
        cmap : str
            matplotlib's name of the colours; by default ``"magma"``.

        Returns
        -------
        matplotlib.axes.Axes
        """
        return self[layer].plot(unit, side, **options)

    def report(
        self,
        file: str | os.PathLike[str],
        *,
        images: Images | None = None,
        compare: Maps | str | os.PathLike[str] | np.ndarray | None = None,
        examples: int = 6,
        blur: bool = False,
        force: bool = False,
        threads: int | None = None,
        progress: Progress = None,
    ) -> Path:
        """Writes a page to see all maps with, in a browser; see ``occlumap report``.

        Parameters
        ----------
        file : path
            The page, an ``.html`` file.
        images : optional
            The images, where they are not where they were.
        compare : optional
            Maps to compare with, unit by unit: others, a folder of such, or an array; see
            :func:`occlumap.compare`.
        examples : int
            Images to show of each unit, from either end of its ranking.
        blur : bool
            Whether maps are blurred before a Gaussian is fitted.
        force : bool
            Whether a page that is there is replaced.

        Returns
        -------
        path
            The file.
        """
        settings = self.settings
        seed = settings["noise"].rsplit(":", 1)[-1]
        options = json.loads(self._inner.options())
        options = "".join(f"{option['name']}={option['value']!r}, " for option in options)
        commands = [
            [
                f'occlumap.map_units(net, images, layers=["{name}"], top={settings["top"]}, '
                f"seed={seed}, {options}units=",
                ")  # unit ",
            ]
            for name in self
        ]
        source = self._images if images is None else read_images(images)
        told = work(threads, progress)
        other = None if compare is None else set_of(compare)
        self._inner.report(os.fspath(file), source, other, examples, blur, force, commands, told)
        return Path(file)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Copies the maps and their ranking into a new folder."""
        self._folder.save(path)
        ranking = self._inner.ranking
        copied = Path(path) / "ranking"
        if ranking is not None and not copied.exists():
            # Of several sizes of occluders, it lies beside their folders.
            shutil.copytree(ranking, copied)

    def __repr__(self) -> str:
        layers = ", ".join(f"{maps.name} ({len(maps.swept)} units)" for maps in self.values())
        return f"<occlumap.Maps of {layers}>"


def inner_of(maps: Maps | str | os.PathLike[str]) -> Any:
    """The opened folder of maps, or of a path."""
    return (maps if isinstance(maps, Maps) else Maps(Folder(maps)))._inner


def set_of(maps: Maps | str | os.PathLike[str] | np.ndarray) -> Any:
    """Maps to compare, as the compiled part takes them: opened, or an array ``[units, height, width]``."""
    if isinstance(maps, (str, os.PathLike)) and os.fspath(maps).endswith(".npy"):
        maps = np.load(maps)
    if isinstance(maps, (Maps, str, os.PathLike)):
        return inner_of(maps)
    return np.ascontiguousarray(maps, dtype=np.float64)
