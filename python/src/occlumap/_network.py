"""Networks: presets, files, and modules of torch."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Union

import numpy as np

from . import _occlumap
from ._progress import work

Model = Union["Network", str, "os.PathLike[str]", Any]
"""A :class:`Network`, a ``torch.nn.Module``, a preset, the path of a model file, or bytes of ONNX."""


@dataclass(frozen=True)
class Layer:
    """A layer of a network.

    Attributes
    ----------
    name : str
        Its name, of a module of torch its path.
    short_name : str
        Its name in files, ``conv1``, ``conv2``, …
    units : int
        Its units: its channels.
    rf : int
        Side length of a unit's receptive field in pixels.
    """

    name: str
    short_name: str
    units: int
    rf: int


class Network:
    """A network with its weights.

    Parameters
    ----------
    model : str or path
        The name of a preset, one of :data:`Network.PRESETS`, or the path of an ONNX file or of a model
        description.
    weights : path or mapping, optional
        The weight file (``.safetensors``, ``.npz``, ``.pth``), or a state dict: arrays or tensors by
        name. A prefix of all names, such as ``module.``, is accepted. An ONNX file holds its own.

    See Also
    --------
    Network.from_torch : a ``torch.nn.Module``
    """

    PRESETS: ClassVar[tuple[str, ...]] = tuple(_occlumap.Network.PRESETS)

    def __init__(self, model: str | os.PathLike[str], weights: Any = None) -> None:
        self._modules: dict[int, str] = {}
        self._calls: dict[str, list[str]] = {}
        self._file: Any = None
        self.unsupported: list[str] = []
        model = os.fspath(model)
        if weights is None:
            if not model.lower().endswith(".onnx"):
                raise ValueError(
                    f"the model {model} needs `weights`: a file, or a state dict; only an ONNX file "
                    "holds its own"
                )
            weights = model
        if isinstance(weights, Mapping):
            if model not in self.PRESETS:
                with open(model, encoding="utf-8") as file:
                    model = file.read()
            self._inner = _occlumap.Network.of_arrays(model, _tensors(weights))
        else:
            self._inner = _occlumap.Network.of_files(model, os.fspath(weights))

    @classmethod
    def from_torch(
        cls,
        module: Any,
        image_size: int | tuple[int, int] = 224,
        *,
        check: bool = True,
        name: str | None = None,
    ) -> Network:
        """The network that a ``torch.nn.Module`` computes, up to where positions end.

        The module is exported by ``torch.export`` in memory; its weights are copied. The responses of a
        convolution are its own, before any batch norm; those after it are of the batch norm's layer, or of
        the convolution with ``response="bn"`` (:class:`SweepOptions`).

        Parameters
        ----------
        module : torch.nn.Module
            In evaluation mode. A module on a GPU or of another precision is copied for the export.
        image_size : int or (int, int)
            Height and width of the images that it is exported for.
        check : bool
            Whether the exported network is compared with the module on an image of noise.
        name : str, optional
            The network's name; by default that of the module's class.

        Raises
        ------
        ValueError
            A module that cannot be exported, in training mode, or whose responses differ.
        UnsupportedLayer
            No convolution can be mapped.
        """
        from . import _torch

        return _torch.import_module(cls, module, image_size, check=check, name=name)

    @classmethod
    def from_onnx(cls, content: bytes) -> Network:
        """The network of an ONNX file's bytes; they are kept in a temporary file with it.

        Parameters
        ----------
        content : bytes
            The file, with its tensors inside.
        """
        folder = tempfile.TemporaryDirectory(prefix="occlumap-")
        path = os.path.join(folder.name, "model.onnx")
        with open(path, "wb") as file:
            file.write(content)
        network = cls(path)
        network._file = folder
        return network

    @classmethod
    def _of_arrays(cls, description: str, tensors: Mapping[str, Any]) -> Network:
        network = cls.__new__(cls)
        network._modules, network._calls, network.unsupported = {}, {}, []
        network._file = None
        network._inner = _occlumap.Network.of_arrays(description, _tensors(tensors))
        return network

    @property
    def name(self) -> str:
        """The network's name."""
        return self._inner.name

    @property
    def layers(self) -> list[Layer]:
        """The convolutions, in order."""
        return [Layer(*layer) for layer in self._inner.layers()]

    def named_layers(
        self, layers: str | Iterable[Any] | Any | None = None, *, response: str = "conv"
    ) -> list[Layer]:
        """Layers as they are mapped.

        Parameters
        ----------
        layers : str, torch.nn.Module or list of them, optional
            Layers by name; modules by path, which stand for their output; convolutions by number
            (``conv3``). By default all convolutions. A module of torch that is called several times is a
            layer for each call: ``relu``, ``relu_1``, ``relu_2``; its own path is the first.
        response : {"conv", "bn"}
            Whether a convolution stands for itself, or for the batch norm that reads it.

        Returns
        -------
        list of Layer
            Convolutions in the network's order, then the others.
        """
        return [Layer(*layer) for layer in self._inner.named_layers(self.layer_names(layers), response)]

    def layer_name(self, layer: Any) -> str:
        """The name of a layer that is given by name, or as a module of torch."""
        if not isinstance(layer, str):
            found = self._modules.get(id(layer))
            if found is None:
                raise ValueError(f"{type(layer).__name__} is no module of {self.name}")
            layer = found
        return layer

    def layer_names(self, layers: str | Iterable[Any] | Any | None) -> list[str]:
        """The names of layers; all convolutions where ``layers`` is ``None``."""
        if layers is None:
            return []
        if isinstance(layers, str) or not isinstance(layers, Iterable) or id(layers) in self._modules:
            layers = [layers]
        names = [self.layer_name(layer) for layer in layers]
        if not names:
            raise ValueError("layers is empty; leave it out for all convolutions")
        return names

    def save(self, description: str | os.PathLike[str], weights: str | os.PathLike[str]) -> None:
        """Writes the network as files for the command line: ``--model`` and ``--weights``.

        What is computed from these files is the same as from this network, and a folder that one has
        begun the other can go on with.

        Parameters
        ----------
        description : path
            The model description, a ``.json`` file.
        weights : path
            The weights, a ``.safetensors`` file.
        """
        self._inner.save(os.fspath(description), os.fspath(weights))

    def extremes(
        self, images: np.ndarray, layers: Any = None, threads: int | None = None
    ) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
        """The largest and the smallest response of every unit, and where they are.

        Parameters
        ----------
        images : float32 [n, 3, height, width]
            Images as the network is shown them.
        layers : str, torch.nn.Module or list of them, optional
            As of :meth:`named_layers`.

        Returns
        -------
        dict
            For each layer ``(max, max_at, min, min_at)``, each ``[n, units]``; positions are
            ``y * width + x``.
        """
        names = self.layer_names(layers)
        images = np.ascontiguousarray(images, dtype=np.float32)
        found = self._inner.extremes(names, images, work(threads, None))
        return {layer.name: values for layer, values in zip(self.named_layers(layers), found)}

    def __repr__(self) -> str:
        layers = self._inner.layers()
        return f"<occlumap.Network {self.name}: {len(layers)} convolutions>"


