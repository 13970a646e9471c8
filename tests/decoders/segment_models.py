"""YOLO segment models on paper, and the masks that their outputs stand for, pixel by pixel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.geometry import Box, Point
from edge_agent.model import ModelInfo
from tests.decoders.yolo_models import HEIGHT, WIDTH, Truth, yolo_model
from tests.support.models import make_info, make_spec

Floats = NDArray[np.float32]
STRIDE = 4
COUNT = 8


def waves(seed: int, count: int = COUNT) -> Floats:
    """Prototypes as smooth as learnt ones, rows x columns x count."""
    noise = np.random.default_rng(seed).normal(0.0, 1.0, (5, 6, count)).astype(np.float32)
    size = (WIDTH // STRIDE, HEIGHT // STRIDE)
    return np.dstack(
        [cv2.resize(noise[..., k], size, interpolation=cv2.INTER_CUBIC) for k in range(count)]
    )


def segment_model(
    layout: str,
    objects: Sequence[Truth],
    prototypes: Floats,
    coefficients: Floats,
    dtype: str = "float32",
    channels_first: bool = True,
    prototypes_first: bool = False,
    **more: Any,
) -> tuple[ModelInfo, list[NDArray[Any]]]:
    """A model of that layout with those masks; its outputs in that type and order."""
    _, (table,) = yolo_model(layout, objects)
    table = table if layout == "end2end" else table.transpose(0, 2, 1)
    extra = np.zeros((*table.shape[:2], prototypes.shape[2]), np.float32)
    for number, row in enumerate(coefficients[: len(objects)]):
        extra[0, 7 * number + 3] = row
    table = np.concatenate([table, extra], axis=2)
    protos = prototypes[None]
    if channels_first:
        protos = protos.transpose(0, 3, 1, 2)
        table = table if layout == "end2end" else table.transpose(0, 2, 1)
    pairs = [_typed(each, dtype) for each in (table, protos)]
    if prototypes_first:
        pairs.reverse()
    specs, outputs = zip(*pairs, strict=True)
    return make_info(specs, inputs=[make_spec((1, HEIGHT, WIDTH, 3))], **more), list(outputs)


def _typed(values: Floats, dtype: str) -> tuple[Any, NDArray[Any]]:
    if dtype == "float32":
        return make_spec(values.shape), np.ascontiguousarray(values)
    low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
    reach = max(1.0, float(np.abs(values).max()))
    scale, zero = 2 * reach / 255, (low + high + 1) // 2
    whole = np.clip(np.rint(values / scale) + zero, low, high).astype(dtype)
    return make_spec(values.shape, dtype, scale, zero), np.ascontiguousarray(whole)


def slow_mask(prototypes: Floats, coefficients: Floats, box: Box) -> NDArray[np.bool_]:
    """The mask over the model's picture: bilinear between the middles of prototypes, cut off."""
    rows, columns, _ = prototypes.shape
    sums = [[float(prototypes[r, c] @ coefficients) for c in range(columns)] for r in range(rows)]
    mask = np.zeros((HEIGHT, WIDTH), np.bool_)
    for y in range(HEIGHT):
        for x in range(WIDTH):
            inside = box[0] * WIDTH <= x + 0.5 < box[2] * WIDTH
            inside &= box[1] * HEIGHT <= y + 0.5 < box[3] * HEIGHT
            mask[y, x] = inside and _between(sums, (y + 0.5) / STRIDE, (x + 0.5) / STRIDE) > 0
    return mask


def _between(sums: list[list[float]], y: float, x: float) -> float:
    top, left = math.floor(y - 0.5), math.floor(x - 0.5)
    total = 0.0
    for row, down in ((top, top + 1.5 - y), (top + 1, y - 0.5 - top)):
        for column, right in ((left, left + 1.5 - x), (left + 1, x - 0.5 - left)):
            r = min(max(row, 0), len(sums) - 1)
            c = min(max(column, 0), len(sums[0]) - 1)
            total += sums[r][c] * down * right
    return total


def filled(polygons: Sequence[Sequence[Point]]) -> NDArray[np.bool_]:
    """Pixels of the model's picture that the polygons are around."""
    grown = np.zeros((HEIGHT * 4, WIDTH * 4), np.uint8)
    size = np.array([WIDTH * 4, HEIGHT * 4])
    lines = [np.rint(np.array(line) * size - 0.5).astype(np.int32) for line in polygons]
    if lines:
        cv2.fillPoly(grown, lines, 1)
    middle: NDArray[np.bool_] = grown[2::4, 2::4].astype(np.bool_)
    return middle
