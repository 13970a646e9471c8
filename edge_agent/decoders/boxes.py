"""The last steps of every detector: which boxes stay, where they are in the frame, their labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from annotated_types import Ge
from numpy.typing import NDArray

from edge_agent.decoders.labels import class_name
from edge_agent.decoders.nms import Floats, Indices, nms, soft_nms
from edge_agent.geometry import BoxMapping
from edge_agent.options import Doc, Fraction, Options, Positive
from edge_agent.result import Detection

Iou = Annotated[
    Fraction,
    Doc("Of boxes that overlap by more than this (intersection over union) the best stays."),
]


@dataclass(frozen=True, slots=True)
class BoxOptions(Options):
    """Which of the boxes that a detector proposes are reported."""

    iou: Iou = 0.45
    agnostic: Annotated[bool, Doc("Whether a box also takes out boxes of other classes.")] = False
    soft: Annotated[
        Positive | None,
        Doc(
            "Do not take boxes out, but lower their scores by exp(-overlap^2 / soft); 0.5 is usual."
        ),
    ] = None
    max: Annotated[int | None, Ge(1), Doc("At most so many detections of a frame.")] = None


@dataclass(frozen=True, slots=True)
class Candidates:
    """Boxes that reach the threshold: N x 4 (x1, y1, x2, y2, 0..1 of the tensor)."""

    boxes: Floats
    scores: Floats
    classes: Indices

    def take(self, rows: Indices) -> Candidates:
        """Those at the given rows, in their order."""
        return Candidates(self.boxes[rows], self.scores[rows], self.classes[rows])


Details = Callable[[int, Detection], Detection]
"""Adds to the detection of a candidate (by its row) what its box does not tell."""


def _no_details(_: int, detection: Detection) -> Detection:
    return detection


class Finish:
    """Makes detections out of candidates, by the options and labels of one model."""

    def __init__(self, options: BoxOptions, labels: tuple[str, ...] | None) -> None:
        self._options = options
        self._labels = labels

    def detections(
        self,
        found: Candidates,
        mapping: BoxMapping,
        threshold: float,
        details: Details = _no_details,
    ) -> tuple[Detection, ...]:
        """Best first; broken boxes and those without area inside the frame are left out."""
        usable = np.isfinite(found.boxes).all(axis=1)
        usable &= (found.boxes[:, :2] <= found.boxes[:, 2:]).all(axis=1)
        rows = np.flatnonzero(usable)
        if rows.size < usable.size:
            found = found.take(rows)
        if not found.scores.size:
            return ()
        kept, scores = self._thinned(found, threshold)
        best = Candidates(found.boxes[kept], scores, found.classes[kept])
        return self.without_nms(
            best, mapping, lambda row, detection: details(int(rows[kept[row]]), detection)
        )

    def without_nms(
        self, found: Candidates, mapping: BoxMapping, details: Details = _no_details
    ) -> tuple[Detection, ...]:
        """The candidates as they are, in their order."""
        boxes = mapping.boxes(found.boxes)
        inside = (boxes[:, :2] < boxes[:, 2:]).all(axis=1)
        scores = np.minimum(found.scores, np.float32(1.0))
        kept = np.flatnonzero(inside)[: self._options.max]
        table = zip(
            kept.tolist(),
            boxes[kept].tolist(),
            scores[kept].tolist(),
            found.classes[kept].tolist(),
            strict=True,
        )
        return tuple(
            details(row, Detection(class_name(self._labels, index), score, tuple(box), index))
            for row, box, score, index in table
        )

    def _thinned(self, found: Candidates, threshold: float) -> tuple[Indices, Floats]:
        """Rows that stay, best first, and their scores."""
        options = self._options
        classes = None if options.agnostic else found.classes
        if options.soft is not None:
            return soft_nms(found.boxes, found.scores, classes, options.soft, threshold)
        kept = nms(found.boxes, found.scores, classes, options.iou)
        return kept, found.scores[kept]


def joined(parts: Sequence[Candidates]) -> Candidates:
    """The candidates of all grids as one, in that order."""
    return Candidates(
        np.concatenate([each.boxes for each in parts]),
        np.concatenate([each.scores for each in parts]),
        np.concatenate([each.classes for each in parts]),
    )


def corners(centres: NDArray[Any], sizes: NDArray[Any]) -> Floats:
    """N x 4 corners from 2 x N centres and 2 x N whole sizes."""
    half = sizes * np.float32(0.5)
    boxes: Floats = np.concatenate([centres - half, centres + half]).T.astype(np.float32)
    return np.ascontiguousarray(boxes)
