"""YOLO models on paper that are cut before their end, and what they mean cell by cell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.geometry import Box, iou
from edge_agent.model import ModelInfo
from tests.decoders.yolo_models import CLASSES, HEIGHT, WIDTH
from tests.support.models import make_info, make_spec

Floats = NDArray[np.float32]
STRIDES = (8, 16, 32)
PICTURE = make_spec((1, HEIGHT, WIDTH, 3))


@dataclass(frozen=True)
class Heads:
    """Raw numbers of each grid, rows x columns x channels: distributions and logits of classes."""

    boxes: list[Floats]
    scores: list[Floats]

    @classmethod
    def random(cls, seed: int, classes: int = CLASSES, most: int = 12) -> Heads:
        """Noise, with some cells that are sure of a class."""
        noise = np.random.default_rng(seed)
        boxes, scores = [], []
        for stride in STRIDES:
            rows, columns = HEIGHT // stride, WIDTH // stride
            near = np.tile(np.arange(16) * -0.7, 4)  # few are as large as the picture
            boxes.append((noise.normal(near, 1, (rows, columns, 64))).astype(np.float32))
            logits = noise.normal(-6, 1, (rows, columns, classes)).astype(np.float32)
            for _ in range(int(noise.integers(0, most))):
                place = (noise.integers(rows), noise.integers(columns), noise.integers(classes))
                logits[place] = noise.uniform(0.5, 4)
            scores.append(logits)
        return cls(boxes, scores)


def slow_boxes(heads: Heads) -> list[tuple[float, int, Box]]:
    """Score, class and box (fractions, not clipped) of every cell, one by one."""
    found = []
    for stride, boxes, scores in zip(STRIDES, heads.boxes, heads.scores, strict=True):
        for row, column in np.ndindex(boxes.shape[:2]):
            chances = [1 / (1 + math.exp(-float(each))) for each in scores[row, column]]
            index = chances.index(max(chances))
            sides = [_mean(boxes[row, column, 16 * k : 16 * k + 16]) * stride for k in range(4)]
            x, y = (column + 0.5) * stride, (row + 0.5) * stride
            box = (
                (x - sides[0]) / WIDTH, (y - sides[1]) / HEIGHT,
                (x + sides[2]) / WIDTH, (y + sides[3]) / HEIGHT,
            )  # fmt: skip
            found.append((chances[index], index, box))
    return found


def _mean(logs: Floats) -> float:
    powers = [math.exp(float(each)) for each in logs]
    return sum(step * power for step, power in enumerate(powers)) / sum(powers)


def slow_nms(
    found: Sequence[tuple[float, int, Box]], threshold: float, most_overlap: float = 0.45
) -> list[tuple[float, int, Box]]:
    """Best first, what no better box of the same class covers."""
    kept: list[tuple[float, int, Box]] = []
    for each in sorted(found, key=lambda item: -item[0]):
        clear = all(each[1] != k[1] or iou(each[2], k[2]) <= most_overlap for k in kept)
        if each[0] >= threshold and clear:
            kept.append(each)
    return kept


FORMS = ("grids", "flat grids", "sums", "joined grids", "whole", "joined whole")


def split_model(
    heads: Heads,
    form: str,
    channels_first: bool = False,
    probabilities: bool = False,
    order: Sequence[int] | None = None,
    **more: Any,
) -> tuple[ModelInfo, list[NDArray[Any]]]:
    """A model with those heads in one of the forms that exporters have, outputs in that order."""
    scores: list[Floats] = heads.scores
    if probabilities:
        scores = [(1 / (1 + np.exp(-each))).astype(np.float32) for each in heads.scores]
    tables: list[Floats] = []
    for boxes, chances in zip(heads.boxes, scores, strict=True):
        sums = [np.minimum(chances.sum(axis=2, keepdims=True), 1.0)] if form == "sums" else []
        pair = [np.concatenate([boxes, chances], axis=2)] if "joined" in form else [boxes, chances]
        tables += [*pair, *sums]
    if form == "flat grids":
        tables = [each.reshape(-1, each.shape[2]) for each in tables]
    if "whole" in form:
        count = len(tables) // len(STRIDES)
        rows = [each.reshape(-1, each.shape[2]) for each in tables]
        tables = [np.concatenate(rows[first::count]) for first in range(count)]
    if channels_first:
        tables = [np.moveaxis(each, -1, 0) for each in tables]
    return _model([tables[number] for number in order or range(len(tables))], **more)


def decoded_model(
    found: Sequence[tuple[float, int, Box]],
    form: str,
    pixels: bool,
    best: bool = False,
    channels_first: bool = False,
) -> tuple[ModelInfo, list[NDArray[Any]]]:
    """Boxes made inside the model, beside all scores, or (`best`) score and class of the best."""
    unit = np.array([WIDTH, HEIGHT] * 2 if pixels else [1] * 4)
    boxes = np.array([box for _, _, box in found]) * unit
    if form == "centres":
        boxes = np.hstack([(boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]])
    scores = np.array([score for score, _, _ in found], np.float32)
    classes = np.array([index for _, index, _ in found])
    boxes = boxes.astype(np.float32)
    if best:
        values = [boxes[None], scores[None], classes[None].astype(np.uint8)]
        names = ("boxes", "scores", "class_idx")
        specs = [
            make_spec(v.shape, v.dtype.name, name=n) for v, n in zip(values, names, strict=True)
        ]
        return make_info(specs, inputs=[PICTURE]), values
    table = np.zeros((len(found), CLASSES), np.float32)
    table[np.arange(len(found)), classes] = scores
    return _model([boxes.T, table.T] if channels_first else [boxes, table])


def _model(tables: Sequence[Floats], **more: Any) -> tuple[ModelInfo, list[NDArray[Any]]]:
    outputs = [np.ascontiguousarray(each[None], np.float32) for each in tables]
    return make_info([make_spec(o.shape) for o in outputs], inputs=[PICTURE], **more), outputs


def quantised(
    model: tuple[ModelInfo, list[NDArray[Any]]], dtype: str
) -> tuple[ModelInfo, list[NDArray[Any]], list[NDArray[Any]]]:
    """The same model in whole numbers, its outputs, and the real numbers that these stand for."""
    info, outputs = model
    limits = np.iinfo(dtype)
    specs, whole, real = [], [], []
    for values in outputs:
        low, high = min(0.0, float(values.min())), max(float(values.max()), 1e-3)
        scale = (high - low) / 255
        zero = round(limits.min - low / scale)
        numbers = np.clip(np.rint(values / scale) + zero, limits.min, limits.max).astype(dtype)
        specs.append(make_spec(values.shape, dtype, scale, zero))
        whole.append(numbers)
        real.append((numbers.astype(np.float32) - zero) * np.float32(scale))
    return make_info(specs, inputs=info.inputs, labels=info.labels), whole, real
