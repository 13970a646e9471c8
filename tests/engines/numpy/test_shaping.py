"""Operators that give numbers another shape or order, against NumPy's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_agent.engines.numpy.engine import NumpyEngine
from edge_agent.errors import ModelError
from tests.engines.numpy.moves import Fixed, Random, check, graph, seeds, tensor
from tests.support.tflite_writer import GraphDef, OpDef, write_model

RESHAPE, SPACE_TO_DEPTH, CONV = 17, 19, 1


@seeds
def test_reshape(seed: int, tmp_path: Path) -> None:
    """The numbers stay in their order."""
    some = Random(seed)
    x = some.data(some.shape(3))
    y = x.reshape(x.shape[2], -1)
    check(tmp_path, "RESHAPE", (x, Fixed(y.shape)), [y])
    check(tmp_path, "RESHAPE", (x,), [y], (RESHAPE, {0: np.array(y.shape, np.int32)}))


@seeds
def test_squeeze_and_expand_dims(seed: int, tmp_path: Path) -> None:
    """Axes of length one come and go."""
    some = Random(seed)
    x = some.data(some.shape(3))
    wide = np.expand_dims(x, some.number(-4, 4))
    check(tmp_path, "EXPAND_DIMS", (x, Fixed(wide.shape.index(1))), [wide])
    check(tmp_path, "SQUEEZE", (wide,), [x])


@seeds
def test_transpose(seed: int, tmp_path: Path) -> None:
    """The axes change their order."""
    some = Random(seed)
    x = some.data(some.shape())
    order = some.noise.permutation(x.ndim)
    check(tmp_path, "TRANSPOSE", (x, Fixed(order)), [x.transpose(order)])


@seeds
def test_tile_and_broadcast_to(seed: int, tmp_path: Path) -> None:
    """The input is repeated."""
    some = Random(seed)
    x = some.data(some.shape())
    multiples = some.noise.integers(1, 4, x.ndim)
    check(tmp_path, "TILE", (x, Fixed(multiples)), [np.tile(x, multiples)])
    y = np.broadcast_to(x[..., :1], (2, *x.shape))
    check(tmp_path, "BROADCAST_TO", (x[..., :1], Fixed(y.shape)), [y])


@seeds
def test_space_to_depth_and_back(seed: int, tmp_path: Path) -> None:
    """Blocks of pixels become pixels, row by row, and become blocks again."""
    some = Random(seed)
    block = some.number(1, 4)
    batch, rows, columns, depth = some.shape(4)
    x = some.data((batch, rows * block, columns * block, depth))
    parts = x.reshape(batch, rows, block, columns, block, depth).transpose(0, 1, 3, 2, 4, 5)
    y = parts.reshape(batch, rows, columns, -1)
    option = {0: ("<i", block)}
    check(tmp_path, "SPACE_TO_DEPTH", (x,), [y], (SPACE_TO_DEPTH, option))
    check(tmp_path, "DEPTH_TO_SPACE", (y,), [x], (94, option))


@seeds
def test_shape(seed: int, tmp_path: Path) -> None:
    """The sides of the input, whatever it holds."""
    some = Random(seed)
    x = some.data(some.shape())
    dtype = np.int32 if seed % 2 else np.int64
    engine = NumpyEngine(
        write_model(tmp_path / "m.tflite", graph("SHAPE", (x,), [np.array(x.shape, dtype)]))
    )
    assert engine.run(x)[0].tolist() == list(x.shape)


def test_numbers_are_raw_where_zero_points_differ(tmp_path: Path) -> None:
    """A reshape copies bytes: with another zero point they stand for other real numbers."""
    source, target = tensor("x", (4,), np.int8), tensor("y", (2, 2), np.int8)
    target.zero_point = [-20]
    one = GraphDef([source, target], [OpDef("RESHAPE", (0,), (1,))], (0,), (1,))
    x = np.array([-128, 0, 5, 127], np.int8)
    engine = NumpyEngine(write_model(tmp_path / "m.tflite", one))
    assert engine.run(x)[0].ravel().tolist() == x.tolist()


def _padded_twice() -> GraphDef:
    """A tensor and its reshaped view, both read by convolutions that need a border around them."""
    shapes = {"x": (1, 4, 6, 1), "y": (1, 6, 4, 1)}
    weight = np.ones((1, 3, 3, 1), np.int8)
    tensors = [
        *(tensor(name, shape, np.int8) for name, shape in shapes.items()),
        tensor("w", weight.shape, np.int8, 2 * weight + np.int8(3)),
        *(tensor(f"sum of {name}", shape, np.int8) for name, shape in shapes.items()),
    ]
    option = {1: ("<i", 1), 2: ("<i", 1)}
    return GraphDef(
        tensors,
        [
            OpDef("CONV_2D", (0, 2, -1), (3,), CONV, option),
            OpDef("RESHAPE", (0,), (1,)),
            OpDef("CONV_2D", (1, 2, -1), (4,), CONV, option),
        ],
        inputs=(0,),
        outputs=(1, 3, 4),
    )


def test_borders_stay_zero_beside_a_reshape(tmp_path: Path) -> None:
    """Tensors with margins are copied, not shared, and the convolutions beside them are right."""
    x = np.random.default_rng(5).integers(-20, 20, (1, 4, 6, 1)).astype(np.int8)
    engine = NumpyEngine(write_model(tmp_path / "m.tflite", _padded_twice()))
    view, *sums = engine.run(x)
    np.testing.assert_array_equal(view, x.reshape(view.shape))
    for picture, got in zip((x, view), sums, strict=True):
        wide = np.pad(picture[0, :, :, 0].astype(int) - 3, 1)
        sums_of_nine = np.lib.stride_tricks.sliding_window_view(wide, (3, 3)).sum(axis=(2, 3))
        np.testing.assert_array_equal(got[0, :, :, 0], np.clip(sums_of_nine + 3, -128, 127))


@pytest.mark.parametrize(
    ("name", "shape", "result", "more"),
    [
        ("RESHAPE", (4,), (5,), ()),
        ("TRANSPOSE", (2, 3), (2, 3), (0, 0)),
        ("TRANSPOSE", (2, 3), (2, 3), (1, 0)),
        ("TILE", (2, 3), (2, 3), (2,)),
        ("TILE", (2, 3), (2, 3), (2, 1)),
        ("BROADCAST_TO", (2, 3), (2, 4), (2, 4)),
        ("SPACE_TO_DEPTH", (1, 2, 3, 1), (1, 1, 1, 6), ()),
        ("SHAPE", (2, 3), (3,), ()),
    ],
)
def test_what_does_not_fit_is_refused(
    name: str,
    shape: tuple[int, ...],
    result: tuple[int, ...],
    more: tuple[int, ...],
    tmp_path: Path,
) -> None:
    """Shapes that contradict each other are found before the first run."""
    inputs = (np.zeros(shape, np.float32), *((Fixed(more),) if more else ()))
    wrong = graph(name, inputs, [np.zeros(result, np.float32)])
    with pytest.raises(ModelError, match=name):
        NumpyEngine(write_model(tmp_path / "m.tflite", wrong))
