"""Detections of YOLO models that give the raw numbers of their grids.

The formulas are those of Darknet's `yolo_layer.c` (YOLOv3, and v4 with its `scale_x_y`) and of
`Detect.forward` in `ultralytics/yolov5`; a score is sigmoid(objectness) * sigmoid(class).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from edge_agent.decoders.base import Reader, Unsure, input_size
from edge_agent.decoders.boxes import BoxOptions, Candidates, Finish, corners, joined
from edge_agent.decoders.dense import logit, sigmoid
from edge_agent.decoders.labels import fit_to_classes
from edge_agent.decoders.nms import Floats
from edge_agent.decoders.yolo_grids import NXP_FACE, PRESETS, Grid, Preset, read_grids
from edge_agent.errors import ModelError
from edge_agent.geometry import BoxMapping
from edge_agent.model import ModelInfo
from edge_agent.options import Doc, Positive
from edge_agent.result import Detection, Kind

_ANCHORS = 3  # of each grid, in all that is published
_COCO_CHANNELS = 85


@dataclass(frozen=True, slots=True)
class YoloAnchorsOptions(BoxOptions):
    """How the grids of a YOLO model are read."""

    preset: Annotated[
        Literal[
            "auto", "yolov3", "yolov3-tiny", "yolov4", "yolov4-tiny", "yolov5", "yolov7", "nxp-face"
        ],
        Doc(
            "The family, which says how numbers become boxes, and its anchors. auto: yolov3 where "
            "anchors are given, else only what is known by its shapes."
        ),
    ] = "auto"
    anchors: Annotated[
        list[list[tuple[Positive, Positive]]] | None,
        Doc(
            "Widths and heights of the anchors in px of the input, in place of the preset's: a "
            "list for each grid, the finest first."
        ),
    ] = None


class YoloAnchorsDecoder:
    """Looks for objectness in the numbers of the tensors; only the cells that have it become real.

    A grid is 1 x rows x columns x (anchors (5 + classes)), or has its channels or anchors first.
    """

    name = "yolo_anchors"
    kind: Kind = "object"
    Options: ClassVar[type[YoloAnchorsOptions]] = YoloAnchorsOptions

    def __init__(
        self, info: ModelInfo, labels: tuple[str, ...] | None, options: YoloAnchorsOptions
    ) -> None:
        self._preset = _preset(info, options)
        size = input_size(info)
        found = read_grids(info, len(self._preset.anchors[0]))
        if size is None or found is None or len(found[0]) != len(self._preset.anchors):
            raise _no_grids(len(self._preset.anchors), len(self._preset.anchors[0]))
        self._grids, channels = found
        self.labels, self.note = fit_to_classes(labels or self._preset.labels, channels - 5)
        self.pictures = {"pad": self._preset.pad}
        self._finish = Finish(options, self.labels)
        self._readers = [Reader(info.outputs[grid.output]) for grid in self._grids]
        self._size = np.array(size, np.float32)[:, None]

    @classmethod
    def match(cls, info: ModelInfo) -> str | None:
        """Only what is known by its shapes: the anchors of others are not in the file."""
        found = read_grids(info, _ANCHORS)
        if found is None or len(found[0]) < 2:
            return None
        grids, channels = found
        if _is_nxp_face(info):
            return "the outputs have the shapes of the face detector of NXP's eIQ Model Zoo"
        wanted = _COCO_CHANNELS if info.labels is None else len(info.labels) + 5
        if channels == wanted:
            families = [name for name, p in PRESETS.items() if len(p.anchors) == len(grids)]
            raise Unsure(
                f"the outputs may be {len(grids)} grids of a YOLO model with {channels - 5} "
                "classes, whose anchors are not in the file: set task: {name: yolo_anchors, "
                f"preset: {' or '.join(families[:-1])}}}, or its anchors"
            )
        return None

    def decode(
        self, outputs: Sequence[NDArray[Any]], mapping: BoxMapping, threshold: float
    ) -> tuple[Detection, ...]:
        """Detections best first, after NMS over all grids."""
        with np.errstate(all="ignore"):  # broken numbers are left out
            found = [
                self._candidates(number, grid, outputs[grid.output], threshold)
                for number, grid in enumerate(self._grids)
            ]
            return self._finish.detections(joined(found), mapping, threshold)

    def _candidates(
        self, number: int, grid: Grid, values: NDArray[Any], threshold: float
    ) -> Candidates:
        """What one grid has; the anchors of a cell follow each other, cells row by row."""
        reader = self._readers[number]
        table = grid.view(reader.native(values))
        places = np.nonzero(table[..., 4] >= reader.least(logit(threshold)))
        numbers = reader.real(table[places]).T
        classes = numbers[5:].argmax(axis=0)
        scores = sigmoid(numbers[4]) * sigmoid(np.take_along_axis(numbers[5:], classes[None], 0)[0])
        enough = np.flatnonzero(scores >= threshold)
        rows, columns, anchors = (axis[enough] for axis in places)
        cells = np.stack([columns, rows]).astype(np.float32)
        boxes = self._boxes(number, numbers[:4, enough], cells, anchors)
        return Candidates(boxes, scores[enough], classes[enough])

    def _boxes(
        self, number: int, numbers: Floats, cells: Floats, anchors: NDArray[np.intp]
    ) -> Floats:
        """From x, y, width and height of the cells (2 x N) and the numbers of their anchors."""
        scale = np.float32(self._preset.scale_xy[number])
        stride = np.float32(self._grids[number].stride)
        centres = (sigmoid(numbers[:2]) * scale - (scale - 1) / 2 + cells) * stride
        sizes = (2 * sigmoid(numbers[2:])) ** 2 if self._preset.square else np.exp(numbers[2:])
        sizes = sizes * np.array(self._preset.anchors[number], np.float32)[anchors].T
        return corners(centres / self._size, sizes / self._size)


def _is_nxp_face(info: ModelInfo) -> bool:
    size, channels = NXP_FACE
    shapes = [spec.shape[-1] for spec in info.outputs if spec.shape]
    return input_size(info) == size and shapes == [channels] * 3


def _preset(info: ModelInfo, options: YoloAnchorsOptions) -> Preset:
    """The family that is named, with the anchors that are given; raises ModelError."""
    name = options.preset
    if name == "auto":
        if options.anchors is None and not _is_nxp_face(info):
            raise ModelError(
                "the anchors of the model are not known: they are not in the file",
                f"set task: {{name: yolo_anchors, preset: ...}} ({', '.join(PRESETS)}), or give "
                "anchors; task: raw shows the numbers",
            )
        name = "yolov3" if options.anchors is not None else "nxp-face"
    preset = PRESETS[name]
    if options.anchors is None:
        return preset
    anchors = tuple(tuple((w, h) for w, h in row) for row in options.anchors)
    if not anchors or {len(row) for row in anchors} != {len(anchors[0])} or not anchors[0]:
        raise ModelError("the lists of anchors must be of one length, and not empty")
    scales = preset.scale_xy
    if len(scales) != len(anchors):
        scales = (scales[0],) * len(anchors)
    return dataclasses.replace(preset, anchors=anchors, scale_xy=scales)


def _no_grids(grids: int, anchors: int) -> ModelError:
    return ModelError(
        f"the yolo_anchors decoder needs {grids} outputs of 1 x rows x columns x channels, the "
        f"channels being {anchors} times 5 + classes and the sides those of the input's grids",
        "give the anchors of this model, or set task: raw to see the numbers",
    )
