"""Resizing: byte for byte what TFLite's reference kernels give."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_agent.errors import ModelError
from tests.engines.numpy import oracle
from tests.engines.numpy.random_graphs import (
    KINDS,
    Random,
    alike,
    check,
    needs_reference,
    numbers,
    ours,
    quantised,
)
from tests.support import reference
from tests.support.tflite_writer import GraphDef, Table, TensorDef

_SLOTS = {"RESIZE_BILINEAR": (15, 2), "RESIZE_NEAREST_NEIGHBOR": (74, 0)}
_PLAIN, _CORNERS, _CENTERS = (False, False), (True, False), (False, True)
_MODES = pytest.mark.parametrize("mode", [_PLAIN, _CORNERS, _CENTERS], ids=str)
_needs_runtime = pytest.mark.skipif(not reference.IS_HERE, reason=needs_reference)

Shape = tuple[int, int, int, int]


def _resize(
    random: Random, name: str, kind: str, mode: tuple[bool, bool], shape: Shape, size: list[int]
) -> GraphDef:
    """To a size of rows and columns; `mode` is align_corners and half_pixel_centers."""
    larger = (shape[0], *size, shape[3])
    x, y = TensorDef("x", shape), TensorDef("y", larger)
    if kind in KINDS:
        x = quantised(random, "x", shape, kind)
        y = alike("y", larger, x)
    number, slot = _SLOTS[name]
    options: Table = {slot: ("<?", mode[0]), slot + 1: ("<?", mode[1])}
    sizes = TensorDef("size", (2,), "INT32", np.array(size, np.int32))
    return reference.one_operator(name, [x, sizes, y], (number, options))


def _shapes(random: Random) -> tuple[Shape, list[int]]:
    """A picture or two, and any new size or twice the old one."""
    batch, height, width, depth = (int(each) for each in random.integers(1, (3, 9, 9, 5)))
    size = [int(each) for each in random.integers(1, 20, 2)]
    if random.random() < 0.3:
        size = [2 * height, 2 * width]
    return (batch, height, width, depth), size


@_MODES
@pytest.mark.parametrize("seed", range(15))
def test_bilinear_int8(tmp_path: Path, mode: tuple[bool, bool], seed: int) -> None:
    """Fixed point for int8, its halves rounded away from the zero of the stored numbers."""
    random = np.random.default_rng(seed)
    shape, size = _shapes(random)
    graph = _resize(random, "RESIZE_BILINEAR", "INT8", mode, shape, size)
    check(tmp_path, graph, [numbers(random, shape, "INT8")], oracle.resize_int8)


@_needs_runtime
@_MODES
@pytest.mark.parametrize("kind", ["UINT8", "FLOAT32"])
@pytest.mark.parametrize("seed", range(15))
def test_bilinear_in_float(tmp_path: Path, kind: str, mode: tuple[bool, bool], seed: int) -> None:
    """Float32 in the order of the reference, for uint8 as well."""
    random = np.random.default_rng(seed)
    shape, size = _shapes(random)
    graph = _resize(random, "RESIZE_BILINEAR", kind, mode, shape, size)
    check(tmp_path, graph, [numbers(random, shape, kind)])


@_needs_runtime
@_MODES
@pytest.mark.parametrize("kind", [*KINDS, "FLOAT32"])
@pytest.mark.parametrize("seed", range(8))
def test_nearest(tmp_path: Path, kind: str, mode: tuple[bool, bool], seed: int) -> None:
    """Copies of the nearest pixels."""
    random = np.random.default_rng(seed)
    shape, size = _shapes(random)
    graph = _resize(random, "RESIZE_NEAREST_NEIGHBOR", kind, mode, shape, size)
    check(tmp_path, graph, [numbers(random, shape, kind)])


@pytest.mark.parametrize("name", _SLOTS)
@pytest.mark.parametrize("kind", [*KINDS, "FLOAT32"])
def test_same_size_changes_nothing(tmp_path: Path, name: str, kind: str) -> None:
    """A picture resized to its own size is itself."""
    random = np.random.default_rng(1)
    shape: Shape = (1, 5, 4, 3)
    x = numbers(random, shape, kind)
    for mode in (_PLAIN, _CORNERS, _CENTERS):
        if name == "RESIZE_NEAREST_NEIGHBOR" or mode != _CORNERS:
            found = ours(tmp_path, _resize(random, name, kind, mode, shape, [5, 4]), [x])
            np.testing.assert_array_equal(found, x)


def test_what_is_not_known(tmp_path: Path) -> None:
    """Both ways to place pixels at once, and a size that is not the output's, are refused."""
    random = np.random.default_rng(2)
    shape: Shape = (1, 2, 2, 1)
    graph = _resize(random, "RESIZE_BILINEAR", "INT8", (True, True), shape, [4, 4])
    with pytest.raises(ModelError, match="align_corners together with half_pixel_centers"):
        ours(tmp_path, graph, [])
    graph = _resize(random, "RESIZE_BILINEAR", "INT8", _PLAIN, shape, [4, 4])
    graph.tensors[1].data = np.array([4, 5], np.int32)
    with pytest.raises(ModelError, match=r"with a size of \[4, 5\]"):
        ours(tmp_path, graph, [])
