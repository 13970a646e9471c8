"""Objects with their keypoints, of YOLOv8 and YOLO11 pose models.

`ultralytics/ultralytics`, `Pose.forward`: for each place centre and size of the box, a score of
each class, then x, y and score of each keypoint (or x, y alone); fractions of the input in TFLite
files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from annotated_types import Ge
from numpy.typing import NDArray

from edge_agent.decoders.base import Reader, input_size
from edge_agent.decoders.boxes import Iou, corners
from edge_agent.decoders.dense import DenseScores
from edge_agent.decoders.keypoints import COCO_17, keypoints
from edge_agent.decoders.labels import class_name, wrong_count
from edge_agent.decoders.nms import Floats, nms
from edge_agent.decoders.yolo_layout import detector_shape, grid_cells
from edge_agent.errors import ModelError
from edge_agent.geometry import BoxMapping
from edge_agent.model import ModelInfo
from edge_agent.options import Doc, Options
from edge_agent.result import Detection, Kind

_PEOPLE = 4 + 1 + 3 * len(COCO_17)
_CURE = "set task: auto, or task: raw to see the numbers"


@dataclass(frozen=True, slots=True)
class YoloPoseOptions(Options):
    """How the output of a YOLO pose model is read."""

    iou: Iou = 0.45
    max: Annotated[int | None, Ge(1), Doc("At most so many detections of a frame.")] = None
    units: Annotated[
        Literal["fraction", "pixel"],
        Doc("Of boxes and keypoints: fractions or pixels of the model's input."),
    ] = "fraction"


@dataclass(frozen=True, slots=True)
class _Head:
    """`points` keypoints of `numbers` each (3 with a score, else 2) behind the class scores."""

    channels_first: bool
    classes: int
    points: int
    numbers: int


class YoloPoseDecoder:
    """Gives the boxes as a detector does, each with its keypoints."""

    name = "yolo_pose"
    kind: Kind = "keypoints"
    note = ""
    pictures: ClassVar[Mapping[str, Any]] = {"pad": 114}
    Options: ClassVar[type[YoloPoseOptions]] = YoloPoseOptions

    def __init__(
        self, info: ModelInfo, labels: tuple[str, ...] | None, options: YoloPoseOptions
    ) -> None:
        head, size = _head(info), input_size(info)
        if head is None or size is None:
            raise ModelError(
                "the yolo_pose decoder needs one output of 1 x channels x places with box, class "
                "scores and keypoints for all grid cells of its input",
                _CURE,
            )
        if labels is not None and len(labels) != head.classes:
            raise wrong_count(labels, head.classes)
        self._head = head
        self.labels = labels or (("person",) if head.points == len(COCO_17) else None)
        self._reader = Reader(info.outputs[0])
        self._scores = DenseScores(self._reader)
        self._options = options
        self._unit = np.array(size if options.units == "pixel" else (1, 1), np.float32)

    @classmethod
    def match(cls, info: ModelInfo) -> str | None:
        """By the notes of Ultralytics, or by one label and the channels of people."""
        head = _head(info)
        is_noted = info.metadata.get("task") == "pose"
        is_labelled = info.labels is not None and len(info.labels) == 1
        if head is None or not (is_noted or (is_labelled and _PEOPLE in info.outputs[0].shape)):
            return None
        return f"output 0 holds boxes, {head.classes} class scores and {head.points} keypoints"

    def decode(
        self, outputs: Sequence[NDArray[Any]], mapping: BoxMapping, threshold: float
    ) -> tuple[Detection, ...]:
        """Detections best first, after NMS."""
        with np.errstate(all="ignore"):  # broken numbers are left out
            native = self._reader.native(outputs[0])[0]
            table = native if self._head.channels_first else native.T
            first = 4 + self._head.classes
            found = self._scores.find(table[4:first], threshold)
            sides = self._reader.real(table[:4, found.index]) / np.tile(self._unit, 2)[:, None]
            boxes = corners(sides[:2], sides[2:])
            points = self._points(self._reader.real(table[first:, found.index]))
            usable = np.isfinite(boxes).all(axis=1) & np.isfinite(points).all(axis=(1, 2))
            usable &= (boxes[:, :2] <= boxes[:, 2:]).all(axis=1)
            rows = np.flatnonzero(usable)
            kept = nms(boxes[rows], found.scores[rows], found.classes[rows], self._options.iou)
            frames = mapping.boxes(boxes)
            made = (
                self._detection(
                    int(found.classes[row]), float(found.scores[row]), frames[row], points[row],
                    mapping,
                )
                for row in rows[kept].tolist()
            )  # fmt: skip
            return tuple(each for each in made if each is not None)[: self._options.max]

    def _points(self, values: Floats) -> Floats:
        """N x points x 3; a point without a score of its own is sure."""
        points = np.ones((values.shape[1], self._head.points, 3), np.float32)
        given = values.T.reshape(-1, self._head.points, self._head.numbers)
        points[..., : self._head.numbers] = given
        points[..., :2] /= self._unit
        return points

    def _detection(
        self, index: int, score: float, box: Floats, points: Floats, mapping: BoxMapping
    ) -> Detection | None:
        x1, y1, x2, y2 = box.tolist()
        if x1 >= x2 or y1 >= y2:
            return None
        label = class_name(self.labels, index)
        return Detection(
            label, min(score, 1.0), (x1, y1, x2, y2), index, keypoints(points, mapping)
        )


def _head(info: ModelInfo) -> _Head | None:
    """What the channels are, told from the number of places and the notes; None if nothing fits."""
    size, shape = input_size(info), detector_shape(info)
    if size is None or shape is None or grid_cells(size) not in shape:
        return None
    channels_first = shape[1] == grid_cells(size)
    channels = shape[0] if channels_first else shape[1]
    points, numbers = _noted_points(info)
    classes = channels - 4 - points * numbers
    return _Head(channels_first, classes, points, numbers) if classes >= 1 else None


def _noted_points(info: ModelInfo) -> tuple[int, int]:
    """Keypoints and the numbers of each: `kpt_shape` of the notes, else COCO's people."""
    noted = info.metadata.get("kpt_shape")
    if isinstance(noted, list | tuple) and len(noted) == 2:
        points, numbers = noted
        if isinstance(points, int) and points >= 1 and numbers in (2, 3):
            return points, numbers
    return len(COCO_17), 3
