"""SVDF, which keeps its newest inputs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_agent.engines.base import Rounding
from edge_agent.engines.numpy.engine import NumpyEngine
from edge_agent.errors import ModelError
from tests.engines.numpy.moves import Array
from tests.support.reference import IS_HERE, run_stream
from tests.support.tflite_writer import SVDF_OPTIONS, GraphDef, OpDef, TensorDef, write_model

needs_reference = pytest.mark.skipif(not IS_HERE, reason="no TFLite runtime is installed")
RELU = 1
KERNELS: dict[Rounding, str] = {"reference": "BUILTIN_REF", "xnnpack": "AUTO"}


def _graph(seed: int, whole: bool, activation: int = RELU, batch: int = 1) -> GraphDef:
    """Random weights; every third one has no bias. Whole numbers as TFLite's converter has them."""
    noise = np.random.default_rng(seed)
    width, units, rank, taps = (int(noise.integers(1, most)) for most in (40, 9, 4, 12))
    filters = units * rank

    def weights(name: str, shape: tuple[int, ...], kind: str, most: int, step: float) -> TensorDef:
        if not whole:
            return TensorDef(name, shape, data=noise.normal(0, 0.3, shape).astype(np.float32))
        data = noise.integers(-most, most + 1, shape).astype(kind.lower())
        return TensorDef(name, shape, kind, data, [step], [0])

    def numbers(name: str, shape: tuple[int, ...], step: float, kind: str = "INT8") -> TensorDef:
        zero = int(noise.integers(-128, 128)) if kind == "INT8" else 0
        return (
            TensorDef(name, shape, kind, None, [step], [zero]) if whole else TensorDef(name, shape)
        )

    fine = float(noise.uniform(0.3, 3)) * 1e-4
    state = numbers("state", (batch, filters * taps), fine, "INT16")
    tensors = [
        numbers("x", (batch, width), float(noise.uniform(0.01, 0.1))),
        weights("feature", (filters, width), "INT8", 127, float(noise.uniform(0.001, 0.02))),
        weights("time", (filters, taps), "INT16", 32767, 1e-5 * float(noise.uniform(0.5, 3))),
        weights("bias", (units,), "INT32", 1 << 24, fine * 1e-5),
        replace(state, is_variable=True),
        numbers("y", (batch, units), float(noise.uniform(0.005, 0.2))),
    ]
    places = (0, 1, 2, 3 if seed % 3 else -1, 4)
    options = {0: ("<i", rank), 1: ("<b", activation)}
    return GraphDef(tensors, [OpDef("SVDF", places, (5,), SVDF_OPTIONS, options)], (0,), (5,))


def _inputs(graph: GraphDef, seed: int, count: int = 20) -> list[Array]:
    noise = np.random.default_rng(seed)
    shape = (count, *graph.tensors[0].shape)
    if graph.tensors[0].dtype == "INT8":
        return list(noise.integers(-128, 128, shape).astype(np.int8))
    return list(noise.normal(0, 1, shape).astype(np.float32))


@needs_reference
@pytest.mark.parametrize("rounding", KERNELS)
@pytest.mark.parametrize("seed", range(20))
def test_whole_numbers(seed: int, rounding: Rounding, tmp_path: Path) -> None:
    """A stream gives the bytes that TFLite gives, and again after a reset."""
    graph = _graph(seed, whole=True, batch=1 + seed % 2)
    path = write_model(tmp_path / "m.tflite", graph)
    inputs = _inputs(graph, seed)
    expected = np.array(run_stream(path, KERNELS[rounding], inputs))
    assert len(np.unique(expected)) > 2, "nothing to compare"
    engine = NumpyEngine(path, rounding=rounding)
    for _ in range(2):
        np.testing.assert_array_equal([engine.run(x)[0].copy() for x in inputs], expected)
        engine.reset()


@needs_reference
@pytest.mark.parametrize("activation", [0, 1, 2, 3])
@pytest.mark.parametrize("seed", range(5))
def test_real_numbers(seed: int, activation: int, tmp_path: Path) -> None:
    """A stream gives what TFLite gives but for the last bits, and again after a reset."""
    graph = _graph(seed, whole=False, activation=activation, batch=1 + seed % 2)
    path = write_model(tmp_path / "m.tflite", graph)
    inputs = _inputs(graph, seed)
    expected = np.array(run_stream(path, "BUILTIN_REF", inputs))
    engine = NumpyEngine(path)
    for _ in range(2):
        found = np.array([engine.run(x)[0].copy() for x in inputs])
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
        engine.reset()


@pytest.mark.parametrize(
    ("place", "change", "said"),
    [
        (0, {"dtype": "UINT8"}, "uint8 with weights of int8 and int16"),
        (4, {"shape": (1, 1)}, "a state of shape"),
        (4, {"is_variable": False, "data": b""}, "a state of shape"),
        (5, {"shape": (1, 99)}, "an output of shape"),
    ],
)
def test_what_does_not_fit_is_refused(
    place: int, change: dict[str, Any], said: str, tmp_path: Path
) -> None:
    """Types and shapes that TFLite would refuse are refused when the model is opened."""
    graph = _graph(1, whole=True)
    tensors = list(graph.tensors)
    if "data" in change:
        change = {**change, "data": np.zeros(tensors[place].shape, np.int16)}
    tensors[place] = replace(tensors[place], **change)
    with pytest.raises(ModelError, match=said):
        NumpyEngine(write_model(tmp_path / "m.tflite", replace(graph, tensors=tensors)))


def test_activations_of_whole_numbers(tmp_path: Path) -> None:
    """TFLite has RELU alone, which the limits of the output are."""
    with pytest.raises(ModelError, match="activation 3"):
        NumpyEngine(write_model(tmp_path / "m.tflite", _graph(1, whole=True, activation=3)))


def test_real_numbers_have_no_fixed_bits(tmp_path: Path) -> None:
    """LiteRT's bytes cannot be promised for float32."""
    path = write_model(tmp_path / "m.tflite", _graph(1, whole=False))
    with pytest.raises(ModelError, match="last bits depend on the machine"):
        NumpyEngine(path, rounding="xnnpack")
