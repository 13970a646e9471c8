"""Objects with their masks, of YOLOv5, v8, 11 and 26 segment models.

`ultralytics/ultralytics`, `Segment.forward` and `process_mask_native`: each place has coefficients
behind its class scores; the mask of an object is where their sum over the prototypes, a second
output, is positive inside its box.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.decoders.base import Reader, Unsure, input_size
from edge_agent.decoders.boxes import BoxOptions, Finish
from edge_agent.decoders.labels import fit_to_classes
from edge_agent.decoders.nms import Floats
from edge_agent.decoders.outlines import outlines
from edge_agent.decoders.yolo_layout import Layout, by_places
from edge_agent.decoders.yolo_table import CURE, Units, YoloTable
from edge_agent.errors import ModelError
from edge_agent.geometry import BoxMapping, Point
from edge_agent.model import ModelInfo
from edge_agent.options import Doc, Fraction
from edge_agent.result import Detection, Kind

_STRIDES = (4, 8, 2)  # of the prototypes; published ones have 4
_MOST_PROTOTYPES = 256


@dataclass(frozen=True, slots=True)
class YoloSegmentOptions(BoxOptions):
    """How the outputs of a YOLO segment model are read."""

    units: Annotated[
        Units,
        Doc("Of the boxes: fractions or pixels of the model's input. auto: by their numbers."),
    ] = "auto"
    tolerance: Annotated[
        Fraction,
        Doc("How far outlines may leave the pixels, as part of the frame's longer side."),
    ] = 0.002


@dataclass(frozen=True, slots=True)
class _Heads:
    """Which output holds boxes and which the prototypes; `sides` are their rows and columns."""

    boxes: int
    layout: Layout
    prototypes: int
    channels_first: bool
    sides: tuple[int, int]
    stride: int


class YoloSegmentDecoder:
    """Gives the boxes as a detector does, each with the outlines of its mask.

    Only the part of the prototypes that a box covers is made real, and made as fine as the model's
    picture before it is cut off.
    """

    name = "yolo_segment"
    kind: Kind = "object"
    pictures: ClassVar[Mapping[str, Any]] = {"pad": 114}
    Options: ClassVar[type[YoloSegmentOptions]] = YoloSegmentOptions

    def __init__(
        self, info: ModelInfo, labels: tuple[str, ...] | None, options: YoloSegmentOptions
    ) -> None:
        heads = _told_heads(info, labels)
        classes = heads.layout.classes
        self.labels, self.note = labels, ""
        if classes is not None:
            self.labels, self.note = fit_to_classes(labels, classes)
        self._heads = heads
        self._finish = Finish(options, self.labels)
        spec = info.outputs[heads.boxes]
        self._table = YoloTable(spec, heads.layout, input_size(info), options.units)
        self._reader = Reader(info.outputs[heads.prototypes])
        self._tolerance = options.tolerance

    @classmethod
    def match(cls, info: ModelInfo) -> str | None:
        """By an output of all grid cells, and one of as many prototypes as fit its channels."""
        heads = _heads(info)
        if heads is None:
            return None
        rows, columns = heads.sides
        return (
            f"output {heads.boxes} holds {heads.layout.text} and {heads.layout.extra} mask "
            f"coefficients, output {heads.prototypes} their prototypes of {columns}x{rows} "
            f"(layout {heads.layout.kind})"
        )

    def decode(
        self, outputs: Sequence[NDArray[Any]], mapping: BoxMapping, threshold: float
    ) -> tuple[Detection, ...]:
        """Detections best first, after NMS where the model has none of its own."""
        with np.errstate(all="ignore"):  # broken numbers are left out
            values = outputs[self._heads.boxes]
            found, places = self._table.find(values, threshold)
            prototypes = self._prototypes(outputs[self._heads.prototypes])

            def with_mask(row: int, detection: Detection) -> Detection:
                coefficients = self._table.others(values, int(places[row]))
                lines = self._lines(coefficients, prototypes, found.boxes[row], mapping)
                return dataclasses.replace(detection, polygons=lines)

            if self._heads.layout.kind == "end2end":
                return self._finish.without_nms(found, mapping, with_mask)
            return self._finish.detections(found, mapping, threshold, with_mask)

    def _prototypes(self, values: NDArray[Any]) -> NDArray[Any]:
        """Rows x columns x prototypes in native numbers, not copied."""
        native = self._reader.native(values)[0]
        table: NDArray[Any] = native.transpose(1, 2, 0) if self._heads.channels_first else native
        return table

    def _lines(
        self, coefficients: Floats, prototypes: NDArray[Any], box: Floats, mapping: BoxMapping
    ) -> tuple[tuple[Point, ...], ...]:
        """Outlines in the frame of the mask inside a box (0..1 of the tensor)."""
        rows, columns = self._heads.sides
        step = self._heads.stride
        size = np.array([columns, rows], np.float32)
        corners = np.clip(box.reshape(2, 2), 0.0, 1.0) * size
        # One more at each side, from which the pixels at the border are made.
        low = np.maximum(np.floor(corners[0]).astype(int) - 1, 0)
        high = np.minimum(np.ceil(corners[1]).astype(int) + 1, (columns, rows))
        part = self._reader.real(prototypes[low[1] : high[1], low[0] : high[0]])
        sums = part @ coefficients
        if not sums.size or not np.isfinite(sums).all():
            return ()
        mask = _enlarged(sums, step) > 0.0
        _cut(mask, (corners - low) * step)
        tolerance = self._tolerance * step * max(columns / mapping.scale_x, rows / mapping.scale_y)
        return tuple(
            _on_frame((line / step + low) / size, mapping) for line in outlines(mask, tolerance)
        )


def _enlarged(sums: Floats, step: int) -> Floats:
    height, width = sums.shape
    size = (width * step, height * step)
    fine = cv2.resize(np.ascontiguousarray(sums), size, interpolation=cv2.INTER_LINEAR)
    return np.asarray(fine, np.float32)


def _cut(mask: NDArray[np.bool_], corners: Floats) -> None:
    """Take away what is outside the box: pixels whose middle is."""
    (x1, y1), (x2, y2) = (corners - 0.5).tolist()
    mask[: max(0, math.ceil(y1))] = False
    mask[max(0, math.ceil(y2)) :] = False
    mask[:, : max(0, math.ceil(x1))] = False
    mask[:, max(0, math.ceil(x2)) :] = False


def _on_frame(line: Floats, mapping: BoxMapping) -> tuple[Point, ...]:
    places = mapping.boxes(np.concatenate([line, line], axis=1))[:, :2]
    return tuple((x, y) for x, y in places.tolist())


def _told_heads(info: ModelInfo, labels: tuple[str, ...] | None) -> _Heads:
    try:
        heads = _heads(dataclasses.replace(info, labels=labels))
    except Unsure as doubt:
        raise ModelError(str(doubt)) from doubt
    if heads is None:
        raise ModelError(
            "the yolo_segment decoder needs two outputs: 1 x channels x places with box, class "
            "scores and mask coefficients for all grid cells of its input, and 1 x rows x columns "
            "x prototypes",
            CURE,
        )
    return heads


def _heads(info: ModelInfo) -> _Heads | None:
    """The two outputs in either order; raises Unsure where a channel may be an objectness."""
    size = input_size(info)
    shapes = [spec.shape for spec in info.outputs]
    if size is None or sorted(map(len, shapes)) != [3, 4]:
        return None
    boxes = 0 if len(shapes[0]) == 3 else 1
    _, *sides = shapes[1 - boxes]
    _, first, second = shapes[boxes]
    for step in _STRIDES:
        cells = [-(-size[1] // step), -(-size[0] // step)]
        for channels_first, found, count in (
            (False, sides[:2], sides[2]),
            (True, sides[1:], sides[0]),
        ):
            if found == cells and 1 <= count <= _MOST_PROTOTYPES:
                layout = by_places(info, (first, second), count)
                if layout is not None:
                    rows, columns = found
                    return _Heads(boxes, layout, 1 - boxes, channels_first, (rows, columns), step)
    return None
