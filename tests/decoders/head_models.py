"""Models on paper whose heads give raw numbers, and those numbers for a known truth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.decoders.yolo_grids import PRESETS, Preset
from edge_agent.model import ModelInfo
from tests.decoders.yolo_models import CLASSES, HEIGHT, WIDTH, Truth
from tests.support.models import make_info, make_spec

Floats = NDArray[np.float32]

FORMS = ("rows columns channels", "channels first", "anchors last", "anchors first")
PICTURE = make_spec((1, HEIGHT, WIDTH, 3))
_SIZE = np.array([WIDTH, HEIGHT])
_SURE = 12.0  # a logit whose sigmoid is 1 within 1e-5


def inverse_sigmoid(score: Any) -> Any:
    """What a sigmoid makes the score of."""
    score = np.clip(score, 1e-6, 1 - 1e-6)
    return np.log(score / (1 - score))


def centre_and_size(each: Truth) -> tuple[Floats, Floats]:
    """Both in px of the picture."""
    box = np.array(each.box).reshape(2, 2) * _SIZE
    return box.mean(axis=0), box[1] - box[0]


def anchors_model(
    preset: str, objects: Sequence[Truth], form: str = FORMS[0], order: Sequence[int] = (0, 1, 2)
) -> tuple[ModelInfo, list[NDArray[Any]]]:
    """A model of that family with its grids in that order; the objects lie on them in turn."""
    family = PRESETS[preset]
    strides = (8, 16, 32) if len(family.anchors) == 3 else (16, 32)
    grids = [
        np.full((HEIGHT // stride, WIDTH // stride, 3, 5 + CLASSES), -_SURE) for stride in strides
    ]
    for number, each in enumerate(objects):
        place = number % len(grids)
        _write(grids[place], each, family, place, strides[place])
    outputs = [_formed(grids[place], form) for place in order if place < len(grids)]
    return make_info([make_spec(o.shape) for o in outputs], inputs=[PICTURE]), outputs


def nxp_face_model(each: Truth) -> tuple[ModelInfo, list[NDArray[Any]]]:
    """The face detector that is known by its shapes, with one face."""
    grids = [np.full((128 // stride, 160 // stride, 3, 6), -_SURE) for stride in (32, 16, 8)]
    _write(grids[0], each, PRESETS["nxp-face"], 2, 32)
    outputs = [_formed(grid, FORMS[0]) for grid in grids]
    info = make_info([make_spec(o.shape) for o in outputs], inputs=[make_spec((1, 128, 160, 3))])
    return info, outputs


def _write(
    grid: NDArray[Any], each: Truth, family: Preset, place: int, stride: int, anchor: int = 2
) -> None:
    """Turn the formulas round."""
    scale = family.scale_xy[place]
    centre, size = centre_and_size(each)
    column, row = (centre // stride).astype(int)
    ratio = size / np.array(family.anchors[place][anchor])
    numbers = grid[row, column, anchor]
    numbers[:2] = inverse_sigmoid((centre / stride % 1 + (scale - 1) / 2) / scale)
    numbers[2:4] = inverse_sigmoid(np.sqrt(ratio) / 2) if family.square else np.log(ratio)
    numbers[4] = inverse_sigmoid(each.score)
    numbers[5 + each.index] = _SURE


def _formed(grid: NDArray[Any], form: str) -> NDArray[Any]:
    rows, columns = grid.shape[:2]
    if form.startswith("anchors"):
        grid = grid if form == "anchors last" else grid.transpose(2, 0, 1, 3)
    else:
        grid = grid.reshape(rows, columns, -1)
        grid = grid.transpose(2, 0, 1) if form == "channels first" else grid
    return np.ascontiguousarray(grid[None], np.float32)


def _cells(strides: Sequence[int]) -> tuple[Floats, Floats]:
    """Column and row, and stride, of every cell."""
    cells = [
        (column, row, stride)
        for stride in strides
        for row in range(-(-HEIGHT // stride))
        for column in range(-(-WIDTH // stride))
    ]
    table = np.array(cells, np.float32)
    return table[:, :2], table[:, 2]


def _cell_of(each: Truth, cells: Floats, steps: Floats, stride: int) -> int:
    centre, _ = centre_and_size(each)
    hits = (steps == stride) & (cells == centre // stride).all(axis=1)
    return int(np.flatnonzero(hits)[0])


def yolox_model(
    objects: Sequence[Truth], decoded: bool = False
) -> tuple[ModelInfo, list[NDArray[Any]]]:
    """YOLOX with the grid's offsets, or with pixels from inside the model."""
    cells, steps = _cells((8, 16, 32))
    table = np.zeros((len(cells), 5 + CLASSES), np.float32)
    for number, each in enumerate(objects):
        place = _cell_of(each, cells, steps, (8, 16, 32)[number % 3])
        centre, size = centre_and_size(each)
        offsets = (centre / steps[place] - cells[place], np.log(size / steps[place]))
        table[place, :4] = np.concatenate((centre, size) if decoded else offsets)
        table[place, 4] = each.score
        table[place, 5 + each.index] = 1.0
    operators = ("EXP", "CONCATENATION") if decoded else ("CONCATENATION",)
    info = make_info([make_spec((1, *table.shape))], None, operators, inputs=[PICTURE])
    return info, [table[None]]


def nanodet_model(objects: Sequence[Truth]) -> tuple[ModelInfo, list[NDArray[Any]]]:
    """NanoDet-Plus: each distance lies between two whole numbers of strides."""
    cells, steps = _cells((8, 16, 32, 64))
    table = np.zeros((len(cells), CLASSES + 32), np.float32)
    for each in objects:
        nearest = np.rint(centre_and_size(each)[0] / 8)
        place = int(np.flatnonzero((steps == 8) & (cells == nearest).all(axis=1))[0])
        x1, y1, x2, y2 = np.array(each.box) * np.tile(_SIZE, 2) / 8
        x, y = cells[place]
        table[place, each.index] = each.score
        table[place, CLASSES:] = np.concatenate(
            [_distribution(d) for d in (x - x1, y - y1, x2 - x, y2 - y)]
        )
    info = make_info([make_spec((1, *table.shape))], inputs=[PICTURE])
    return info, [table[None]]


def _distribution(distance: float) -> Floats:
    """Logarithms of eight chances, whose mean is the distance."""
    chances = np.full(8, 1e-9)
    low = int(distance)
    chances[low] += 1 - (distance - low)
    chances[low + 1] += distance - low
    logs: Floats = np.log(chances)
    return logs


def fastestdet_model(
    objects: Sequence[Truth], channels_first: bool = False
) -> tuple[ModelInfo, list[NDArray[Any]]]:
    """FastestDet: one grid of stride 16."""
    grid = np.zeros((HEIGHT // 16, WIDTH // 16, 5 + CLASSES), np.float32)
    for each in objects:
        centre, size = centre_and_size(each)
        column, row = (centre // 16).astype(int)
        numbers = grid[row, column]
        numbers[0], numbers[5 + each.index] = each.score ** (1 / 0.6), 1.0
        numbers[1:3] = np.arctanh(centre / 16 % 1)
        numbers[3:5] = inverse_sigmoid(size / _SIZE)
    values = (grid.transpose(2, 0, 1) if channels_first else grid)[None]
    operators = ("LOGISTIC", "CONV_2D", "SOFTMAX", "CONCATENATION")
    info = make_info([make_spec(values.shape)], None, operators, inputs=[PICTURE])
    return info, [np.ascontiguousarray(values)]
