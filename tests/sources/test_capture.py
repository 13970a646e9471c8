"""A device with its buffers."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np

from edge_agent.sources.base import Image
from edge_agent.sources.capture import Capture


class Grey:
    """A device that fills the buffers that it is given."""

    def read(self, image: Image) -> tuple[bool, Image]:
        """One picture, in the buffer if that is large enough."""
        if image.shape == (48, 64, 3):
            image[:] = 7
            return True, image
        return True, np.full((48, 64, 3), 7, np.uint8)

    def isOpened(self) -> bool:
        """Always."""
        return True

    def set(self, prop: int, value: float) -> bool:
        """Nothing of interest."""
        return True

    def get(self, prop: int) -> float:
        """Nothing of interest."""
        return 0.0

    def release(self) -> None:
        """Close it."""


def test_a_closed_capture_keeps_no_buffers() -> None:
    """They go at once, not when garbage is collected: a camera that comes and goes would grow."""
    capture = Capture(Grey())
    capture.read()
    frames: list[Any] = [capture.read() for _ in range(3)]
    alive = [weakref.ref(frame if frame.base is None else frame.base) for frame in frames]
    gc.disable()
    try:
        capture.close()
        frames.clear()
        assert all(ref() is None for ref in alive)
    finally:
        gc.enable()
    assert capture.read() is None
