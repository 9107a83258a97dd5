"""Notebooks run from top to bottom."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import torch_or_skip

# Statistics and weights of batch norms that change each unit, as training does.
BATCH_NORMS = """
for part in net.modules():
    if isinstance(part, torch.nn.BatchNorm2d):
        part.running_mean.uniform_(-0.2, 0.2)
        part.running_var.uniform_(0.5, 2)
        part.weight.data.uniform_(-0.5, 1.5)
        part.bias.data.uniform_(-0.2, 0.2)
"""

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.mark.parametrize("name", ["arrays", "resnet18"])
def test_a_notebook_runs_and_draws(name: str, tmp_path: Path) -> None:
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    pytest.importorskip("matplotlib")
    if name == "resnet18":
        torch_or_skip()
        pytest.importorskip("torchvision")
    notebook = nbformat.read(EXAMPLES / f"{name}.ipynb", as_version=4)
    for cell in notebook.cells:
        cell.pop("outputs", None)
        if "net = torchvision" in cell.source:
            cell.source += BATCH_NORMS
        if cell.cell_type == "code":
            cell.outputs = []
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": tmp_path}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert any("image/png" in output.get("data", {}) for output in outputs)


def test_notebooks_are_kept_with_their_pictures() -> None:
    for path in EXAMPLES.glob("*.ipynb"):
        text = path.read_text()
        assert "image/png" in text and len(text) < 600_000, path.name
        assert "/tmp/" not in text and "/home/" not in text, path.name