def _tensors(weights: Mapping[str, Any]) -> list[tuple[str, np.ndarray]]:
    def array(name: str, value: Any) -> np.ndarray:
        if hasattr(value, "detach"):
            value = value.detach().cpu().float().numpy()
        try:
            return np.asarray(value, dtype=np.float32)
        except (TypeError, ValueError) as error:
            raise ValueError(f"the weight `{name}` is no array: {error}") from None

    nested = [name for name in ("state_dict", "model") if isinstance(weights.get(name), Mapping)]
    if nested:
        weights = weights[nested[0]]
    return [(name, array(name, value)) for name, value in weights.items() if hasattr(value, "shape")]


def network_of(model: Model, weights: Any, image_size: tuple[int, int] | None) -> Network:
    """The network of whatever stands for one; of a module, without comparing responses."""
    if isinstance(model, Network):
        if weights is not None:
            raise ValueError("a Network has weights already; leave `weights` out")
        return model
    if is_module(model):
        if weights is not None:
            raise ValueError("a torch.nn.Module has weights already; load_state_dict gives it others")
        return Network.from_torch(model, image_size or 224, check=False)
    if isinstance(model, (bytes, bytearray)):
        if weights is not None:
            raise ValueError("an ONNX file holds its weights; leave `weights` out")
        return Network.from_onnx(bytes(model))
    if not isinstance(model, (str, os.PathLike)):
        raise ValueError(
            f"model is a {type(model).__name__}; expected a torch.nn.Module, an occlumap.Network, the "
            "name of a preset or the path of a model description"
        )
    return Network(model, weights)


def is_module(model: Any) -> bool:
    """Whether an object is a module of torch, which is then imported already."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(model, torch.nn.Module)
