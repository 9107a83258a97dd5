"""What the whole map makes: one number for each channel, without a position, and the gates that join it
with maps. See "Gates" in ``docs/formats.md``.
"""

from __future__ import annotations

from math import prod

import torch
from torch.fx import Node

from ._call import SAME, Call, Layer, Translation, Unsupported, WholeImage, name_of, pair, shape_of


def has_channels_last(node: Node) -> bool:
    """Whether the channels of a value without positions are its last axis."""
    shape = shape_of(node)
    return shape[-1:] == [prod(shape)] and not is_column(shape)


def is_column(shape: list[int]) -> bool:
    """Whether a value without positions is ``[1, channels, 1, 1]``, as a map is."""
    return len(shape) == 4 and shape[1] == prod(shape)


def check_axis(call: Call, source: Node) -> None:
    """An error for a value without positions whose channels are not its axis 1."""
    shape = shape_of(source)
    if len(shape) not in (2, 4) or shape[1] != call.whole_map[source]:
        raise Unsupported(
            f"its input has the shape {shape}; expected [1, channels] or [1, channels, 1, 1]"
        )


def global_mean(call: Call) -> Layer:
    """The mean of rows and columns."""
    rank = len(shape_of(call["self"]))
    given = call.arguments.get("dim")
    over = {axis % rank for axis in (given if isinstance(given, (list, tuple)) else [])}
    if rank != 4 or over != ({1, 2} if call.channels_last else {2, 3}):
        raise Unsupported("it takes the mean of something else than rows and columns")
    return Layer("global_avg_pool", [call["self"]])


def global_pool(call: Call) -> Layer:
    """Average pooling to one position."""
    size = call["output_size"]
    if pair(size) != [1, 1] or call.channels_last:
        raise WholeImage(f"its windows depend on the image: it pools to {list(size)}; expected [1, 1]")
    return Layer("global_avg_pool", [call["self"]])


def axes(call: Call) -> str:
    """Other axes of what has one value for each channel."""
    source = call["self"]
    if prod(shape_of(call.node)) != call.whole_map[source]:
        raise Unsupported("it does not keep one value for each channel")
    return SAME


def repeated(call: Call) -> str:
    """What has one value for each channel, at each position; a gate reads it."""
    if any(name_of(user).rstrip("_") not in ("mul", "add") for user in call.node.users):
        raise Unsupported("it repeats values for something else than a product or a sum with a map")
    return SAME


def gate(join: str) -> Translation:
    """The product or the sum of a map and one value for each channel."""

    def translate(call: Call) -> Layer:
        one, other = call["self"], call["other"]
        values, local = (one, other) if one in call.whole_map else (other, one)
        if call.arguments.get("alpha", 1) != 1:
            raise Unsupported("it adds its second input several times")
        channels, shape = call.whole_map[values], shape_of(local)
        while name_of(values) in ("expand", "expand_as"):
            values = values.args[0]  # type: ignore[assignment]
        found = shape_of(values)
        behind = [] if call.channels_last else [1, 1]
        wanted = [channels, *behind]
        is_each = [1] * (len(found) - len(wanted)) + wanted == found
        if not is_each or channels != shape[-1 if call.channels_last else 1]:
            raise WholeImage(
                f"its inputs have the shapes {shape} and {found}; expected one value a channel"
            )
        return Layer("gate", [local, values], {"join": join})

    return translate


def group_norm(call: Call) -> list[Layer]:
    """Group norm."""
    return groups_normalised(call, call["num_groups"], shape_of(call["input"])[1])


def native_group_norm(call: Call) -> list[Layer]:
    """Group norm as its kernel, whose first result is the map."""
    return groups_normalised(call, call["group"], shape_of(call["input"])[1])


def groups_normalised(call: Call, groups: int, channels: int) -> list[Layer]:
    """Groups of channels, normalised by their mean and variance over all positions: a factor and a shift
    for each channel, which the whole map makes, and two gates.
    """
    source, weight, bias = call["input"], call["weight"], call["bias"]
    if call.channels_last or len(shape_of(source)) != 4:
        raise Unsupported("its input is not [n, channels, height, width]")
    tensors = {
        "weight": torch.ones(channels) if weight is None else weight,
        "bias": torch.zeros(channels) if bias is None else bias,
    }
    if any(not isinstance(tensor, torch.Tensor) for tensor in tensors.values()):
        raise Unsupported("its weights depend on the image")
    fields = {"groups": groups, "eps": call["eps"]}
    return [
        Layer("group_norm", [source], {**fields, "part": "factor"}, tensors),
        Layer("gate", [source, 0], {"join": "mul"}),
        Layer("group_norm", [source], {**fields, "part": "shift"}, tensors),
        Layer("gate", [1, 2], {"join": "add"}),
    ]
