"""Detections of YOLO models whose one output holds decoded boxes.

The forms are those of the official repositories: `ultralytics/yolov5` (`Detect.forward`: centre,
size, objectness, classes; also YOLOv7), `ultralytics/ultralytics` (YOLOv8, 11, 12: no objectness)
and the exports without NMS of YOLOv10 and YOLO26 (corners, score, class).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from edge_agent.decoders.base import Reader, Unsure, input_size, real_range
from edge_agent.decoders.boxes import BoxOptions, Candidates, Finish, corners
from edge_agent.decoders.dense import DenseScores
from edge_agent.decoders.labels import fit_to_classes
from edge_agent.decoders.yolo_layout import Layout, named, recognise
from edge_agent.errors import ModelError
from edge_agent.geometry import BoxMapping
from edge_agent.model import ModelInfo
from edge_agent.options import Doc
from edge_agent.result import Detection, Kind

_MOST_CLASSES = 1e6
_PIXELS_FROM = 2.0  # a fraction of the picture is never that large, and a grid in pixels reaches it


@dataclass(frozen=True, slots=True)
class YoloOptions(BoxOptions):
    """How the output of a YOLO model is read."""

    layout: Annotated[
        Literal["auto", "v5", "v8", "end2end"],
        Doc(
            "v5: box, objectness, classes (also YOLOv7). v8: box, classes (also 9, 11, 12). "
            "end2end: corners, score, class, without NMS (10, 26). auto: by shape and labels."
        ),
    ] = "auto"
    units: Annotated[
        Literal["auto", "fraction", "pixel"],
        Doc("Of the boxes: fractions or pixels of the model's input. auto: by their numbers."),
    ] = "auto"


class YoloDecoder:
    """Compares the scores in the numbers of the tensor; only boxes that reach it become real."""

    name = "yolo"
    kind: Kind = "object"
    pictures: ClassVar[Mapping[str, Any]] = {"pad": 114}
    Options: ClassVar[type[YoloOptions]] = YoloOptions

    def __init__(
        self, info: ModelInfo, labels: tuple[str, ...] | None, options: YoloOptions
    ) -> None:
        self._layout = _layout(info, labels, options)
        self.labels, self.note = labels, ""
        if self._layout.classes is not None:
            self.labels, self.note = fit_to_classes(labels, self._layout.classes)
        self._finish = Finish(options, self.labels)
        self._reader = Reader(info.outputs[0])
        self._scores = DenseScores(self._reader)
        self._size = input_size(info)
        self._scale = self._known_scale(options)

    @classmethod
    def match(cls, info: ModelInfo) -> str | None:
        """By the number of rows and channels, the labels and the notes of Ultralytics."""
        layout = recognise(info)
        return None if layout is None else f"output 0 holds {layout.text} (layout {layout.kind})"

    def decode(
        self, outputs: Sequence[NDArray[Any]], mapping: BoxMapping, threshold: float
    ) -> tuple[Detection, ...]:
        """Detections best first, after NMS where the model has none of its own."""
        with np.errstate(all="ignore"):  # broken numbers are left out
            native = self._reader.native(outputs[0])[0]
            table = native if self._layout.channels_first else native.T
            if self._layout.kind == "end2end":
                return self._finish.without_nms(self._rows(table, threshold), mapping)
            found = self._candidates(table, threshold)
            return self._finish.detections(found, mapping, threshold)

    def _candidates(self, table: NDArray[Any], threshold: float) -> Candidates:
        """Places whose best class reaches the threshold; `table` is channels x places."""
        if self._layout.kind == "v8":
            found = self._scores.find(table[4:], threshold)
        else:
            found = self._scores.find(table[5:], threshold, table[4])
        boxes = self._reader.real(table[:4, found.index]) * self._factor(table[:2])
        return Candidates(corners(boxes[:2], boxes[2:]), found.scores, found.classes)

    def _rows(self, table: NDArray[Any], threshold: float) -> Candidates:
        """Rows of x1, y1, x2, y2, score and class, best first."""
        real = self._reader.real(table)
        good = np.isfinite(real).all(axis=0) & (real[4] >= threshold)
        good &= np.abs(real[5]) < _MOST_CLASSES
        places = np.flatnonzero(good)
        places = places[np.argsort(-real[4, places], kind="stable")]
        boxes = real[:4, places] * self._factor(real[2:4])
        return Candidates(boxes.T, real[4, places], np.rint(real[5, places]).astype(np.intp))

    def _factor(self, sides: NDArray[Any]) -> NDArray[np.float32]:
        """What turns sides into fractions of the input, 4 x 1; all `sides` may tell the unit."""
        if self._scale is not None:
            return self._scale
        finite = sides[np.isfinite(sides)]
        is_pixel = bool(finite.size) and float(finite.max()) > _PIXELS_FROM
        scale = _scale(self._size if is_pixel else (1, 1))
        if is_pixel or finite.any():
            self._scale = scale
        return scale

    def _known_scale(self, options: YoloOptions) -> NDArray[np.float32] | None:
        """By the option or by what the tensor can hold; None where only numbers will tell."""
        limits = real_range(self._reader.spec)
        if options.units == "auto" and limits is None and self._size is not None:
            return None
        reach = limits[1] if limits is not None else 1.0
        is_pixel = options.units == "pixel" or (options.units == "auto" and reach > _PIXELS_FROM)
        if is_pixel and self._size is None:
            raise ModelError("boxes in pixels need a model whose input has a fixed size", _CURE)
        return _scale(self._size if is_pixel else (1, 1))


_CURE = "set task: auto, or task: raw to see the numbers"


def _scale(size: tuple[int, int] | None) -> NDArray[np.float32]:
    width, height = size or (1, 1)
    return np.array([[1 / width], [1 / height]] * 2, np.float32)


def _layout(info: ModelInfo, labels: tuple[str, ...] | None, options: YoloOptions) -> Layout:
    """The layout that is named, else recognised; raises ModelError where there is none."""
    info = dataclasses.replace(info, labels=labels)
    try:
        if options.layout == "auto":
            layout = recognise(info)
        else:
            layout = named(info, options.layout, None if labels is None else len(labels))
    except Unsure as doubt:
        raise ModelError(str(doubt)) from doubt
    if layout is None:
        shapes = ", ".join("x".join(map(str, spec.shape)) or "none" for spec in info.outputs)
        raise ModelError(
            f"the yolo decoder needs one output of 1 x rows x channels or 1 x channels x rows that "
            f"fits its input; the model has {shapes or 'none'}",
            f"name the layout, or {_CURE}",
        )
    return layout
