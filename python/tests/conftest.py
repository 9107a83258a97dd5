"""What the tests share: a small network, images, the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import occlumap
import pytest

REQUIRE_TORCH = os.environ.get("OCCLUMAP_REQUIRE_TORCH") == "1"
"""Whether tests that need torch fail where it is not installed."""

LAYERS = [
    {"name": "a", "op": "conv", "out_channels": 6, "kernel": 5, "stride": 2, "padding": 2},
    {"name": "b", "op": "relu"},
    {"name": "c", "op": "max_pool", "kernel": 3, "stride": 2},
    {"name": "d", "op": "conv", "out_channels": 5, "kernel": 3, "padding": 1},
]


class Case:
    """A network on files, and images in memory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        random = np.random.default_rng(0)
        self.tensors = {
            "a.weight": random.standard_normal((6, 3, 5, 5), dtype=np.float32) / 9,
            "a.bias": random.standard_normal(6, dtype=np.float32) / 9,
            "d.weight": random.standard_normal((5, 6, 3, 3), dtype=np.float32) / 7,
            "d.bias": random.standard_normal(5, dtype=np.float32) / 7,
        }
        self.model = folder / "model.json"
        self.model.write_text(json.dumps({"name": "small", "layers": LAYERS}))
        self.weights = folder / "weights.npz"
        np.savez(self.weights, **self.tensors)
        self.images = random.uniform(-1, 1, (6, 3, 33, 29)).astype(np.float32)
        np.save(folder / "images.npy", self.images)

    @property
    def network(self) -> occlumap.Network:
        """The network of the files."""
        return occlumap.Network(self.model, self.weights)

    @property
    def arguments(self) -> list[str]:
        """What names the same for the command line."""
        images = self.folder / "images.npy"
        return ["--model", str(self.model), "--weights", str(self.weights), "--images", str(images)]


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path)


def command(*arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Runs the command that the wheel brings along."""
    program = [sys.executable, "-m", "occlumap._command", *map(str, arguments)]
    found = subprocess.run(program, capture_output=True, text=True, timeout=120)
    assert found.returncode == code, found.stderr
    return found


def arrays(folder: Path) -> dict[str, bytes]:
    """The bytes of all arrays in a folder of results."""
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.npy")}
    assert found
    return found


def torch_or_skip(*, module: bool = False) -> Any:
    """torch, or a test, or a whole module of them, that is skipped."""
    try:
        import torch
    except ImportError:
        if REQUIRE_TORCH:
            raise
        pytest.skip("torch is not installed", allow_module_level=module)
    return torch


def randomise(module: Any) -> Any:
    """Gives the batch norm of a module of torch something to do."""
    torch = torch_or_skip()
    torch.manual_seed(0)
    for part in module.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.running_mean.uniform_(-0.2, 0.2)
            part.running_var.uniform_(0.5, 2)
            part.weight.data.uniform_(-0.5, 1.5)
            part.bias.data.uniform_(-0.2, 0.2)
    return module.eval()


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(3).uniform(-1, 1, (5, 3, 41, 37)).astype(np.float32)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Records skipped tests for the summary of the project's own checks."""
    _record(report, report.nodeid)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """The same, of modules of tests."""
    _record(report, report.nodeid)


def _record(report: pytest.TestReport | pytest.CollectReport, test: str) -> None:
    record = os.environ.get("OCCLUMAP_SKIPPED")
    if not record or report.outcome != "skipped":
        return
    # File, line and reason.
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    with open(record, "a", encoding="utf-8") as file:
        file.write(f"{test}\t{' '.join(reason.removeprefix('Skipped: ').split())}\n")
