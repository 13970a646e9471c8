"""Detections of NanoDet-Plus, whose sides are distributions over distances.

`RangiLyu/nanodet`, `NanoDetPlusHead`: class scores are probabilities; each side's distance from the
corner of the cell is the mean of a softmax over 0..reg_max strides (Generalized Focal Loss).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Ge
from numpy.typing import NDArray

from edge_agent.decoders.base import Reader, input_size
from edge_agent.decoders.boxes import BoxOptions, Candidates, Finish, Iou
from edge_agent.decoders.dense import DenseScores, grid_centres, mean_distances
from edge_agent.decoders.labels import fit_to_classes
from edge_agent.decoders.nms import Floats
from edge_agent.decoders.yolo_layout import detector_shape, grid_cells
from edge_agent.errors import ModelError
from edge_agent.geometry import BoxMapping
from edge_agent.model import ModelInfo
from edge_agent.options import Doc
from edge_agent.result import Detection, Kind

_STRIDES = (8, 16, 32, 64)
_REG_MAX = 7
_COCO_CLASSES = 80


@dataclass(frozen=True, slots=True)
class NanodetOptions(BoxOptions):
    """How the output of a NanoDet-Plus model is read."""

    iou: Iou = 0.6
    reg_max: Annotated[int, Ge(1), Doc("Largest distance of a side, in strides.")] = _REG_MAX


class NanodetDecoder:
    """Reads one output of 1 x cells x (classes + 4 sides of reg_max + 1 numbers)."""

    name = "nanodet"
    kind: Kind = "object"
    pictures: ClassVar[Mapping[str, Any]] = {
        "color": "bgr", "mean": [103.53, 116.28, 123.675], "std": [57.375, 57.12, 58.395],
    }  # fmt: skip
    Options: ClassVar[type[NanodetOptions]] = NanodetOptions

    def __init__(
        self, info: ModelInfo, labels: tuple[str, ...] | None, options: NanodetOptions
    ) -> None:
        size, classes = input_size(info), _classes(info, options.reg_max)
        if size is None or classes is None:
            raise ModelError(
                "the nanodet decoder needs one output of 1 x cells x channels, with the cells of "
                "strides 8, 16, 32 and 64 over the model's input",
                "set task: auto, or task: raw to see the numbers",
            )
        self.labels, self.note = fit_to_classes(labels, classes)
        self._classes = classes
        self._finish = Finish(options, self.labels)
        self._reader = Reader(info.outputs[0])
        self._scores = DenseScores(self._reader)
        self._size = np.array(size * 2, np.float32)
        self._cells, self._strides = grid_centres(size, _STRIDES)

    @classmethod
    def match(cls, info: ModelInfo) -> str | None:
        """By the cells, and the classes of the labels or of COCO beside the 32 numbers of sides."""
        wanted = _COCO_CLASSES if info.labels is None else len(info.labels)
        if _classes(info, _REG_MAX) != wanted or "imgsz" in info.metadata:
            return None
        return f"output 0 holds {wanted} classes and 4 distributions of 8 for all grid cells"

    def decode(
        self, outputs: Sequence[NDArray[Any]], mapping: BoxMapping, threshold: float
    ) -> tuple[Detection, ...]:
        """Detections best first, after NMS."""
        with np.errstate(all="ignore"):  # broken numbers are left out
            table = self._reader.native(outputs[0])[0].T
            found = self._scores.find(table[: self._classes], threshold)
            sides = self._reader.real(table[self._classes :, found.index])
            boxes = self._boxes(sides, self._cells[:, found.index], self._strides[found.index])
            candidates = Candidates(boxes, found.scores, found.classes)
            return self._finish.detections(candidates, mapping, threshold)

    def _boxes(self, sides: Floats, cells: Floats, strides: Floats) -> Floats:
        """From distances to the left, top, right and bottom, in strides."""
        left, top, right, bottom = mean_distances(sides)
        x, y = cells
        boxes: Floats = (np.stack([x - left, y - top, x + right, y + bottom]) * strides).T
        return boxes / self._size


def _classes(info: ModelInfo, reg_max: int) -> int | None:
    """Classes of a head with the cells of all strides; None for another model."""
    size, shape = input_size(info), detector_shape(info)
    if size is None or shape is None or shape[0] != grid_cells(size, _STRIDES):
        return None
    classes = shape[1] - 4 * (reg_max + 1)
    return classes if classes >= 1 else None
