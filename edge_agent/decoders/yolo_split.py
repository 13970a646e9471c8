"""Detections of YOLOv8, 11 and later models whose boxes and scores come apart.

`ultralytics/ultralytics`, `Detect.forward`, `DFL` and `dist2bbox`: from the middle of a cell each
side is as far as the mean of its distribution says, in strides. Exports for accelerators (Hailo,
Rockchip, NXP, Qualcomm, DeGirum) leave those steps out, or give what they make as two outputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from edge_agent.decoders.activation import ToldActivation, Wanted
from edge_agent.decoders.base import Reader, Unsure, input_size
from edge_agent.decoders.boxes import BoxOptions, Candidates, Finish, corners, joined
from edge_agent.decoders.dense import grid_centres, mean_distances
from edge_agent.decoders.labels import Labels, fit_to_classes
from edge_agent.decoders.nms import Floats, Indices
from edge_agent.decoders.priors import Activation
from edge_agent.decoders.ssd_scores import AnchorScores
from edge_agent.decoders.yolo_parts import Group, Parts, read_parts
from edge_agent.errors import ModelError
from edge_agent.geometry import BoxMapping
from edge_agent.model import ModelInfo
from edge_agent.options import Doc
from edge_agent.result import Detection, Kind

Form = Literal["auto", "corners", "centres", "distances"]

_PIXELS_FROM = 2.0  # a fraction of the picture is never that large


@dataclass(frozen=True, slots=True)
class YoloSplitOptions(BoxOptions):
    """How boxes and scores that come apart are read."""

    boxes: Annotated[
        Form,
        Doc(
            "What four numbers of a box are: corners, centre and size, or distances of the sides "
            "from the cell in strides. auto: corners or centres, by the first frame's numbers; "
            "distances for each grid of its own. Distributions (64 numbers) need no option."
        ),
    ] = "auto"
    activation: Wanted = "auto"


class YoloSplitDecoder:
    """Compares the scores in the numbers of the tensors; only boxes that reach it become real."""

    name = "yolo_split"
    kind: Kind = "object"
    pictures: ClassVar[Mapping[str, Any]] = {"pad": 114}
    Options: ClassVar[type[YoloSplitOptions]] = YoloSplitOptions

    def __init__(self, info: ModelInfo, labels: Labels, options: YoloSplitOptions) -> None:
        parts, size = read_parts(info, told=True), input_size(info)
        if parts is None or size is None:
            raise ModelError(
                "the yolo_split decoder needs boxes (4 or 64 numbers) and class scores for all "
                "grid cells of its input, in two outputs or in some for each grid",
                "set task: auto, or task: raw to see the numbers",
            )
        self.labels, self.note = labels, ""
        if parts.classes is not None:
            self.labels, self.note = fit_to_classes(labels, parts.classes)
        self._info = info
        self._parts = parts
        self._readers = [Reader(spec) for spec in info.outputs]
        self._finish = Finish(options, self.labels)
        self._boxes = _Boxes(parts, size, options.boxes)
        scores = [group.scores.output for group in parts.groups]
        self._activation = ToldActivation(info, scores, options.activation)

    @classmethod
    def match(cls, info: ModelInfo) -> str | None:
        """By cells and channels; four numbers for each grid may also be YOLOX's or others'."""
        parts = read_parts(info)
        if parts is None:
            return None
        if parts.sides == "numbers" and len(parts.groups) > 1:
            raise Unsure(
                f"the outputs may be {parts.text} of a YOLO model, or offsets of another: set "
                "task: yolo_split if the numbers are distances of the sides in strides"
            )
        return f"the outputs hold {parts.text}"

    def decode(
        self, outputs: Sequence[NDArray[Any]], mapping: BoxMapping, threshold: float
    ) -> tuple[Detection, ...]:
        """Detections best first, after NMS over all grids."""
        with np.errstate(all="ignore"):  # broken numbers are left out
            scores = [self._native(outputs, group.scores) for group in self._parts.groups]
            activation = self._activation.of(scores)
            found = [
                self._candidates(outputs, group, values, activation, threshold)
                for group, values in zip(self._parts.groups, scores, strict=True)
            ]
            return self._finish.detections(joined(found), mapping, threshold)

    def _native(self, outputs: Sequence[NDArray[Any]], part: Any) -> NDArray[Any]:
        native = self._readers[part.output].native(outputs[part.output])
        rows: NDArray[Any] = part.view(native)
        return rows

    def _candidates(
        self,
        outputs: Sequence[NDArray[Any]],
        group: Group,
        scores: NDArray[Any],
        activation: Activation,
        threshold: float,
    ) -> Candidates:
        reader = self._readers[group.scores.output]
        places = AnchorScores(reader, activation, 0).find(scores.T, threshold)
        classes = places.classes
        if group.index is not None:
            numbers = self._native(outputs, group.index)[0, places.index]
            classes = np.rint(self._readers[group.index.output].real(numbers)).astype(np.intp)
        table = self._native(outputs, group.boxes)
        reader = self._readers[group.boxes.output]
        if not self._boxes.is_told:
            self._boxes.tell(reader.real(table))
        boxes = self._boxes.corners(reader.real(table[:, places.index]), group, places.index)
        return Candidates(boxes, places.scores, classes)


class _Boxes:
    """Makes corners of the numbers of a box, in the form that is known or that they tell."""

    def __init__(self, parts: Parts, size: tuple[int, int], form: Form) -> None:
        self._size = np.array(size, np.float32)[:, None]
        self._is_distribution = parts.sides == "distributions"
        if form == "auto" and (self._is_distribution or len(parts.groups) > 1):
            form = "distances"
        self._form = "distances" if self._is_distribution else form
        self._unit: Floats | None = None
        self._cells = {group.strides: grid_centres(size, group.strides) for group in parts.groups}

    @property
    def is_told(self) -> bool:
        """Whether the form is known, and for decoded boxes the unit."""
        return self._form == "distances" or (self._form != "auto" and self._unit is not None)

    def tell(self, numbers: Floats) -> None:
        """Learn from all boxes of a frame (4 x N): sizes are somewhere less than centres."""
        finite = numbers[:, np.isfinite(numbers).all(axis=0)]
        if self._form == "auto" and finite.any():
            areas = finite[2:] - finite[:2]
            self._form = "centres" if (areas < 0.0).any() else "corners"
        if self._unit is None and finite.any():
            is_pixel = float(finite.max()) > _PIXELS_FROM
            self._unit = self._size if is_pixel else np.ones_like(self._size)

    def corners(self, numbers: Floats, group: Group, places: Indices) -> Floats:
        """N x 4 corners, 0..1 of the input, of the boxes at those places."""
        if self._form != "distances":
            unit = self._size if self._unit is None else self._unit
            first, second = numbers[:2] / unit, numbers[2:] / unit
            if self._form == "centres":
                return corners(first, second)
            return np.ascontiguousarray(np.concatenate([first, second]).T)
        cells, strides = self._cells[group.strides]
        sides = mean_distances(numbers) if self._is_distribution else numbers
        middles = cells[:, places] + np.float32(0.5)
        low, high = middles - sides[:2], middles + sides[2:]
        scale = strides[places] / self._size
        boxes: Floats = np.ascontiguousarray(np.concatenate([low * scale, high * scale]).T)
        return boxes
