"""Lets frames through in which something moves, by comparing them with a running background."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

import cv2
import numpy as np
from annotated_types import Ge, Le
from numpy.typing import NDArray

from edge_agent.frame import Frame
from edge_agent.gates.base import Verdict
from edge_agent.geometry import Box
from edge_agent.options import Doc, Duration, Fraction, Options, Polygon

_HEIGHT = 108  # rows of the small picture: a person at 1/10 of the frame's height has 10 of them
_SETTLE = 1.5  # time constant in seconds; short, or people who stood still leave ghosts behind
_LIGHT = 0.6  # part of the frame that only light changes at once, not an object
_OPEN = np.ones((3, 3), np.uint8)
_SAMPLE = (slice(None, None, 4), slice(None, None, 4))  # enough pixels to tell the light by


@dataclass(frozen=True, slots=True)
class MotionOptions(Options):
    """Options of `gate: motion`."""

    threshold: Annotated[
        int, Ge(1), Le(255), Doc("Least change of brightness (0..255) that may be motion.")
    ] = 16
    area: Annotated[
        Fraction, Doc("Least part of the frame that must change in one place to be motion.")
    ] = 0.001
    hold: Annotated[Duration, Doc("Frames pass for this long after the last motion.")] = 1.0
    refresh: Annotated[
        Duration, Doc("A frame passes this long after the last one, even without motion.")
    ] = 10.0
    refresh_active: Annotated[
        Duration, Doc("The same while objects are being followed, so that their end is seen.")
    ] = 0.5
    mask: Annotated[list[Polygon], Doc("Areas in which motion does not count: polygons, 0..1.")] = (
        field(default_factory=list)
    )


class MotionGate:
    """Background subtraction on a small grey picture, robust against light and noise.

    The frame is shrunk to 108 rows and blurred against sensor noise, its brightness is matched to
    the background's, and what differs by more than the threshold in one connected place is motion.
    The background follows exponentially by the frames' own time, so it behaves alike at 2 and at
    30 frames a second. A change of most of the frame at once is light (a lamp, a cloud, the
    exposure): it becomes background and is not motion.
    """

    Options: ClassVar[type[Options]] = MotionOptions

    def __init__(self, options: MotionOptions) -> None:
        self._options = options
        self._scene: _Scene | None = None
        self._last_motion = -math.inf
        self._last_passed = -math.inf

    def check(self, frame: Frame, active: bool) -> Verdict:
        """Pass frames with motion, shortly after it, and now and then in any case."""
        now = frame.timeline
        if self._scene is None or self._scene.frame_size != frame.size:
            self._scene = _Scene(frame, self._options)
            self._last_motion = self._last_passed = now
            return Verdict(True, "first")
        regions = self._scene.update(frame)
        if regions:
            self._last_motion = now
        verdict = self._judge(now, regions, active)
        if verdict.passed:
            self._last_passed = now
        return verdict

    def _judge(self, now: float, regions: tuple[Box, ...], active: bool) -> Verdict:
        if regions:
            return Verdict(True, "motion", regions)
        if now - self._last_motion <= self._options.hold:
            return Verdict(True, "hold")
        wait = self._options.refresh_active if active else self._options.refresh
        if now - self._last_passed >= wait:
            return Verdict(True, "refresh")
        return Verdict(False, "still")

    def reset(self) -> None:
        """Learn the background anew."""
        self._scene = None


class _Scene:
    """The background of one frame size, with all buffers."""

    def __init__(self, frame: Frame, options: MotionOptions) -> None:
        self.frame_size = frame.size
        width, height = frame.size
        rows = min(_HEIGHT, height)
        self._size = (max(1, round(width * rows / height)), rows)
        shape = self._size[1], self._size[0]
        self._small = np.empty((*shape, 3), np.uint8)
        self._grey = np.empty(shape, np.uint8)
        self._diff = np.empty(shape, np.uint8)
        self._seen = np.empty(shape, np.uint8)
        self._background = np.empty(shape, np.float32)
        self._unchanged = options.threshold - 1
        self._least = max(2, math.ceil(options.area * shape[0] * shape[1]))
        self._keep = self._keep_mask(options.mask)
        kept = cv2.countNonZero(self._keep) if self._keep is not None else shape[0] * shape[1]
        self._most = _LIGHT * kept
        self._time = frame.timeline
        self._shrink(frame.data)
        np.copyto(self._background, self._grey)

    def update(self, frame: Frame) -> tuple[Box, ...]:
        """Take in the next frame; boxes (0..1) of what moved in it."""
        self._shrink(frame.data)
        moved = self._changed()
        elapsed = max(0.0, frame.timeline - self._time)
        self._time = frame.timeline
        if moved > self._most:
            np.copyto(self._background, self._grey)
            return ()
        cv2.accumulateWeighted(self._grey, self._background, 1.0 - math.exp(-elapsed / _SETTLE))
        return self._regions() if moved >= self._least else ()

    def _shrink(self, image: NDArray[Any]) -> None:
        # Bilinear, not area: seven times faster, and the blur takes what noise it leaves.
        cv2.resize(image, self._size, dst=self._small, interpolation=cv2.INTER_LINEAR)
        cv2.cvtColor(self._small, cv2.COLOR_BGR2GRAY, dst=self._grey)
        cv2.blur(self._grey, (3, 3), dst=self._grey)

    def _changed(self) -> int:
        """Mark the changed pixels in `_diff`; how many there are."""
        seen = self._background
        cv2.addWeighted(seen, 1.0, seen, 0.0, self._light(), dst=self._seen, dtype=cv2.CV_8U)
        cv2.absdiff(self._grey, self._seen, dst=self._diff)
        cv2.threshold(self._diff, self._unchanged, 255, cv2.THRESH_BINARY, dst=self._diff)
        if self._keep is not None:
            cv2.bitwise_and(self._diff, self._keep, dst=self._diff)
        if cv2.countNonZero(self._diff) < self._least:
            return 0
        cv2.morphologyEx(self._diff, cv2.MORPH_CLOSE, _OPEN, dst=self._diff)
        return cv2.countNonZero(self._diff)

    def _light(self) -> float:
        """How much brighter it has become: the median, which an object does not move as a mean."""
        change = self._grey[_SAMPLE] - self._background[_SAMPLE]
        if self._keep is not None:
            change = change[self._keep[_SAMPLE] > 0]
        return float(np.median(change)) if change.size else 0.0

    def _regions(self) -> tuple[Box, ...]:
        # Outlines, not connected components: the same areas at a quarter of the time.
        outlines, _ = cv2.findContours(self._diff, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        width, height = self._size
        boxes = (cv2.boundingRect(o) for o in outlines if cv2.contourArea(o) >= self._least)
        return tuple(
            (x / width, y / height, (x + w) / width, (y + h) / height) for x, y, w, h in boxes
        )

    def _keep_mask(self, polygons: list[Polygon]) -> NDArray[np.uint8] | None:
        if not polygons:
            return None
        keep = np.full((self._size[1], self._size[0]), 255, np.uint8)
        for polygon in polygons:
            corners = np.rint(np.array(polygon) * self._size).astype(np.int32)
            cv2.fillPoly(keep, [corners], 0)
        return keep
