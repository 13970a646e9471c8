"""Boxes and the map from model coordinates to frame coordinates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Box = tuple[float, float, float, float]
"""x1, y1, x2, y2 as fractions (0..1) of the source frame; y grows downwards."""

Point = tuple[float, float]
"""x, y as fractions (0..1) of the source frame."""


@dataclass(frozen=True, slots=True)
class BoxMapping:
    """Affine map from model-input coordinates (0..1 of the tensor) to the source frame (0..1).

    `frame = tensor * scale + offset`, separately for x and y. The identity is a plain stretch;
    letterbox and crop have other numbers. Build it with `for_placement`.
    """

    scale_x: float = 1.0
    scale_y: float = 1.0
    offset_x: float = 0.0
    offset_y: float = 0.0

    @classmethod
    def for_placement(
        cls, tensor_size: tuple[int, int], content: tuple[float, float, float, float]
    ) -> BoxMapping:
        """Map for a whole frame drawn into `content` = (x, y, width, height) of the tensor, px."""
        width, height = tensor_size
        x, y, content_width, content_height = content
        return cls(
            width / content_width, height / content_height, -x / content_width, -y / content_height
        )

    def box(self, box: Box) -> Box:
        """Map one box (x1, y1, x2, y2, 0..1 of the tensor) to the frame, clipped to 0..1."""
        x1, y1, x2, y2 = box
        return (
            _clip(x1 * self.scale_x + self.offset_x),
            _clip(y1 * self.scale_y + self.offset_y),
            _clip(x2 * self.scale_x + self.offset_x),
            _clip(y2 * self.scale_y + self.offset_y),
        )

    def boxes(self, boxes: NDArray[np.float32], clip: bool = True) -> NDArray[np.float32]:
        """Map N x 4 boxes (x1, y1, x2, y2, 0..1 of the tensor) to the frame, clipped to 0..1."""
        import numpy as np  # noqa: PLC0415 - who reads events needs boxes, not NumPy

        scale = np.array([self.scale_x, self.scale_y] * 2, np.float32)
        offset = np.array([self.offset_x, self.offset_y] * 2, np.float32)
        mapped = boxes * scale + offset
        return np.clip(mapped, 0.0, 1.0, out=mapped) if clip else mapped


def _clip(value: float) -> float:
    return 0.0 if value < 0.0 else min(value, 1.0)


def iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes, 0..1; 0 where both are empty."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0.0 or height <= 0.0:
        return 0.0
    intersection = width * height
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - intersection
    return intersection / union if union > 0.0 else 0.0
