"""What is made of maps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import occlumap
import pytest
from conftest import Case, command


@pytest.fixture
def maps(case: Case) -> occlumap.Maps:
    return occlumap.map_units(case.network, case.images, top=3, device="cpu", progress=None)


def test_numbers_are_those_of_the_command_line(maps: occlumap.Maps, tmp_path: Path) -> None:
    numbers = maps["d"].numbers()
    assert len(numbers["unit"]) == 2 * 5 and set(numbers["side"]) == {"max", "min"}
    maps.save(tmp_path / "kept")
    command("plot", tmp_path / "kept", "--examples", 0)
    lines = (tmp_path / "kept" / "plots" / "conv2.csv").read_text().splitlines()
    assert lines[0].split(",") == list(numbers)
    peak = lines[0].split(",").index("peak")
    found = [float(line.split(",")[peak] or "nan") for line in lines[1:]]
    np.testing.assert_array_equal(found, numbers["peak"])
    fits = maps["d"].fits
    assert list(fits) == list(numbers)


def test_cells_are_what_the_map_shows(maps: occlumap.Maps) -> None:
    layer = maps["a"]
    cells = layer.cells(2)
    left, right, bottom, top = cells.extent
    assert right - left == bottom - top == layer.occluder_stride * len(cells.values)
    assert np.nanmax(cells.values) > 0
    with pytest.raises(ValueError, match="no unit 99"):
        layer.cells(99)
    with pytest.raises(ValueError, match="side"):
        layer.cells(0, "top")


def test_what_was_not_kept_is_told(maps: occlumap.Maps) -> None:
    with pytest.raises(ValueError, match="statistics=True"):
        maps["a"].sem  # noqa: B018
    with pytest.raises(KeyError, match="there are a, d"):
        maps["x"]
    assert maps["a"].ranking.images("min").shape == (6, 3)


def test_plots_have_axes_in_pixels(maps: occlumap.Maps, case: Case) -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    ax = maps.plot("d", 1)
    # The cells, up to the edges of the axes; the colours' end is the peak of the table.
    left, right, bottom, top = maps["d"].cells(1).extent
    assert ax.get_xlim() == (left, right) and ax.get_ylim() == (bottom, top)
    numbers = maps["d"].numbers()
    peak = numbers["peak"][(numbers["unit"] == 1) & (numbers["side"] == "max")][0]
    assert ax.images[0].get_clim() == (0, pytest.approx(peak))
    blurred = maps.plot("d", 1, blur=True)
    assert blurred.images[0].get_clim()[1] < peak
    assert f"{maps['d'].rf / 30:.3g} pixels" in blurred.figure.axes[1].get_ylabel()
    ax = maps.plot("d", 1, "min", image=0, fit=True)
    assert ax.get_xlim() == (-0.5, 28.5) and ax.get_ylim() == (32.5, -0.5)
    found = occlumap.map_unit(case.network, case.images, "d", 1, (3, 3))
    ax = found.plot(image=case.images[0])
    assert ax.get_xlim() == (-0.5, 28.5)
    # The cell of the largest change lies on the occluder that made it.
    changes = np.abs(found.differences[0])
    _, top, left, size = found.occluders[changes.argmax()]
    mapped = ax.images[-1]
    grid, (x0, x1, y1, y0) = mapped.get_array(), mapped.get_extent()
    y, x = np.unravel_index(np.nanargmax(np.where(np.ma.getmaskarray(grid), -1, grid)), grid.shape)
    assert y0 + (y + 0.5) * (y1 - y0) / grid.shape[0] == pytest.approx(top + (size - 1) / 2)
    assert x0 + (x + 0.5) * (x1 - x0) / grid.shape[1] == pytest.approx(left + (size - 1) / 2)
    plt.close("all")


def test_silent_units_are_grey_and_say_so(case: Case) -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    case.tensors["d.weight"][2] = 0
    network = occlumap.Network(case.model, case.tensors)
    options = {"layers": "d", "units": [2, 3], "top": 2, "device": "cpu", "progress": None}
    maps = occlumap.map_units(network, case.images, **options)
    for image in (None, 0):
        ax = maps.plot("d", 2, image=image, fit=True)
        assert [text.get_text() for text in ax.texts] == ["silent"]
        assert len(ax.images) == (image is not None), "no square of one colour"
    assert maps.plot("d", 2).patch.get_facecolor()[:3] == (190 / 255, 190 / 255, 196 / 255)
    assert [text.get_text() for text in maps.plot("d", 0).texts] == ["not mapped"]
    assert not maps.plot("d", 3).texts
    plt.close("all")


def test_a_report_shows_images_that_are_in_memory(maps: occlumap.Maps, tmp_path: Path) -> None:
    path = maps.report(tmp_path / "report.html", examples=2)
    text = path.read_text()
    assert "data:image" in text and "occlumap.map_units(net, images" in text
    with pytest.raises(ValueError, match="exists"):
        maps.report(path)
    maps.report(path, examples=0, force=True)
    assert '"comparison":null' in text
    with_others = maps.report(path, compare=maps, examples=0, force=True).read_text()
    assert '"comparison":{"a":' in with_others
    assert maps.image(0).shape == (33, 29, 3) and maps.image(0).dtype == np.uint8


def test_results_are_told_by_their_shapes(maps: occlumap.Maps, case: Case) -> None:
    layer = maps["d"]
    found = [
        layer.ranking,
        layer.reliability,
        layer.cells(1),
        layer.numbers(),
        occlumap.derive(maps, progress=None),
        occlumap.derive(maps, progress=None).layers["conv2"],
        occlumap.summary(maps, progress=None),
        occlumap.models(maps, progress=None),
        occlumap.reliability_curve(maps),
        occlumap.compare(maps, progress=None),
        occlumap.map_unit(case.network, case.images, "d", 1, (3, 3)),
        occlumap.receptive_field(case.network, "d", image_size=(33, 29)),
        layer,
        maps,
    ]
    for result in found:
        shown = repr(result)
        assert len(shown) < 500 and "array(" not in shown and "\n" not in shown, shown
    assert repr(layer.ranking) == (
        "<occlumap.LayerRanking layer='conv2', indices=int64 [5, 3, 4], responses=float32 [5, 3, 2]>"
    )
    assert "<table of 10 rows: layer, unit, side," in repr(layer.numbers())
