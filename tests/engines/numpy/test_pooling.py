"""Pooling: byte for byte what TFLite's reference kernels give."""

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

_SAME, _VALID = 0, 1
_POOLS = ("AVERAGE_POOL_2D", "MAX_POOL_2D")


def _pool(
    random: Random,
    name: str,
    kind: str,
    size: tuple[int, int, int],
    window: tuple[int, int],
    strides: tuple[int, int],
    padding: int,
) -> GraphDef:
    """A pool over a picture of rows x columns x channels, with any fused activation."""
    cells = [
        -(-length // stride) if padding == _SAME else (length - reach) // stride + 1
        for length, reach, stride in zip(size, window, strides, strict=False)
    ]
    shape = (1, *cells, size[2])
    x = TensorDef("x", (1, *size))
    y = TensorDef("y", shape)
    if kind in KINDS:
        x = quantised(random, "x", (1, *size), kind)
        y = alike("y", shape, x)
    values = (padding, strides[1], strides[0], window[1], window[0], int(random.integers(4)))
    options: Table = {slot: ("<b" if slot in (0, 5) else "<i", v) for slot, v in enumerate(values)}
    return reference.one_operator(name, [x, y], (5, options))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", _POOLS)
@pytest.mark.parametrize("seed", range(20))
def test_random_pools(tmp_path: Path, name: str, kind: str, seed: int) -> None:
    """Windows of any size, strides and paddings over pictures of any size."""
    random = np.random.default_rng(seed)
    height, width, channels, tall, wide = (int(each) for each in random.integers(1, 9, 5))
    padding = int(random.integers(2))
    if padding == _VALID:
        tall, wide = min(tall, height), min(wide, width)
    strides = (int(random.integers(1, 4)), int(random.integers(1, 4)))
    size = (height, width, channels)
    graph = _pool(random, name, kind, size, (tall, wide), strides, padding)
    check(tmp_path, graph, [numbers(random, (1, *size), kind)], oracle.pool)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", _POOLS)
@pytest.mark.parametrize("size", [(7, 7, 20), (2, 2, 3), (1, 1, 5), (5, 1, 4)])
def test_whole_picture(tmp_path: Path, name: str, kind: str, size: tuple[int, int, int]) -> None:
    """A window as large as the picture, as at the end of a classifier."""
    for seed in range(6):
        random = np.random.default_rng(seed)
        graph = _pool(random, name, kind, size, size[:2], (1, 1), _VALID)
        check(tmp_path, graph, [numbers(random, (1, *size), kind)], oracle.pool)


@pytest.mark.parametrize("name", _POOLS)
def test_window_far_larger_than_the_picture(tmp_path: Path, name: str) -> None:
    """Only rows of the window that reach the picture take time."""
    random = np.random.default_rng(1)
    graph = _pool(random, name, "INT8", (3, 4, 2), (2**30, 9), (2, 1), _SAME)
    x = numbers(random, (1, 3, 4, 2), "INT8")
    found = ours(tmp_path, graph, [x])
    np.testing.assert_array_equal(found[:, 0], found[:, 1])


@pytest.mark.skipif(not reference.IS_HERE, reason=needs_reference)
@pytest.mark.parametrize("name", _POOLS)
@pytest.mark.parametrize("padding", [_SAME, _VALID])
def test_float_pools(tmp_path: Path, name: str, padding: int) -> None:
    """Float32 sums in the order of the reference, to the last bit."""
    for seed in range(10):
        random = np.random.default_rng(seed)
        graph = _pool(random, name, "FLOAT32", (9, 8, 5), (3, 4), (2, 1), padding)
        check(tmp_path, graph, [numbers(random, (1, 9, 8, 5), "FLOAT32")])


def test_other_output_scale_is_refused(tmp_path: Path) -> None:
    """A pool does not change scales: the reference refuses it too."""
    random = np.random.default_rng(2)
    graph = _pool(random, "MAX_POOL_2D", "INT8", (4, 4, 1), (2, 2), (2, 2), _VALID)
    graph.tensors[1].scale = [0.9]
    with pytest.raises(ModelError, match="of different scales"):
        ours(tmp_path, graph, [])
