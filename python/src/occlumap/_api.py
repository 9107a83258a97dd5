"""The functions of the package."""

from __future__ import annotations

import json
import operator
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _occlumap
from ._images import Images
from ._kinds import checked
from ._network import Model, Network, is_module, network_of
from ._progress import Progress, log, work
from ._results import Folder, Maps, Ranking
from ._settings import (
    Preprocess,
    Size,
    Units,
    check_map_options,
    check_options,
    check_sweep_options,
    compute,
    image_input,
    network_input,
    occlusion,
    output,
    sweep,
    units_text,
)
from ._short import Short

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._settings import SweepOptions

CHECKED = 2
"""Images on which an imported module is compared with torch."""


def map_units(
    model: Model,
    images: Images,
    *,
    layers: Any = None,
    units: Units = None,
    top: int = 100,
    seed: int = 0,
    weights: Any = None,
    preprocess: Preprocess = None,
    image_size: Size = None,
    out: str | os.PathLike[str] | None = None,
    device: str = "auto",
    threads: int | None = None,
    progress: Progress = True,
    **options: Unpack[SweepOptions],
) -> Maps:
    """Maps the receptive fields of units: ranks the images, then presents the occluders.

    Ctrl-C stops within a second or two; what is finished is kept in ``out``, and the same call goes on.

    Parameters
    ----------
    model : torch.nn.Module, Network, str or path
        A module in evaluation mode (:meth:`Network.from_torch` tells what becomes of it; its responses
        are compared with torch's on the first images), a :class:`Network`, the name of a preset, or
        the path of an ONNX file or of a model description.
    images : array, tensor, list, path, dataset or loader
        An array or a tensor ``[n, channels, height, width]``; a list of paths, of pictures of PIL or of
        arrays; a folder, a list file or an ``.npy`` file, as of the command line's ``--images``; a
        ``Dataset`` or a ``DataLoader`` of torch that does not shuffle. An item may have a label behind
        its image. Images are read as they are needed, in several passes, and never all held.
    layers : str, torch.nn.Module or list of them, optional
        Layers by the path of their module (``layer2.0.conv1``), modules for their output
        (``layer2.0``), convolutions by number (``conv7``); by default all convolutions. A module that is
        called several times has a layer for each call (``relu``, ``relu_1``); a warning names them.
    units : int, iterable of int or dict, optional
        Units of each layer, or of each layer by its name; by default all.
    top : int
        Images a unit, from either end of its ranking.
    seed : int
        The seed of the noise, and of other images where ``fill`` is ``"images"``.
    weights : path or mapping, optional
        Of a preset or a description: the weight file, or a state dict.
    preprocess : str, (mean, std) or function, optional
        ``"none"``, ``"imagenet"``, ``"unit"`` or ``"standardize"``, as the command line's
        ``--preprocess``; a mean and a standard deviation of three numbers; or a function from a picture
        of PIL to an array, such as ``weights.transforms()``. By default ``"imagenet"`` for pictures and
        ``"none"`` for arrays.
    image_size : int or (int, int), optional
        Height and width of the images; by default those of the first.
    out : path, optional
        A folder for the results, as of the command line's ``--out``: work that was stopped goes on
        there. By default a temporary one, which is removed with the result.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"cuda:0,cuda:1"`` or ``"cuda:all"``.
    threads : int, optional
        Threads; by default one a core.
    progress : bool or function
        Whether a bar is shown, or a function ``(task, done, total)``; where that returns ``False`` the
        work stops, and :class:`Stopped` is raised.
    **options
        See :class:`SweepOptions`.

    Returns
    -------
    Maps

    Raises
    ------
    ValueError
        A setting that cannot be used; a module that cannot be exported.
    UnsupportedLayer
        Layers of a module that cannot be computed, all at once.
    InputError
        An image, weights or results that cannot be used.
    OSError
        An output folder that cannot be written.
    DeviceError
        A GPU that does not work.
    Stopped
        The progress function stopped the work.

    Examples
    --------
    >>> net = torchvision.models.resnet18(weights="DEFAULT").eval()
    >>> maps = occlumap.map_units(net, "photos/", layers="layer2.0.conv1", units=range(16), top=50)
    >>> maps["layer2.0.conv1"].max.shape
    (128, 51, 51)
    """
    folder = Folder(out)
    request = _request(
        "map_units",
        model,
        images,
        weights=weights,
        preprocess=preprocess,
        image_size=image_size,
        layers=layers,
        units=units,
        top=top,
        seed=seed,
        device=device,
        threads=threads,
        progress=progress,
        **options,
    )
    source = _run(folder, request)
    return Maps(folder, images=source)


