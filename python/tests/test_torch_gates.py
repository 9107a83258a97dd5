"""What the whole map makes: squeeze and excitation, group and instance norm."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import occlumap
import pytest
from conftest import randomise, torch_or_skip

torch = torch_or_skip(module=True)
nn = torch.nn

COMMON = {"top": 2, "device": "cpu", "progress": None, "threads": 2}


class Squeeze(nn.Module):
    """Squeeze and excitation as SENet has it, of two matrices, or as torchvision, of convolutions."""

    def __init__(self, channels: int, *, matrices: bool) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1 if matrices else (1, 1))
        layer = nn.Linear if matrices else (lambda one, other: nn.Conv2d(one, other, 1))
        self.fc1, self.relu, self.fc2 = layer(channels, 3), nn.ReLU(), layer(3, channels)
        # No dead ReLU, and gates that images change.
        nn.init.uniform_(self.fc1.bias, 0.5, 1)
        nn.init.uniform_(self.fc2.weight, -2, 2)
        self.matrices = matrices
        self.scale = nn.Sigmoid() if matrices else nn.Hardsigmoid()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.pool(x)
        if not self.matrices:
            return x * self.scale(self.fc2(self.relu(self.fc1(y))))
        n, c = x.shape[:2]
        y = self.scale(self.fc2(self.relu(self.fc1(y.view(n, c))))).view(n, c, 1, 1)
        return x * y


class Residual(nn.Module):
    """A residual block with a norm of its own."""

    def __init__(self, channels: int, norm: Callable[[], nn.Module], gate: nn.Module) -> None:
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False), norm()
        self.conv2, self.norm2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False), norm()
        self.relu, self.gate = nn.ReLU(inplace=True), gate

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.norm2(self.conv2(self.relu(self.norm1(self.conv1(x)))))
        return self.relu(self.gate(y) + x)


def residual(norm: Callable[[], nn.Module], gate: nn.Module) -> nn.Module:
    torch.manual_seed(1)
    net = nn.Sequential(
        nn.Conv2d(3, 8, 5, stride=2, padding=2),
        nn.ReLU(),
        Residual(8, norm, gate),
        nn.Conv2d(8, 6, 3),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(6, 4),
    )
    for part in net.modules():
        if isinstance(part, (nn.GroupNorm, nn.InstanceNorm2d)) and part.affine:
            nn.init.uniform_(part.weight, -0.5, 1.5)
            nn.init.uniform_(part.bias, -0.2, 0.2)
    return randomise(net)


NETWORKS = {
    "matrices": lambda: residual(nn.Identity, Squeeze(8, matrices=True)),
    "convolutions": lambda: residual(lambda: nn.BatchNorm2d(8), Squeeze(8, matrices=False)),
    "group norm": lambda: residual(lambda: nn.GroupNorm(4, 8), nn.Identity()),
    "group norm without weights": lambda: residual(
        lambda: nn.GroupNorm(1, 8, affine=False), nn.Identity()
    ),
    "instance norm": lambda: residual(lambda: nn.InstanceNorm2d(8), nn.Identity()),
    "instance norm with weights": lambda: residual(
        lambda: nn.InstanceNorm2d(8, affine=True), Squeeze(8, matrices=False)
    ),
    "instance norm of training": lambda: residual(
        lambda: nn.InstanceNorm2d(8, affine=True, track_running_stats=True), nn.Identity()
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_unit_behind_a_gate_is_mapped_as_torch_computes_it(name: str, images: np.ndarray) -> None:
    net = NETWORKS[name]()
    maps = occlumap.map_units(net, images, layers=["3"], units=[1], verify=20, **COMMON)
    # The receptive field is that of the local path.
    assert maps["3"].rf == 5 + 2 * (2 + 2 + 2)
    found = occlumap.map_unit(net, images, "3", 1, (3, 3), index=2)
    presented = occlumap.occlude(images[2], found.occluders, "philox:0", 2)
    with torch.no_grad():
        responses = net[:4](torch.from_numpy(np.concatenate([images[2:3], presented])))[:, 1, 3, 3]
    expected = (responses[1:] - responses[0]).numpy()
    assert np.abs(expected).max() > 1e-3
    np.testing.assert_allclose(found.differences[0], expected, atol=2e-5)


def frozen(net: nn.Module, gates: list[nn.Module]) -> None:
    """Lets gates keep what they are of the first image that they see."""
    for gate in gates:
        kept: list[torch.Tensor] = []

        def keep(_: nn.Module, __: object, out: torch.Tensor, kept: list = kept) -> torch.Tensor:
            kept.append(out)
            return kept[0].expand_as(out)

        gate.register_forward_hook(keep)


def test_frozen_gates_are_those_of_the_original_image(images: np.ndarray) -> None:
    net = NETWORKS["convolutions"]()
    exact = occlumap.map_unit(net, images, "3", 1, (3, 3), index=2, occluder_size=9)
    options = {"occluder_size": 9, "context": "frozen"}
    found = occlumap.map_unit(net, images, "3", 1, (3, 3), index=2, **options)
    presented = occlumap.occlude(images[2], found.occluders, "philox:0", 2)
    frozen(net, [net[2].gate.scale])
    with torch.no_grad():
        original = net[:4](torch.from_numpy(images[2:3]))[0, 1, 3, 3]
        expected = (net[:4](torch.from_numpy(presented))[:, 1, 3, 3] - original).numpy()
    np.testing.assert_allclose(found.differences[0], expected, atol=2e-5)
    assert not np.array_equal(found.differences, exact.differences)
    net = NETWORKS["group norm"]()
    both = [
        occlumap.map_unit(net, images, "3", 1, (3, 3), index=2, occluder_size=9, context=context)
        for context in ("exact", "frozen")
    ]
    assert np.abs(both[0].differences - both[1].differences).max() > 1e-4


def onnx_of(net: nn.Module, size: tuple[int, int]) -> bytes:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    file = io.BytesIO()
    torch.onnx.export(net, (torch.zeros(1, 3, *size),), file, dynamo=True, verbose=False)
    return file.getvalue()


@pytest.mark.parametrize("context", ["exact", "frozen"])
@pytest.mark.parametrize(
    "name", ["matrices", "convolutions", "group norm", "instance norm with weights"]
)
def test_maps_are_those_of_the_onnx_file(name: str, context: str, images: np.ndarray) -> None:
    net = NETWORKS[name]()
    file = onnx_of(net, (41, 37))
    layers = [layer.name for layer in occlumap.Network.from_torch(net, (41, 37)).layers]
    options = {**COMMON, "units": range(3), "context": context}
    ours = occlumap.map_units(net, images, layers=["0", "3"], **options)
    theirs = occlumap.map_units(file, images, layers=["conv1", f"conv{len(layers)}"], **options)
    for one, other in zip(ours.values(), theirs.values()):
        for side in ("max", "min"):
            np.testing.assert_array_equal(one.ranking.images(side)[:3], other.ranking.images(side)[:3])
            largest = np.nanmax(getattr(one, side))
            assert largest > 1e-3
            error = np.nanmax(np.abs(getattr(one, side) - getattr(other, side)))
            assert error <= 1e-6 * largest, error


def test_what_the_head_makes_is_no_unit_and_no_layer() -> None:
    net = NETWORKS["matrices"]()
    network = occlumap.Network.from_torch(net, 41)
    described = network._inner.description()
    assert '"2.gate.fc1"' in described and '"6"' not in described and not network.unsupported
    assert [layer.name for layer in network.layers] == ["0", "2.conv1", "2.conv2", "3"]
    images = np.zeros((1, 3, 41, 41), np.float32)
    for layer in ("6", net[4]):
        with pytest.raises(ValueError, match=r"[46]: each of its values is of the whole map"):
            occlumap.map_units(net, images, layers=layer, **COMMON)
    with pytest.raises(ValueError, match="`2.gate.fc1`: each of its values is of the whole map"):
        occlumap.map_units(net, images, layers="2.gate.fc1", **COMMON)


def middle(forward: Callable[[nn.Module, torch.Tensor], torch.Tensor]) -> nn.Module:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3, padding=1)
            self.norm, self.matrix = nn.BatchNorm1d(4), nn.Linear(4, 4)
            self.wide, self.narrow = nn.Conv2d(4, 4, 3, padding=1), nn.MaxPool2d((1, 9))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.second(forward(self, self.first(x)))

    torch.manual_seed(0)
    return randomise(Net())


@pytest.mark.parametrize(
    "forward",
    [
        lambda net, x: x + torch.tanh(x.mean([-1, -2])[:, :, None, None]),
        lambda net, x: x.mul_(net.matrix(x.mean((2, 3))).unsqueeze(-1).unsqueeze(-1)) + 1,
        lambda net, x: torch.sigmoid(net.norm(x.mean((2, 3)))).reshape(1, 4, 1, 1) * x,
        lambda net, x: (
            x.permute(0, 2, 3, 1) * net.matrix(x.permute(0, 2, 3, 1).mean((1, 2), keepdim=True))
        ).permute(0, 3, 1, 2),
        lambda net, x: x * (x.mean((2, 3), keepdim=True) * 2 + torch.arange(4.0)[:, None, None]),
        lambda net, x: x * net.matrix(x.mean((2, 3))).view(1, 4, 1, 1).expand_as(x),
        lambda net, x: x * x.mean((2, 3), True).sigmoid().expand(1, 4, 39, 35),
        lambda net, x: x * x.mean((2, 3)).squeeze(0).unflatten(0, (4, 1, 1)),
        lambda net, x: torch.native_group_norm(x, None, None, 1, 4, x.shape[2] * x.shape[3], 2, 1e-5)[0],
    ],
)
def test_spellings_of_gates(forward: Callable[..., torch.Tensor], images: np.ndarray) -> None:
    network = occlumap.Network.from_torch(middle(forward), (41, 37))
    assert not network.unsupported and [layer.rf for layer in network.layers] == [3, 5]


@pytest.mark.parametrize(
    ("forward", "why"),
    [
        (
            lambda net, x: x - x.mean((2, 3), keepdim=True),
            "sub: this operation is not supported of what",
        ),
        (lambda net, x: x * x.mean(2, keepdim=True), "mean of something else than rows and columns"),
        (
            lambda net, x: x * x.mean((2, 3))[:, :, None, None].repeat(1, 1, 39, 1),
            "repeat: this operation",
        ),
        (lambda net, x: net.wide(x[..., :4]) * x.mean((2, 3)), "slice: it cuts along axis 3"),
        (lambda net, x: net.narrow(x) * x.mean((2, 3)), "expected one value a channel"),
        (lambda net, x: x * net.wide(x.mean((2, 3), keepdim=True)), "window is larger than the one"),
        (lambda net, x: torch.cat([x.mean((2, 3), keepdim=True).expand_as(x), x], 1)[:, :4], "repeats"),
        (lambda net, x: x * nn.functional.adaptive_avg_pool2d(x, 2).mean((2, 3), True), "[2, 2]"),
        (lambda net, x: torch.add(x, x.mean((2, 3), keepdim=True), alpha=2), "several times"),
    ],
)
def test_what_is_no_gate_is_told(forward: Callable[..., torch.Tensor], why: str) -> None:
    network = occlumap.Network.from_torch(middle(forward), (41, 41))
    assert len(network.unsupported) == 1 and why in network.unsupported[0], network.unsupported
    assert [layer.name for layer in network.layers] == ["first"]


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("efficientnet_b0", "features.2.0.block.3.0"),
        ("regnet_y_400mf", "trunk_output.block2.block2-0.f.c.0"),
        ("mobilenet_v3_small", "features.2.block.0.0"),
    ],
)
def test_networks_of_torchvision_with_gates(name: str, layer: str) -> None:
    models = pytest.importorskip("torchvision.models")
    net = randomise(getattr(models, name)(weights=None))
    images = np.random.default_rng(0).normal(size=(2, 3, 64, 64)).astype(np.float32)
    for context in ("exact", "frozen"):
        maps = occlumap.map_units(
            net, images, layers=layer, units=[0], every=7, context=context, verify=3, **COMMON
        )
        assert np.nanmax(maps[layer].max) > 0


def test_a_resnet_with_group_norm() -> None:
    models = pytest.importorskip("torchvision.models")
    torch.manual_seed(0)
    net = models.resnet18(weights=None, norm_layer=lambda channels: nn.GroupNorm(8, channels)).eval()
    network = occlumap.Network.from_torch(net, 64)
    assert len(network.layers) == 20 and not network.unsupported
    images = np.random.default_rng(0).normal(size=(2, 3, 64, 64)).astype(np.float32)
    maps = occlumap.map_units(
        net, images, layers="layer1.0.conv1", units=[3], every=5, verify=3, **COMMON
    )
    assert np.nanmax(maps["layer1.0.conv1"].max) > 0
