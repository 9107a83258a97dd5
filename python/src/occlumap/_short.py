"""Short texts of results: what they are, and not every number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

SHOWN = 6
"""Names that are shown of many."""


class Short:
    """A result whose text has the shapes of its arrays."""

    def __repr__(self) -> str:
        assert is_dataclass(self)
        parts = [
            f"{each.name}={short(getattr(self, each.name))}"
            for each in fields(self)
            if each.repr and getattr(self, each.name) is not None
        ]
        return f"<occlumap.{type(self).__name__} {', '.join(parts)}>"


def short(value: Any) -> str:
    """A value in a few words."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype} {list(value.shape)}"
    if isinstance(value, Short):
        return f"<{type(value).__name__}>"
    if isinstance(value, Mapping) and type(value).__repr__ is dict.__repr__:
        return f"{{{names(value)}}}"
    if isinstance(value, list) and len(value) > SHOWN:
        return f"[{len(value)} items]"
    return repr(value)


def names(of: Mapping[str, Any]) -> str:
    """The first names of a mapping."""
    known = [str(name) for name in of]
    more = f", … ({len(known)})" if len(known) > SHOWN else ""
    return ", ".join(known[:SHOWN]) + more
