"""How far two models agree on the same inputs: numbers, classes, boxes, time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.geometry import iou
from edge_agent.result import Detection, Result

Array = NDArray[Any]

IOU = 0.5
_RECALLS = np.linspace(0.0, 1.0, 101)


@dataclass(slots=True)
class OutputError:
    """Differences of one output as real numbers, over all inputs."""

    name: str
    largest: float = 0.0
    total: float = 0.0
    count: int = 0
    different: int = 0

    def add(self, a: Array, b: Array) -> None:
        """Note the output of one input from either model, of one shape."""
        off = np.abs(a.astype(np.float64) - b.astype(np.float64))
        self.largest = max(self.largest, float(off.max(initial=0.0)))
        self.total += float(off.sum())
        self.count += off.size
        self.different += int(np.count_nonzero(off))

    @property
    def mean(self) -> float:
        """The mean difference."""
        return self.total / max(self.count, 1)


@dataclass(slots=True)
class Agreement:
    """What two models said of the same inputs."""

    outputs: list[OutputError] = field(default_factory=list)
    same_class: list[bool] = field(default_factory=list)
    boxes: list[tuple[list[Detection], list[Detection]]] = field(default_factory=list)

    def add(self, a: Sequence[Array], b: Sequence[Array]) -> None:
        """Note the outputs of one input from both models; those of unlike shapes are left out."""
        for error, x, y in zip(self.outputs, a, b, strict=False):
            if x.shape == y.shape:
                error.add(x, y)

    def add_scores(self, a: Array, b: Array) -> None:
        """Note which class has the highest score, where both give a row of scores."""
        if a.size == b.size == max(a.shape, default=0) > 1:
            self.same_class.append(int(a.argmax()) == int(b.argmax()))

    def add_boxes(self, a: Sequence[Result], b: Sequence[Result]) -> None:
        """Note the objects that both models find in one input."""
        found = [[r for r in each if isinstance(r, Detection)] for each in (a, b)]
        self.boxes.append((found[0], found[1]))


def mean_average_precision(pairs: Sequence[tuple[list[Detection], list[Detection]]]) -> float:
    """Box mAP at IoU 0.5 of the second model, with what the first one finds as the truth.

    `pairs` holds both models' detections of each input. Precision is taken at 101 recalls as COCO
    does, and averaged over the classes that the first model finds; nothing found by either is 1.
    """
    classes = sorted({box.index for truth, _ in pairs for box in truth})
    if not classes:
        return 1.0 if not any(found for _, found in pairs) else 0.0
    return float(np.mean([_average_precision(pairs, index) for index in classes]))


def _average_precision(
    pairs: Sequence[tuple[list[Detection], list[Detection]]], index: int
) -> float:
    truths = [[box for box in truth if box.index == index] for truth, _ in pairs]
    ranked = sorted(
        ((box.score, place, box) for place, (_, found) in enumerate(pairs) for box in found
         if box.index == index),
        key=lambda each: -each[0],
    )  # fmt: skip
    free = [[True] * len(truth) for truth in truths]
    hits = [_is_hit(box, truths[place], free[place]) for _, place, box in ranked]
    found = np.cumsum(hits)
    precision = found / np.arange(1, len(hits) + 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    places = np.searchsorted(found / sum(map(len, truths)), _RECALLS - 1e-9)
    return float(np.append(best, 0.0)[np.minimum(places, len(best))].mean())


def _is_hit(box: Detection, truth: Sequence[Detection], free: list[bool]) -> bool:
    """Whether a box fits one that no better one has taken yet; takes it."""
    overlaps = [iou(box.box, other.box) if is_free else 0.0
                for other, is_free in zip(truth, free, strict=True)]  # fmt: skip
    best = int(np.argmax(overlaps)) if overlaps else 0
    if not overlaps or overlaps[best] < IOU:
        return False
    free[best] = False
    return True