def map_sizes(
    sizes: Iterable[int],
    model: Model,
    images: Images,
    *,
    out: str | os.PathLike[str] | None = None,
    **arguments: Any,
) -> dict[int, Maps]:
    """Maps units with occluders of several sizes, over one ranking.

    :func:`sizes` and ``occlumap sizes OUT`` extrapolate the widths of the maps to occluders of one pixel.

    Parameters
    ----------
    sizes : iterable of int
        Side lengths of the occluders, in pixels.
    model, images, out, **arguments
        As of :func:`map_units`, without ``occluder_size`` and ``size_divisor``. Maps of 7 pixels are in
        the folder ``size7`` of ``out``.

    Returns
    -------
    dict of Maps
        By the size.

    Examples
    --------
    >>> maps = occlumap.map_sizes([5, 9, 13], net, "photos/", layers="layer2.0.conv1", out="out/")
    >>> maps[5]["layer2.0.conv1"].max.shape
    (128, 51, 51)
    """
    given = [operator.index(size) for size in sizes]
    for name in ("occluder_size", "size_divisor"):
        if name in arguments:
            raise TypeError(f"map_sizes() has no option `{name}`; the sizes come first")
    if not given or min(given) < 1:
        raise ValueError(f"sizes is {given}; expected side lengths of occluders, in pixels")
    folder = Folder(out)
    request = _request("map_sizes", model, images, **arguments)
    source = _run(folder, replace(request, options={**request.options, "sizes": given}))
    stride = _stride_name(arguments)
    return {size: Maps(folder.inside(f"size{size}{stride}"), images=source) for size in given}


def _stride_name(options: Mapping[str, Any]) -> str:
    """The end of the names of folders of sizes whose strides are not half a size."""
    pixels, divisor = options.get("occluder_stride"), options.get("stride_divisor")
    if pixels is None and divisor is None and options.get("grid") == "zhou":
        pixels = 3
    if pixels is not None:
        return f"-stride{pixels}"
    return "" if divisor in (None, 2) else f"-stride-size-{divisor}"


def _request(function: str, model: Model, images: Images, **arguments: Any) -> _Request:
    """The arguments of a function that are those of :func:`map_units`."""
    own = {of.name for of in fields(_Request)} - {"model", "images", "options"}
    options = {name: value for name, value in arguments.items() if name not in own}
    check_sweep_options(function, options)
    given = checked({name: value for name, value in arguments.items() if name in own})
    return _Request(model, images, **given, options=checked(options))


def map_shard(
    shard: str,
    model: Model,
    images: Images,
    *,
    out: str | os.PathLike[str],
    layers: Any = None,
    units: Units = None,
    top: int = 100,
    seed: int = 0,
    weights: Any = None,
    preprocess: Preprocess = None,
    image_size: Size = None,
    device: str = "auto",
    threads: int | None = None,
    progress: Progress = True,
    **options: Unpack[SweepOptions],
) -> None:
    """Does a part of what :func:`map_units` does; :func:`merge` puts the parts together.

    Parameters
    ----------
    shard : str
        The part, such as ``"3/16"``: several processes, on as many machines as you like, do the parts.
        ``"slurm"`` in a task of a Slurm array: the task's part, then what others have not begun.
    model, images, layers, units, top, seed, weights, preprocess, image_size, out, device, threads, \
progress, **options
        As of :func:`map_units`, the same in all processes.
    """
    request = _request(
        "map_shard",
        model,
        images,
        weights=weights,
        preprocess=preprocess,
        image_size=image_size,
        layers=layers,
        units=units,
        top=top,
        seed=seed,
        device=device,
        threads=threads,
        progress=progress,
        **options,
    )
    part = checked({"shard": shard})
    _run(Folder(out), replace(request, options={**request.options, **part}))


@dataclass(frozen=True)
class _Request:
    """The arguments of a sweep."""

    model: Model
    images: Images
    weights: Any = None
    preprocess: Preprocess = None
    image_size: Size = None
    layers: Any = None
    units: Units = None
    top: int = 100
    seed: int = 0
    device: str = "auto"
    threads: int | None = None
    progress: Progress = True
    options: Mapping[str, Any] = field(default_factory=dict)


