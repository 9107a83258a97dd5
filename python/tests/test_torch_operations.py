"""Operations of torch that become layers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import occlumap
import pytest
from conftest import randomise, torch_or_skip

torch = torch_or_skip(module=True)
nn = torch.nn

COMMON = {"top": 2, "device": "cpu", "progress": None, "threads": 2}


class Everything(nn.Module):
    """Operations of the table beside a residual network's."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, (3, 5), stride=(2, 1), padding=(1, 2))
        self.norm = nn.BatchNorm2d(8)
        self.dilated = nn.Conv2d(8, 8, 3, padding="same", dilation=2)
        self.deep = nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False)
        self.uneven = nn.Conv2d(8, 8, 2, padding="same")
        self.prelu = nn.PReLU(8)
        self.average = nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False)
        self.channels = nn.LayerNorm(8)
        self.linear = nn.Linear(8, 8)
        self.scale = nn.Parameter(torch.linspace(-1, 1, 8)[:, None, None])
        self.shuffle = nn.ChannelShuffle(2)
        self.last = nn.Conv2d(4, 5, 3)
        activations = [
            nn.SiLU(),
            nn.Hardswish(),
            nn.Hardsigmoid(),
            nn.LeakyReLU(0.2),
            nn.ELU(),
            nn.GELU(),
            nn.GELU("tanh"),
            nn.Mish(),
            nn.SELU(),
            nn.Tanh(),
            nn.ReLU6(),
        ]
        self.activations = nn.ModuleList(activations)
        self.mixers = nn.ModuleList(nn.Conv2d(8, 8, 1) for _ in activations)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.norm(nn.functional.relu(self.stem(x))))
        x = self.dilated(x) * torch.sigmoid(self.deep(x))
        x = self.prelu(self.uneven(x)) + 0.5
        x = self.average(x) / 0.7
        y = self.linear(self.channels(x.permute(0, 2, 3, 1))).permute(0, 3, 1, 2)
        x = x + self.scale * y
        for mixer, activation in zip(self.mixers, self.activations):
            x = mixer(activation(x))
        n, c, h, w = x.shape
        x = x.view(n, 2, c // 2, h, w).transpose(1, 2).contiguous().view(n, c, h, w)
        one, other = self.shuffle(x).chunk(2, dim=1)
        x = one.clamp(min=-0.5) + other[:, :4]
        x = nn.functional.pad(x, (0, 1, 2, 0))
        return self.last(x)


def test_every_operation_of_the_table_computes_what_torch_does(images: np.ndarray) -> None:
    torch.manual_seed(2)
    net = randomise(Everything())
    network = occlumap.Network.from_torch(net, (41, 37))
    assert not network.unsupported and len(network.layers) == 6 + 11
    maps = occlumap.map_units(net, images, layers=["last"], units=[0, 4], verify=50, **COMMON)
    assert maps["last"].swept == [0, 4]


class Padded(nn.Module):
    """Paddings with values of the map: of convolutions, and of a blur by constants."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 5, stride=2, padding=2, padding_mode="reflect")
        self.conv2 = nn.Conv2d(6, 6, 3, padding=1, padding_mode="replicate")
        self.pad = nn.ReflectionPad2d((2, 1, 0, 1))
        self.register_buffer("blur", torch.full((6, 1, 3, 3), 1 / 9))
        self.edge = nn.ReplicationPad2d(1)
        self.last = nn.Conv2d(6, 4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.conv2(torch.relu(self.conv1(x))))
        x = nn.functional.conv2d(self.pad(x), self.blur, stride=2, groups=6)
        return self.last(self.edge(torch.relu(x)))


def test_paddings_with_values_of_the_map_compute_what_torch_does(
    images: np.ndarray, tmp_path: Path
) -> None:
    torch.manual_seed(3)
    network = occlumap.Network.from_torch(randomise(Padded()), (41, 37))
    assert not network.unsupported
    network.save(tmp_path / "net.json", tmp_path / "net.safetensors")
    described = json.loads((tmp_path / "net.json").read_text())["layers"]
    assert [layer["name"] for layer in described if layer["op"] == "pad"] == [
        "conv1.pad",
        "conv2.pad",
        "pad",
        "edge",
    ]
    assert {"conv1", "conv2", "last"} <= {layer["name"] for layer in described}
    maps = occlumap.map_units(network, images, layers=["conv2", "last"], verify=50, **COMMON)
    assert maps["last"].rf == 21


@pytest.mark.parametrize("channels", [1, 5])
def test_images_of_other_channels_than_red_green_and_blue(channels: int) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(channels, 4, 5), nn.ReLU(), nn.Conv2d(4, 3, 3)).eval()
    images = np.random.default_rng(0).normal(size=(4, channels, 20, 24)).astype(np.float32)
    maps = occlumap.map_units(net, images, layers=["2"], **COMMON)
    assert maps["2"].max.shape == (3, 7, 7)
    found = occlumap.map_unit(net, images, "2", 1, (3, 3), index=2)
    presented = occlumap.occlude(images[2], found.occluders, "philox:0", 2)
    with torch.no_grad():
        occluded = net(torch.from_numpy(presented))[:, 1, 3, 3]
        expected = occluded - net(torch.from_numpy(images[2:3]))[:, 1, 3, 3]
    np.testing.assert_allclose(found.differences[0], expected.numpy(), atol=2e-5)


def test_what_the_table_does_not_take_is_told() -> None:
    convolution = nn.Conv2d(4, 4, 3, padding=1)

    def refused(middle: object, why: str) -> None:
        class Net(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.first, self.second = nn.Conv2d(3, 4, 3), convolution

            def forward(self, x: torch.Tensor) -> torch.Tensor:
                return self.second(middle(self.first(x)))

        unsupported = occlumap.Network.from_torch(Net().eval(), 20).unsupported
        assert len(unsupported) == 1 and why in unsupported[0], unsupported

    refused(lambda x: x * x.amax((2, 3), keepdim=True), "amax")
    refused(lambda x: x - torch.relu(x), "subtracts")
    refused(lambda x: x.transpose(2, 3), "order of values")
    refused(
        lambda x: torch.nn.functional.pad(x, (1, 1, 1, 1), mode="circular"),
        "pixels from the other end of the image",
    )
    refused(lambda x: torch.nn.functional.pad(x, (1, 1), value=0.5), "padding is not of zeros")
    refused(
        lambda x: torch.relu(torch.nn.functional.pad(x, (1, 1))), "something else than a convolution"
    )
    refused(lambda x: x + torch.arange(18.0), "not one a channel")
    refused(
        lambda x: (x * float("inf")).clamp(-1, 1), "mul: its constant has values that are not finite"
    )
    refused(lambda x: torch.cat([x, x], 2), "along axis 2")
    refused(lambda x: torch.nn.functional.interpolate(x, scale_factor=2), "not supported")
