"""Blackens what nobody may see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from edge_agent.frame import Frame
from edge_agent.options import Polygon


class PrivacyMask:
    """Fills polygons (0..1 of the frame) with black, in a copy: other pipelines share the frame.

    Without polygons it hands the frame through.
    """

    def __init__(self, polygons: Sequence[Polygon]) -> None:
        self._polygons = [np.array(polygon, np.float64) for polygon in polygons]

    def apply(self, frame: Frame) -> Frame:
        """Frame without what is masked."""
        if not self._polygons:
            return frame
        data = frame.data.copy()
        for polygon in self._polygons:
            # Pixel p covers p..p+1, so every pixel that the polygon touches is filled.
            corners = np.floor(polygon * frame.size).astype(np.int32)
            cv2.fillPoly(data, [corners], (0, 0, 0))
        return replace(frame, data=data)