def _run(folder: Folder, request: _Request) -> Any:
    """Ranks and sweeps; returns what the images are read from."""
    options, threads, progress = request.options, request.threads, request.progress
    network, names, told = _prepared(
        request.model,
        request.weights,
        request.images,
        request.preprocess,
        request.image_size,
        request.layers,
        options,
    )
    parts = _parts(network, names, request.units, options.get("response", "conv"))
    if isinstance(request.units, Mapping):
        options = {**options, "response": "conv"}
    settings = {
        "output": output(options, folder.path),
        "occlusion": occlusion(options, request.seed),
        "compute": compute(options, request.device),
    }

    def part(layers: list[str], units: str | None, output: Mapping[str, Any]) -> dict[str, Any]:
        given = network_input(network, layers, told, options)
        return sweep(options, threads, units=units, **{**settings, "input": given, "output": output})

    where = settings["output"]
    if len(parts) > 1:
        # The ranking of all layers is made at once, in one pass over the images.
        together = [layer for layers, _ in parts for layer in layers]
        ranked = part(together, None, {**where, "shard": None})
        _occlumap.run(ranked, request.top, True, work(threads, progress))
        where = {**where, "force": False}
    for chosen, chosen_units in parts:
        _occlumap.run(part(chosen, chosen_units, where), request.top, False, work(threads, progress))
    return told["images"]


def rank(
    model: Model,
    images: Images,
    *,
    layers: Any = None,
    top: int = 100,
    weights: Any = None,
    preprocess: Preprocess = None,
    image_size: Size = None,
    out: str | os.PathLike[str] | None = None,
    device: str = "auto",
    threads: int | None = None,
    progress: Progress = True,
    **options: Any,
) -> Ranking:
    """Ranks images for every unit of some layers: which drive it most and least, and where.

    Parameters
    ----------
    model, images, layers, top, weights, preprocess, image_size, out, device, threads, progress
        As of :func:`map_units`, which goes on from the ranking in ``out``.
    **options
        ``force``, ``skip_unreadable`` and ``response``, as of :class:`SweepOptions`.

    Returns
    -------
    Ranking
    """
    top = checked({"top": top})["top"]
    check_options("rank", options, {"force": False, "skip_unreadable": False, "response": "conv"})
    network, names, told = _prepared(model, weights, images, preprocess, image_size, layers, options)
    folder = Folder(out)
    given = network_input(network, names, told, options)
    _occlumap.rank(
        given, output(options, folder.path), top, compute({}, device), work(threads, progress)
    )
    response = given["response"]
    ranked = network.named_layers(names or None, response=response)
    chosen = {layer.name: layer.short_name for layer in ranked}
    # A module's path stands for its last layer.
    asked = {name: network.named_layers([name], response=response)[0] for name in names or []}
    modules = {name: layer.short_name for name, layer in asked.items()}
    return Ranking(folder, chosen, modules)


@dataclass(frozen=True, repr=False)
class UnitMap(Short):
    """The map of one unit on one image.

    Attributes
    ----------
    layer : str
        The layer.
    unit : int
        The unit.
    position : (int, int)
        Row and column on the layer's output.
    map : float64 [rf, rf]
        The discrepancy map.
    differences : float32 [draws, n]
        ``response(occluded) - response(original)``, signed, of each occluder.
    response : float
        The response to the original image.
    image : str
        The image's name.
    occluders : int64 [n, 4]
        Rows of index, top, left and size.
    frame : (int, int)
        Row and column on the image of the map's first pixel; negative outside of the image.
    box : (int, int, int, int) or None
        The part of the receptive field inside the image, inclusive.
    """

    layer: str
    unit: int
    position: tuple[int, int]
    map: np.ndarray
    differences: np.ndarray
    response: float
    image: str
    occluders: np.ndarray
    frame: tuple[int, int]
    box: tuple[int, int, int, int] | None

    def plot(self, **options: Any) -> Any:
        """Draws the map; axes are pixels of the image.

        Parameters
        ----------
        image : array [channels, height, width] or [height, width, channels], optional
            The image below it.
        ax : matplotlib.axes.Axes, optional
            Where to draw.
        cmap : str
            matplotlib's name of the colours.

        Returns
        -------
        matplotlib.axes.Axes
        """
        from ._plot import plot_unit_map

        return plot_unit_map(self, **options)


