"""Maps as matplotlib draws them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ._results import LayerMaps

COLOURS = "magma"
SILENT = "#bebec4"
NOT_COVERED = ("#d8dee6", "#a6b1c0")
"""The greys of the sheets: of silent maps, and of stripes where no image has an occluder."""
LABEL = "mean |change of the response|"


def axes(ax: Any) -> Any:
    """Axes to draw into."""
    if ax is not None:
        return ax
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError("plots need matplotlib: pip install 'occlumap[plot]'") from error
    return plt.subplots()[1]


def plot_map(
    maps: LayerMaps,
    unit: int,
    side: str = "max",
    *,
    image: int | None = None,
    blur: bool = False,
    fit: bool = False,
    ax: Any = None,
    cmap: str = COLOURS,
) -> Any:
    """See :meth:`occlumap.Maps.plot`."""
    cells = maps.cells(unit, side, blur=blur)
    ax = axes(ax)
    title = f"{maps.name} unit {unit}, {side}"
    left, right, bottom, top = cells.extent
    values = cells.values
    shift_y = shift_x = 0.0
    if image is not None:
        index = int(maps.ranking.images(side)[unit, image])
        shift_y, shift_x = (float(first) for first in maps.frames[side][unit, image])
        ax.imshow(maps._maps.image(index))
        title += f"\non {maps._maps.image_names[index]}"
    extent = (left + shift_x, right + shift_x, bottom + shift_y, top + shift_y)
    alpha: Any = None
    if image is not None:
        # What does not change the response shows the image.
        peak = np.nanmax(values) if np.isfinite(values).any() else 0.0
        part = np.nan_to_num(values) / peak if peak > 0 else np.zeros(values.shape)
        alpha = np.clip(0.85 * part, 0.0, 0.85)
    shown = np.nan_to_num(values) if image is not None else values
    reason = _without_values(maps, unit, values)
    if reason is None:
        mapped = ax.imshow(
            shown, extent=extent, cmap=cmap, alpha=alpha, vmin=0, interpolation="nearest", aspect="equal"
        )
        label = f"{LABEL}\nblurred, $\\sigma$ {maps.rf / 30:.3g} pixels" if blur else LABEL
        ax.figure.colorbar(mapped, ax=ax, label=label)
    elif image is None:
        ax.set_aspect("equal")
    if image is not None:
        height, width = maps._maps.image_size
        ax.set_xlim(-0.5, width - 0.5)
        ax.set_ylim(height - 0.5, -0.5)
    else:
        ax.set_xlim(left, right)
        ax.set_ylim(bottom, top)
        # Cells without an occluder are those that `imshow` leaves out.
        ax.patch.set(facecolor=SILENT if reason == "silent" else NOT_COVERED[0])
        if reason != "silent":
            ax.patch.set(hatch="///", edgecolor=NOT_COVERED[1], linewidth=0)
    if reason is not None:
        box = {"facecolor": SILENT, "edgecolor": "none"}
        ax.text(0.5, 0.5, reason, transform=ax.transAxes, ha="center", va="center", bbox=box)
    elif fit:
        _ellipse(maps, unit, side, ax, (shift_y, shift_x))
    ax.set_title(title)
    ax.set_xlabel("x (pixels)")
    ax.set_ylabel("y (pixels)")
    return ax


def _without_values(maps: LayerMaps, unit: int, values: np.ndarray) -> str | None:
    """Why a map has no values to draw."""
    if np.isfinite(values).any():
        return None if np.nan_to_num(values).any() else "silent"
    return "no occluder" if unit in maps.swept else "not mapped"


def _ellipse(maps: LayerMaps, unit: int, side: str, ax: Any, shift: tuple[float, float]) -> None:
    from matplotlib.patches import Ellipse

    numbers = maps.numbers()
    row = np.flatnonzero((numbers["unit"] == unit) & (numbers["side"] == side))
    if len(row) != 1 or numbers["status"][row[0]] != "ok":
        return
    found = {
        name: float(numbers[f"fit_{name}"][row[0]]) for name in ("y", "x", "long", "short", "angle")
    }
    # A Gaussian has half its height at this many standard deviations.
    half = np.sqrt(2 * np.log(2))
    ax.add_patch(
        Ellipse(
            (found["x"] + shift[1], found["y"] + shift[0]),
            2 * half * found["long"],
            2 * half * found["short"],
            # Rows run downward, angles counter-clockwise.
            angle=-found["angle"],
            fill=False,
            edgecolor="cyan",
            linewidth=1.5,
        )
    )


def plot_unit_map(found: Any, *, image: Any = None, ax: Any = None, cmap: str = COLOURS) -> Any:
    """See :meth:`occlumap.UnitMap.plot`."""
    ax = axes(ax)
    rows = found.occluders
    changes = np.abs(found.differences).mean(axis=0)
    height = width = None
    if image is not None:
        picture = np.asarray(image, dtype=np.float64)
        if picture.ndim == 3 and picture.shape[0] in (1, 3):
            picture = np.moveaxis(picture, 0, 2)
        low, high = picture.min(), picture.max()
        ax.imshow((picture - low) / (high - low if high > low else 1.0))
        height, width = picture.shape[:2]
    if len(rows):
        tops, lefts = np.unique(rows[:, 1]), np.unique(rows[:, 2])
        step = int(np.diff(tops).min()) if len(tops) > 1 else int(rows[0, 3])
        size = int(rows[0, 3])
        grid = np.full((len(tops), len(lefts)), np.nan)
        grid[np.searchsorted(tops, rows[:, 1]), np.searchsorted(lefts, rows[:, 2])] = changes
        first_y, first_x = tops[0] + (size - 1) / 2, lefts[0] + (size - 1) / 2
        extent = (
            first_x - step / 2,
            first_x + (len(lefts) - 0.5) * step,
            first_y + (len(tops) - 0.5) * step,
            first_y - step / 2,
        )
        peak = np.nanmax(grid) if len(changes) else 0.0
        alpha = None
        if image is not None:
            alpha = np.clip(0.85 * np.nan_to_num(grid) / (peak or 1.0), 0.0, 0.85)
            grid = np.nan_to_num(grid)
        mapped = ax.imshow(grid, extent=extent, cmap=cmap, alpha=alpha, vmin=0, aspect="equal")
        ax.figure.colorbar(mapped, ax=ax, label="|change of the response|")
    if height is not None and width is not None:
        ax.set_xlim(-0.5, width - 0.5)
        ax.set_ylim(height - 0.5, -0.5)
    y, x = found.position
    ax.set_title(f"{found.layer} unit {found.unit} at {y},{x}: {found.response:.4g}")
    ax.set_xlabel("x (pixels)")
    ax.set_ylabel("y (pixels)")
    return ax
