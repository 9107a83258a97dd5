"""The arguments of a call, as the compiled part takes them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypedDict, Union

from ._images import Images, read_images
from ._network import Network

Units = Union[int, Iterable[int], Mapping[str, Union[int, Iterable[int]]], None]
"""Units of each layer: all (``None``), one, some, or some of each layer by its name."""

Preprocess = Union[str, tuple[Sequence[float], Sequence[float]], Callable[[Any], Any], None]
"""What is done to images; see :func:`occlumap.map_units`."""

Size = Union[int, tuple[int, int], None]


class SweepOptions(TypedDict, total=False):
    """What else decides how units are mapped. Names and meanings are those of ``occlumap run``.

    Attributes
    ----------
    grid : {"reference", "zhou"}
        How occluders are laid out: from the corner of the receptive field (RF), a tenth of it large,
        in steps of half an occluder; or 11×11 pixels in steps of 3 over the whole image.
    occluder_size, occluder_stride : int
        Side length of an occluder and distance of occluders, in pixels.
    size_divisor, stride_divisor : int
        The same, as a part of the RF, and as a part of the occluder's size.
    every : int
        Only every so many-th occluder is presented.
    deposit : {"centre", "area"}
        Where an occluder's effect is added to the map.
    frame : {"field", "reference"}
        Which pixel of the image is the map's first.
    fill : {"noise", "gaussian", "mean", "zero", "grey", "blur", "images"}
        What occluders are filled with, on the CPU: uniform noise, which GPUs have too; Gaussian noise; the
        mean of all images, zeros, or grey; the image, blurred; or the same square of another image.
    repeats : int
        How often each occluder is presented, each time with other noise.
    mean_over : {"images", "covering"}
        Over which images the mean of a pixel is taken.
    statistics : bool
        Whether standard errors and counts are kept (``sem``, ``counts``).
    moments : bool
        Whether signed and squared differences are kept (``signed``, ``squared``).
    reliability_curve : bool
        Whether reliabilities of the first 2, 4, 8, … images are kept (``reliability_curve``).
    until_reliable : float
        Each side of a unit stops once the split-half reliability of its map is this, after 2, 4, 8, …
        images, ``top`` at most (``images`` in its numbers).
    method : {"incremental", "direct", "full"}
        How occluded images are presented.
    precision : {"fp32", "tf32", "fp16", "bf16x3", "bf16", "fp64"}
        Arithmetic of products: bf16x3 and, with ``method="full"``, fp64 on a CPU, tf32 and fp16 on
        a GPU, fp32 and bf16 on both.
    response : {"conv", "bn"}
        Whether the responses of a convolution are its own, or those of the batch norm that reads it.
    context : {"exact", "frozen"}
        Whether what the whole map makes (squeeze and excitation, group norm) is computed from each
        occluded image, or kept as on the original, which is faster.
    verify : int
        So many presentations of each layer are presented again, whole and in 64 bits.
    batch : int
        Maps that are computed together.
    memory : int
        Bytes of memory to use at most.
    block : int
        Units that are kept together until all are done.
    force : bool
        Whether ``out`` is started anew.
    skip_unreadable : bool
        Whether images that cannot be read are left out.
    """

    grid: str
    occluder_size: int | None
    occluder_stride: int | None
    size_divisor: int | None
    stride_divisor: int | None
    every: int
    deposit: str
    frame: str
    fill: str
    repeats: int
    mean_over: str
    statistics: bool
    moments: bool
    reliability_curve: bool
    until_reliable: float | None
    method: str
    precision: str
    response: str
    context: str
    verify: int
    batch: int | None
    memory: int | None
    block: int | None
    force: bool
    skip_unreadable: bool


_GRID: dict[str, Any] = {
    "grid": "reference",
    "occluder_size": None,
    "occluder_stride": None,
    "size_divisor": None,
    "stride_divisor": None,
    "every": 1,
}
_OCCLUSION: dict[str, Any] = {
    **_GRID,
    "deposit": "centre",
    "frame": "field",
    "fill": "noise",
    "repeats": 1,
    "mean_over": "images",
    "statistics": False,
    "moments": False,
    "reliability_curve": False,
    "until_reliable": None,
}
_COMPUTE: dict[str, Any] = {"method": "incremental", "precision": "fp32"}
_SWEEP: dict[str, Any] = {"verify": 0, "batch": None, "memory": None, "block": None}
_OUTPUT: dict[str, Any] = {"force": False}
_INPUT: dict[str, Any] = {"skip_unreadable": False}
_NETWORK: dict[str, Any] = {"response": "conv", "context": "exact"}


def _of(known: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: options.get(name, default) for name, default in known.items()}


def check_options(function: str, options: Mapping[str, Any], *known: Mapping[str, Any]) -> None:
    """An error for an option that is none."""
    names = {name for group in known for name in group}
    for name in options:
        if name not in names:
            raise TypeError(f"{function}() has no option `{name}`; it has {', '.join(sorted(names))}")


def check_sweep_options(function: str, options: Mapping[str, Any]) -> None:
    """An error for an option that a sweep does not have."""
    check_options(function, options, _OCCLUSION, _COMPUTE, _SWEEP, _OUTPUT, _INPUT, _NETWORK)


def check_map_options(function: str, options: Mapping[str, Any]) -> None:
    """An error for an option that a single map does not have."""
    known = {name: value for name, value in _OCCLUSION.items() if name not in _OF_SWEEPS}
    check_options(function, options, known, _COMPUTE, _INPUT, _NETWORK)


_OF_SWEEPS = ("mean_over", "statistics", "moments", "reliability_curve", "until_reliable")


def grid(options: Mapping[str, Any]) -> dict[str, Any]:
    """How occluders are laid out."""
    return _of(_GRID, options)


def check_grid_options(function: str, options: Mapping[str, Any]) -> None:
    """An error for an option that a grid does not have."""
    check_options(function, options, _GRID)


def occlusion(options: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """The occluders, and what is kept of their effect."""
    found = _of(_OCCLUSION, options)
    return {**found, "grid": grid(options), "seed": seed}


def compute(options: Mapping[str, Any], device: str) -> dict[str, Any]:
    """How and where responses are computed."""
    return {**_of(_COMPUTE, options), "device": device}


def output(options: Mapping[str, Any], out: str | os.PathLike[str]) -> dict[str, Any]:
    """Where results go."""
    return {**_of(_OUTPUT, options), "shard": options.get("shard"), "out": os.fspath(out)}


def network_input(
    network: Network, layers: list[str], images: dict[str, Any], options: Mapping[str, Any]
) -> dict[str, Any]:
    """What is computed from: a network, its layers, and images."""
    given = {"network": network._inner, "layers": layers, "images": images}
    return {**_of(_NETWORK, options), **given}


def image_input(
    images: Images, preprocess: Preprocess, image_size: Size, options: Mapping[str, Any]
) -> dict[str, Any]:
    """The images."""
    name, constants, transform = _preprocess(preprocess)
    return {
        **_of(_INPUT, options),
        "images": read_images(images, transform),
        "preprocess": name,
        "mean_std": constants,
        "image_size": size_of(image_size),
    }


def sweep(
    options: Mapping[str, Any], threads: int | None, *, units: str | None, **groups: Any
) -> dict[str, Any]:
    """A sweep of these groups of settings."""
    found = _of(_SWEEP, options)
    fewer = threads is None or found["memory"] is None
    found["sizes"] = options.get("sizes")
    return {**found, "units": units, "fewer_threads": fewer, **groups}


def size_of(size: Size) -> tuple[int, int] | None:
    """Height and width of images."""
    if size is None:
        return None
    if isinstance(size, int):
        return size, size
    height, width = size
    return int(height), int(width)


def _preprocess(
    preprocess: Preprocess,
) -> tuple[str | None, tuple[list[float], list[float]] | None, Callable[[Any], Any] | None]:
    if preprocess is None or isinstance(preprocess, str):
        return preprocess, None, None
    if callable(preprocess):
        return None, None, preprocess
    try:
        mean, std = ([float(value) for value in values] for values in preprocess)
    except (TypeError, ValueError):
        mean, std = [], []
    if len(mean) != 3 or len(std) != 3:
        raise ValueError(
            f"preprocess is {preprocess!r}; expected none, imagenet, unit or standardize, a mean and a "
            "standard deviation of three numbers each, or a function"
        )
    return None, (mean, std), None


def units_text(units: int | Iterable[int] | None) -> str | None:
    """Units as the command line names them."""
    if units is None:
        return None
    if isinstance(units, range) and units.step == 1 and len(units) > 0 and units.start >= 0:
        return f"{units.start}-{units.stop - 1}"
    chosen = [units] if not isinstance(units, Iterable) else list(units)
    if not chosen:
        raise ValueError("units is empty; leave it out for all")
    numbers = [int(unit) for unit in chosen]
    if any(unit < 0 or unit != given for unit, given in zip(numbers, chosen)):
        raise ValueError(f"units is {chosen[:8]!r}; expected whole numbers from 0")
    return ",".join(map(str, numbers))
