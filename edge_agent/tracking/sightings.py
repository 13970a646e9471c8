"""The detections of one frame as arrays, with how far each may be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.result import Detection

Array = NDArray[Any]

_UNSURE = 2.0  # a score of 0.5 doubles the error of a box
_COVERED = 6.0  # a box that lies wholly in another one errs seven times as far


@dataclass(frozen=True, slots=True)
class Sightings:
    """N detections: boxes N x 4 (x1, y1, x2, y2), scores, labels.

    `errors` says how many times further than that of a sure and free-standing object the edges of
    a box may be off.
    """

    boxes: Array
    scores: Array
    labels: Sequence[str]
    errors: Array

    @classmethod
    def of(cls, detections: Sequence[Detection]) -> Sightings:
        """The arrays of these detections, in their order."""
        boxes = np.array([each.box for each in detections], np.float64).reshape(-1, 4)
        scores = np.array([each.score for each in detections], np.float64)
        errors = (1.0 + _UNSURE * (1.0 - scores)) * (1.0 + _COVERED * _covered(boxes))
        return cls(boxes, scores, [each.label for each in detections], errors)


def _covered(boxes: Array) -> Array:
    """The part of each box (0..1) that the box which covers most of it shares with it.

    Where people overlap, detectors cut their boxes short or draw one around both: what such boxes
    say about place and pace is worth little, and they come just before an object is out of sight.
    """
    if len(boxes) < 2:
        return np.zeros(len(boxes))
    low, high = boxes[:, :2], boxes[:, 2:]
    shared = np.minimum(high[:, None], high) - np.maximum(low[:, None], low)
    np.maximum(shared, 0.0, out=shared)
    both = shared[..., 0] * shared[..., 1]
    np.fill_diagonal(both, 0.0)
    size = np.maximum(high - low, 1e-6)
    covered: Array = np.minimum(both.max(axis=1) / (size[:, 0] * size[:, 1]), 1.0)
    return covered
