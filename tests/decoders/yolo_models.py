"""YOLO models on paper, and the outputs that they give for a known truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_agent.decoders.yolo_layout import grid_cells
from edge_agent.geometry import Box
from edge_agent.model import ModelInfo
from edge_agent.result import Detection
from tests.support.models import make_info, make_spec

WIDTH, HEIGHT = 160, 96
"""Size of the picture that the models take, in px."""

CLASSES = 3


@dataclass(frozen=True)
class Truth:
    """An object: its class, score, and box as fractions of the picture."""

    index: int
    score: float
    box: Box


def truths(most: int = 4) -> st.SearchStrategy[list[Truth]]:
    """Objects in columns of their own, so that none hides another, with distinct scores."""
    column = st.tuples(
        st.integers(0, CLASSES - 1),
        st.floats(0.05, 0.4),
        st.floats(0.6, 0.95),
        st.floats(0.05, 0.4),
        st.floats(0.6, 0.95),
    )
    return st.lists(column, max_size=most).map(
        lambda columns: [
            Truth(index, 0.95 - 0.1 * i, ((i + x1) / most, y1, (i + x2) / most, y2))
            for i, (index, x1, x2, y1, y2) in enumerate(columns)
        ]
    )


def yolo_model(
    layout: str,
    objects: Sequence[Truth],
    channels_first: bool = True,
    pixels: bool = False,
    scale: float | None = None,
    **more: Any,
) -> tuple[ModelInfo, list[NDArray[Any]]]:
    """A model of that layout and its output; int8 where there is a scale."""
    rows = {"end2end": 300, "v8": _CELLS, "v5": 3 * _CELLS}[layout]
    table = _table(layout, objects, rows, (WIDTH, HEIGHT) if pixels else (1, 1))
    values = (table.T if channels_first and layout != "end2end" else table)[None]
    spec = make_spec(values.shape)
    if scale is not None:
        spec = make_spec(values.shape, "int8", scale, -100)
        values = np.clip(np.rint(values / scale) - 100, -128, 127)
    info = make_info([spec], inputs=[make_spec((1, HEIGHT, WIDTH, 3))], **more)
    return info, [np.ascontiguousarray(values).astype(spec.dtype)]


def pose_model(
    objects: Sequence[Truth], points: int = 17, numbers: int = 3, **more: Any
) -> tuple[ModelInfo, list[NDArray[Any]]]:
    """A pose model whose keypoints run along the diagonals of the boxes, with scores from 0 to 1.

    Boxes of everything else score 0.1.
    """
    table = np.zeros((_CELLS, 5 + points * numbers), np.float32)
    table[:, 2:5] = 0.1
    for number, each in enumerate(objects):
        x1, y1, x2, y2 = each.box
        row = table[7 * number + 3]
        row[:5] = (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1, each.score
        row[5:] = np.linspace((x1, y1, 0.0), (x2, y2, 1.0), points)[:, :numbers].reshape(-1)
    values = np.ascontiguousarray(table.T)[None]
    notes = {"task": "pose", "kpt_shape": [points, numbers]}
    picture = make_spec((1, HEIGHT, WIDTH, 3))
    return make_info([make_spec(values.shape)], inputs=[picture], metadata=notes, **more), [values]


_CELLS = grid_cells((WIDTH, HEIGHT))


def _table(
    layout: str, objects: Sequence[Truth], rows: int, size: tuple[int, int]
) -> NDArray[np.float32]:
    """Rows x channels: background with boxes everywhere, the objects on rows of their own."""
    channels = {"end2end": 6, "v8": 4 + CLASSES, "v5": 5 + CLASSES}[layout]
    table = np.zeros((rows, channels), np.float32)
    table[:, :4] = np.random.default_rng(0).random((rows, 4)) * np.array([*size, *size])
    for number, each in enumerate(objects):
        x1, y1, x2, y2 = np.array(each.box) * [*size, *size]
        row = table[7 * number + 3]
        if layout == "end2end":
            row[:] = x1, y1, x2, y2, each.score, each.index
            continue
        row[:4] = (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1
        row[-CLASSES:] = 0.1
        row[-CLASSES + each.index] = each.score if layout == "v8" else 0.99
        if layout == "v5":
            row[4] = each.score / 0.99
    return table


def assert_found(
    found: Sequence[Detection], objects: Sequence[Truth], box: float = 1e-5, score: float = 1e-5
) -> None:
    """The detections are the objects, best first, within the given differences."""
    best = sorted(objects, key=lambda each: -each.score)
    assert [d.index for d in found] == [each.index for each in best]
    for detection, each in zip(found, best, strict=True):
        assert abs(detection.score - each.score) <= score
        assert np.abs(np.subtract(detection.box, each.box)).max() <= box
