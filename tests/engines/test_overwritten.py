"""A model file that changes while it is open."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_agent.engines import open_engine
from tests.support.variants import write_same


@pytest.mark.parametrize("kind", ["tflite", "numpy"])
def test_an_open_model_does_not_change_with_its_file(tmp_path: Path, kind: str) -> None:
    """A copy of another file over it, or its end, neither changes nor ends who runs it."""
    path = write_same(tmp_path / "m.tflite")
    engine = open_engine(path, kind)
    spec = engine.inputs[0]
    picture = np.random.default_rng(0).integers(0, 255, spec.shape).astype(spec.dtype)
    before = [each.copy() for each in engine.run(picture)]
    with path.open("r+b") as file:
        file.write(b"\xff" * 1000)
        file.truncate(1000)
    for one, other in zip(before, engine.run(picture), strict=True):
        np.testing.assert_array_equal(one, other)
    engine.close()
