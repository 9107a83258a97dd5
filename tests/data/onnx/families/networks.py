"""The networks that `make.py` exports, each a few blocks of a family that people map."""
import torch
from torch import nn
from torch.nn import functional


def conv(inputs, outputs, kernel=1, stride=1, groups=1):
    """A convolution with batch normalisation."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(outputs)
    )


class Residual(nn.Module):
    """Two residual blocks, one of which halves the map (ResNet)."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(conv(3, 6, 5, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
        self.first, self.second = conv(6, 6, 3), conv(6, 6, 3)
        self.third, self.fourth, self.short = conv(6, 8, 3, 2), conv(8, 8, 3), conv(6, 8, 1, 2)
        self.one, self.two = nn.ReLU(), nn.ReLU()
        self.last = nn.Conv2d(8, 4, 1)

    def forward(self, x):
        x = self.stem(x)
        x = self.one(self.second(functional.relu(self.first(x))) + x)
        return self.last(self.two(self.fourth(functional.relu(self.third(x))) + self.short(x)))


class Inverted(nn.Module):
    """Two inverted residual blocks with depthwise convolutions and ReLU6 (MobileNetV2)."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(conv(3, 6, 3, 2), nn.ReLU6())
        self.one = nn.Sequential(conv(6, 12), nn.ReLU6(), conv(12, 12, 3, 1, 12), nn.ReLU6(), conv(12, 6))
        self.two = nn.Sequential(conv(6, 12), nn.ReLU6(), conv(12, 12, 3, 2, 12), nn.ReLU6(), conv(12, 8))
        self.last = nn.Conv2d(8, 4, 3, padding=1)

    def forward(self, x):
        x = self.stem(x)
        return self.last(self.two(self.one(x) + x))


class Squeeze(nn.Module):
    """Squeeze and excitation: from the mean of the whole map a factor for each channel."""

    def __init__(self, channels, inside):
        super().__init__()
        self.pool, self.down, self.up = nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, inside, 1), nn.Conv2d(inside, channels, 1)

    def forward(self, x):
        return x * torch.sigmoid(self.up(functional.silu(self.down(self.pool(x)))))


class Efficient(nn.Module):
    """Two inverted residual blocks with SiLU, and squeeze and excitation (EfficientNet)."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(conv(3, 6, 3, 2), nn.SiLU())
        self.one = nn.Sequential(conv(6, 6, 3, 1, 6), nn.SiLU(), Squeeze(6, 2), conv(6, 6))
        self.two = nn.Sequential(conv(6, 12), nn.SiLU(), conv(12, 12, 5, 2, 12), nn.SiLU(), Squeeze(12, 3), conv(12, 8))
        self.last = nn.Conv2d(8, 4, 1)

    def forward(self, x):
        x = self.stem(x)
        return self.last(self.two(self.one(x) + x))