def map_unit(
    model: Model,
    image: Images,
    layer: Any,
    unit: int,
    position: tuple[int, int],
    *,
    noise: str = "philox:0",
    index: int = 0,
    weights: Any = None,
    preprocess: Preprocess = None,
    image_size: Size = None,
    device: str = "auto",
    threads: int | None = None,
    progress: Progress = None,
    **options: Any,
) -> UnitMap:
    """Maps one unit on one image: for every occluder, how much it changes the response.

    Parameters
    ----------
    model, weights, preprocess, image_size, device, threads, progress
        As of :func:`map_units`.
    image : array, picture or path, or images
        One image ``[channels, height, width]``, or images as of :func:`map_units`.
    layer : str or torch.nn.Module
        The layer.
    unit : int
        The unit: a channel of the layer, from 0.
    position : (int, int)
        Row and column on the layer's output.
    noise : str
        ``philox:SEED``, or ``torch:SEED`` to replay ``torch.rand`` as the reference's scripts do.
    index : int
        The image's index among the images; the noise of Philox depends on it.
    **options
        ``grid``, ``occluder_size``, ``occluder_stride``, ``size_divisor``, ``stride_divisor``,
        ``every``, ``deposit``, ``frame``, ``fill``, ``repeats``, ``method``, ``precision``,
        ``response``, ``context`` and ``skip_unreadable``, as of :class:`SweepOptions`.

    Returns
    -------
    UnitMap
    """
    check_map_options("map_unit", options)
    noise = checked({"noise": noise})["noise"]
    network, names, told = _prepared(model, weights, image, preprocess, image_size, layer, options)
    if len(names) != 1:
        raise ValueError(f"layer names {len(names)} layers; expected one")
    given = network_input(network, names, told, options)
    y, x = position
    found = _occlumap.map_unit(
        given,
        int(unit),
        int(index),
        (int(y), int(x)),
        noise,
        occlusion(options, 0),
        compute(options, device),
        work(threads, progress),
    )
    values, differences, response, name, placement = found
    return UnitMap(
        layer=names[0],
        unit=int(unit),
        position=(int(y), int(x)),
        map=values,
        differences=differences,
        response=response,
        image=name,
        occluders=placement["occluders"],
        frame=placement["frame"],
        box=placement["box"],
    )


@dataclass(frozen=True)
class LayerPlan:
    """What a layer will take.

    Attributes
    ----------
    layer : str
        The layer's short name.
    maps : int
        Its maps.
    presentations, most_presentations : float
        Presentations, positions taken to be spread evenly; and if no image cuts a receptive field.
    rate : float
        Presentations a second, as measured here.
    seconds : float
        How long it takes.
    bytes : int
        How large its files are.
    """

    layer: str
    maps: int
    presentations: float
    most_presentations: float
    rate: float
    seconds: float
    bytes: int


@dataclass(frozen=True)
class Plan:
    """What :func:`map_units` will take.

    Attributes
    ----------
    model : str
        The network's name.
    images : int
        How many images there are.
    image_size : (int, int)
        Their height and width.
    threads : int
        Threads that work.
    ranking_seconds : float
        How long the ranking takes.
    memory : int
        Bytes of memory, about.
    layers : list of LayerPlan
        The layers.
    """

    model: str
    images: int
    image_size: tuple[int, int]
    threads: int
    ranking_seconds: float
    memory: int
    layers: list[LayerPlan]

    @property
    def presentations(self) -> float:
        """Presentations of all layers."""
        return sum(layer.presentations for layer in self.layers)

    @property
    def seconds(self) -> float:
        """How long it all takes."""
        return self.ranking_seconds + sum(layer.seconds for layer in self.layers)


def plan(
    model: Model,
    images: Images,
    *,
    layers: Any = None,
    units: Units = None,
    top: int = 100,
    seed: int = 0,
    weights: Any = None,
    preprocess: Preprocess = None,
    image_size: Size = None,
    out: str | os.PathLike[str] | None = None,
    device: str = "auto",
    threads: int | None = None,
    **options: Unpack[SweepOptions],
) -> Plan:
    """Tells what :func:`map_units` would take with the same arguments; measures for about a second a
    layer, and writes nothing.

    Returns
    -------
    Plan
    """
    check_sweep_options("plan", options)
    top = checked({"top": top})["top"]
    if isinstance(units, Mapping):
        raise ValueError("plan takes the same units for all layers; plan layer by layer")
    network, names, told = _prepared(model, weights, images, preprocess, image_size, layers, options)
    folder = Folder(out)
    settings = sweep(
        options,
        threads,
        units=units_text(units),
        input=network_input(network, names, told, options),
        output=output(options, folder.path),
        occlusion=occlusion(options, seed),
        compute=compute(options, device),
    )
    found = _occlumap.plan(settings, top, work(threads, None))
    found["layers"] = [LayerPlan(**layer) for layer in found["layers"]]
    return Plan(**found)


def open(
    out: str | os.PathLike[str],
    *,
    ranking: str | os.PathLike[str] | None = None,
    images: Images | None = None,
) -> Maps:
    """Opens a folder of maps, of :func:`map_units` or of the command line.

    Parameters
    ----------
    out : path
        The output folder.
    ranking : path, optional
        The folder of its rankings, where that is not inside it.
    images : optional
        The images, where they are not where they were, or were in memory: for pictures alone.

    Returns
    -------
    Maps
    """
    return Maps(Folder(out), ranking, images)


