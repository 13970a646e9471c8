"""Operators that take parts of a tensor, against NumPy's own slices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_agent.engines.numpy.engine import NumpyEngine
from edge_agent.errors import ModelError
from tests.engines.numpy.moves import Array, Fixed, Random, check, graph, seeds
from tests.support.tflite_writer import Table, write_model

STRIDED_SLICE, SPLIT, UNPACK, SPLIT_V = 32, 35, 64, 79


@seeds
def test_slice(seed: int, tmp_path: Path) -> None:
    """A box out of the middle, or up to the end."""
    some = Random(seed)
    x = some.data(some.shape())
    begin = [some.number(0, side) for side in x.shape]
    size = [some.number(1, side - first + 1) for side, first in zip(x.shape, begin, strict=True)]
    box = [slice(first, first + count) for first, count in zip(begin, size, strict=True)]
    size[0], box[0] = -1, slice(begin[0], None)
    check(tmp_path, "SLICE", (x, Fixed(begin), Fixed(size, np.int32)), [x[tuple(box)]])


def _masks(begin: int = 0, end: int = 0, ellipsis: int = 0, new: int = 0, drop: int = 0) -> Table:
    return {i: ("<i", mask) for i, mask in enumerate((begin, end, ellipsis, new, drop))}


def _strided(
    path: Path, x: Array, ranges: tuple[list[int], list[int], list[int]], masks: Table, wanted: Any
) -> None:
    inputs: list[Array | Fixed] = [x, *(Fixed(each) for each in ranges)]
    check(path, "STRIDED_SLICE", inputs, [np.array(wanted)], (STRIDED_SLICE, masks))


@seeds
def test_strides_and_open_ends(seed: int, tmp_path: Path) -> None:
    """Steps forwards and backwards, with ends that masks leave open."""
    some = Random(seed)
    x = some.data(some.shape())
    step = [int(some.noise.choice([1, 2, -1, -2])) for _ in x.shape]
    begin = [0 if each > 0 else side for each, side in zip(step, x.shape, strict=True)]
    end = [side if each > 0 else -side - 1 for each, side in zip(step, x.shape, strict=True)]
    open_begin, open_end = some.number(0, 1 << x.ndim), some.number(0, 1 << x.ndim)
    wanted = x[tuple(slice(None, None, each) for each in step)]
    _strided(tmp_path, x, (begin, end, step), _masks(open_begin, open_end), wanted)


@seeds
def test_axes_that_come_and_go(seed: int, tmp_path: Path) -> None:
    """An ellipsis, a new axis, an axis that is dropped."""
    some = Random(seed)
    x = some.data(some.shape(3))
    at = some.number(-x.shape[0], x.shape[0])
    ranges = ([at, 9, 9, 0], [9, 9, 9, 1], [1, 1, 1, 1])
    _strided(tmp_path, x, ranges, _masks(0, 0, 2, 4, 1), x[at, ..., None, 0:1])
    _strided(tmp_path, x[0, 0], ([-1], [0], [1]), _masks(drop=1), x[0, 0, -1])


@seeds
def test_split(seed: int, tmp_path: Path) -> None:
    """Equal parts of any axis."""
    some = Random(seed)
    axis, count = some.number(-3, 3), some.number(1, 4)
    x = np.repeat(some.data(some.shape(3)), count, axis)
    parts = np.split(x, count, axis)
    check(tmp_path, "SPLIT", (Fixed(axis), x), parts, (SPLIT, {0: ("<i", count)}))


@seeds
def test_split_v(seed: int, tmp_path: Path) -> None:
    """Parts of any sizes, one of them what is left."""
    some = Random(seed)
    axis = some.number(-2, 2)
    sizes = list(some.shape(3))
    shape = list(some.shape(2))
    shape[axis] = sum(sizes)
    x = some.data(shape)
    parts = np.split(x, np.cumsum(sizes)[:-1], axis)
    sizes[some.number(0, 3)] = -1
    options: tuple[int, Table] = (SPLIT_V, {0: ("<i", 3)})
    check(tmp_path, "SPLIT_V", (x, Fixed(sizes), Fixed(axis)), parts, options)


@seeds
def test_unpack(seed: int, tmp_path: Path) -> None:
    """One output for each index of an axis, of vectors too."""
    some = Random(seed)
    x = some.data(some.shape())
    axis = some.number(-x.ndim, x.ndim)
    parts = [np.array(part) for part in np.moveaxis(x, axis, 0)]
    options: tuple[int, Table] = (UNPACK, {0: ("<i", len(parts)), 1: ("<i", axis)})
    check(tmp_path, "UNPACK", (x,), parts, options)


@pytest.mark.parametrize(
    ("begin", "end", "step", "masks", "reason"),
    [
        (0, 3, 0, {}, "stride of 0"),
        (5, 6, 1, _masks(drop=1), "index 5"),
        (0, 3, 1, {5: ("<?", True)}, "count from the beginnings"),
        (0, 2, 1, {}, "shape"),
    ],
)
def test_slices_that_are_refused(
    begin: int, end: int, step: int, masks: Table, reason: str, tmp_path: Path
) -> None:
    """What TFLite leaves undefined, or what contradicts the output's shape, is not guessed."""
    x = np.zeros(3, np.float32)
    ranges = (Fixed([begin]), Fixed([end]), Fixed([step]))
    wrong = graph("STRIDED_SLICE", (x, *ranges), [x], (STRIDED_SLICE, masks))
    with pytest.raises(ModelError, match=reason):
        NumpyEngine(write_model(tmp_path / "m.tflite", wrong))


def test_parts_that_do_not_add_up_are_refused(tmp_path: Path) -> None:
    """Sizes of parts must be those of the axis."""
    x = np.zeros(3, np.float32)
    wrong = graph("SPLIT_V", (x, Fixed([1, 1]), Fixed(0)), [x[:1], x[:1]])
    with pytest.raises(ModelError, match="parts of"):
        NumpyEngine(write_model(tmp_path / "m.tflite", wrong))
