"""An operation of an exported module, and the layers that it becomes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Union

import torch
from torch.fx import Node


class Unsupported(Exception):
    """Why an operation cannot become a layer."""


class WholeImage(Unsupported):
    """A value that stands for many positions, and so comes from the whole image."""


@dataclass
class Call:
    """An operation with its arguments.

    Attributes
    ----------
    node : torch.fx.Node
        The operation.
    arguments : dict
        Its arguments by the names of its schema; constants are tensors.
    module : torch.nn.Module
        The innermost module that it belongs to.
    channels_last : bool
        Whether its input is ``[n, height, width, channels]``.
    padding : tuple of int
        Zeros around the input, by an operation before: left, right, top, bottom.
    whole_map : dict
        Of each input that the whole map makes, and that has no positions, its channels.
    """

    node: Node
    arguments: dict[str, Any]
    module: torch.nn.Module
    channels_last: bool = False
    padding: tuple[int, ...] = (0, 0, 0, 0)
    whole_map: dict[Node, int] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        return self.arguments[name]


@dataclass
class Layer:
    """A layer: its operation, what it is computed from, and its weights.

    Of an operation that becomes several layers an input may be the number of one before it.
    """

    op: str
    inputs: list[Union[Node, int]]
    fields: dict[str, Any] = field(default_factory=dict)
    tensors: dict[str, torch.Tensor] = field(default_factory=dict)


SAME = "same"
Translation = Callable[[Call], Union[Layer, list[Layer], str]]
"""Of several layers the last one has the operation's name, and its response."""


def pair(values: Any) -> list[int]:
    """A number for each axis, rows first."""
    numbers = [int(value) for value in (values if isinstance(values, (list, tuple)) else [values])]
    return numbers if len(numbers) == 2 else [numbers[0], numbers[0]]


def shape_of(node: Node) -> list[int]:
    """The shape of a value."""
    return [int(length) for length in node.meta["val"].shape]


def name_of(node: Node) -> str:
    """The name of an operation, without its overload."""
    name = str(node.target).removeprefix("aten.").split(".")[0]
    return "getitem" if "getitem" in name else name
