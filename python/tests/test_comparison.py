"""Two sets of maps, compared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import occlumap
import pytest
from conftest import Case, command


@pytest.fixture
def maps(case: Case) -> occlumap.Maps:
    return occlumap.map_units(case.network, case.images, top=3, device="cpu", progress=None)


def test_a_comparison_is_that_of_the_command_line(
    maps: occlumap.Maps, case: Case, tmp_path: Path
) -> None:
    other = occlumap.map_units(case.network, case.images, top=3, seed=1, device="cpu", progress=None)
    found = occlumap.compare(maps, other, shuffles=19, progress=None, out=tmp_path / "files")
    assert len(found.units["unit"]) == 2 * (6 + 5) and set(found.units["sides"]) == {"max", "min"}
    assert np.nanmax(found.units["r_0"]) < 1 and found.meanings["overlap"]
    maps.save(tmp_path / "a")
    other.save(tmp_path / "b")
    command("compare", tmp_path / "a", tmp_path / "b", "--shuffles", 19, "--out", tmp_path / "kept")
    for name in ("units.csv", "layers.csv"):
        assert (tmp_path / "files" / name).read_bytes() == (tmp_path / "kept" / name).read_bytes()
    # The figure tells where each set lies, which maps in memory do not.
    assert (tmp_path / "files" / "comparison.svg").read_text().startswith("<svg")
    header = (tmp_path / "kept" / "units.csv").read_text().splitlines()[0]
    assert header.split(",") == list(found.units)
    folders = occlumap.compare(tmp_path / "a", tmp_path / "b", shuffles=0, progress=None)
    np.testing.assert_array_equal(folders.units["r_0"], found.units["r_0"])
    with pytest.raises(ValueError, match="exists"):
        occlumap.compare(maps, other, out=tmp_path / "files", progress=None)


def test_arrays_and_sides_are_compared(maps: occlumap.Maps) -> None:
    rf = maps["d"].rf
    array = np.random.default_rng(0).random((5, rf, rf))
    found = occlumap.compare(maps, array, layers="d", sides="composite", shuffles=0, progress=None)
    assert set(found.units["layer"]) == {"conv2"} and np.abs(found.units["r_0"]).max() < 0.9
    same = occlumap.compare(array, array, shuffles=0, progress=None)
    np.testing.assert_allclose(same.units["r_0"], 1)
    ends = occlumap.compare(maps, progress=None)
    assert set(ends.units["sides"]) == {"max:min"}
    with pytest.raises(ValueError, match="one layer"):
        occlumap.compare(maps, array, progress=None)
    with pytest.raises(ValueError, match="expected maps"):
        occlumap.compare(maps, array[0], layers="d", progress=None)
    with pytest.raises(ValueError, match="second set"):
        occlumap.compare(array)
    with pytest.raises(ValueError, match="region"):
        occlumap.compare(maps, maps, region="most")
