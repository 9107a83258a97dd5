"""Modules of torch."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import occlumap
import pytest
from conftest import arrays, command, randomise, torch_or_skip

torch = torch_or_skip(module=True)
nn = torch.nn

COMMON = {"top": 2, "device": "cpu", "progress": None, "threads": 2}


class Block(nn.Module):
    """A residual block, whose ReLU is used twice."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding="same", bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        out += x
        return self.relu(out)


class Small(nn.Module):
    """A network of all operations that become layers, and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(3, 8, 5, stride=2, padding=2), nn.BatchNorm2d(8), nn.ReLU(inplace=True)
        )
        self.norm = nn.LocalResponseNorm(5, 0.01, 0.7, 1.5)
        self.pool = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.block = Block(8)
        self.drop = nn.Dropout2d(0.3)
        self.left = nn.Conv2d(8, 4, 1)
        self.right = nn.Conv2d(8, 4, 3, padding=1, groups=2)
        self.last = nn.Conv2d(8, 6, 3)
        self.head = nn.Linear(6, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.drop(self.block(self.pool(self.norm(self.stem(x)))))
        x = torch.cat([self.left(x), torch.relu(self.right(x))], dim=1)
        return self.head(nn.functional.relu(self.last(x)).mean((2, 3)))


@pytest.fixture
def small() -> nn.Module:
    torch.manual_seed(1)
    return randomise(Small())


def test_a_module_becomes_a_network_with_its_own_names(small: nn.Module) -> None:
    network = occlumap.Network.from_torch(small, (41, 37))
    names = ["stem.0", "block.conv1", "block.conv2", "left", "right", "last"]
    assert [layer.name for layer in network.layers] == names and not network.unsupported
    assert network.name == "small"
    assert network.layer_names([small.stem[0], "block.bn2", "last"]) == ["stem.0", "block.bn2", "last"]
    behind = network.named_layers(["block.conv2", "last"], response="bn")
    assert [layer.name for layer in behind] == ["last", "block.bn2"]
    with pytest.raises(ValueError, match="no module of small"):
        network.layer_name(nn.ReLU())


def test_responses_are_torchs(small: nn.Module, images: np.ndarray) -> None:
    network = occlumap.Network.from_torch(small, (41, 37))
    found = network.extremes(images, ["stem.0", "stem.1", "last"])
    kept = {}
    small.stem[0].register_forward_hook(lambda *call: kept.update(stem=call[2].clone()))
    small.stem[1].register_forward_hook(lambda *call: kept.update(norm=call[2].clone()))
    small.last.register_forward_hook(lambda *call: kept.update(last=call[2].clone()))
    with torch.no_grad():
        small(torch.from_numpy(images))
    for name, theirs in (("stem.0", kept["stem"]), ("stem.1", kept["norm"]), ("last", kept["last"])):
        largest, largest_at, smallest, _ = found[name]
        flat = theirs.flatten(2).numpy()
        np.testing.assert_allclose(largest, flat.max(axis=2), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(smallest, flat.min(axis=2), rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(largest_at, flat.argmax(axis=2))


def test_units_of_any_layer_and_of_modules(small: nn.Module, images: np.ndarray) -> None:
    maps = occlumap.map_units(small, images, layers=[small.block, "pool"], units=range(2), **COMMON)
    names = list(maps)
    assert names == ["pool", "block.relu_1"]
    # By the module that was asked for, too.
    np.testing.assert_array_equal(maps["block"].max, maps["block.relu_1"].max)
    ranking = occlumap.rank(small, images, layers=[small.block], top=2, progress=None)
    assert list(ranking) == ["block.relu_1"]
    np.testing.assert_array_equal(ranking["block"].indices, ranking["block.relu_1"].indices)
    assert "block" in maps and "blo" not in maps and "block.conv1" not in maps
    assert maps["pool"].rf == occlumap.receptive_field(small, "pool", image_size=(41, 37)).size
    found = occlumap.map_unit(small, images, "block", 1, (3, 3), index=4)
    presented = occlumap.occlude(images[4], found.occluders, "philox:0", 4)
    kept = []
    small.block.register_forward_hook(lambda *call: kept.append(call[2][:, 1, 3, 3].clone()))
    with torch.no_grad():
        small(torch.from_numpy(images[4:5]))
        small(torch.from_numpy(presented))
    np.testing.assert_allclose(found.differences[0], (kept[1] - kept[0]).numpy(), atol=2e-5)


def test_a_map_is_what_torch_computes_for_each_occluder(small: nn.Module, images: np.ndarray) -> None:
    layer, unit, position = small.block.conv2, 5, (4, 4)
    found = occlumap.map_unit(small, images, layer, unit, position, index=2, noise="philox:3")
    presented = occlumap.occlude(images[2], found.occluders, "philox:3", 2)
    kept = []
    small.block.conv2.register_forward_hook(lambda *call: kept.append(call[2].clone()))
    with torch.no_grad():
        small(torch.from_numpy(images[2:3]))
        small(torch.from_numpy(presented))
    original, occluded = (responses[:, unit, position[0], position[1]] for responses in kept)
    assert found.response == pytest.approx(float(original[0]), rel=1e-4)
    expected = (occluded - original).numpy()
    np.testing.assert_allclose(found.differences[0], expected, atol=2e-5)


def test_responses_of_batch_norm_are_those_behind_it(small: nn.Module, images: np.ndarray) -> None:
    target = ("block.conv2", 5, (4, 4))
    own = occlumap.map_unit(small, images, *target, index=2)
    behind = occlumap.map_unit(small, images, *target, index=2, response="bn", context="frozen")
    norm = small.block.bn2
    factor = float((norm.weight[5] / (norm.running_var[5] + norm.eps).sqrt()).detach())
    np.testing.assert_allclose(behind.differences, factor * own.differences, rtol=1e-4, atol=1e-5)
    layers = ["block.conv2", "last"]
    maps = occlumap.map_units(small, images, layers=layers, units=range(2), response="bn", **COMMON)
    assert list(maps) == ["last", "block.bn2"]
    ranking = occlumap.rank(small, images, layers=layers, top=2, response="bn")
    assert list(ranking) == ["last", "block.bn2"]
    with pytest.raises(ValueError, match="no batch normalisation of small reads"):
        occlumap.map_unit(small, images, "last", 0, (4, 4), response="bn")
    with pytest.raises(ValueError, match="response: unknown variant `relu`"):
        occlumap.map_unit(small, images, *target, response="relu")


@pytest.mark.parametrize("key", ["block.conv2", "block.bn2"])
def test_units_by_layer_are_those_of_responses_of_batch_norm(
    small: nn.Module, images: np.ndarray, key: str
) -> None:
    # No batch norm reads the convolution of one of the two parts.
    layers = ["block.conv2", "last"]
    together = occlumap.map_units(small, images, layers=layers, units=range(2), response="bn", **COMMON)
    units = {key: [1], "last": range(2)}
    maps = occlumap.map_units(small, images, layers=layers, units=units, response="bn", **COMMON)
    assert list(maps) == ["last", "block.bn2"]
    np.testing.assert_array_equal(maps["last"].max[:2], together["last"].max[:2])
    np.testing.assert_array_equal(maps["block.bn2"].max[1], together["block.bn2"].max[1])
    for units, problem in [
        ({key: 1, "last": 0, "left": 0}, "left, which is none of the layers"),
        ({"block.conv2": 1, "block.bn2": 0, "last": 0}, "units of block.bn2 twice"),
        ({"last": 0}, "no units of block.bn2"),
    ]:
        with pytest.raises(ValueError, match=problem):
            occlumap.map_units(small, images, layers=layers, units=units, response="bn", **COMMON)


def test_maps_of_a_module_are_those_of_its_files(
    small: nn.Module, images: np.ndarray, tmp_path: Path
) -> None:
    from torch.utils.data import DataLoader, TensorDataset

    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    tensors = torch.from_numpy(images)
    maps = occlumap.map_units(small, tensors, layers=["block.conv1", small.left], out=ours, **COMMON)
    assert list(maps) == ["block.conv1", "left"]
    model, weights = tmp_path / "small.json", tmp_path / "small.safetensors"
    occlumap.Network.from_torch(small, (41, 37)).save(model, weights)
    np.save(tmp_path / "images.npy", images)
    options = ["--layers", "block.conv1,left", "--top", 2, "--device", "cpu", "--out", theirs]
    files = ["--model", model, "--weights", weights, "--images", tmp_path / "images.npy"]
    command("run", *files, *options)
    assert arrays(ours) == arrays(theirs)
    labelled = TensorDataset(tensors, torch.arange(5))
    loaders = [
        DataLoader(labelled, batch_size=2),
        DataLoader(labelled, batch_size=2, num_workers=1),
        DataLoader(labelled, batch_size=3, collate_fn=lambda items: torch.stack([i[0] for i in items])),
    ]
    for given in [labelled, *loaders]:
        found = occlumap.map_units(small, given, layers=["block.conv1"], **COMMON)
        np.testing.assert_array_equal(found["block.conv1"].max, maps["block.conv1"].max)
    with pytest.raises(ValueError, match="shuffle=False"):
        occlumap.map_units(small, DataLoader(labelled, shuffle=True), **COMMON)


def test_what_is_not_supported_is_told_at_once(images: np.ndarray) -> None:
    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Conv2d(3, 4, 3)
            self.gate = nn.Conv2d(4, 4, 1)
            self.wide = nn.Conv2d(4, 4, (1, 3))
            self.soft = nn.Softmax2d()
            self.last = nn.Conv2d(4, 4, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.first(x)
            x = x * torch.sigmoid(self.gate(x.amax((2, 3), keepdim=True)))
            return self.last(torch.fft.fft(self.soft(self.wide(x))).real)

    net = Gated().eval()
    with pytest.raises(occlumap.UnsupportedLayer) as raised:
        occlumap.map_units(net, images, layers=["first", "last"], **COMMON)
    message = str(raised.value)
    for part in ("amax", "softmax", "whole image", "fft"):
        assert part in message, message
    assert "mul" not in message, "a consequence of the maximum"
    assert raised.value.mappable == ["first"] and len(raised.value.layers) == 4
    maps = occlumap.map_units(net, images, **COMMON)
    assert list(maps) == ["first"]


def test_modules_that_are_not_plain_are_handled_or_told(
    small: nn.Module, caplog: pytest.LogCaptureFixture
) -> None:
    of = occlumap.Network.from_torch
    plain = of(small, 41)._inner.description()
    caplog.set_level(logging.INFO, logger="occlumap")
    assert of(torch.compile(small), 41)._inner.description() == plain
    assert of(nn.DataParallel(small), 41)._inner.description() == plain

    seen = []
    hook = small.block.register_forward_hook(lambda *call: seen.append(call[2].shape))
    assert of(small, 41)._inner.description() == plain
    assert "hooks" in caplog.text and all(shape[0] == 1 for shape in seen)
    hook.remove()
    hook = small.block.register_forward_hook(lambda _, __, out: out * 2)
    with pytest.raises(ValueError, match="hooks"):
        of(small, 41)
    hook.remove()

    with pytest.raises(ValueError, match="`block.bn1` is in training mode"):
        small.block.bn1.train()
        of(small, 41)
    with pytest.raises(ValueError, match=r"call model.eval\(\)"):
        of(small.train(), 41)
    small.eval()

    with pytest.raises(ValueError, match="TorchScript"):
        of(torch.jit.trace(small, torch.zeros(1, 3, 41, 41)), 41)
    with pytest.raises(ValueError, match="meta"):
        of(Small().to("meta").eval(), 41)
    half = of(small.half(), 41)
    assert [layer.units for layer in half.layers] == [8, 8, 8, 4, 4, 6]
    small.float()

    class Branching(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.conv(x) if x.sum() > 0 else x

    with pytest.raises(ValueError, match=r"torch.export cannot export Branching"):
        of(Branching().eval(), 41)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_module_on_a_gpu_is_copied(small: nn.Module) -> None:
    plain = occlumap.Network.from_torch(small, 41)
    copied = occlumap.Network.from_torch(small.cuda(), 41)
    assert copied._inner.description() == plain._inner.description()


def test_a_difference_to_torch_is_an_error(
    small: nn.Module, images: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    from occlumap import _aten

    def wrong(call: _aten.Call) -> _aten.Layer:
        layer = _aten.max_pool2d(call)
        layer.fields["padding"] = [1, 1]
        return layer

    monkeypatch.setitem(_aten.OPERATIONS, "max_pool2d", wrong)
    with pytest.raises(ValueError, match=r"block.conv1: unit \d+ responds to image 0 with"):
        occlumap.map_units(small, images, layers=["block.conv1"], **COMMON)


def test_weights_that_are_computed_and_modules_that_are_shared(
    images: np.ndarray, caplog: pytest.LogCaptureFixture
) -> None:
    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 4, 3))
            self.again = nn.Conv2d(4, 4, 3, padding=1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.first(x)
            for _ in range(3):
                x = self.again(x)
                nn.functional.relu(x, inplace=True)
            return x

    net = Shared().eval()
    network = occlumap.Network.from_torch(net, (41, 37))
    names = [layer.name for layer in network.layers]
    assert names == ["first", "again", "again_1", "again_2"]
    assert [layer.rf for layer in network.layers] == [3, 5, 7, 9]
    found = occlumap.map_units(net, images, layers=["again_2"], units=[1], **COMMON)
    assert found["again_2"].swept == [1] and "called" not in caplog.text
    for given in (net, network):
        caplog.clear()
        found = occlumap.map_units(given, images, layers="again", units=[1], **COMMON)
        assert list(found) == ["again"]
        told = "`again` is called 3 times, and stands for its first call; the layers of the others are"
        assert f"{told} again_1, again_2" in caplog.text


def test_a_preset_takes_a_state_dict() -> None:
    channels = [(3, 64, 11), (64, 192, 5), (192, 384, 3), (384, 256, 3), (256, 256, 3)]
    state = {}
    for index, (inputs, outputs, kernel) in zip((0, 3, 6, 8, 10), channels):
        state[f"module.features.{index}.weight"] = torch.zeros(outputs, inputs, kernel, kernel)
        state[f"module.features.{index}.bias"] = torch.zeros(outputs, dtype=torch.bfloat16)
    network = occlumap.Network("alexnet", state)
    assert [layer.units for layer in network.layers] == [64, 192, 384, 256, 256]


def test_networks_of_torchvision() -> None:
    models = pytest.importorskip("torchvision.models")
    for name, convolutions in (("resnet18", 20), ("alexnet", 5), ("squeezenet1_1", 26)):
        net = randomise(getattr(models, name)(weights=None))
        network = occlumap.Network.from_torch(net, 96)
        assert len(network.layers) == convolutions and not network.unsupported
