"""Receptive fields, occluders, noise: what a sweep presents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from . import _occlumap
from ._images import Images
from ._network import Model, Network, is_module, network_of
from ._progress import work
from ._settings import Preprocess, Size, check_grid_options, grid, image_input, size_of


@dataclass(frozen=True)
class ReceptiveField:
    """The receptive field (RF) of a unit at a position, and its occluders.

    Attributes
    ----------
    layer : str
        The layer.
    position : (int, int)
        Row and column on the layer's output.
    output : (int, int)
        Height and width of that.
    size : int
        Side length of the RF in pixels.
    step : (int, int)
        Pixels between the RFs of neighbouring positions, along rows and along columns.
    frame : (int, int)
        Row and column on the image of the RF's first pixel; negative outside of the image.
    box : (int, int, int, int) or None
        The part inside the image: first row and column, last row and column, inclusive.
    occluders : int64 [n, 4]
        Rows of index, top, left and size: of each occluder its index in the grid, its first
        row and column on the image, and its side length.
    """

    layer: str
    position: tuple[int, int]
    output: tuple[int, int]
    size: int
    step: tuple[int, int]
    frame: tuple[int, int]
    box: tuple[int, int, int, int] | None
    occluders: np.ndarray

    @property
    def slices(self) -> tuple[slice, slice]:
        """What cuts the part inside the image out of ``[..., height, width]``."""
        if self.box is None:
            return slice(0), slice(0)
        top, left, bottom, right = self.box
        return slice(top, bottom + 1), slice(left, right + 1)


def receptive_field(
    model: Model,
    layer: Any,
    position: tuple[int, int] | None = None,
    *,
    image_size: Size = 224,
    **options: Any,
) -> ReceptiveField:
    """The receptive field of a position on a layer, and the occluders of a unit there.

    Parameters
    ----------
    model : Network, torch.nn.Module or str
        The network, or the name of a preset: weights are not needed.
    layer : str or torch.nn.Module
        The layer.
    position : (int, int), optional
        Row and column on its output; by default the middle.
    image_size : int or (int, int)
        Height and width of the images.
    **options
        ``grid``, ``occluder_size``, ``occluder_stride``, ``size_divisor``, ``stride_divisor`` and
        ``every``, as of :func:`occlumap.map_units`.

    Examples
    --------
    >>> field = occlumap.receptive_field("alexnet", "conv3", image_size=227)
    >>> field.size, len(field.occluders)
    (99, 529)
    """
    check_grid_options("receptive_field", options)
    size = size_of(image_size) or (224, 224)
    if isinstance(model, (Network, bytes)) or is_module(model):
        network = network_of(model, None, size)
    else:
        network = Network(model, model if str(model).lower().endswith(".onnx") else "")
    name = network.layer_name(layer)
    found = _occlumap.receptive_field(network._inner, name, position, size, grid(options))
    return ReceptiveField(layer=name, **found)


def load_images(
    images: Images,
    *,
    preprocess: Preprocess = None,
    image_size: Size = None,
    skip_unreadable: bool = False,
    indices: Any = None,
    channels: int = 3,
    threads: int | None = None,
) -> np.ndarray:
    """Images as a network is shown them.

    Parameters
    ----------
    images, preprocess, image_size, skip_unreadable
        As of :func:`occlumap.map_units`.
    indices : sequence of int, optional
        Which images; by default all, which have to fit into memory.
    channels : int
        Channels that the network takes.

    Returns
    -------
    float32 [n, channels, height, width]
    """
    told = image_input(images, preprocess, image_size, {"skip_unreadable": skip_unreadable})
    chosen = None if indices is None else [int(index) for index in indices]
    return _occlumap.load_images(told, chosen, channels, work(threads, None))[0]


def occluder_noise(
    occluders: np.ndarray,
    noise: str = "philox:0",
    image_index: int = 0,
    *,
    channels: int = 3,
) -> np.ndarray:
    """What occluders are filled with.

    Parameters
    ----------
    occluders : int64 [n, 4]
        Occluders of one size, as :class:`ReceptiveField` has them.
    noise : str
        ``philox:SEED``, or ``torch:SEED`` for the stream of ``torch.rand`` after
        ``torch.manual_seed(SEED)``, as the reference's scripts consume it.
    image_index : int
        The image's index, on which the noise of Philox depends.
    channels : int
        Channels of the images.

    Returns
    -------
    float32 [n, channels, size, size]
        Uniform on [-1, 1).
    """
    rows = np.ascontiguousarray(occluders, dtype=np.int64)
    return _occlumap.noise(noise, image_index, rows, channels)


def occlude(
    image: np.ndarray, occluders: np.ndarray, noise: str = "philox:0", image_index: int = 0
) -> np.ndarray:
    """An image as it is presented, once with each occluder.

    Parameters
    ----------
    image : float32 [channels, height, width]
        The image as the network is shown it.
    occluders, noise, image_index
        As of :func:`occluder_noise`.

    Returns
    -------
    float32 [n, channels, height, width]
    """
    pixels = np.ascontiguousarray(image, dtype=np.float32)
    rows = np.ascontiguousarray(occluders, dtype=np.int64)
    return _occlumap.occlude(pixels, noise, image_index, rows)
