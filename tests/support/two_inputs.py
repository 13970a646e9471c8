"""A small real int8 model with a picture and numbers in, and what it should say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.support.tflite_writer import ADD_OPTIONS, GraphDef, OpDef, TensorDef, write_model

SIDE = 8  # pixels of its square picture
LABELS = ("far", "near", "hot")
_FULLY_CONNECTED, _SOFTMAX, _CONCATENATION, _RESHAPE = 8, 9, 10, 17
_REAL = 4.0 / 127  # of a number: -4 to 4
_OF_PICTURE = np.array([0.0, 4.0, 0.0])  # by the mean red, 0..1
_OF_NUMBERS = np.array([[0.0, 0.0], [-4.0, 0.0], [0.0, 4.0]])
_BIAS = np.array([0.0, -2.0, -4.0])


def write_two_inputs(path: Path, numbers_first: bool = False, apart: bool = False) -> Path:
    """Scores of LABELS from `picture` and `numbers`, two; or `distance` and `heat` apart."""
    names = ("distance", "heat")
    both = [_tensor("numbers", (1, 2), _REAL)]
    parts = [_tensor(name, (1, 1), _REAL) for name in names] if apart else []
    tensors = [*_constants(), *both, *parts]
    place = {tensor.name: number for number, tensor in enumerate(tensors)}
    operators = [
        _op("RESHAPE", place, ("picture", "shape"), "flat", _RESHAPE),
        _op("FULLY_CONNECTED", place, ("flat", "look", "none"), "seen", _FULLY_CONNECTED),
        _op("FULLY_CONNECTED", place, ("numbers", "weigh", "bias"), "told", _FULLY_CONNECTED),
        _op("ADD", place, ("seen", "told"), "sum", ADD_OPTIONS),
        OpDef("SOFTMAX", [place["sum"]], [place["scores"]], _SOFTMAX, {0: ("<f", 1.0)}),
    ]
    if apart:
        options = {0: ("<i", 1)}
        inputs = [place[name] for name in names]
        join = OpDef("CONCATENATION", inputs, [place["numbers"]], _CONCATENATION, options)
        operators.insert(0, join)
    given = [place[name] for name in (names if apart else ("numbers",))]
    order = [*given, place["picture"]] if numbers_first else [place["picture"], *given]
    return write_model(path, GraphDef(tensors, operators, order, [place["scores"]]))


def scores(red: float, distance: float, heat: float) -> NDArray[np.float64]:
    """What it computes, in real numbers; `red` is 0..1."""
    sums = _OF_PICTURE * red + _OF_NUMBERS @ (distance, heat) + _BIAS
    found: NDArray[np.float64] = np.exp(sums) / np.exp(sums).sum()
    return found


def _constants() -> list[TensorDef]:
    pixels = 3 * SIDE * SIDE
    look = np.zeros((3, pixels), np.int8)
    look[1, ::3] = 127
    of_look = _OF_PICTURE[1] / SIDE**2 / 127
    weigh = np.rint(_OF_NUMBERS * 127 / 4).astype(np.int8)
    bias = np.rint(_BIAS / (_REAL * 4 / 127)).astype(np.int32)
    return [
        _tensor("picture", (1, SIDE, SIDE, 3), 1 / 255, -128),
        TensorDef("shape", (2,), "INT32", np.array([1, pixels], np.int32)),
        _tensor("flat", (1, pixels), 1 / 255, -128),
        _tensor("look", look.shape, of_look, data=look),
        _tensor("none", (3,), of_look / 255, data=np.zeros(3, np.int32), dtype="INT32"),
        _tensor("seen", (1, 3), 4 / 127),
        _tensor("weigh", weigh.shape, 4 / 127, data=weigh),
        _tensor("bias", (3,), _REAL * 4 / 127, data=bias, dtype="INT32"),
        _tensor("told", (1, 3), 20 / 127),
        _tensor("sum", (1, 3), 24 / 127),
        _tensor("scores", (1, 3), 1 / 256, -128),
    ]


def _tensor(
    name: str,
    shape: tuple[int, ...],
    scale: float,
    zero_point: int = 0,
    data: NDArray[np.generic] | None = None,
    dtype: str = "INT8",
) -> TensorDef:
    return TensorDef(name, shape, dtype, data, [scale], [zero_point])


def _op(name: str, place: dict[str, int], of: tuple[str, ...], to: str, options: int) -> OpDef:
    return OpDef(name, [place[each] for each in of], [place[to]], options, {})
