"""Kinds of options: what each takes, and errors that name the option, what is expected and what is found."""

from __future__ import annotations

import operator
import re
from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgtp]?)(i?)(b?)", re.IGNORECASE)


def whole(name: str, value: Any) -> int:
    """A whole number."""
    try:
        if isinstance(value, (bool, np.bool_)):
            raise TypeError
        return operator.index(value)
    except TypeError:
        raise _error(name, value, "a whole number") from None


def number(name: str, value: Any) -> float:
    """A number."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Real):
        raise _error(name, value, "a number")
    return float(value)


def switch(name: str, value: Any) -> bool:
    """True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise _error(name, value, "True or False")
    return bool(value)


def text(name: str, value: Any) -> str:
    """A text."""
    if not isinstance(value, str):
        raise _error(name, value, "a text")
    return value


def memory(name: str, value: Any) -> int:
    """Bytes, or a text with a unit as the command line's ``--memory``."""
    if not isinstance(value, str):
        try:
            found = whole(name, value)
        except TypeError:
            raise _error(name, value, 'bytes, or a text such as "8GiB"') from None
    else:
        match = _SIZE.fullmatch(value.strip())
        if match is None or (match[3] and not match[2]):
            raise ValueError(f'{name} is {value!r}; expected bytes, or a text such as "8GiB" or "512MB"')
        base, power = (1024 if match[3] else 1000), " kmgtp".index(match[2].lower() or " ")
        found = int(float(match[1]) * base**power)
    if found < 1:
        raise ValueError(f"{name} is {value!r}; expected at least 1 byte")
    return found


_KINDS: dict[str, Any] = {
    **dict.fromkeys(("occluder_size", "occluder_stride", "size_divisor", "stride_divisor"), whole),
    **dict.fromkeys(("every", "repeats", "verify", "batch", "block", "top", "seed", "threads"), whole),
    **dict.fromkeys(("examples", "shuffles", "unit", "index", "image_index"), whole),
    **dict.fromkeys(("statistics", "moments", "reliability_curve", "force", "skip_unreadable"), switch),
    **dict.fromkeys(("grid", "deposit", "frame", "fill", "mean_over", "method", "precision"), text),
    **dict.fromkeys(("response", "context", "device", "noise", "shard"), text),
    **dict.fromkeys(("until_reliable", "fdr", "region_blur"), number),
    "memory": memory,
}
_OPTIONAL = {
    *("occluder_size", "occluder_stride", "size_divisor", "stride_divisor", "batch", "memory", "block"),
    *("until_reliable", "threads"),
}


def checked(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options, each of its kind.

    Raises
    ------
    TypeError
        An option of another kind.
    ValueError
        A text that is no size of memory.
    """

    def one(name: str, value: Any) -> Any:
        kind = _KINDS.get(name)
        return value if kind is None or (value is None and name in _OPTIONAL) else kind(name, value)

    return {name: one(name, value) for name, value in options.items()}


def _error(name: str, value: Any, expected: str) -> TypeError:
    none = " or None" if name in _OPTIONAL else ""
    return TypeError(f"{name} is {value!r}, of type {type(value).__name__}; expected {expected}{none}")
