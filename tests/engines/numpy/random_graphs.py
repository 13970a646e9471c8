"""Random tensors for graphs of one operator, and the comparison of what answers there are."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.engines.numpy.engine import NumpyEngine
from tests.support import reference
from tests.support.tflite_writer import GraphDef, TensorDef, model, write_model

Random = np.random.Generator
Numbers = NDArray[Any]
KINDS = ("INT8", "UINT8")
_TYPES = {
    "INT8": np.int8,
    "UINT8": np.uint8,
    "INT32": np.int32,
    "INT64": np.int64,
    "FLOAT32": np.float32,
    "BOOL": np.bool_,
}
needs_reference = "no TFLite runtime is installed to compare with"


def scale(random: Random, low: float = 1e-3, high: float = 0.5) -> float:
    """A scale, as likely in each octave."""
    return math.exp(random.uniform(math.log(low), math.log(high)))


def quantised(
    random: Random,
    name: str,
    shape: Sequence[int],
    kind: str,
    step: float | None = None,
    zero: int | None = None,
    data: Numbers | None = None,
) -> TensorDef:
    """An 8-bit tensor, its scale and zero point random where they are not given."""
    low = -128 if kind == "INT8" else 0
    zero = int(random.integers(low, low + 256)) if zero is None else zero
    return TensorDef(name, shape, kind, data, [step or scale(random)], [zero])


def alike(name: str, shape: Sequence[int], tensor: TensorDef) -> TensorDef:
    """A tensor of the same scale and zero point."""
    return TensorDef(name, shape, tensor.dtype, None, tensor.scale, tensor.zero_point)


def numbers(random: Random, shape: Sequence[int], kind: str) -> Numbers:
    """Any numbers of a type; at times the ends of its range alone."""
    dtype = _TYPES[kind]
    if kind == "FLOAT32":
        return (random.standard_normal(shape) * scale(random, 0.05, 50)).astype(dtype)
    if kind in ("INT32", "INT64"):
        return random.integers(-1000, 1000, shape).astype(dtype)
    if kind == "BOOL":
        return random.integers(0, 2, shape).astype(dtype)
    info = np.iinfo(np.int8 if kind == "INT8" else np.uint8)
    if random.random() < 0.25:
        return random.choice([info.min, info.max], tuple(shape)).astype(dtype)
    return random.integers(info.min, info.max + 1, shape).astype(dtype)


def every_number(kind: str) -> Numbers:
    """All 256 numbers of an 8-bit type."""
    low = -128 if kind == "INT8" else 0
    return np.arange(low, low + 256).astype(_TYPES[kind]).reshape(1, 16, 16)


def ours(path: Path, graph: GraphDef, inputs: Sequence[Numbers]) -> Numbers:
    """What the numpy engine answers, the second time: nothing may be left of the first."""
    engine = NumpyEngine(write_model(path / "model.tflite", graph))
    engine.run(*(np.ones_like(each) for each in inputs))
    return np.array(engine.run(*inputs)[0])


def check(
    path: Path,
    graph: GraphDef,
    inputs: Sequence[Numbers],
    oracle: Callable[..., Numbers] | None = None,
) -> None:
    """All answers are the same: the engine's, the oracle's, the installed runtime's."""
    found = ours(path, graph, inputs)
    expected = []
    if oracle is not None:
        expected.append(oracle(graph, *inputs))
    if reference.IS_HERE:
        expected += reference.run_reference(model(graph), inputs)
    for answer in expected:
        assert found.dtype == answer.dtype
        np.testing.assert_array_equal(found, answer)
