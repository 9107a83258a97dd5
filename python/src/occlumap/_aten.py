"""What each operation of an exported module becomes: a table from names of ATen to layers.

A function gets a :class:`Call` and returns the layer's fields beside its name and inputs (see "Model
descriptions" in ``docs/formats.md``), or :data:`SAME` where the operation does nothing to a response.
It raises :class:`Unsupported` with the reason.
"""

from __future__ import annotations

from typing import Any, Union

import torch
from torch.fx import Node

from ._call import SAME, Call, Layer, Translation, Unsupported, WholeImage, name_of, pair, shape_of
from ._whole import (
    axes,
    check_axis,
    gate,
    global_mean,
    global_pool,
    group_norm,
    groups_normalised,
    native_group_norm,
    repeated,
)


def conv2d(call: Call) -> Layer:
    """A convolution; ``padding`` may be a word."""
    weight, bias, padding = call["weight"], call["bias"], call["padding"]
    if not isinstance(weight, torch.Tensor) or isinstance(bias, Node):
        raise Unsupported("its weights depend on the image")
    if call.whole_map:
        check_axis(call, call["input"])
        if list(weight.shape[2:]) != [1, 1] or padding not in ("same", "valid", [0, 0], [0]):
            raise Unsupported("its window is larger than the one position that the whole map makes")
    kernel, dilation = list(weight.shape[2:]), pair(call["dilation"])
    if padding == "same":
        # What is odd goes below and to the right.
        sides = [reach * (taps - 1) for reach, taps in zip(dilation, kernel)]
        padding = [side // 2 for side in sides] + [side - side // 2 for side in sides]
    else:
        padding = [0, 0] if padding == "valid" else pair(padding)
        padding = padding + padding
    left, right, top, bottom = call.padding
    padding = [side + more for side, more in zip(padding, (top, left, bottom, right))]
    fields = {
        "out_channels": weight.shape[0],
        "kernel": kernel,
        "stride": pair(call["stride"]),
        "padding": padding,
        "dilation": dilation,
        "groups": call["groups"],
        "bias": bias is not None,
    }
    tensors = {"weight": weight} if bias is None else {"weight": weight, "bias": bias}
    return Layer("conv", [call["input"]], fields, tensors)


def linear(call: Call) -> Layer:
    """A product of each position's channels with a matrix: a convolution of 1×1."""
    weight, bias = call["weight"], call["bias"]
    if not call.channels_last or not isinstance(weight, torch.Tensor) or isinstance(bias, Node):
        raise Unsupported("it is no product of each position's channels")
    fields = {"out_channels": weight.shape[0], "kernel": 1, "bias": bias is not None}
    tensors = {"weight": weight[:, :, None, None].contiguous()}
    return Layer("conv", [call["input"]], fields, tensors if bias is None else {**tensors, "bias": bias})


def max_pool2d(call: Call) -> Layer:
    """Max-pooling."""
    fields = {
        "kernel": pair(call["kernel_size"]),
        "stride": pair(call["stride"] or call["kernel_size"]),
        "padding": pair(call["padding"]),
        "dilation": pair(call["dilation"]),
        "ceil_mode": call["ceil_mode"],
    }
    return Layer("max_pool", [call["self"]], fields)


def avg_pool2d(call: Call) -> Layer:
    """Average pooling."""
    if call["divisor_override"] is not None:
        raise Unsupported("it divides by a number of its own")
    fields = {
        "kernel": pair(call["kernel_size"]),
        "stride": pair(call["stride"] or call["kernel_size"]),
        "padding": pair(call["padding"]),
        "ceil_mode": call["ceil_mode"],
        "count_include_pad": call["count_include_pad"],
    }
    return Layer("avg_pool", [call["self"]], fields)


def batch_norm(call: Call) -> Layer:
    """Batch norm by the statistics of training."""
    if call["training"]:
        raise Unsupported("it is in training mode; call model.eval()")
    return running_norm(call)


def running_norm(call: Call) -> Layer:
    """A normalisation of each channel by its running statistics."""
    if call.whole_map:
        check_axis(call, call["input"])
    mean, variance = call["running_mean"], call["running_var"]
    if not isinstance(mean, torch.Tensor) or not isinstance(variance, torch.Tensor):
        raise Unsupported("it has no statistics of training")
    weight, bias = call["weight"], call["bias"]
    tensors = {
        "weight": torch.ones_like(mean) if weight is None else weight,
        "bias": torch.zeros_like(mean) if bias is None else bias,
        "running_mean": mean,
        "running_var": variance,
    }
    return Layer("batch_norm", [call["input"]], {"eps": call["eps"]}, tensors)


def scaled(call: Call, source: Node, factor: Any, shift: Any) -> Layer:
    """A factor and a shift for each channel."""
    shape = shape_of(source)
    channels = call.whole_map.get(source, shape[-1] if call.channels_last else shape[1])

    def each(value: Any) -> list[float]:
        tensor = torch.as_tensor(value, dtype=torch.float32)
        wanted = [channels] if call.channels_last else [channels, 1, 1]
        if source in call.whole_map:
            wanted = shape
        while tensor.dim() > len(wanted) and tensor.shape[0] == 1:
            tensor = tensor[0]
        if not tensor.isfinite().all():
            raise Unsupported("its constant has values that are not finite")
        try:
            return tensor.expand(wanted).reshape(channels).tolist()
        except RuntimeError:
            shown = tuple(tensor.shape)
            raise Unsupported(f"its constant of shape {shown} is not one a channel") from None

    return Layer("scale", [source], {"factors": each(factor), "shifts": each(shift)})


def instance_norm(call: Call) -> Union[Layer, list[Layer]]:
    """Instance norm: of the image's own statistics, or in evaluation mode of those of training."""
    if not call["use_input_stats"]:
        return running_norm(call)
    channels = shape_of(call["input"])[1]
    return groups_normalised(call, channels, channels)


def layer_norm(call: Call) -> Layer:
    """Layer norm of each position's channels."""
    shape, weight, bias = list(call["normalized_shape"]), call["weight"], call["bias"]
    if not call.channels_last or len(shape) != 1:
        raise Unsupported("it normalises over positions: units behind it see the whole image")
    tensors = {
        "weight": torch.ones(shape) if weight is None else weight,
        "bias": torch.zeros(shape) if bias is None else bias,
    }
    return Layer("channel_norm", [call["input"]], {"eps": call["eps"]}, tensors)


def prelu(call: Call) -> Layer:
    """ReLU with a slope for each channel."""
    if call.whole_map:
        check_axis(call, call["self"])
    return Layer("prelu", [call["self"]], {}, {"weight": call["weight"]})


def plain(op: str, **fields: str) -> Translation:
    """An operation of one input; ``fields`` names the arguments that its numbers are."""

    def translate(call: Call) -> Layer:
        numbers = {name: call[argument] for name, argument in fields.items()}
        known = {name: value for name, value in numbers.items() if value is not None}
        if any(isinstance(value, (Node, torch.Tensor)) for value in known.values()):
            raise Unsupported("its numbers are tensors")
        return Layer(op, [call["self"]], known)

    return translate


def elu(call: Call) -> Layer:
    """ELU, without the scales that only SELU has."""
    if call["scale"] != 1 or call["input_scale"] != 1:
        raise Unsupported("its scales are not 1")
    return Layer("elu", [call["self"]], {"alpha": call["alpha"]})


def gelu(call: Call) -> Layer:
    """GELU, exact or approximated."""
    return Layer("gelu", [call["self"]], {"tanh": call["approximate"] == "tanh"})


def relu6(call: Call) -> Layer:
    """ReLU with 6 as the largest value."""
    return Layer("clip", [call["self"]], {"min": 0.0, "max": 6.0})


def add(call: Call) -> Layer:
    """The sum of two outputs of one shape, or of one and a constant for each channel."""
    one, other = call["self"], call["other"]
    times = call.arguments.get("alpha", 1)
    if not isinstance(one, Node):
        return scaled(call, other, times, one)
    if not isinstance(other, Node):
        return scaled(call, one, 1.0, torch.as_tensor(other, dtype=torch.float32) * times)
    if times != 1:
        raise Unsupported(f"it adds {times} times its second input")
    return Layer("add", same_shape(one, other))


def sub(call: Call) -> Layer:
    """An output without a constant for each channel."""
    one, other = call["self"], call["other"]
    times = call.arguments.get("alpha", 1)
    if isinstance(one, Node) and isinstance(other, Node):
        raise Unsupported("it subtracts one output from another")
    if isinstance(one, Node):
        return scaled(call, one, 1.0, torch.as_tensor(other, dtype=torch.float32) * -times)
    return scaled(call, other, -times, one)


def mul(call: Call) -> Layer:
    """The product of two outputs of one shape, or of one and a constant for each channel."""
    one, other = call["self"], call["other"]
    if isinstance(one, Node) and isinstance(other, Node):
        return Layer("mul", same_shape(one, other))
    return scaled(call, *((one, other) if isinstance(one, Node) else (other, one)), shift=0.0)


def div(call: Call) -> Layer:
    """An output over a constant for each channel."""
    one, other = call["self"], call["other"]
    if not isinstance(one, Node) or isinstance(other, Node):
        raise Unsupported("it divides by an output")
    return scaled(call, one, 1.0 / torch.as_tensor(other, dtype=torch.float32), 0.0)


def same_shape(one: Node, other: Node) -> list[Union[Node, int]]:
    """Two outputs of one shape."""
    if shape_of(one) != shape_of(other):
        raise WholeImage(
            f"its inputs have the shapes {shape_of(one)} and {shape_of(other)}: a value that stands "
            "for many positions comes from the whole image"
        )
    return [one, other]


def cat(call: Call) -> Union[Layer, str]:
    """Outputs, stacked along the channels."""
    tensors, axis = call["tensors"], call["dim"]
    if not all(isinstance(tensor, Node) for tensor in tensors):
        raise Unsupported("it joins a constant")
    if axis % 4 != (3 if call.channels_last else 1):
        raise Unsupported(f"it joins along axis {axis}; expected 1, the channels")
    return Layer("concat", list(tensors)) if len(tensors) > 1 else SAME


def channels_of(call: Call, axis: int) -> int:
    """The channels of an input that is cut along its channels."""
    if axis % 4 != 1 or call.channels_last:
        raise Unsupported(f"it cuts along axis {axis}; expected 1, the channels")
    return shape_of(call["self"])[1]


def cut(call: Call) -> str:
    """Outputs cut along the channels: each part is a layer where it is taken."""
    channels_of(call, call["dim"])
    return SAME


def getitem(call: Call) -> Union[Layer, str]:
    """A part of what was cut, or the values of a max-pooling with indices."""
    source, index = call["self"], call["index"]
    parts = source.meta["val"]
    if not isinstance(source, Node) or not isinstance(parts, (list, tuple)):
        raise Unsupported("it takes a part of a value")
    if name_of(source) in ("max_pool2d_with_indices", "native_group_norm"):
        if index != 0:
            raise Unsupported("it takes something else than the values")
        return SAME
    lengths = [int(part.shape[1]) for part in parts]
    index %= len(lengths)
    start = sum(lengths[:index])
    return Layer("slice", [source], {"start": start, "end": start + lengths[index]})


def slice_channels(call: Call) -> Union[Layer, str]:
    """Some of the channels."""
    start, end, length = call["start"] or 0, call["end"], shape_of(call["self"])
    axis = call["dim"] % len(length)
    end = length[axis] if end is None else min(end, length[axis])
    start = start + length[axis] if start < 0 else start
    end = end + length[axis] if end < 0 else end
    if call["step"] == 1 and (start, end) == (0, length[axis]):
        return SAME
    channels_of(call, axis)
    if call["step"] != 1:
        raise Unsupported(f"it takes every {call['step']}th channel")
    return Layer("slice", [call["self"]], {"start": start, "end": end})


def channel_shuffle(call: Call) -> Layer:
    """Channels of several groups, interleaved."""
    return Layer("shuffle", [call["self"]], {"groups": call["groups"]})


def view(call: Call) -> Union[Layer, str]:
    """The first or the last step of a channel shuffle, written as views and a transpose."""
    before, after = shape_of(call["self"]), shape_of(call.node)
    if before == after:
        return SAME
    source = call["self"]
    grouped = len(before) == 4 and len(after) == 5 and after[1] * after[2] == before[1]
    if grouped and before[2:] == after[3:]:
        return SAME
    while isinstance(source, Node) and name_of(source) in ("contiguous", "clone"):
        source = source.args[0]
    if isinstance(source, Node) and name_of(source) == "transpose" and len(after) == 4:
        groups = shape_of(source)[2]
        if len(before) == 5 and before[1] * before[2] == after[1] and before[3:] == after[2:]:
            return Layer("shuffle", [call["self"]], {"groups": groups})
    raise Unsupported("it changes the order of values")


def transpose(call: Call) -> str:
    """The middle step of a channel shuffle."""
    axes = {axis % 5 for axis in (call["dim0"], call["dim1"])}
    if len(shape_of(call["self"])) == 5 and axes == {1, 2}:
        return SAME
    raise Unsupported("it changes the order of values")


def permute(call: Call) -> str:
    """Channels last, or first again."""
    dims = [axis % 4 for axis in call["dims"]]
    if dims == ([0, 3, 1, 2] if call.channels_last else [0, 2, 3, 1]):
        return SAME
    raise Unsupported("it changes the order of values")


def pad(call: Call) -> Union[Layer, str]:
    """Zeros around the input of convolutions, which then have them; or values of the map around it."""
    sides, mode = list(call["pad"]), call.arguments.get("mode", "constant")
    if mode in ("reflect", "replicate"):
        return border(call, "edge" if mode == "replicate" else mode, sides)
    if mode == "circular":
        raise Unsupported(
            "it pads with the other end of the map (circular), which brings pixels from the other end of "
            "the image into a receptive field"
        )
    is_zero = mode == "constant" and not call["value"]
    if len(sides) not in (2, 4) or any(side < 0 for side in sides) or not is_zero:
        raise Unsupported("its padding is not of zeros around rows and columns")
    if any(name_of(user) != "conv2d" for user in call.node.users):
        raise Unsupported("it pads the input of something else than a convolution")
    return SAME


def border(call: Call, mode: str, sides: list[int]) -> Layer:
    """Values of the map around it; ``sides`` are left, right, top and bottom."""
    if len(sides) not in (2, 4) or any(side < 0 for side in sides) or call.channels_last:
        raise Unsupported("its padding is not around rows and columns")
    left, right, top, bottom = [*sides, 0, 0][:4]
    return Layer("pad", [call["self"]], {"mode": mode, "padding": [top, left, bottom, right]})


def reflection_pad2d(call: Call) -> Layer:
    """The map mirrored around it."""
    return border(call, "reflect", list(call["padding"]))


def replication_pad2d(call: Call) -> Layer:
    """The map's outermost values around it."""
    return border(call, "edge", list(call["padding"]))


def dropout(call: Call) -> str:
    """Dropout, which does nothing in evaluation mode."""
    if call["train"]:
        raise Unsupported("it drops values; call model.eval()")
    return SAME


def same(_: Call) -> str:
    """An operation that does nothing to a response."""
    return SAME


def whole_image(_: Call) -> Layer:
    """An operation over all positions."""
    raise Unsupported("it is computed from the whole image, and so is what follows")


def local_response_norm(call: Call) -> Layer:
    """``torch.nn.LocalResponseNorm``, which is exported as its parts."""
    module: Any = call.module
    fields = {name: getattr(module, name) for name in ("size", "alpha", "beta", "k")}
    return Layer("local_response_norm", [call["self"]], fields)


OPERATIONS: dict[str, Translation] = {
    "conv2d": conv2d,
    "linear": linear,
    "max_pool2d": max_pool2d,
    "max_pool2d_with_indices": max_pool2d,
    "avg_pool2d": avg_pool2d,
    "batch_norm": batch_norm,
    "layer_norm": layer_norm,
    "relu": plain("relu"),
    "relu6": relu6,
    "prelu": prelu,
    "leaky_relu": plain("leaky_relu", negative_slope="negative_slope"),
    "hardtanh": plain("clip", min="min_val", max="max_val"),
    "clamp": plain("clip", min="min", max="max"),
    "clamp_min": plain("clip", min="min"),
    "clamp_max": plain("clip", max="max"),
    "sigmoid": plain("sigmoid"),
    "tanh": plain("tanh"),
    "silu": plain("silu"),
    "hardsigmoid": plain("hard_sigmoid"),
    "hardswish": plain("hard_swish"),
    "elu": elu,
    "selu": plain("selu"),
    "gelu": gelu,
    "mish": plain("mish"),
    "add": add,
    "sub": sub,
    "mul": mul,
    "div": div,
    "cat": cat,
    "chunk": cut,
    "split": cut,
    "split_with_sizes": cut,
    "getitem": getitem,
    "slice": slice_channels,
    "channel_shuffle": channel_shuffle,
    "native_channel_shuffle": channel_shuffle,
    "view": view,
    "reshape": view,
    "_unsafe_view": view,
    "transpose": transpose,
    "permute": permute,
    "pad": pad,
    "constant_pad_nd": pad,
    "reflection_pad2d": reflection_pad2d,
    "replication_pad2d": replication_pad2d,
    "dropout": dropout,
    "feature_dropout": dropout,
    "alpha_dropout": dropout,
    "alias": same,
    "clone": same,
    "contiguous": same,
    "detach": same,
    "mean": global_mean,
    "adaptive_avg_pool2d": global_pool,
    "group_norm": group_norm,
    "native_group_norm": native_group_norm,
    "instance_norm": instance_norm,
    "adaptive_max_pool2d": whole_image,
    "scaled_dot_product_attention": whole_image,
    "softmax": whole_image,
}
"""By the name of the ATen operation, whatever its overload; an operation in place has that without ``_``."""

WHOLE_MAP: dict[str, Translation] = {
    **{
        name: OPERATIONS[name]
        for name in (
            *("conv2d", "linear", "batch_norm", "relu", "relu6", "prelu", "leaky_relu", "hardtanh"),
            *("clamp", "clamp_min", "clamp_max", "sigmoid", "tanh", "silu", "hardsigmoid", "hardswish"),
            *("elu", "selu", "gelu", "mish", "add", "sub", "mul", "div", "dropout", "feature_dropout"),
            *("alpha_dropout", "alias", "clone", "contiguous", "detach"),
        )
    },
    **dict.fromkeys(("view", "reshape", "_unsafe_view", "flatten", "unflatten"), axes),
    **dict.fromkeys(("squeeze", "unsqueeze", "permute", "transpose", "t", "slice"), axes),
    **dict.fromkeys(("expand", "expand_as"), repeated),
}
"""The same of values that the whole map makes, of which each channel has one."""

GATES: dict[str, Translation] = {"mul": gate("mul"), "add": gate("add")}
"""The same of a map and such values."""

MODULES: dict[type[torch.nn.Module], Translation] = {
    torch.nn.LocalResponseNorm: local_response_norm,
    torch.nn.Identity: same,
}
"""Modules that become one layer, whatever they are exported as."""
