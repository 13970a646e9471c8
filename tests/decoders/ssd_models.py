"""SSD models on paper, with their four outputs in any order."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.decoders.ssd import SsdDecoder, SsdOptions
from edge_agent.decoders.ssd_outputs import OPERATOR
from edge_agent.geometry import BoxMapping
from edge_agent.model import ModelInfo, Origin
from edge_agent.result import Detection
from tests.support.models import make_info, make_spec

Row = tuple[float, float, tuple[float, float, float, float]]
"""Score, class and ymin, xmin, ymax, xmax."""

Order = tuple[int, ...]
"""Slot of the operator (boxes, classes, scores, count) for each output."""

ORDERS: tuple[Order, ...] = tuple(permutations(range(4)))
PLAIN: Order = (0, 1, 2, 3)
WAYS = ("origin", "numbered", "words", "content")
"""What tells the outputs apart."""

_NUMBERED = (OPERATOR, f"{OPERATOR}:1", f"{OPERATOR}:2", f"{OPERATOR}:3")
_WORDS = ("detection_boxes", "detection_classes", "detection_scores", "num_detections")


def ssd_info(
    order: Order = PLAIN, way: str = "origin", size: int = 10, classes: int | None = None
) -> ModelInfo:
    """A model whose outputs are told apart in that way only."""
    shapes = [(1, size, 4), (1, size), (1, size), (1,)]
    names = {"numbered": _NUMBERED, "words": _WORDS}.get(way, ("a", "b", "c", "d"))
    specs = [make_spec(shapes[slot], name=names[slot]) for slot in order]
    operator = OPERATOR if way == "origin" else "DEQUANTIZE"
    origins = [Origin(operator, slot if way == "origin" else 0) for slot in order]
    options = {} if classes is None else {OPERATOR: {"num_classes": classes}}
    return make_info(specs, origins, custom_options=options)


def ssd_values(
    rows: Sequence[Row], order: Order = PLAIN, size: int = 10, count: float | None = None
) -> list[NDArray[Any]]:
    """What the model gives: the rows, then nothing up to the size."""
    slots: list[NDArray[Any]] = [
        np.zeros((1, size, 4), np.float32),
        np.zeros((1, size), np.float32),
        np.zeros((1, size), np.float32),
        np.array([len(rows) if count is None else count], np.float32),
    ]
    for number, (score, index, box) in enumerate(rows):
        slots[0][0, number], slots[1][0, number], slots[2][0, number] = box, index, score
    return [slots[slot] for slot in order]


def decode(
    rows: Sequence[Row],
    threshold: float = 0.5,
    mapping: BoxMapping | None = None,
    labels: tuple[str, ...] | None = None,
    count: float | None = None,
    **options: Any,
) -> tuple[Detection, ...]:
    """The detections of rows in a plain model."""
    decoder = SsdDecoder(ssd_info(), labels, SsdOptions(**options))
    values = ssd_values(rows, size=max(10, len(rows)), count=count)
    return decoder.decode(values, mapping or BoxMapping(), threshold)
