"""Graphs of one operator that moves numbers, with random numbers of any type."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_agent.engines.numpy.engine import NumpyEngine
from tests.support.tflite_writer import GraphDef, OpDef, Table, TensorDef, write_model

Array = NDArray[Any]

NAMES: dict[np.dtype[Any], str] = {
    np.dtype(np.int8): "INT8",
    np.dtype(np.uint8): "UINT8",
    np.dtype(np.int16): "INT16",
    np.dtype(np.int32): "INT32",
    np.dtype(np.int64): "INT64",
    np.dtype(np.float32): "FLOAT32",
    np.dtype(np.bool_): "BOOL",
}
_ZEROS = {"INT8": 3, "UINT8": 120}

seeds = pytest.mark.parametrize("seed", range(24))


class Fixed:
    """Whole numbers that are constants of the graph."""

    def __init__(self, values: Any, dtype: Any = np.int32) -> None:
        self.values: Array = np.array(values, dtype)


class Random:
    """Random shapes, and numbers of one random type."""

    def __init__(self, seed: int) -> None:
        self.noise = np.random.default_rng(seed)
        self.dtype: np.dtype[Any] = list(NAMES)[seed % len(NAMES)]

    def shape(self, rank: int | None = None) -> tuple[int, ...]:
        """Sides from one to four."""
        sides = self.noise.integers(1, 5, self.noise.integers(1, 5) if rank is None else rank)
        return tuple(int(side) for side in sides)

    def number(self, low: int, high: int) -> int:
        """A whole number from low up to high, which is left out."""
        return int(self.noise.integers(low, high))

    def data(self, shape: Sequence[int]) -> Array:
        """Any numbers of the type."""
        if self.dtype.kind == "f":
            return self.noise.standard_normal(shape).astype(self.dtype)
        if self.dtype.kind == "b":
            return self.noise.random(shape) < 0.5
        info = np.iinfo(self.dtype)
        return self.noise.integers(info.min, info.max, shape, self.dtype, endpoint=True)


def tensor(name: str, shape: Sequence[int], dtype: Any, data: Array | None = None) -> TensorDef:
    """A tensor; all 8-bit ones of a type have the same scale and zero point."""
    kind = NAMES[np.dtype(dtype)]
    zero = [_ZEROS[kind]] if kind in _ZEROS else []
    return TensorDef(name, tuple(shape), kind, data, [0.5] * len(zero), zero)


def graph(
    name: str,
    inputs: Sequence[Array | Fixed],
    outputs: Sequence[Array],
    options: tuple[int, Table] | None = None,
) -> GraphDef:
    """A graph of one operator with outputs of the shapes and types of those that are expected."""
    tensors = [
        tensor(f"x{i}", x.values.shape, x.values.dtype, x.values)
        if isinstance(x, Fixed)
        else tensor(f"x{i}", x.shape, x.dtype)
        for i, x in enumerate(inputs)
    ]
    count = len(tensors)
    tensors += [tensor(f"y{i}", y.shape, y.dtype) for i, y in enumerate(outputs)]
    given = [i for i, x in enumerate(inputs) if not isinstance(x, Fixed)]
    places = range(count, count + len(outputs))
    operator = OpDef(name, range(count), places, *(options or (0, None)))
    return GraphDef(tensors, [operator], given, places)


def check(
    path: Path,
    name: str,
    inputs: Sequence[Array | Fixed],
    expected: Sequence[Array],
    options: tuple[int, Table] | None = None,
) -> None:
    """Run it twice: what is left from the first run must not change the second one."""
    engine = NumpyEngine(write_model(path / "m.tflite", graph(name, inputs, expected, options)))
    given = [x for x in inputs if not isinstance(x, Fixed)]
    engine.run(*(np.zeros_like(x) for x in given))
    for got, wanted in zip(engine.run(*given), expected, strict=True):
        np.testing.assert_array_equal(got, wanted)
        assert got.dtype == wanted.dtype
