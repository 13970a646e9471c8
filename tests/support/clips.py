"""Short clips, for what need not be long."""

from __future__ import annotations

from pathlib import Path

import cv2

from tests.support.agent import ASSETS


def write_start_of_belt(path: Path, frames: int = 75) -> Path:
    """The first frames of the bundled clip."""
    source = cv2.VideoCapture(str(ASSETS / "belt.mp4"))
    size = [int(source.get(s)) for s in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)]
    code = cv2.VideoWriter.fourcc(*"MJPG")
    target = cv2.VideoWriter(str(path), code, source.get(cv2.CAP_PROP_FPS), size)
    assert target.isOpened()
    for _ in range(frames):
        is_read, image = source.read()
        assert is_read
        target.write(image)
    target.release()
    source.release()
    return path
