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

from edge_agent.decoders.base import Unsure, input_size
from edge_agent.decoders.boxes import BoxOptions, Finish
from edge_agent.decoders.labels import fit_to_classes
from edge_agent.decoders.yolo_layout import Layout, named, recognise
from edge_agent.decoders.yolo_table import CURE, Units, YoloTable
from edge_agent.errors import ModelError
from edge_agent.geometry import BoxMapping
from edge_agent.model import ModelInfo
from edge_agent.options import Doc
from edge_agent.result import Detection, Kind


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
        Units,
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
        layout = _layout(info, labels, options)
        self.labels, self.note = labels, ""
        if layout.classes is not None:
            self.labels, self.note = fit_to_classes(labels, layout.classes)
        self._finish = Finish(options, self.labels)
        self._table = YoloTable(info.outputs[0], layout, input_size(info), options.units)

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
            found, _ = self._table.find(outputs[0], threshold)
            if self._table.layout.kind == "end2end":
                return self._finish.without_nms(found, mapping)
            return self._finish.detections(found, mapping, threshold)


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
            f"name the layout, or {CURE}",
        )
    return layout
