"""What a YOLO model's one output means, told from its shape, the labels and the model's notes.

The number of rows is that of the grid cells of all strides (times three anchors for YOLOv5 and v7),
and the number of channels that of the classes plus four or five: together they leave little doubt.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edge_agent.decoders.base import Unsure, input_size
from edge_agent.model import ModelInfo

Kind = Literal["v5", "v8", "end2end"]

STRIDES = ((8, 16, 32), (8, 16, 32, 64), (4, 8, 16, 32), (16, 32))
_ANCHORS = 3
_END2END = (300, 6)  # the rows that Ultralytics and YOLOv10 keep, with box, score and class
_OTHER_TASKS = ("segment", "pose", "obb")


@dataclass(frozen=True, slots=True)
class Layout:
    """`kind`: v5 has an objectness, v8 none, end2end is box, score and class after NMS.

    `channels_first`: [1, channels, rows], else [1, rows, channels]. `extra` channels follow those
    of the classes.
    """

    kind: Kind
    channels_first: bool
    rows: int
    classes: int | None
    extra: int = 0

    @property
    def first(self) -> int:
        """Channels before those of the classes; end2end has one number for the best class."""
        return {"v5": 5, "v8": 4, "end2end": 6}[self.kind]

    @property
    def text(self) -> str:
        """It in words, as in "boxes, objectness and 80 classes of 25200 places"."""
        if self.kind == "end2end":
            return f"boxes, scores and classes of up to {self.rows} objects"
        objectness = ", objectness" if self.kind == "v5" else ""
        return f"boxes{objectness} and {self.classes} class scores of {self.rows} places"


def grid_cells(size: tuple[int, int], strides: tuple[int, ...] = STRIDES[0]) -> int:
    """Cells of all grids over a picture of (width, height)."""
    return sum(-(-size[0] // stride) * -(-size[1] // stride) for stride in strides)


def has_every_cell(info: ModelInfo, output: int) -> bool:
    """Whether an output of 1 x rows x ... has a row for each cell, so before any NMS."""
    size, shape = input_size(info), info.outputs[output].shape
    if size is None or len(shape) < 2:
        return False
    return shape[1] in {grid_cells(size, strides) for strides in STRIDES}


def recognise(info: ModelInfo) -> Layout | None:
    """The layout where it is certain, None for another kind of model; raises Unsure between."""
    shape = detector_shape(info)
    if shape is None:
        return None
    if (task := info.metadata.get("task")) in _OTHER_TASKS:
        other = ": set task: yolo_pose" if task == "pose" else ", but its outputs are of another"
        raise Unsure(f"the file says that its task is {task}{other}")
    if task not in (None, "detect"):
        return None
    found = by_places(info, shape)
    if found is None and (task == "detect" or 84 in shape or 85 in shape):
        raise Unsure(
            f"output 0 ({shape[0]}x{shape[1]}) may be a YOLO head, but not with so many rows for "
            "its input: set task: {name: yolo, layout: v5 or v8}"
        )
    return found


def by_places(info: ModelInfo, shape: tuple[int, int], extra: int = 0) -> Layout | None:
    """The layout of an output with so many rows and channels, `extra` of them for other things.

    Raises Unsure where an objectness may be one of them.
    """
    return _by_grid(info, shape, extra) or _end_to_end(info, shape, extra)


def named(info: ModelInfo, kind: Kind, labels: int | None) -> Layout | None:
    """The layout that the user names: its channels fit the labels, else are the shorter side."""
    shape = detector_shape(info)
    if shape is None:
        return None
    boxes = {"v5": 5, "v8": 4, "end2end": 6}[kind]
    fits = [side == boxes + (labels or 0) * (kind != "end2end") for side in shape]
    first = fits[0] if fits[0] != fits[1] else shape[0] < shape[1]
    channels, rows = shape if first else shape[::-1]
    if channels <= boxes - (kind == "end2end"):
        return None
    return Layout(kind, first, rows, None if kind == "end2end" else channels - boxes)


def detector_shape(info: ModelInfo) -> tuple[int, int] | None:
    """The two sides of the only output, 1 x a x b; None for other models."""
    if len(info.outputs) != 1 or len(info.outputs[0].shape) != 3:
        return None
    batch, first, second = info.outputs[0].shape
    return (first, second) if batch in (1, -1) and min(first, second) > 4 else None


def _by_grid(info: ModelInfo, shape: tuple[int, int], extra: int) -> Layout | None:
    size = input_size(info)
    if size is None:
        return None
    cells = {grid_cells(size, strides) for strides in STRIDES}
    for first, (channels, rows) in ((True, shape), (False, shape[::-1])):
        plain = channels - extra
        if rows in {_ANCHORS * count for count in cells} and plain > 5:
            return Layout("v5", first, rows, plain - 5, extra)
        if rows in cells and plain > 4 and _without_objectness(info, first, plain):
            return Layout("v8", first, rows, plain - 4, extra)
    return None


def _without_objectness(info: ModelInfo, channels_first: bool, channels: int) -> bool:
    """Whether the channels are box and classes, not box, objectness and classes as in YOLOX."""
    labels = len(info.labels) if info.labels is not None else None
    if channels_first or "imgsz" in info.metadata or labels == channels - 4:
        return True
    if labels == channels - 5 or (labels is None and channels == 85):
        return False
    if labels is None and channels == 84:
        return True
    raise Unsure(
        f"output 0 has {channels} channels, which may be {channels - 4} classes (YOLOv8) or "
        f"{channels - 5} with an objectness (YOLOX): give the labels, or set task: "
        "{name: yolo, layout: v8} or task: yolox"
    )


def _end_to_end(info: ModelInfo, shape: tuple[int, int], extra: int) -> Layout | None:
    rows, plain = shape[0], shape[1] - extra
    certain = (rows, plain) == _END2END or info.metadata.get("end2end") in (True, "True", "true")
    return Layout("end2end", False, rows, None, extra) if plain == 6 and certain else None
