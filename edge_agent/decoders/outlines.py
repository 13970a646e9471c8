"""From the pixels of a class to its outlines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.decoders.nms import Floats


def outlines(mask: NDArray[np.bool_], tolerance: float) -> Iterator[Floats]:
    """Outlines of the true pixels and of the holes in them, each N x 2 (x, y in pixels).

    Pixel 0 reaches from 0 to 1. The lines run within the pixels at their edge, and may leave them
    by `tolerance` pixels.
    """
    # Contours go through the middles of pixels; of four for each one, these are near its corners.
    fine = mask.astype(np.uint8).repeat(2, axis=0).repeat(2, axis=1)
    found, _ = cv2.findContours(fine, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    for each in found:
        line: NDArray[Any] = cv2.approxPolyDP(each, 2 * tolerance, closed=True)
        if len(line) >= 3:
            yield line[:, 0].astype(np.float32) * np.float32(0.5) + np.float32(0.25)
