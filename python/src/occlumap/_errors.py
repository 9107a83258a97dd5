"""What can go wrong, by what a caller can do about it.

A setting that cannot be used is a :class:`ValueError`, an output folder that cannot be written to an
:class:`OSError`; the others are here. Messages are those of the command line.
"""

from __future__ import annotations

__all__ = ["DeviceError", "InputError", "Stopped", "UnsupportedLayer"]


class InputError(OSError, ValueError):
    """An image, a weight, a ranking or a file of results cannot be used."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class DeviceError(RuntimeError):
    """A device, its driver or its libraries do not work."""


class Stopped(Exception):
    """The work was stopped by its progress callback. What is finished is kept in ``out``."""


class UnsupportedLayer(ValueError):
    """Layers of a model cannot be computed.

    Attributes
    ----------
    layers : list of str
        All of them, each with the reason.
    mappable : list of str
        The convolutions that can be mapped all the same.
    """

    def __init__(self, message: str, layers: list[str], mappable: list[str]) -> None:
        super().__init__(message)
        self.layers = layers
        self.mappable = mappable
