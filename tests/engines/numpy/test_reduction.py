"""Means, sums, extremes and their places: byte for byte what TFLite's reference kernels give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_agent.errors import ModelError
from tests.engines.numpy import oracle
from tests.engines.numpy.random_graphs import (
    KINDS,
    Random,
    check,
    needs_reference,
    numbers,
    ours,
    quantised,
)
from tests.support import reference
from tests.support.tflite_writer import GraphDef, TensorDef

_REDUCER, _ARG_MAX, _ARG_MIN = 27, 40, 57
_ANY_KIND = (*KINDS, "FLOAT32")
_needs_runtime = pytest.mark.skipif(not reference.IS_HERE, reason=needs_reference)


def _reduction(random: Random, name: str, kind: str, change: float) -> tuple[GraphDef, list[Any]]:
    """A reduction along some axes, counted from either end, of a tensor of up to 4 dimensions."""
    rank = int(random.integers(1, 5))
    shape = [int(each) for each in random.integers(1, 8, rank)]
    axes = random.permutation(rank)[: random.integers(1, rank + 1)]
    if random.random() < 0.4:  # as at the end of a classifier, a kernel of its own once
        shape, axes = [1, *(int(each) for each in random.integers(1, 9, 3))], np.array([1, 2])
    keep = bool(random.integers(2))
    gone = {int(axis) for axis in axes}
    left = [1 if axis in gone else size for axis, size in enumerate(shape)]
    if not keep:
        left = [size for axis, size in enumerate(shape) if axis not in gone]
    if random.random() < 0.3:
        axes = axes - len(shape)
    x, y = TensorDef("x", shape), TensorDef("y", left)
    if kind in KINDS:
        x = quantised(random, "x", shape, kind)
        zero = None if change != 1 else x.zero_point[0]
        y = quantised(random, "y", left, kind, x.scale[0] * change, zero)
    axis = TensorDef("axis", (len(axes),), "INT32", axes.astype(np.int32))
    graph = reference.one_operator(name, [x, axis, y], (_REDUCER, {0: ("<?", keep)}))
    return graph, [numbers(random, shape, kind)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(40))
def test_quantised_means(tmp_path: Path, kind: str, seed: int) -> None:
    """Means along any axes, the scale changed on the way."""
    random = np.random.default_rng(seed)
    check(tmp_path, *_reduction(random, "MEAN", kind, random.uniform(0.2, 3)), oracle.reduce)


@pytest.mark.parametrize("seed", range(20))
def test_quantised_sums(tmp_path: Path, seed: int) -> None:
    """Sums of uint8, with the scale kept or changed."""
    random = np.random.default_rng(seed)
    change = random.choice([1.0, random.uniform(0.5, 60)])
    check(tmp_path, *_reduction(random, "SUM", "UINT8", change), oracle.reduce)


def test_sums_of_int8_are_refused(tmp_path: Path) -> None:
    """The reference kernel takes int8 for uint8 here: its answers are of no use to anyone."""
    graph, inputs = _reduction(np.random.default_rng(1), "SUM", "INT8", 2.0)
    with pytest.raises(ModelError, match="takes for uint8"):
        ours(tmp_path, graph, inputs)


def test_sums_beyond_float32(tmp_path: Path) -> None:
    """Where float32 would no longer be exact, float64 is."""
    random = np.random.default_rng(2)
    shape = (1, 400, 300, 1)
    x = quantised(random, "x", shape, "UINT8", 0.01, 255)
    y = quantised(random, "y", (1, 1), "UINT8", 0.01, 255)
    axes = TensorDef("axis", (2,), "INT32", np.array([1, 2], np.int32))
    graph = reference.one_operator("MEAN", [x, axes, y], (_REDUCER, {0: ("<?", False)}))
    values = np.zeros(shape, np.uint8)
    values[0, :200, 1:] = 1
    check(tmp_path, graph, [values], oracle.reduce)


@_needs_runtime
@pytest.mark.parametrize("name", ["MEAN", "SUM"])
@pytest.mark.parametrize("seed", range(20))
def test_float_sums(tmp_path: Path, name: str, seed: int) -> None:
    """Float32 numbers are added one after the other, as the reference does, not in pairs."""
    check(tmp_path, *_reduction(np.random.default_rng(seed), name, "FLOAT32", 1))


@_needs_runtime
@pytest.mark.parametrize("kind", _ANY_KIND)
@pytest.mark.parametrize("name", ["REDUCE_MAX", "REDUCE_MIN"])
@pytest.mark.parametrize("seed", range(8))
def test_extremes(tmp_path: Path, name: str, kind: str, seed: int) -> None:
    """The largest and the smallest along any axes."""
    check(tmp_path, *_reduction(np.random.default_rng(seed), name, kind, 1))


@pytest.mark.parametrize("kind", _ANY_KIND)
@pytest.mark.parametrize(("name", "number"), [("ARG_MAX", _ARG_MAX), ("ARG_MIN", _ARG_MIN)])
@pytest.mark.parametrize("target", ["INT32", "INT64"])
def test_places(tmp_path: Path, name: str, number: int, kind: str, target: str) -> None:
    """Places of the extremes along each axis, the first of equal ones."""
    random = np.random.default_rng(3)
    shape = (2, 5, 3, 4)
    x = quantised(random, "x", shape, kind) if kind in KINDS else TensorDef("x", shape)
    values = numbers(random, shape, kind)
    values[:, 1:4] = values[:, 1:2]
    function = np.argmax if name == "ARG_MAX" else np.argmin
    for axis in (-1, 0, 1, 2):
        wanted = function(values, axis=axis).astype(np.dtype(target.lower()))
        scalar = TensorDef("axis", (), "INT32", np.array([axis], np.int32))
        y = TensorDef("y", wanted.shape, target)
        options = (number, {0: ("<b", 2 if target == "INT32" else 4)})
        graph = reference.one_operator(name, [x, scalar, y], options)
        check(tmp_path, graph, [values], lambda _, v, axis=axis, w=wanted: w)
