"""Tables of the compiled part as dicts of arrays."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

Table = dict[str, np.ndarray]
"""A table by its columns; ``pandas.DataFrame`` takes it as it is."""

_TEXTS = {
    "layer",
    "long_status",
    "measure",
    "network",
    "reason",
    "shape",
    "short_status",
    "side",
    "sides",
    "sizes",
    "status",
}
_COUNTS = {"count", "depth", "mapped", "pairs", "rf", "unit", "units"}


def table_of(columns: Any, rows: list[list[str]]) -> Table:
    """A table: texts as objects, counts as integers, all else as numbers, NaN where a field is empty."""
    return {
        name: _values(name, [row[index] for row in rows]) for index, (name, _, _) in enumerate(columns)
    }


def meanings_of(*columns: Any) -> dict[str, str]:
    """What the columns of some tables mean."""
    return {name: meaning for of_table in columns for name, _, meaning in of_table}


def files(out: str | os.PathLike[str] | None, force: bool) -> dict[str, Any]:
    """Where files go, as the compiled part takes it."""
    return {"out": None if out is None else os.fspath(out), "force": force}


def _values(name: str, fields: list[str]) -> np.ndarray:
    if name in _TEXTS:
        return np.array(fields, dtype=object)
    if name in _COUNTS:
        return np.array([int(field) for field in fields], dtype=np.int64)
    return np.array([float(field) if field else np.nan for field in fields])
