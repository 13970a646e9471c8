"""Transforms of real numbers, against NumPy's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_agent.engines.numpy.engine import NumpyEngine
from edge_agent.errors import ModelError
from tests.support.tflite_writer import GraphDef, OpDef, TensorDef, write_model


def _graph(shape: tuple[int, ...], lengths: tuple[int, int], last: str = "COMPLEX_ABS") -> GraphDef:
    result = (*shape[:-2], lengths[0], lengths[1] // 2 + 1)
    return GraphDef(
        [
            TensorDef("x", shape),
            TensorDef("lengths", (2,), "INT32", np.array(lengths, np.int32)),
            TensorDef("spectrum", result, "COMPLEX64"),
            TensorDef("y", result),
        ],
        [OpDef("RFFT2D", (0, 1), (2,)), OpDef(last, (2,), (3,))],
        inputs=(0,),
        outputs=(3,),
    )


@pytest.mark.parametrize("lengths", [(1, 512), (4, 8), (8, 2), (1, 1)])
@pytest.mark.parametrize("shape", [(3, 1, 400), (2, 5, 9)])
def test_transform(shape: tuple[int, ...], lengths: tuple[int, int], tmp_path: Path) -> None:
    """The input is cut or padded with zeros; each run begins afresh."""
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    for name, part in (("COMPLEX_ABS", np.abs), ("REAL", np.real), ("IMAG", np.imag)):
        engine = NumpyEngine(write_model(tmp_path / "m.tflite", _graph(shape, lengths, name)))
        engine.run(-x)
        wanted = part(np.fft.rfft2(x.astype(np.float64), lengths))
        np.testing.assert_allclose(engine.run(x)[0], wanted, rtol=1e-6, atol=1e-5)


def test_other_lengths_are_refused(tmp_path: Path) -> None:
    """TFLite knows powers of two alone."""
    with pytest.raises(ModelError, match="powers of two"):
        NumpyEngine(write_model(tmp_path / "m.tflite", _graph((1, 1, 12), (1, 12))))