class Channels(nn.Module):
    """A block with layer normalisation of channels, GELU and a factor for each channel (ConvNeXt)."""

    def __init__(self, channels):
        super().__init__()
        self.deep = nn.Conv2d(channels, channels, 5, padding=2, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.up, self.gelu, self.down = nn.Linear(channels, 3 * channels), nn.GELU(), nn.Linear(3 * channels, channels)
        self.scale = nn.Parameter(torch.ones(channels, 1, 1))

    def forward(self, x):
        y = self.norm(self.deep(x).permute(0, 2, 3, 1))
        return x + self.scale * self.down(self.gelu(self.up(y))).permute(0, 3, 1, 2)


class Next(nn.Module):
    """Two blocks of ConvNeXt."""

    def __init__(self):
        super().__init__()
        self.stem, self.one, self.two = nn.Conv2d(3, 6, 4, 4), Channels(6), Channels(6)
        self.last = nn.Conv2d(6, 4, 2, 2)

    def forward(self, x):
        return self.last(self.two(self.one(self.stem(x))))


def shuffle(x, groups=2):
    """Interleaves groups of channels."""
    n, channels, height, width = x.shape
    return x.view(n, groups, channels // groups, height, width).transpose(1, 2).reshape(n, channels, height, width)


class Shuffle(nn.Module):
    """Two units with a split, a concatenation and a shuffle of channels (ShuffleNetV2)."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(conv(3, 8, 3, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
        self.one = nn.Sequential(conv(4, 4), nn.ReLU(), conv(4, 4, 3, 1, 4), conv(4, 4), nn.ReLU())
        self.left = nn.Sequential(conv(8, 8, 3, 2, 8), conv(8, 6), nn.ReLU())
        self.right = nn.Sequential(conv(8, 6), nn.ReLU(), conv(6, 6, 3, 2, 6), conv(6, 6), nn.ReLU())
        self.last = nn.Conv2d(12, 4, 1)

    def forward(self, x):
        x = self.stem(x)
        kept, rest = x.chunk(2, dim=1)
        x = shuffle(torch.cat((kept, self.one(rest)), dim=1))
        return self.last(shuffle(torch.cat((self.left(x), self.right(x)), dim=1)))


class Dense(nn.Module):
    """Two densely connected layers and a transition, normalised before convolutions (DenseNet)."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(conv(3, 6, 5, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
        layer = lambda inputs: nn.Sequential(  # noqa: E731
            nn.BatchNorm2d(inputs), nn.ReLU(), conv(inputs, 8), nn.ReLU(), nn.Conv2d(8, 4, 3, padding=1, bias=False)
        )
        self.one, self.two = layer(6), layer(10)
        self.transition = nn.Sequential(
            nn.BatchNorm2d(14), nn.ReLU(), nn.Conv2d(14, 8, 1, bias=False), nn.AvgPool2d(2, 2)
        )
        self.last = nn.Conv2d(8, 4, 3, padding=1)

    def forward(self, x):
        x = self.stem(x)
        x = torch.cat((x, self.one(x)), dim=1)
        x = torch.cat((x, self.two(x)), dim=1)
        return self.last(self.transition(x))


class Grouped(nn.Module):
    """A residual block with group normalisation (ResNet-GN)."""

    def __init__(self):
        super().__init__()
        norm = lambda groups, inputs: [nn.Conv2d(inputs, 6, 3, padding=1, bias=False), nn.GroupNorm(groups, 6)]  # noqa: E731
        self.stem = nn.Sequential(*norm(3, 3), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
        self.one = nn.Sequential(*norm(2, 6), nn.ReLU(), *norm(1, 6))
        self.last = nn.Conv2d(6, 4, 3, 2, padding=1)

    def forward(self, x):
        x = self.stem(x)
        return self.last(functional.relu(self.one(x) + x))


def bordered(inputs, outputs, mode, kernel=3, stride=1):
    """A convolution whose input is padded with its own values, and batch normalisation."""
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, padding_mode=mode, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs))


class Bordered(nn.Module):
    """A residual block whose convolutions pad with values of the map."""

    def __init__(self, mode):
        super().__init__()
        self.stem = nn.Sequential(bordered(3, 6, mode, 5, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
        self.one = nn.Sequential(bordered(6, 6, mode), nn.ReLU(), bordered(6, 6, mode))
        self.last = nn.Conv2d(6, 4, 3, 2, 1, padding_mode=mode)

    def forward(self, x):
        x = self.stem(x)
        return self.last(functional.relu(self.one(x) + x))


class Reflect(Bordered):
    def __init__(self):
        super().__init__("reflect")


class Replicate(Bordered):
    def __init__(self):
        super().__init__("replicate")


class Blur(nn.Module):
    """Every second position of a map that is blurred by constants (Zhang 2019)."""

    kernel_size, stride, padding = 3, 2, 1

    def __init__(self, channels):
        super().__init__()
        taps = torch.tensor([1.0, 2.0, 1.0]) / 4
        self.pad = nn.ReflectionPad2d(1)
        self.register_buffer("filt", (taps[:, None] * taps).expand(channels, 1, 3, 3).contiguous())

    def forward(self, x):
        return functional.conv2d(self.pad(x), self.filt, stride=2, groups=x.shape[1])


class Antialiased(nn.Module):
    """A residual block that is blurred before it is subsampled (antialiased ResNet)."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(conv(3, 6, 5, 2), nn.ReLU(), nn.MaxPool2d(3, 1, 1), Blur(6))
        self.one = nn.Sequential(conv(6, 8, 3), nn.ReLU(), Blur(8), conv(8, 8))
        self.short = nn.Sequential(Blur(6), conv(6, 8))
        self.last = nn.Conv2d(8, 4, 3, padding=1)

    def forward(self, x):
        x = self.stem(x)
        return self.last(functional.relu(self.one(x) + self.short(x)))


def rectangle(inputs, outputs, height, width):
    """A convolution of a rectangle, and batch normalisation."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, (height, width), padding=(height // 2, width // 2), bias=False),
        nn.BatchNorm2d(outputs, eps=1e-3),
        nn.ReLU(),
    )


class Mixed(nn.Module):
    """Four branches: rectangles after each other, a dilated convolution, a maximum and a mean (Inception)."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(conv(3, 6, 3, 2), nn.ReLU(), nn.MaxPool2d(3, 2, ceil_mode=True))
        self.long = nn.Sequential(rectangle(6, 4, 1, 1), rectangle(4, 4, 1, 5), rectangle(4, 4, 5, 1))
        self.wide = nn.Sequential(nn.Conv2d(6, 4, 3, padding=2, dilation=2), nn.ReLU())
        self.most = nn.Sequential(nn.MaxPool2d(3, 1, 1), rectangle(6, 4, 1, 1))
        self.mean = nn.Sequential(nn.AvgPool2d(3, 1, 1), rectangle(6, 4, 1, 1))
        self.last = nn.Conv2d(16, 4, 3, 2, 1)

    def forward(self, x):
        x = self.stem(x)
        return self.last(torch.cat((self.long(x), self.wide(x), self.most(x), self.mean(x)), dim=1))


class Groups(nn.Module):
    """Two residual blocks of groups of channels, one of which halves the map (ResNeXt, RegNetX)."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(conv(3, 8, 3, 2), nn.ReLU())
        self.one = nn.Sequential(conv(8, 12), nn.ReLU(), conv(12, 12, 3, 2, 3), nn.ReLU(), conv(12, 8))
        self.short = conv(8, 8, 1, 2)
        self.two = nn.Sequential(conv(8, 16), nn.ReLU(), conv(16, 16, 3, 1, 2), nn.ReLU(), conv(16, 8))
        self.last = nn.Conv2d(8, 4, 3, padding=1)

    def forward(self, x):
        x = self.stem(x)
        x = functional.relu(self.one(x) + self.short(x))
        return self.last(functional.relu(self.two(x) + x))


class Expanded(nn.Module):
    """Squeeze and excitation by two matrices, whose factors are expanded to the map (SENet)."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(conv(3, 8, 3, 2), nn.ReLU())
        self.one = nn.Sequential(conv(8, 8, 3), nn.ReLU(), conv(8, 8, 3))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.gate = nn.Sequential(nn.Linear(8, 4, bias=False), nn.ReLU(), nn.Linear(4, 8, bias=False), nn.Sigmoid())
        self.last = nn.Conv2d(8, 4, 3, 2, 1)

    def forward(self, x):
        x = self.stem(x)
        y = self.one(x)
        factors = self.gate(self.pool(y).view(-1, 8)).view(-1, 8, 1, 1)
        return self.last(functional.relu(y * factors.expand_as(y) + x))


#: By the names of their files.
FAMILIES = {
    "resnet": Residual,
    "mobilenet": Inverted,
    "efficientnet": Efficient,
    "convnext": Next,
    "shufflenet": Shuffle,
    "densenet": Dense,
    "groupnorm": Grouped,
    "reflect": Reflect,
    "replicate": Replicate,
    "antialiased": Antialiased,
    "inception": Mixed,
    "resnext": Groups,
    "senet": Expanded,
}
