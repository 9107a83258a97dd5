"""Makes the files of this folder: a small residual network with batch normalisation, exported by both
of PyTorch's exporters, its state dict, and of some modules each channel's largest and smallest output
on one image.

    pip install torch onnx onnxscript safetensors numpy
    python make.py

Made with torch 2.15.0 and onnx 1.23.2.
"""
import json
import os

import numpy as np
import torch
from export import export
from safetensors.torch import save_file
from torch import nn

torch.set_grad_enabled(False)
HERE = os.path.dirname(os.path.abspath(__file__))


class Block(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU()
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, 2, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = self.relu(self.bn1(self.conv1(x)))
        return self.relu(self.bn2(self.conv2(y)) + self.downsample(x))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 5, 2, 2, bias=False)
        self.bn1 = nn.BatchNorm2d(4)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = nn.Sequential(Block(4, 5))
        self.fc = nn.Linear(5, 2)

    def forward(self, x):
        x = self.layer1(self.maxpool(self.relu(self.bn1(self.conv1(x)))))
        return self.fc(x.mean((2, 3)))


torch.manual_seed(7)
net = Net().eval()
for module in net.modules():
    if isinstance(module, nn.BatchNorm2d):
        module.running_mean.normal_(0, 0.2)
        module.running_var.uniform_(0.5, 1.5)
        module.weight.uniform_(-1.4, 1.4)
        module.bias.normal_(0, 0.2)

channel, y, x = np.ogrid[:3, :41, :37]
image = ((channel * 7 + y * 13 + x * 29 + x * y) % 17 / 8 - 1).astype(np.float32)
sample = torch.from_numpy(image)[None]

extremes = {}


def note(name):
    def hook(_module, _inputs, output):
        values = output[0].flatten(1)
        extremes[name] = {"max": values.max(1).values.tolist(), "min": values.min(1).values.tolist()}

    return hook


# Where a batch normalisation is folded into the convolution before it, that one's name stands for both.
for name, of in [
    ("conv1", "bn1"),
    ("maxpool", "maxpool"),
    ("layer1.0.conv2", "layer1.0.bn2"),
    ("layer1.0.downsample.0", "layer1.0.downsample.1"),
    ("layer1", "layer1"),
]:
    net.get_submodule(of).register_forward_hook(note(name))
double = net.double()
double(sample.double())
net.float()
with open(os.path.join(HERE, "tiny_resnet.json"), "w") as file:
    json.dump(extremes, file, indent=1)
    file.write("\n")

save_file({name: tensor.contiguous() for name, tensor in net.state_dict().items()}, os.path.join(HERE, "tiny_resnet.safetensors"))
for name, dynamo in [("tiny_resnet.onnx", True), ("tiny_resnet_old.onnx", False)]:
    export(net, sample, os.path.join(HERE, name), dynamo)
