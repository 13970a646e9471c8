"""Blackens what nobody may see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from edge_agent.frame import Frame
from edge_agent.options import Polygon

_BLACK = (0, 0, 0)
_SHIFT = 8  # corners in 1/256 of a pixel


class PrivacyMask:
    """Fills polygons (0..1 of the frame) with black, in a copy: other pipelines share the frame.

    Without polygons it hands the frame through. `areas` are the polygons.
    """

    def __init__(self, polygons: Sequence[Polygon]) -> None:
        self.areas = tuple(map(tuple, polygons))
        self._polygons = [np.array(polygon, np.float64) for polygon in polygons]

    def apply(self, frame: Frame) -> Frame:
        """Frame without what is masked."""
        if not self._polygons:
            return frame
        data = frame.data.copy()
        for polygon in self._polygons:
            # Pixel p covers p..p+1, so its centre is at p + 0.5. Filling alone leaves pixels that a
            # slanted edge only touches; the outline takes them, and not three pixels more.
            corners = np.rint((polygon * frame.size - 0.5) * 2**_SHIFT).astype(np.int32)
            cv2.fillPoly(data, [corners], _BLACK, shift=_SHIFT)
            cv2.polylines(data, [corners], True, _BLACK, thickness=3, shift=_SHIFT)
        return replace(frame, data=data)
