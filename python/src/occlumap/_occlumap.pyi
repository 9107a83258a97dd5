"""The compiled part of occlumap, which the package's modules call."""

from collections.abc import Sequence
from os import PathLike
from typing import Any, ClassVar, final

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Network",
    "Results",
    "__version__",
    "check_files",
    "command",
    "compare",
    "derive",
    "devices",
    "load_images",
    "map_unit",
    "merge",
    "models",
    "noise",
    "occlude",
    "plan",
    "rank",
    "receptive_field",
    "reliability_curve",
    "run",
    "sized_folders",
    "sizes",
    "status",
    "summary",
    "sweep",
]

__version__: str

_Path = str | PathLike[str]
_Columns = tuple[list[list[str]], list[list[str]]]
_LeftOut = list[tuple[str, str]]
_Extremes = tuple[NDArray[np.float32], NDArray[np.uint32], NDArray[np.float32], NDArray[np.uint32]]

def command(arguments: Sequence[str]) -> int: ...
def compare(
    one: Any,
    other: Any,
    options: dict[str, Any],
    files: dict[str, Any],
    work: dict[str, Any],
) -> tuple[list[_Columns], _LeftOut]: ...
def derive(
    results: Results,
    layers: Sequence[str],
    only: Sequence[str],
    rate: float,
    files: dict[str, Any],
    work: dict[str, Any],
) -> tuple[_Columns, list[str], _LeftOut]: ...
def summary(
    folders: Sequence[tuple[str | None, Results]],
    blur: bool,
    files: dict[str, Any],
    work: dict[str, Any],
) -> tuple[list[_Columns], _LeftOut]: ...
def models(
    results: Results, layers: Sequence[str], files: dict[str, Any], work: dict[str, Any]
) -> _Columns: ...
def sized_folders(out: str) -> list[str]: ...
def sizes(folders: Sequence[Results], files: dict[str, Any], work: dict[str, Any]) -> _Columns: ...
def reliability_curve(results: Results, layers: Sequence[str]) -> list[_Columns]: ...
def devices() -> list[tuple[int, str, tuple[int, int], int]]: ...
def load_images(
    images: dict[str, Any],
    indices: Sequence[int] | None,
    channels: int,
    work: dict[str, Any],
) -> tuple[NDArray[np.float32], list[str]]: ...
def receptive_field(
    network: Network,
    layer: str,
    position: tuple[int, int] | None,
    image_size: tuple[int, int],
    grid: dict[str, Any],
) -> dict[str, Any]: ...
def noise(
    noise: str, image: int, occluders: NDArray[np.int64], channels: int
) -> NDArray[np.float32]: ...
def occlude(
    pixels: NDArray[np.float32], noise: str, image: int, occluders: NDArray[np.int64]
) -> NDArray[np.float32]: ...
def rank(
    input: dict[str, Any],
    output: dict[str, Any],
    top: int,
    compute: dict[str, Any],
    work: dict[str, Any],
) -> bool: ...
def run(sweep: dict[str, Any], top: int, rank_only: bool, work: dict[str, Any]) -> None: ...
def sweep(sweep: dict[str, Any], ranking: _Path, top: int | None, work: dict[str, Any]) -> None: ...
def plan(sweep: dict[str, Any], top: int, work: dict[str, Any]) -> dict[str, Any]: ...
def merge(out: _Path, sources: Sequence[_Path], work: dict[str, Any]) -> None: ...
def status(out: _Path, work: dict[str, Any]) -> str: ...
def check_files(out: _Path, work: dict[str, Any]) -> list[str]: ...
def map_unit(
    input: dict[str, Any],
    unit: int,
    image: int,
    position: tuple[int, int],
    first_noise: str,
    occlusion: dict[str, Any],
    compute: dict[str, Any],
    work: dict[str, Any],
) -> tuple[NDArray[np.float64], NDArray[np.float32], float, str, dict[str, Any]]: ...

@final
class Network:
    PRESETS: ClassVar[list[str]]
    @property
    def name(self) -> str: ...
    @staticmethod
    def of_files(model: str, weights: _Path) -> Network: ...
    @staticmethod
    def of_arrays(model: str, tensors: Sequence[tuple[str, NDArray[np.float32]]]) -> Network: ...
    def description(self) -> str: ...
    def layers(self) -> list[tuple[str, str, int, int]]: ...
    def named_layers(self, layers: Sequence[str], response: str) -> list[tuple[str, str, int, int]]: ...
    def save(self, description: _Path, weights: _Path) -> None: ...
    def extremes(
        self, layers: Sequence[str], images: NDArray[np.float32], work: dict[str, Any]
    ) -> list[_Extremes]: ...

@final
class Results:
    def __new__(cls, folder: _Path, ranking: _Path | None) -> Results: ...
    @property
    def complete(self) -> bool: ...
    @property
    def image_size(self) -> tuple[int, int]: ...
    @property
    def ranking(self) -> _Path | None: ...
    @property
    def image_names(self) -> list[str]: ...
    def manifest(self) -> str: ...
    def options(self) -> str: ...
    def layers(self) -> list[dict[str, Any]]: ...
    def layer_named(self, name: str) -> str | None: ...
    def file(self, layer: str, side: str, what: str) -> _Path: ...
    def cells(
        self, layer: str, unit: int, side: str, blur: bool
    ) -> tuple[NDArray[np.float64], int, int, float]: ...
    def numbers(self, layer: str, blur: bool, work: dict[str, Any]) -> _Columns: ...
    def picture(self, index: int, images: Any) -> NDArray[np.uint8]: ...
    def report(
        self,
        file: _Path,
        images: Any,
        compare: Any,
        examples: int,
        blur: bool,
        force: bool,
        commands: Sequence[Sequence[str]],
        work: dict[str, Any],
    ) -> None: ...
