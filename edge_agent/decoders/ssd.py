"""Detections of models that end in TFLite_Detection_PostProcess (SSD, EfficientDet-Lite)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Ge
from numpy.typing import NDArray

from edge_agent.decoders import ssd_outputs
from edge_agent.decoders.base import real_values
from edge_agent.decoders.labels import (
    class_name,
    has_background,
    without_background,
    wrong_count,
)
from edge_agent.decoders.ssd_outputs import OPERATOR, SsdOutputs
from edge_agent.decoders.yolo_layout import has_every_cell
from edge_agent.errors import ModelError
from edge_agent.geometry import BoxMapping
from edge_agent.model import ModelInfo
from edge_agent.options import Doc, Options
from edge_agent.result import Detection, Kind

_MOST_CLASSES = 1e6


def _by_score(row: tuple[float, int]) -> float:
    return -row[0]


@dataclass(frozen=True, slots=True)
class SsdOptions(Options):
    """How the outputs of an SSD model are read."""

    max: Annotated[int | None, Ge(1), Doc("At most so many detections of a frame.")] = None
    class_offset: Annotated[
        int, Doc("Added to the model's class number to find the label; 0 fits nearly all models.")
    ] = 0


class SsdDecoder:
    """Reads boxes, classes, scores and count in whatever order the model has them.

    The class number is the row of the labels; the operator knows no background class.
    """

    name = "ssd"
    kind: Kind = "object"
    Options: ClassVar[type[SsdOptions]] = SsdOptions

    def __init__(
        self, info: ModelInfo, labels: tuple[str, ...] | None, options: SsdOptions
    ) -> None:
        self._specs = info.outputs
        self._labels, self.note = _fit_labels(info, labels)
        self._max = options.max
        self._class_offset = options.class_offset
        self._places = _known_places(info)
        if self._places is None and _cannot_fit(info):
            raise _no_ssd(info)

    @classmethod
    def match(cls, info: ModelInfo) -> str | None:
        """By the operator, else by the outputs' names or shapes."""
        if places := ssd_outputs.by_origin(info):
            return f"output {places.boxes} comes from {OPERATOR}"
        places = ssd_outputs.by_name(info.outputs)
        if places and not (places.count is None and has_every_cell(info, places.boxes)):
            return f"the outputs are named as {ssd_outputs.describe(places)}"
        shapes = ssd_outputs.by_shape([spec.shape for spec in info.outputs])
        if shapes is not None and shapes[1] is not None and len(info.outputs) == 4:
            return f"the outputs have the shapes of {OPERATOR}: boxes in output {shapes[0]}"
        return None

    def decode(
        self, outputs: Sequence[NDArray[Any]], mapping: BoxMapping, threshold: float
    ) -> tuple[Detection, ...]:
        """Detections best first; boxes with no area inside the frame and broken numbers go."""
        places = self._places or self._find_places(outputs)
        if places is None:
            return ()
        scores = self._real(outputs, places.scores)[: self._count(outputs, places)]
        # Plain numbers from here on: for the few rows of a frame they are faster than arrays.
        rows = [(s, i) for i, s in enumerate(scores.tolist()) if threshold <= s < math.inf]
        if not rows:
            return ()
        rows.sort(key=_by_score)
        classes = self._real(outputs, places.classes)
        boxes = self._real(outputs, places.boxes)
        found = (
            self._detection(score, float(classes[i]), boxes[4 * i : 4 * i + 4].tolist(), mapping)
            for score, i in rows
        )
        return tuple(detection for detection in found if detection is not None)[: self._max]

    def _real(self, outputs: Sequence[NDArray[Any]], index: int) -> NDArray[np.float32]:
        return real_values(outputs[index], self._specs[index])

    def _detection(
        self, score: float, kind: float, sides: list[float], mapping: BoxMapping
    ) -> Detection | None:
        """One row, None where its numbers are broken or its box has no area inside the frame."""
        y1, x1, y2, x2 = sides
        # Clipping would make a border of the frame out of an infinite side.
        if not (math.isfinite(x1 + y1 + x2 + y2) and abs(kind) < _MOST_CLASSES):
            return None
        box = mapping.box((min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)))
        if box[0] >= box[2] or box[1] >= box[3]:
            return None
        index = round(kind) + self._class_offset
        return Detection(class_name(self._labels, index), score, box, index)

    def _count(self, outputs: Sequence[NDArray[Any]], places: SsdOutputs) -> int:
        """Rows that mean something: the model's count, held within what all outputs have."""
        rows = min(
            outputs[places.boxes].size // 4,
            outputs[places.classes].size,
            outputs[places.scores].size,
        )
        if places.count is None:
            return rows
        count = real_values(outputs[places.count], self._specs[places.count])
        if not count.size or not np.isfinite(count[0]):
            return rows
        return min(rows, max(0, round(float(count[0]))))

    def _find_places(self, outputs: Sequence[NDArray[Any]]) -> SsdOutputs | None:
        """Tell the outputs apart by what they hold; None as long as that does not tell."""
        found = ssd_outputs.by_shape([values.shape for values in outputs])
        if found is None:
            shapes = ", ".join(str(values.shape) for values in outputs)
            raise ModelError(f"outputs of shapes {shapes} are not those of {OPERATOR}", _CURE)
        boxes, count, (a, b) = found
        rows = self._count(outputs, SsdOutputs(boxes, a, b, count))
        values = (
            real_values(outputs[a], self._specs[a])[:rows],
            real_values(outputs[b], self._specs[b])[:rows],
        )
        scores = ssd_outputs.scores_by_content(values, (a, b))
        if scores is None:
            return None
        self._places = SsdOutputs(boxes, b if scores == a else a, scores, count)
        return self._places


_CURE = "set task: auto, or task: raw to see the numbers"


def _known_places(info: ModelInfo) -> SsdOutputs | None:
    """What can be told without running the model."""
    places = ssd_outputs.by_origin(info) or ssd_outputs.by_name(info.outputs)
    found = ssd_outputs.by_shape([spec.shape for spec in info.outputs])
    if places is not None or found is None:
        return places
    boxes, count, (a, b) = found
    scores = ssd_outputs.scores_by_range(info.outputs, (a, b))
    return scores if scores is None else SsdOutputs(boxes, b if scores == a else a, scores, count)


def _cannot_fit(info: ModelInfo) -> bool:
    """Whether no frame can tell more: too few outputs, or fixed shapes of something else."""
    shapes = [spec.shape for spec in info.outputs]
    fixed = all(shape and -1 not in shape for shape in shapes)
    return len(shapes) < 3 or (fixed and ssd_outputs.by_shape(shapes) is None)


def _fit_labels(
    info: ModelInfo, labels: tuple[str, ...] | None
) -> tuple[tuple[str, ...] | None, str]:
    """Labels by class number; checked against the operator's own number of classes."""
    classes = info.custom_options.get(OPERATOR, {}).get("num_classes")
    if labels is None:
        return None, ""
    if classes is not None and len(labels) < classes:
        raise wrong_count(labels, int(classes))
    if has_background(labels) and (classes is None or len(labels) == classes + 1):
        return without_background(labels)
    return labels, ""


def _no_ssd(info: ModelInfo) -> ModelError:
    return ModelError(
        f"the ssd decoder needs boxes, classes and scores; the model has {len(info.outputs)} "
        f"outputs and no {OPERATOR}",
        _CURE,
    )
