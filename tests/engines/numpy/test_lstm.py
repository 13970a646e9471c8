"""The whole-number LSTM, and the functions inside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_agent.engines.numpy.engine import NumpyEngine
from edge_agent.engines.numpy.operators.fixed_point import logistic_table, tanh_table
from edge_agent.errors import ModelError
from tests.engines.numpy.moves import Array
from tests.support.data import data_file
from tests.support.reference import IS_HERE, run_reference
from tests.support.tflite_writer import GraphDef, OpDef, TensorDef, model, write_model

LSTM = 71


def _plain(name: str, shape: tuple[int, ...], dtype: str = "INT8", **more: Any) -> TensorDef:
    found = TensorDef(name, shape, dtype, scale=[0.01], zero_point=[0])
    for key, value in more.items():
        setattr(found, key, value)
    return found


def _cell(seed: int, time: int = 5, width: int = 6, cells: int = 4) -> GraphDef:
    """Inputs 1 to 8 are weights, 12 to 15 biases, 18 and 19 states; the rest is left out."""
    noise = np.random.default_rng(seed)
    tensors = [_plain("x", (1, time, width), zero_point=[-5])]
    for gate in range(8):
        shape = (cells, width if gate < 4 else cells)
        data = noise.integers(-127, 128, shape).astype(np.int8)
        tensors.append(_plain(f"w{gate}", shape, data=data, scale=[noise.uniform(0.002, 0.03)]))
    for gate in range(4):
        data = noise.integers(-9999, 9999, cells).astype(np.int32)
        tensors.append(_plain(f"b{gate}", (cells,), "INT32", data=data, scale=[0.0001]))
    hidden: dict[str, Any] = {"scale": [1 / 128], "zero_point": [-1]}
    tensors.append(_plain("hidden", (1, cells), is_variable=True, **hidden))
    tensors.append(_plain("cell", (1, cells), "INT16", is_variable=True, scale=[2.0**-12]))
    tensors.append(_plain("y", (1, time, cells), **hidden))
    tensors += [TensorDef(f"between {i}", (0,), "FLOAT32") for i in range(4)]
    tensors.append(_plain("between", (0,), **hidden))
    places = (*range(9), -1, -1, -1, *range(9, 13), -1, -1, 13, 14, -1, -1, -1, -1)
    options = {0: ("<b", 4), 1: ("<f", 10.0)}
    operator = OpDef("UNIDIRECTIONAL_SEQUENCE_LSTM", places, (15,), LSTM, options)
    operator.intermediates = range(16, 21)
    return GraphDef(tensors, [operator], (0,), (15,))


@pytest.mark.skipif(not IS_HERE, reason="no TFLite runtime is installed")
@pytest.mark.parametrize("seed", range(20))
def test_random_cells(seed: int, tmp_path: Path) -> None:
    """Every step of a random cell is that of TFLite, and again after a reset."""
    graph = _cell(seed)
    x = np.random.default_rng(seed).integers(-128, 128, (1, 5, 6)).astype(np.int8)
    engine = NumpyEngine(write_model(tmp_path / "m.tflite", graph))
    first = engine.run(x)[0].copy()
    np.testing.assert_array_equal(first, run_reference(model(graph), (x,))[0])
    assert not np.array_equal(engine.run(x)[0], first), "the cell has kept nothing"
    engine.reset()
    np.testing.assert_array_equal(engine.run(x)[0], first)


def _to_numbers(table: Array) -> Array:
    return table / 2.0**15


@pytest.mark.parametrize("bits", [0, 3, 6])
def test_tables_are_near_the_functions(bits: int) -> None:
    """Logistic and tanh of 16-bit numbers are right to some units of the last place."""
    x = np.arange(-(1 << 15), 1 << 15) * 2.0 ** (bits - 15)
    assert np.abs(_to_numbers(logistic_table(bits)) - 1 / (1 + np.exp(-x))).max() < 2e-4
    assert np.abs(_to_numbers(tanh_table(bits)) - np.tanh(x)).max() < 5e-4


@pytest.mark.parametrize(("place", "tensor"), [(9, 9), (16, 1), (20, 9), (1, -1)])
def test_other_cells_are_refused(place: int, tensor: int, tmp_path: Path) -> None:
    """Peepholes, a projection, layer normalization and a missing input gate are not known."""
    graph = _cell(0)
    places = list(graph.operators[0].inputs)
    places[place] = tensor
    graph.operators[0].inputs = places
    with pytest.raises(ModelError, match="only a plain cell"):
        NumpyEngine(write_model(tmp_path / "m.tflite", graph))


@pytest.mark.data
@pytest.mark.skipif(not IS_HERE, reason="no TFLite runtime is installed")
def test_a_real_model() -> None:
    """Written digits, row by row: the classes are those of TFLite to the last bit."""
    path = data_file("models/coral_keras_lstm_mnist_ptq.tflite")
    engine = NumpyEngine(path)
    noise = np.random.default_rng(1)
    for _ in range(10):
        engine.reset()
        x = noise.integers(0, 256, (1, 28, 28)).astype(np.uint8)
        expected = run_reference(path.read_bytes(), (x,))[0].astype(int)
        # LiteRT's FULLY_CONNECTED rounds in its own way.
        assert np.abs(engine.run(x)[0].astype(int) - expected).max() <= 2