def merge(
    out: str | os.PathLike[str],
    sources: Iterable[str | os.PathLike[str]] = (),
    *,
    threads: int | None = None,
) -> Maps:
    """Puts together what shards have computed in a folder, and in further ones.

    Returns
    -------
    Maps
    """
    folders = [os.fspath(source) for source in sources]
    _occlumap.merge(os.fspath(out), folders, work(threads, None))
    return open(out)


def status(out: str | os.PathLike[str], *, threads: int | None = None) -> dict[str, Any]:
    """How far the work in a folder is: ``stage``, ``parts``, ``rate`` and ``seconds_left``.

    The same as ``occlumap status --json`` tells.
    """
    return json.loads(_occlumap.status(os.fspath(out), work(threads, None)))


def check_files(out: str | os.PathLike[str], *, threads: int | None = None) -> list[str]:
    """Holds every finished file in a folder against the manifest's SHA-256; tells what is wrong."""
    return _occlumap.check_files(os.fspath(out), work(threads, None))


@dataclass(frozen=True)
class Device:
    """A GPU.

    Attributes
    ----------
    name : str
        Its name here, such as ``cuda:0``.
    model : str
        Its maker's name.
    capability : (int, int)
        Its compute capability.
    memory : int
        Bytes of memory.
    """

    name: str
    model: str
    capability: tuple[int, int]
    memory: int


def devices() -> list[Device]:
    """The GPUs of this machine.

    Raises
    ------
    DeviceError
        There is no driver, or none that can be used; the message says why, and what to do.
    """
    return [
        Device(f"cuda:{index}", model, capability, memory)
        for index, model, capability, memory in _occlumap.devices()
    ]


def _prepared(
    model: Model,
    weights: Any,
    images: Images,
    preprocess: Preprocess,
    image_size: Size,
    layers: Any,
    options: Mapping[str, Any],
) -> tuple[Network, list[str], dict[str, Any]]:
    """The network, the names of its layers, and the images."""
    told = image_input(images, preprocess, image_size, options)
    if not is_module(model) or weights is not None:
        network = network_of(model, weights, None)
        chosen = network.layer_names(layers)
        _tell_calls(network, chosen)
        return network, chosen, told
    from ._torch import image_channels, import_for

    module: Any = model
    channels = image_channels(module)
    first, names = _occlumap.load_images(told, [0], channels, work(None, None))
    if len(names) > 1:
        first, _ = _occlumap.load_images(told, list(range(CHECKED)), channels, work(None, None))
    network, chosen = import_for(module, first, layers)
    if layers is None and network.unsupported:
        log.warning(
            "%s: not all convolutions can be mapped, since these operations are not supported: %s",
            network.name,
            "; ".join(network.unsupported),
        )
    _tell_calls(network, chosen)
    return network, chosen, told


def _tell_calls(network: Network, chosen: list[str]) -> None:
    """A warning for layers that are the first of several calls of their module."""
    for name in chosen:
        others = [label for label in network._calls.get(name, []) if label != name]
        missing = [label for label in others if label not in chosen]
        if missing:
            log.warning(
                "%s: `%s` is called %d times, and stands for its first call; the layers of the others are %s",
                network.name,
                name,
                len(others) + 1,
                ", ".join(others),
            )


def _parts(
    network: Network, names: list[str], units: Units, response: str
) -> list[tuple[list[str], str | None]]:
    """Layers that are swept together, with their units; where those differ, layers whose own responses are meant."""
    if not isinstance(units, Mapping):
        return [(names, units_text(units))]
    chosen = [layer.name for layer in network.named_layers(names or None, response=response)]

    def of_results(layer: Any) -> str:
        name = network.named_layers(layer)[0].name
        if name in chosen:
            return name
        try:
            return network.named_layers(layer, response=response)[0].name
        except ValueError:  # A convolution that no batch norm reads.
            return name

    parts: dict[str | None, list[str]] = {}
    given: dict[str, str | None] = {}
    for layer, of_layer in units.items():
        name = of_results(layer)
        if name in given:
            raise ValueError(f"units has units of {name} twice")
        given[name] = units_text(of_layer)
    for name in chosen:
        if name in given:
            parts.setdefault(given.pop(name), []).append(name)
        elif names:
            raise ValueError(f"units has no units of {name}")
    if given:
        raise ValueError(f"units has {', '.join(given)}, which is none of the layers")
    return [(layers, chosen) for chosen, layers in parts.items()]
