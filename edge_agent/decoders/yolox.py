"""Detections of YOLOX, from its grid of offsets or with them decoded inside the model.

`Megvii-BaseDetection/YOLOX`, `YOLOXHead.decode_outputs`: objectness and classes are probabilities,
centres are offsets from the cell, sizes logarithms, both in strides of 8, 16 and 32 px.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from edge_agent.decoders.base import Reader, input_size
from edge_agent.decoders.boxes import BoxOptions, Candidates, Finish, corners
from edge_agent.decoders.dense import DenseScores, grid_centres
from edge_agent.decoders.labels import fit_to_classes
from edge_agent.decoders.yolo_layout import detector_shape, grid_cells
from edge_agent.errors import ModelError
from edge_agent.geometry import BoxMapping
from edge_agent.model import ModelInfo
from edge_agent.options import Doc
from edge_agent.result import Detection, Kind

_STRIDES = (8, 16, 32)
_COCO_CHANNELS = 85


@dataclass(frozen=True, slots=True)
class YoloxOptions(BoxOptions):
    """How the output of a YOLOX model is read."""

    boxes: Annotated[
        Literal["auto", "offsets", "pixels"],
        Doc(
            "offsets from the grid, or pixels where the model decodes them itself. auto: pixels "
            "where the model has the operator EXP, which decoding needs."
        ),
    ] = "auto"


class YoloxDecoder:
    """Reads one output of 1 x cells x (4 + 1 + classes)."""

    name = "yolox"
    kind: Kind = "object"
    # ValTransform: BGR, not normalised.
    pictures: ClassVar[Mapping[str, Any]] = {"pad": 114, "color": "bgr", "mean": 0.0, "std": 1.0}
    Options: ClassVar[type[YoloxOptions]] = YoloxOptions

    def __init__(
        self, info: ModelInfo, labels: tuple[str, ...] | None, options: YoloxOptions
    ) -> None:
        size, channels = input_size(info), _channels(info)
        if size is None or channels is None:
            raise ModelError(
                "the yolox decoder needs one output of 1 x cells x channels, with the cells of "
                "strides 8, 16 and 32 over the model's input",
                "set task: auto, or task: raw to see the numbers",
            )
        self.labels, self.note = fit_to_classes(labels, channels - 5)
        self._finish = Finish(options, self.labels)
        self._reader = Reader(info.outputs[0])
        self._scores = DenseScores(self._reader)
        self._size = np.array(size, np.float32)[:, None]
        self._cells, self._strides = grid_centres(size, _STRIDES)
        decoded = "EXP" in info.operators if options.boxes == "auto" else options.boxes == "pixels"
        self._is_decoded = decoded

    @classmethod
    def match(cls, info: ModelInfo) -> str | None:
        """By the cells, and the classes of the labels or of COCO beside an objectness."""
        channels = _channels(info)
        wanted = _COCO_CHANNELS if info.labels is None else len(info.labels) + 5
        if channels != wanted or "imgsz" in info.metadata:
            return None
        return f"output 0 holds offsets, objectness and {channels - 5} classes of all grid cells"

    def decode(
        self, outputs: Sequence[NDArray[Any]], mapping: BoxMapping, threshold: float
    ) -> tuple[Detection, ...]:
        """Detections best first, after NMS."""
        with np.errstate(all="ignore"):  # broken numbers are left out
            table = self._reader.native(outputs[0])[0].T
            found = self._scores.find(table[5:], threshold, table[4])
            centres, sizes = np.split(self._reader.real(table[:4, found.index]), 2)
            if not self._is_decoded:
                sizes = np.exp(sizes) * self._strides[found.index]
                centres = (centres + self._cells[:, found.index]) * self._strides[found.index]
            boxes = corners(centres / self._size, sizes / self._size)
            candidates = Candidates(boxes, found.scores, found.classes)
            return self._finish.detections(candidates, mapping, threshold)


def _channels(info: ModelInfo) -> int | None:
    """Channels of a head with the cells of all strides; None for another model."""
    size, shape = input_size(info), detector_shape(info)
    if size is None or shape is None or shape[0] != grid_cells(size) or shape[1] < 6:
        return None
    return shape[1]
