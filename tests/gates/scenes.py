"""Frames that the gates' tests make, and what a gate says to them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.frame import Frame
from edge_agent.gates.base import Verdict
from edge_agent.options import Options

SIZE = (320, 180)
Picture = NDArray[np.uint8]


class Checks(Protocol):
    """A gate or a chain of gates."""

    def check(self, frame: Frame, active: bool) -> Verdict:
        """Judge one frame."""


def frame(picture: NDArray[Any], timeline: float) -> Frame:
    """A frame at a time."""
    return Frame("door", 0, picture, 0.0, 0, timeline)


def room(size: tuple[int, int] = SIZE, low: int = 60, high: int = 180) -> Picture:
    """A quiet scene of soft spots between two brightnesses."""
    spots = np.random.default_rng(1).integers(low, high, (9, 16, 3), np.uint8)
    return np.asarray(cv2.resize(spots, size, interpolation=cv2.INTER_LINEAR), np.uint8)


def with_square(
    picture: Picture, x: int, y: int, side: int = 40, bgr: tuple[int, int, int] = (250, 250, 250)
) -> Picture:
    """The scene with a square in it, its left top corner at x, y."""
    changed = picture.copy()
    changed[max(0, y) : y + side, max(0, x) : x + side] = bgr
    return changed


def lighter(picture: Picture, by: int) -> Picture:
    """The scene with each pixel brighter (or darker) by so much."""
    return np.clip(picture.astype(np.int16) + by, 0, 255).astype(np.uint8)


def noisy(picture: Picture, rng: np.random.Generator, sigma: float = 3.0) -> Picture:
    """The scene with the noise of a sensor."""
    noise = rng.normal(0.0, sigma, picture.shape)
    return np.clip(np.rint(picture + noise), 0, 255).astype(np.uint8)


def play(
    gate: Checks,
    pictures: Iterable[Picture],
    start: float = 0.0,
    fps: float = 10.0,
    active: bool = False,
) -> list[Verdict]:
    """Verdicts on pictures at a constant rate."""
    return [
        gate.check(frame(picture, start + number / fps), active)
        for number, picture in enumerate(pictures)
    ]


def still(picture: Picture, count: int) -> list[Picture]:
    """The same picture again and again."""
    return [picture] * count


def reasons(verdicts: Iterable[Verdict]) -> list[str]:
    """Why each frame passed or did not."""
    return [verdict.reason for verdict in verdicts]


def recording(path: Path) -> Iterator[Picture]:
    """The pictures of a file."""
    capture = cv2.VideoCapture(str(path))
    try:
        while True:
            done, picture = capture.read()
            if not done:
                return
            yield np.asarray(picture, np.uint8)
    finally:
        capture.release()


class Scripted:
    """A gate that always says the same, and remembers what it was asked."""

    Options: ClassVar[type[Options]] = Options

    def __init__(self, verdict: Verdict) -> None:
        self._verdict = verdict
        self.asked: list[tuple[float, bool]] = []
        self.resets = 0

    def check(self, frame: Frame, active: bool) -> Verdict:
        """Say it."""
        self.asked.append((frame.timeline, active))
        return self._verdict

    def reset(self) -> None:
        """Count."""
        self.resets += 1
