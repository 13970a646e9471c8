"""Where a frame lies in the picture that the model sees: stretched, letterboxed or cropped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from edge_agent.geometry import BoxMapping

Fit = Literal["stretch", "letterbox", "crop"]


@dataclass(frozen=True, slots=True)
class Rect:
    """Whole pixels: left, top, width, height."""

    x: int
    y: int
    width: int
    height: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns of an array that show this part of it."""
        return slice(self.y, self.y + self.height), slice(self.x, self.x + self.width)


@dataclass(frozen=True, slots=True)
class Placement:
    """The `source` part of the frame is scaled to the `target` part of the tensor.

    `mapping` leads from the tensor back to the frame. It is worked out from the whole pixels that
    are really used, so that rounding moves no box.
    """

    source: Rect
    target: Rect
    mapping: BoxMapping


def place(fit: Fit, frame: tuple[int, int], tensor: tuple[int, int]) -> Placement:
    """Placement of a frame of (width, height) in a tensor of (width, height)."""
    source, target = Rect(0, 0, *frame), Rect(0, 0, *tensor)
    if fit == "letterbox":
        target = _inner(frame, tensor)
    elif fit == "crop":
        source = _inner(tensor, frame)
    return Placement(source, target, _mapping(frame, tensor, source, target))


def _inner(shape: tuple[int, int], room: tuple[int, int]) -> Rect:
    """The largest rectangle of the shape's aspect ratio that fits the room, in its middle."""
    scale = min(room[0] / shape[0], room[1] / shape[1])
    width = min(room[0], max(1, round(shape[0] * scale)))
    height = min(room[1], max(1, round(shape[1] * scale)))
    return Rect((room[0] - width) // 2, (room[1] - height) // 2, width, height)


def _mapping(
    frame: tuple[int, int], tensor: tuple[int, int], source: Rect, target: Rect
) -> BoxMapping:
    """Map for the place that the whole frame takes, which may reach beyond the tensor."""
    zoom_x, zoom_y = target.width / source.width, target.height / source.height
    x, y = target.x - source.x * zoom_x, target.y - source.y * zoom_y
    return BoxMapping.for_placement(tensor, (x, y, frame[0] * zoom_x, frame[1] * zoom_y))
