"""The examples of docs/quantize.md, as they are written there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_agent.engines import open_engine

DOCS = Path(__file__).parents[2] / "docs" / "quantize.md"


def example(name: str) -> str:
    """The code under that name."""
    blocks = re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL)
    (found,) = [block for block in blocks if block.startswith(f"# example: {name}\n")]
    return str(found)


@pytest.mark.parametrize(
    ("name", "needs", "file"),
    [
        ("scikit-learn", "sklearn", "digits.npz"),
        ("NumPy", "numpy", "bearing.npz"),
        ("PyTorch", "torch", "lines.tflite"),
    ],
)
def test_example(
    name: str, needs: str, file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It trains, keeps its accuracy within a point in int8, and its file opens in our engine."""
    pytest.importorskip(needs, reason=f"{needs} is not installed", exc_type=ImportError)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(example(name), names)
    assert names["float_accuracy"] > 0.9
    assert abs(names["float_accuracy"] - names["int8_accuracy"]) <= 0.01
    engine = open_engine(tmp_path / file, kind="numpy")
    assert engine.inputs[0].dtype == engine.outputs[0].dtype == np.int8
