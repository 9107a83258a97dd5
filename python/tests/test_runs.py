"""Rankings, sweeps and single maps, beside the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import occlumap
import pytest
from conftest import Case, arrays, command

COMMON = {"top": 2, "device": "cpu", "progress": None, "threads": 2}


def test_maps_are_the_bytes_of_the_command_line(case: Case, tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    maps = occlumap.map_units(
        case.network, tmp_path / "images.npy", out=ours, statistics=True, moments=True, **COMMON
    )
    options = ["--top", 2, "--device", "cpu", "--statistics", "--moments"]
    command("run", *case.arguments, *options, "--out", theirs)
    assert arrays(ours) == arrays(theirs)
    manifests = [json.loads((folder / "manifest.json").read_text()) for folder in (ours, theirs)]
    assert manifests[0]["configuration"] == manifests[1]["configuration"]
    opened = occlumap.open(theirs)
    assert list(opened) == list(maps) == ["a", "d"]
    assert opened.complete and opened["conv2"].name == "d"
    for layer in ("a", "d"):
        one, other = maps[layer], opened[layer]
        assert one.max.shape == (one.units, one.rf, one.rf) and one.max.dtype == np.float64
        for name in ("max", "min"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        np.testing.assert_array_equal(one.sem.max, other.sem["max"])
        assert one.counts.min.dtype == np.int32 and one.signed.max.shape == one.max.shape
        assert one.reliability["min"].shape == (one.units,)
        assert one.frames.max.shape == (one.units, 2, 2)
        np.testing.assert_array_equal(one.ranking.indices, other.ranking.indices)


@pytest.mark.parametrize("file", ["efficientnet.onnx", "efficientnet_old.onnx"])
def test_gates_are_computed_from_the_occluded_image_or_kept(file: str) -> None:
    families = Path(__file__).parents[2] / "tests/data/onnx/families"
    job = json.loads((families / "maps.json").read_text())[file][0]
    channel, y, x = np.ogrid[:3, :41, :37]
    image = ((channel * 7 + y * 13 + x * 29 + x * y) % 17 / 8 - 1).astype(np.float32)
    target = (job["layer"], job["unit"], job["position"])
    options = {"noise": f"torch:{job['torch_seed']}", "every": job["every"], "device": "cpu"}
    exact, frozen = (
        occlumap.map_unit(occlumap.Network(families / file), image, *target, context=context, **options)
        for context in ("exact", "frozen")
    )
    expected = np.array(job["differences"])
    largest = np.abs(expected).max()
    np.testing.assert_allclose(exact.differences[0], expected, rtol=0, atol=1e-5 * largest)
    assert np.abs(frozen.differences[0] - expected).max() > 1e-3 * largest
    with pytest.raises(ValueError, match="context: unknown variant `kept`"):
        occlumap.map_unit(occlumap.Network(families / file), image, *target, context="kept", **options)


def test_arrays_in_memory_are_the_batch_that_holds_them(case: Case, tmp_path: Path) -> None:
    """A folder begun with what is in memory is finished by the command line, and the other way."""
    model, weights = tmp_path / "saved.json", tmp_path / "saved.safetensors"
    network = occlumap.Network(case.model, case.tensors)
    network.save(model, weights)
    saved = ["--model", model, "--weights", weights, "--images", tmp_path / "images.npy"]
    options = ["--top", 2, "--device", "cpu"]
    begun, whole = tmp_path / "begun", tmp_path / "whole"
    occlumap.map_units(network, case.images, layers="a", out=begun, **COMMON)
    command("run", *saved, *options, "--out", begun)
    command("run", *saved, *options, "--out", whole)
    assert arrays(begun) == arrays(whole)
    back = tmp_path / "back"
    command("run", *saved, *options, "--layers", "a", "--out", back)
    maps = occlumap.map_units(network, case.images, out=back, **COMMON)
    assert arrays(back) == arrays(whole) and maps.complete
    other = tmp_path / "other"
    command("run", *saved, *options, "--layers", "a", "--seed", 1, "--out", other)
    with pytest.raises(ValueError, match="seed"):
        occlumap.map_units(network, case.images, out=other, **COMMON)


def test_a_temporary_folder_goes_with_its_maps(case: Case, tmp_path: Path) -> None:
    maps = occlumap.map_units(case.network, case.images, layers="a", **COMMON)
    folder = maps.folder
    maps.save(tmp_path / "kept")
    np.testing.assert_array_equal(occlumap.open(tmp_path / "kept")["a"].max, maps["a"].max)
    del maps
    assert not folder.exists()


def test_units_are_named_one_by_one_or_layer_by_layer(case: Case) -> None:
    network = case.network
    maps = occlumap.map_units(network, case.images, layers="d", units=range(1, 3), **COMMON)
    assert maps["d"].swept == [1, 2]
    assert np.isnan(maps["d"].max[0]).all() and np.isfinite(maps["d"].max[1]).all()
    maps = occlumap.map_units(network, case.images, units={"conv1": [5, 0], "d": 3}, **COMMON)
    assert {name: layer.swept for name, layer in maps.items()} == {"a": [0, 5], "d": [3]}
    for units, problem in [([9], "no unit 9"), ([], "empty"), ([-1], "from 0"), ({"x": 1}, "x")]:
        with pytest.raises(ValueError, match=problem):
            occlumap.map_units(network, case.images, units=units, **COMMON)


def test_a_ranking_is_what_the_sweep_goes_on_from(case: Case, tmp_path: Path) -> None:
    out, told = tmp_path / "out", []
    ranking = occlumap.rank(case.network, case.images, top=3, out=out, device="cpu", progress=None)
    assert list(ranking) == ["a", "d"]
    found = ranking["conv1"]
    assert found.indices.shape == (6, 3, 4) and found.responses.shape == (6, 3, 2)
    assert (np.diff(found.responses[:, :, 0]) <= 0).all()
    extremes = case.network.extremes(case.images)["a"]
    np.testing.assert_allclose(found.responses[:, 0, 0], extremes[0].max(axis=0), rtol=1e-5)
    np.testing.assert_array_equal(found.images("max")[:, 0], extremes[0].argmax(axis=0))
    options = {**COMMON, "top": 3, "progress": lambda *task: told.append(task)}
    occlumap.map_units(case.network, case.images, out=out, **options)
    assert {task for task, _, _ in told} == {"conv1", "conv2"}
    assert all(0 <= done <= total for _, done, total in told)


def test_a_single_map_is_that_of_the_command_line(case: Case, tmp_path: Path) -> None:
    options = ["--layer", "d", "--unit", 2, "--image", 4, "--position", "3,2", "--device", "cpu"]
    options += ["--noise", "torch:5", "--out", tmp_path / "map.npy"]
    command("map", *case.arguments, *options, "--responses", tmp_path / "responses.npy")
    found = occlumap.map_unit(
        case.network, case.images, "d", 2, (3, 2), index=4, noise="torch:5", device="cpu"
    )
    np.testing.assert_array_equal(found.map, np.load(tmp_path / "map.npy"))
    np.testing.assert_array_equal(found.differences[0], np.load(tmp_path / "responses.npy"))
    assert found.image == "images.npy[4]"
    one = occlumap.map_unit(case.network, case.images[4], "d", 2, (3, 2), noise="torch:5")
    np.testing.assert_array_equal(one.map, found.map)
    drawn = occlumap.map_unit(case.network, case.images, "d", 2, (3, 2), repeats=3)
    assert drawn.differences.shape == (3, len(drawn.occluders))


def test_fills_are_those_of_the_command_line(case: Case, tmp_path: Path) -> None:
    images, options = tmp_path / "images.npy", ["--layers", "d", "--top", 2, "--device", "cpu"]
    found = {}
    for fill in ("gaussian", "mean", "zero", "blur", "images"):
        ours, theirs = tmp_path / f"{fill}-ours", tmp_path / f"{fill}-theirs"
        maps = occlumap.map_units(
            case.network, images, layers="d", out=ours, fill=fill, seed=3, **COMMON
        )
        command("run", *case.arguments, *options, "--fill", fill, "--seed", 3, "--out", theirs)
        assert arrays(ours) == arrays(theirs)
        assert maps.settings["fill"] == fill
        found[fill] = maps["d"].max
        page = maps.report(tmp_path / f"{fill}.html", examples=0, progress=None).read_text("utf-8")
        assert f"seed={maps.settings['noise'][7:]}, fill='{fill}', units=" in page
        one = occlumap.map_unit(case.network, case.images, "d", 0, (2, 3), index=1, fill=fill)
        assert np.isfinite(one.differences).all() and (one.differences != 0).any()
    assert len({values.tobytes() for values in found.values()}) == len(found)
    np.testing.assert_allclose(
        occlumap.open(tmp_path / "mean-ours").settings["fill_values"],
        case.images.mean(axis=(0, 2, 3), dtype=np.float64),
        rtol=1e-6,
    )
    with pytest.raises(ValueError, match="green"):
        occlumap.map_units(case.network, images, fill="green", **COMMON)
    with pytest.raises(ValueError, match="every draw presents the same pixels"):
        occlumap.map_units(case.network, images, fill="zero", repeats=2, **COMMON)


def test_several_sizes_are_those_of_the_command_line(case: Case, tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    images = tmp_path / "images.npy"
    maps = occlumap.map_sizes([1, 2, 3], case.network, images, out=ours, every=2, **COMMON)
    options = ["--top", 2, "--device", "cpu", "--every", 2, "--occluder-size", "1,2,3"]
    command("run", *case.arguments, *options, "--out", theirs)
    assert arrays(ours) == arrays(theirs)
    assert list(maps) == [1, 2, 3] and maps[2]["d"].occluder_size == 2
    assert maps[2]["d"].ranking.indices.shape == (5, 2, 4)
    alone = occlumap.map_units(case.network, images, occluder_size=2, every=2, **COMMON)
    np.testing.assert_array_equal(alone["d"].max, maps[2]["d"].max)
    assert occlumap.status(ours)["stage"] == "complete"
    widths = [occlumap.sizes(given, progress=None).units for given in (maps, ours, [*maps.values()])]
    assert all(str(of) == str(widths[0]) for of in widths)
    maps[2].save(tmp_path / "saved")
    saved = occlumap.open(tmp_path / "saved")["d"]
    np.testing.assert_array_equal(saved.ranking.indices, maps[2]["d"].ranking.indices)
    with pytest.raises(TypeError):
        occlumap.map_sizes([2.9], case.network, images, **COMMON)  # type: ignore[list-item]
    temporary = occlumap.map_sizes([2], case.network, images, every=2, **COMMON)[2]
    np.testing.assert_array_equal(temporary["a"].min, maps[2]["a"].min)
    for stride in ({"occluder_stride": 3}, {"stride_divisor": 1}, {"grid": "zhou"}):
        strided = occlumap.map_sizes([2], case.network, images, layers="d", **stride, **COMMON)
        assert strided[2]["d"].occluder_size == 2
    with pytest.raises(TypeError, match="occluder_size"):
        occlumap.map_sizes([1], case.network, images, occluder_size=2, **COMMON)
    with pytest.raises(ValueError, match="the same occluders twice"):
        occlumap.map_sizes([2, 2], case.network, images, **COMMON)


def test_options_of_maps_make_the_same_maps(case: Case) -> None:
    images, options = case.folder / "images.npy", {**COMMON, "layers": "d", "every": 3}
    maps = occlumap.map_units(case.network, images, **options, mean_over="covering")
    options = {option["name"]: option["value"] for option in json.loads(maps._inner.options())}
    assert options == {"every": 3, "mean_over": "covering"}
    again = occlumap.map_units(case.network, images, **{**COMMON, "layers": "d"}, **options)
    np.testing.assert_array_equal(again["d"].max, maps["d"].max)


def test_units_stop_once_they_are_reliable(case: Case, tmp_path: Path) -> None:
    images, options = tmp_path / "images.npy", {**COMMON, "top": 6, "layers": "d"}
    whole = occlumap.map_units(case.network, images, reliability_curve=True, **options)["d"]
    curve = whole.reliability_curve["max"]
    until = float(np.nanmedian(curve[:, 0]))
    found = occlumap.map_units(case.network, images, until_reliable=until, **options)["d"]
    reached = curve[:, :2] >= until
    expected = np.where(reached[:, 0], 2, np.where(reached[:, 1], 4, 6))
    numbers = found.numbers()
    np.testing.assert_array_equal(numbers["images"][numbers["side"] == "max"], expected)
    assert len(set(expected)) > 1
    np.testing.assert_array_equal(found.max[expected == 6], whole.max[expected == 6])
    with pytest.raises(ValueError, match="above 0 and below 1"):
        occlumap.map_units(case.network, images, until_reliable=1.5, **options)


def test_what_is_presented_can_be_had(case: Case) -> None:
    """The low level adds up to the map."""
    network, image = case.network, case.images[1]
    field = occlumap.receptive_field(network, "d", (2, 3), image_size=(33, 29))
    found = occlumap.map_unit(network, case.images, "d", 0, (2, 3), index=1, noise="philox:7")
    np.testing.assert_array_equal(field.occluders, found.occluders)
    assert (field.frame, field.box, field.size) == (found.frame, found.box, len(found.map))
    presented = occlumap.occlude(image, field.occluders, "philox:7", 1)
    noise = occlumap.occluder_noise(field.occluders, "philox:7", 1)
    for (_, top, left, size), one, patch in zip(field.occluders, presented, noise):
        rows, columns = slice(top, top + size), slice(left, left + size)
        np.testing.assert_array_equal(one[:, rows, columns], patch)
        unchanged = one.copy()
        unchanged[:, rows, columns] = image[:, rows, columns]
        np.testing.assert_array_equal(unchanged, image)
    assert noise.min() >= -1 and noise.max() < 1
    with pytest.raises(ValueError, match="past the image"):
        occlumap.occlude(image, [[0, 30, 0, 9]])
    with pytest.raises(ValueError, match="no position"):
        occlumap.receptive_field(network, "d", (99, 0), image_size=(33, 29))
    alexnet = occlumap.receptive_field("alexnet", "conv3", image_size=227)
    assert (alexnet.size, len(alexnet.occluders)) == (99, 529)


def test_a_network_of_onnx_comes_from_a_file_or_from_bytes(tmp_path: Path) -> None:
    path = Path(__file__).parent.parent.parent / "tests/data/onnx/tiny_resnet.onnx"
    network = occlumap.Network(path)
    images = np.random.default_rng(0).normal(size=(4, 3, 32, 32)).astype(np.float32)
    layer = network.layers[1].name
    options = {**COMMON, "layers": layer, "units": [0, 1]}
    maps = occlumap.map_units(path, images, **options)
    np.testing.assert_array_equal(
        occlumap.map_units(path.read_bytes(), images, **options)[layer].max, maps[layer].max
    )
    assert occlumap.receptive_field(path, layer, image_size=32).size == network.layers[1].rf
    with pytest.raises(ValueError, match="holds its weights"):
        occlumap.map_units(path.read_bytes(), images, weights={}, **options)


def test_a_plan_counts_what_a_run_presents(case: Case) -> None:
    plan = occlumap.plan(case.network, case.images, top=2, device="cpu", threads=2)
    assert [layer.layer for layer in plan.layers] == ["conv1", "conv2"]
    assert plan.layers[0].maps == 2 * 2 * 6 and plan.image_size == (33, 29)
    assert plan.presentations <= sum(layer.most_presentations for layer in plan.layers)
    assert plan.seconds > 0


def test_shards_are_put_together(case: Case, tmp_path: Path) -> None:
    out, whole = tmp_path / "out", tmp_path / "whole"
    for shard in ("1/2", "2/2"):
        occlumap.map_shard(shard, case.network, case.images, out=out, block=2, **COMMON)
        assert occlumap.status(out)["stage"] == "maps"
        if shard == "1/2":
            with pytest.raises(occlumap.InputError, match="missing"):
                occlumap.merge(out)
    maps = occlumap.merge(out)
    occlumap.map_units(case.network, case.images, out=whole, **COMMON)
    assert arrays(out) == arrays(whole) and maps.complete
    assert occlumap.check_files(out) == []
    path = out / "maps" / "conv1_max.npy"
    path.write_bytes(path.read_bytes()[:-8] + bytes(8))
    assert "conv1_max.npy" in occlumap.check_files(out)[0]
    with pytest.raises(occlumap.InputError, match="conv1_max.npy"):
        occlumap.open(out)["a"].max  # noqa: B018


def test_a_bar_is_shown_with_and_without_tqdm(
    case: Case, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = {**COMMON, "layers": "a", "progress": True}
    occlumap.map_units(case.network, case.images, **options)
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    capsys.readouterr()
    occlumap.map_units(case.network, case.images, **options)
    assert capsys.readouterr().err == "", "lines are for terminals"
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    occlumap.map_units(case.network, case.images, **options)
    assert "conv1: " in capsys.readouterr().err


def test_errors_are_told_by_kind(case: Case, tmp_path: Path) -> None:
    network, images = case.network, case.images

    def error(kind: type[Exception], match: str, **options: object) -> None:
        given = {"model": network, "images": images, **COMMON, **options}
        with pytest.raises(kind, match=match):
            occlumap.map_units(**given)

    error(ValueError, "conv9", layers="conv9")
    error(ValueError, "top=0: expected", top=0)
    error(ValueError, "every=0", every=0)
    error(ValueError, "grid", grid="hexagonal")
    error(ValueError, "both say the same", occluder_size=3, size_divisor=4)
    error(ValueError, "device|auto", device="gpu")
    error(ValueError, "threads", threads=0)
    error(ValueError, "progress", progress="yes")
    error(ValueError, "needs at least", memory=1)
    error(TypeError, "colour", colour="blue")
    error(ValueError, "weights", model="alexnet")
    error(ValueError, "expected a torch.nn.Module", model=3)
    error(OSError, "absent", images="absent")
    error(occlumap.InputError, "absent", model=occlumap.Network(case.model, "absent"))
    error(ValueError, "NaN", images=np.full_like(images, np.nan))
    (tmp_path / "file").write_text("")
    error(ValueError, "is a file", out=tmp_path / "file")
    with pytest.raises(ValueError, match="a.weight"):
        occlumap.Network(case.model, {"d.weight": case.tensors["d.weight"]})
    if not Path("/dev/nvidia0").exists():
        error(occlumap.DeviceError, "driver|kernels", device="cuda")


def test_a_progress_function_can_stop_the_work_and_what_it_raises_is_raised(
    case: Case, tmp_path: Path
) -> None:
    out, whole = tmp_path / "out", tmp_path / "whole"

    def after_ranking(task: str, done: int, total: int) -> bool:
        return task != "conv1"

    options = {**COMMON, "block": 1, "out": out}
    with pytest.raises(occlumap.Stopped, match="is kept"):
        for _ in range(99):
            # Small work may be done before anybody is asked.
            occlumap.map_units(case.network, case.images, **{**options, "progress": after_ranking})
            options["force"] = True
    options.pop("force", None)
    occlumap.map_units(case.network, case.images, **options)
    occlumap.map_units(case.network, case.images, **COMMON, out=whole)
    assert arrays(out) == arrays(whole)

    def broken(*_: object) -> None:
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        occlumap.map_units(case.network, case.images, **{**COMMON, "progress": broken})


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_an_interrupt_stops_within_seconds_and_the_command_line_goes_on(
    case: Case, tmp_path: Path
) -> None:
    script = textwrap.dedent(
        """
        import os, signal, sys, threading, occlumap
        model, weights, images, out = sys.argv[1:]

        def progress(task, done, total):
            if task != "ranking" and not progress.sent:
                progress.sent = True
                os.kill(os.getpid(), signal.SIGINT)

        progress.sent = False
        try:
            occlumap.map_units(
                occlumap.Network(model, weights), images, out=out, top=6, repeats=300, block=1,
                device="cpu", threads=1, progress=progress,
            )
        except KeyboardInterrupt:
            print("interrupted", threading.current_thread().name)
        """
    )
    out = tmp_path / "out"
    paths = [case.model, case.weights, tmp_path / "images.npy", out]
    program = [sys.executable, "-c", script, *map(str, paths)]
    found = subprocess.run(program, capture_output=True, text=True, timeout=60)
    assert found.stdout == "interrupted MainThread\n", found.stderr
    status = occlumap.status(out)
    assert status["stage"] == "maps"
    options = ["--top", 6, "--repeats", 300, "--block", 1, "--device", "cpu"]
    command("run", *case.arguments, *options, "--out", out)
    assert occlumap.open(out).complete


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_the_command_keeps_its_exit_codes_and_signals(case: Case, tmp_path: Path) -> None:
    assert "occlumap" in command("--version").stdout
    assert "conv9" in command("info", "--model", case.model, "--layers", "conv9", code=2).stderr
    program = [sys.executable, "-m", "occlumap._command", "run", *case.arguments]
    options = ["--top", "6", "--repeats", "60000", "--device", "cpu", "--out", str(tmp_path / "out")]
    with subprocess.Popen([*program, *options], stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        while "presentations for" not in running.stderr.readline():
            pass
        running.send_signal(signal.SIGINT)
        assert "is kept" in running.stderr.read()
    assert running.returncode == 75


def test_memory_is_bytes_or_a_text_with_a_unit(case: Case) -> None:
    from occlumap import _kinds

    for size, expected in [
        (1 << 30, 1 << 30),
        ("8GiB", 8 << 30),
        ("512 MB", 512_000_000),
        ("1.5g", 1_500_000_000),
        ("4096", 4096),
        ("64KiB", 65536),
        ("100 B", 100),
    ]:
        assert _kinds.memory("memory", size) == expected, size
    for text in ("much", "8 iB", "-1GB", "0", "1 XB"):
        with pytest.raises(ValueError, match="memory is .*; expected"):
            _kinds.memory("memory", text)
    options = {"layers": "d", "units": 0, "top": 2, "device": "cpu", "progress": None}
    maps = occlumap.map_units(case.network, case.images, memory="1GiB", **options)
    assert maps["d"].swept == [0]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("memory", 1.5, "bytes, or a text such as"),
        ("top", "5", "a whole number"),
        ("seed", 1.5, "a whole number"),
        ("threads", "2", "a whole number or None"),
        ("verify", True, "a whole number"),
        ("occluder_size", [7], "a whole number or None"),
        ("statistics", 1, "True or False"),
        ("force", "yes", "True or False"),
        ("fill", 0, "a text"),
        ("device", 0, "a text"),
        ("until_reliable", "0.9", "a number or None"),
        ("image_size", "big", "a whole number of pixels, or"),
        ("units", "3", "a whole number, or several"),
    ],
)
def test_an_option_of_another_kind_is_named(case: Case, name: str, value: object, expected: str) -> None:
    with pytest.raises(TypeError, match=f"^{name} is .*; expected {expected}"):
        occlumap.map_units(case.network, case.images, **{"progress": None, name: value})


def test_messages_name_options_as_python_does(case: Case, caplog: pytest.LogCaptureFixture) -> None:
    options = {"layers": "d", "units": 0, "device": "cpu", "progress": None}
    out = case.folder / "out"
    occlumap.map_units(case.network, case.images, out=out, top=2, **options)
    for wrong, told in [
        ({"seed": 3}, "seed="),
        ({"precision": "fp64"}, 'precision="fp64" needs method="full"'),
        ({"precision": "tf32"}, 'precision="tf32"'),
        ({"top": 0}, "top="),
        ({"repeats": 0}, "repeats="),
    ]:
        with pytest.raises((ValueError, OSError, RuntimeError)) as raised:
            occlumap.map_units(case.network, case.images, out=out, **{"top": 2, **options, **wrong})
        message = str(raised.value)
        assert told in message and "--" not in message, message
    assert "--" not in caplog.text


def test_messages_about_files_name_options_as_python_does(
    case: Case, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "occlumap")
    options: dict[str, object] = {"layers": "d", "units": 0, "top": 1, "device": "cpu", "progress": None}

    def refused(network: occlumap.Network, images: object, **more: object) -> str:
        with pytest.raises(ValueError) as raised:
            occlumap.map_units(network, images, **options, **more)
        message = str(raised.value)
        assert "--" not in message, message
        return message

    # An image that cannot be read.
    folder = tmp_path / "images"
    folder.mkdir()
    np.save(folder / "0.npy", case.images[0])
    (folder / "1.npy").write_bytes(b"")
    assert "1.npy: the file is empty; skip_unreadable=True leaves out" in refused(case.network, folder)
    # Constants for values up to 255.
    pixels = (case.images * 100 + 128).astype(np.uint8)
    constants = ((123.0, 117.0, 104.0), (51.0, 51.0, 51.0))
    assert "preprocess=((0.48" in refused(case.network, pixels, preprocess=constants)
    # Copies of the network in a file of weights.
    copies, one = tmp_path / "copies.npz", tmp_path / "one.npz"
    named = {f"{prefix}.{name}": tensor for prefix in "ab" for name, tensor in case.tensors.items()}
    np.savez(copies, **named)
    assert "as a dict `weights=`" in refused(occlumap.Network(case.model, copies), case.images)
    np.savez(one, **case.tensors, **{name: named[name] for name in named if name.startswith("b.")})
    occlumap.map_units(occlumap.Network(case.model, one), case.images, **options)
    assert "copies of the network below `b` too" in caplog.text
    # Few occluders, before the ranking too.
    occlumap.plan(case.network, case.images, layers="d", top=1, device="cpu", occluder_size=17)
    assert "a smaller occluder_size=, occluder_stride= or every= makes more" in caplog.text
    assert "--" not in caplog.text
