"""Derived maps, summaries, shapes, sizes and reliability: those of the command line, in memory."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import occlumap
import pytest
from conftest import Case, command


@pytest.fixture
def folder(case: Case, tmp_path: Path) -> Path:
    occlumap.map_units(
        case.network,
        case.images,
        top=5,
        device="cpu",
        statistics=True,
        reliability_curve=True,
        out=tmp_path / "a",
        progress=None,
    )
    return tmp_path / "a"


def rows(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def agrees(table: dict[str, np.ndarray], path: Path) -> None:
    """The table of a file, to the last digit that the file has."""
    kept = rows(path)
    assert list(table) == list(kept[0])
    for name, values in table.items():
        fields = [row[name] for row in kept]
        if values.dtype == object:
            assert list(values) == fields
        else:
            np.testing.assert_array_equal(values, [float(field or "nan") for field in fields])


@pytest.mark.parametrize("name", ["derive", "summary", "models", "sizes"])
def test_files_are_those_of_the_command_line(
    name: str, folder: Path, case: Case, tmp_path: Path
) -> None:
    function: Callable[..., Any] = getattr(occlumap, name)
    given: Any = folder
    arguments = [folder]
    if name == "sizes":
        other = tmp_path / "b"
        command("run", *case.arguments, "--top", 5, "--occluder-size", 3, "--quiet", "--out", other)
        given, arguments = [folder, other], [folder, other]
    function(given, out=tmp_path / "files", progress=None)
    command(name, *arguments, "--out", tmp_path / "kept")
    written = {path.name: path.read_bytes() for path in (tmp_path / "files").iterdir()}
    assert written == {path.name: path.read_bytes() for path in (tmp_path / "kept").iterdir()}
    with pytest.raises(ValueError, match="exists"):
        function(given, out=tmp_path / "files", progress=None)
    function(given, out=tmp_path / "files", force=True, progress=None)
    before = sorted(tmp_path.iterdir())
    in_memory = function(given, progress=None)
    assert sorted(tmp_path.iterdir()) == before, "files that nobody asked for"
    tables = {"derive": "floors", "summary": "measures"}
    file = {"derive": "floors", "summary": "summary"}.get(name, name)
    agrees(getattr(in_memory, tables.get(name, "units")), tmp_path / "kept" / f"{file}.csv")


def test_derived_maps_are_those_of_their_definitions(folder: Path, tmp_path: Path) -> None:
    found = occlumap.derive(folder, layers="d", fdr=0.2, progress=None)
    maps = occlumap.open(folder)["d"]
    made = found.layers["conv2"]
    assert made.composite is not None and made.relative is not None and not found.left_out
    ranking = maps.ranking
    for unit in range(5):
        cells = [maps.cells(unit, side).values for side in ("max", "min")]
        # Occluders of one pixel: cells are pixels. Those that few occluders reach are not measured.
        composite, relative = made.composite[unit], made.relative.max[unit]
        known = np.isfinite(composite)
        expected = sum(values / values[known].sum() for values in cells)
        assert known.mean() > 0.5
        np.testing.assert_allclose(composite[known], expected[known], rtol=1e-12)
        response = np.abs(ranking.responses[unit, :, 0].astype(np.float64)).mean()
        known = np.isfinite(relative)
        np.testing.assert_allclose(relative[known], cells[0][known] / response, rtol=1e-12)
    assert made.exceeds is not None
    exceeds = made.exceeds.max
    assert set(exceeds[np.isfinite(exceeds)]) <= {0.0, 1.0}
    assert found.floors["unit"].dtype == np.int64 and found.meanings["floor_se"]
    alone = occlumap.derive(folder, only="composite", progress=None).layers["conv1"]
    assert alone.composite is not None and alone.floor is None
    # Files of an earlier call are not of this one.
    out = tmp_path / "derived"
    occlumap.derive(folder, out=out, progress=None)
    made = occlumap.derive(folder, only="composite", out=out, force=True, progress=None)
    assert made.layers["conv1"].composite is not None and made.layers["conv1"].floor is None


def test_what_cannot_be_derived_is_told(case: Case, folder: Path) -> None:
    plain = occlumap.map_units(case.network, case.images, top=2, device="cpu", progress=None)
    found = occlumap.derive(plain, progress=None)
    (kind, reason), *others = found.left_out
    assert kind == "exceeds" and "statistics=True or repeats=" in reason and not others
    with pytest.raises(occlumap.InputError, match="statistics=True"):
        occlumap.derive(plain, only="exceeds", progress=None)
    with pytest.raises(ValueError, match="expected one of composite, relative, floor, exceeds"):
        occlumap.derive(plain, only="most", progress=None)
    with pytest.raises(ValueError, match="a false discovery rate of 1"):
        occlumap.derive(plain, fdr=1, progress=None)
    with pytest.raises(ValueError, match="no maps of `x`"):
        occlumap.models(plain, layers="x", progress=None)
    with pytest.raises(ValueError, match="2 names for 1 networks"):
        occlumap.summary(plain, names=["a", "b"], progress=None)
    for one in ([folder, folder], plain):
        with pytest.raises(occlumap.InputError, match="at least two sizes"):
            occlumap.sizes(one, progress=None)
    with pytest.raises(occlumap.InputError, match="no such folder"):
        occlumap.reliability_curve(folder / "absent")


def test_distributions_are_numpys(folder: Path) -> None:
    maps = occlumap.open(folder)
    found = occlumap.summary([maps, folder], names=["one", "other"], progress=None)
    table = found.measures
    assert (
        set(table["network"]) == {"one", "other"}
        and found.meanings["aspect"] == "the one over the other"
    )
    numbers = maps["d"].numbers()
    top = numbers["side"] == "max"
    chosen = (table["network"] == "one") & (table["layer"] == "conv2") & (table["side"] == "max")
    row = np.flatnonzero(chosen & (table["measure"] == "radius_50"))
    values = numbers["radius_50"][top & np.isfinite(numbers["radius_50"])]
    assert table["count"][row] == len(values)
    quantiles = np.quantile(values, [0.05, 0.25, 0.5, 0.75, 0.95])
    columns = ["q05", "q25", "median", "q75", "q95"]
    # Both have seven digits.
    np.testing.assert_allclose([table[name][row][0] for name in columns], quantiles, rtol=2e-6)


def test_curves_are_those_that_the_sweep_kept(folder: Path) -> None:
    found = occlumap.reliability_curve(folder, layers=["d"])
    maps = occlumap.open(folder)["d"]
    units, layers = found.units, found.layers
    assert list(dict.fromkeys(units["images"])) == [2, 4, 5] and found.meanings["reliability"]
    for side in ("max", "min"):
        known = np.column_stack([maps.reliability_curve[side][:, :2], maps.reliability[side]])
        told = units["reliability"][units["side"] == side].reshape(5, 3)
        np.testing.assert_allclose(told, known, rtol=1e-6)
        rows = (layers["side"] == side) & (layers["measure"] == "reliability")
        np.testing.assert_allclose(layers["median"][rows], np.nanmedian(known, axis=0), rtol=1e-6)
        last = known[:, -1]
        needed = 5 * 19 * (1 - last) / last
        row = (layers["side"] == side) & (layers["measure"] == "images_for_0.95")
        np.testing.assert_allclose(layers["median"][row], np.nanmedian(needed[last > 0]), rtol=1e-6)
