"""Makes checkpoint.pth and checkpoint_p5.pth, as a training script might leave them.

Made with Python 3.11.7, torch 2.15.0 (CPU part of the cu132 build), numpy 2.4.6.
Run: python make.py (in this folder). The values are simple formulas, which the tests repeat.
"""
import argparse
from collections import OrderedDict

import torch

wide = torch.arange(12.0)
state = OrderedDict()
state["module.plain"] = torch.arange(24.0).reshape(2, 3, 2, 2) / 4
state["module.parameter"] = torch.nn.Parameter(-torch.arange(4.0))
state["module.transposed"] = torch.arange(6.0).reshape(2, 3).t()
state["module.shared.whole"] = wide
state["module.shared.part"] = wide[4:10].view(2, 3)
state["module.shared.every_second"] = wide[1::2]
state["module.expanded"] = torch.tensor([[1.5], [2.5]]).expand(2, 3)
state["module.half"] = torch.tensor([0.5, -65504.0], dtype=torch.float16)
state["module.bfloat"] = torch.tensor([0.5, -3.0e38], dtype=torch.bfloat16)
state["module.double"] = torch.tensor([0.1, -1e-300], dtype=torch.float64)
state["module.scalar"] = torch.tensor(7.0)
state["module.empty"] = torch.zeros(0, 3)
state["module.count"] = torch.tensor([1, 2, 3])
state["module.flags"] = torch.tensor([True, False])
state["module.quarter"] = torch.tensor([1.0]).to(torch.float8_e4m3fn)
state["module.unsigned"] = torch.tensor([1], dtype=torch.uint16)
state["module.complex"] = torch.tensor([1j])
state["module.nan"] = torch.tensor([[0.0, 1.0], [float("nan"), 3.0]])
state["module.huge"] = torch.tensor([1.0, -1e300], dtype=torch.float64)
state["module.negated"] = torch.tensor([1j]).conj().imag
state["module.sparse"] = torch.eye(2).to_sparse()
state._metadata = OrderedDict({"": {"version": 1}})

attributed = torch.nn.Parameter(torch.tensor([8.0, 9.0]))
attributed.note = "a Python attribute"
state["module.attributed"] = attributed

weight = torch.nn.Parameter(torch.ones(2))
optimizer = torch.optim.SGD([weight], lr=0.1, momentum=0.9)
weight.sum().backward()
optimizer.step()

checkpoint = {
    "epoch": 90,
    "loss": [0.5, 0.25],
    "best": None,
    "big": 1 << 80,
    "seen": {3},
    "pair": (1, "two"),
    "state_dict": state,
    "optimizer": optimizer.state_dict(),
    "args": argparse.Namespace(arch="alexnet", lr=0.1),
    "device": torch.device("cpu"),
}
torch.save(checkpoint, "checkpoint.pth")
torch.save(checkpoint, "checkpoint_p5.pth", pickle_protocol=5)
