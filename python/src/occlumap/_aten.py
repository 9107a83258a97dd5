"""What each operation of an exported module becomes: a table from names of ATen to layers.

A function gets a :class:`Call` and returns the layer's fields beside its name and inputs (see "Model
descriptions" in ``docs/formats.md``), or :data:`SAME` where the operation does nothing to a response.
It raises :class:`Unsupported` with the reason.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Union

import torch
from torch.fx import Node


class Unsupported(Exception):
    """Why an operation cannot become a layer."""


@dataclass
class Call:
    """An operation with its arguments.

    Attributes
    ----------
    node : torch.fx.Node
        The operation.
    arguments : list
        Its arguments by the names of its schema; constants are tensors.
    module : torch.nn.Module
        The innermost module that it belongs to.
    """

    node: Node
    arguments: dict[str, Any]
    module: torch.nn.Module

    def __getitem__(self, name: str) -> Any:
        return self.arguments[name]


@dataclass
class Layer:
    """A layer: its operation, what it is computed from, and its weights."""

    op: str
    inputs: list[Node]
    fields: dict[str, Any] = field(default_factory=dict)
    tensors: dict[str, torch.Tensor] = field(default_factory=dict)


SAME = "same"
Translation = Callable[[Call], Union[Layer, str]]


def square(pair: Any, what: str) -> int:
    """One number for both axes."""
    values = [int(value) for value in (pair if isinstance(pair, (list, tuple)) else [pair])]
    if len(set(values)) > 1:
        raise Unsupported(f"its {what} is {'×'.join(map(str, values))}; both axes must be equal")
    return values[0]


def once(dilation: Any) -> None:
    """A dilation that is none."""
    if square(dilation, "dilation") != 1:
        raise Unsupported(f"its dilation is {square(dilation, 'dilation')}; expected 1")


def conv2d(call: Call) -> Layer:
    """A convolution; ``padding`` may be a word."""
    weight, bias, padding = call["weight"], call["bias"], call["padding"]
    if not isinstance(weight, torch.Tensor) or isinstance(bias, Node):
        raise Unsupported("its weights depend on the image")
    once(call["dilation"])
    kernel = square(weight.shape[2:], "kernel")
    if padding == "same":
        if kernel % 2 == 0:
            raise Unsupported(f"its padding `same` of a kernel of {kernel} has unequal sides")
        padding = kernel // 2
    fields = {
        "out_channels": weight.shape[0],
        "kernel": kernel,
        "stride": square(call["stride"], "stride"),
        "padding": 0 if padding == "valid" else square(padding, "padding"),
        "groups": call["groups"],
        "bias": bias is not None,
    }
    tensors = {"weight": weight} if bias is None else {"weight": weight, "bias": bias}
    return Layer("conv", [call["input"]], fields, tensors)


def max_pool2d(call: Call) -> Layer:
    """Max-pooling."""
    once(call["dilation"])
    kernel = square(call["kernel_size"], "kernel")
    fields = {
        "kernel": kernel,
        "stride": square(call["stride"], "stride") if call["stride"] else kernel,
        "padding": square(call["padding"], "padding"),
        "ceil_mode": call["ceil_mode"],
    }
    return Layer("max_pool", [call["self"]], fields)


def relu(call: Call) -> Layer:
    """ReLU."""
    return Layer("relu", [call["self"]])


def add(call: Call) -> Layer:
    """The sum of two outputs of one shape."""
    one, other = call["self"], call["other"]
    if not isinstance(one, Node) or not isinstance(other, Node):
        raise Unsupported("it adds a constant")
    if call.arguments.get("alpha", 1) != 1:
        raise Unsupported(f"it adds {call['alpha']} times its second input")
    if one.meta["val"].shape != other.meta["val"].shape:
        raise Unsupported("it adds outputs of different shapes")
    return Layer("add", [one, other])


def cat(call: Call) -> Layer:
    """Outputs, stacked along the channels."""
    tensors, axis = call["tensors"], call["dim"]
    if not all(isinstance(tensor, Node) for tensor in tensors):
        raise Unsupported("it joins a constant")
    if axis % 4 != 1:
        raise Unsupported(f"it joins along axis {axis}; expected 1, the channels")
    return Layer("concat", list(tensors)) if len(tensors) > 1 else SAME  # type: ignore[return-value]


def dropout(call: Call) -> str:
    """Dropout, which does nothing in evaluation mode."""
    if call["train"]:
        raise Unsupported("it drops values; call model.eval()")
    return SAME


def same(_: Call) -> str:
    """An operation that does nothing to a response."""
    return SAME


def local_response_norm(call: Call) -> Layer:
    """``torch.nn.LocalResponseNorm``, which is exported as its parts."""
    module: Any = call.module
    fields = {name: getattr(module, name) for name in ("size", "alpha", "beta", "k")}
    return Layer("local_response_norm", [call["self"]], fields)


OPERATIONS: dict[str, Translation] = {
    "conv2d": conv2d,
    "max_pool2d": max_pool2d,
    "relu": relu,
    "relu_": relu,
    "add": add,
    "add_": add,
    "cat": cat,
    "dropout": dropout,
    "dropout_": dropout,
    "feature_dropout": dropout,
    "feature_dropout_": dropout,
    "alpha_dropout": dropout,
    "alias": same,
    "clone": same,
    "contiguous": same,
    "detach": same,
    "detach_": same,
}
"""By the name of the ATen operation, whatever its overload."""

MODULES: dict[type[torch.nn.Module], Translation] = {
    torch.nn.LocalResponseNorm: local_response_norm,
    torch.nn.Identity: same,
}
"""Modules that become one layer, whatever they are exported as."""
