"""The LSTM in whole and in real numbers, and the functions inside it."""

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
from tests.support.reference import IS_HERE, run_reference, run_stream
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


def _real_cell(seed: int, has_bytes: bool, batch: int = 1) -> GraphDef:
    """In float32, with weights of 8 bits or of float32."""
    noise = np.random.default_rng(seed)
    time, width, cells = (int(noise.integers(1, most)) for most in (7, 20, 12))
    is_time_first = bool(noise.integers(2))

    def sequence(name: str, size: int) -> TensorDef:
        return TensorDef(name, (time, batch, size) if is_time_first else (batch, time, size))

    tensors = [sequence("x", width)]
    for gate in range(8):
        values = noise.normal(0, 0.5, (cells, width if gate < 4 else cells)).astype(np.float32)
        step = float(np.abs(values).max() / 127)
        tensors.append(
            _plain(
                f"w{gate}", values.shape, data=np.rint(values / step).astype(np.int8), scale=[step]
            )
            if has_bytes
            else TensorDef(f"w{gate}", values.shape, data=values)
        )
    for gate in range(4):
        data = noise.normal(0, 0.5, cells).astype(np.float32)
        tensors.append(TensorDef(f"b{gate}", (cells,), data=data))
    tensors += [TensorDef(name, (batch, cells), is_variable=True) for name in ("hidden", "cell")]
    tensors.append(sequence("y", cells))
    places = (*range(9), -1, -1, -1, *range(9, 13), -1, -1, 13, 14, -1, -1, -1, -1)
    options = {0: ("<b", 4), 1: ("<f", 0.5 * (seed % 3)), 3: ("<?", is_time_first)}
    return GraphDef(
        tensors,
        [OpDef("UNIDIRECTIONAL_SEQUENCE_LSTM", places, (15,), LSTM, options)],
        (0,),
        (15,),
    )


@pytest.mark.skipif(not IS_HERE, reason="no TFLite runtime is installed")
@pytest.mark.parametrize("has_bytes", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_cells_of_real_numbers(seed: int, has_bytes: bool, tmp_path: Path) -> None:
    """Three sequences in a row are as TFLite has them, and the first again after a reset."""
    graph = _real_cell(seed, has_bytes, batch=1 + seed % 2)
    noise = np.random.default_rng(seed)
    inputs = noise.normal(0, 1, (3, *graph.tensors[0].shape)).astype(np.float32)
    path = write_model(tmp_path / "m.tflite", graph)
    engine = NumpyEngine(path)
    found = [engine.run(x)[0].copy() for x in inputs]
    expected = run_stream(path, "BUILTIN_REF", list(inputs))
    np.testing.assert_allclose(found, expected, atol=2e-6)
    engine.reset()
    np.testing.assert_array_equal(engine.run(inputs[0])[0], found[0])


def test_steps_of_their_own_are_refused(tmp_path: Path) -> None:
    """8-bit weights for inputs that are quantised with a zero point are not known."""
    graph = _real_cell(0, has_bytes=True)
    (operator,) = graph.operators
    assert operator.options is not None
    operator.options[4] = ("<?", True)
    with pytest.raises(ModelError, match="float32 with weights of int8"):
        NumpyEngine(write_model(tmp_path / "m.tflite", graph))


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
