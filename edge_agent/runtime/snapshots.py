"""Pictures for subscribers: the only place where pixels are made ready to leave the device."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Literal, Protocol

import cv2

from edge_agent.drawing import Picture, draw_box, draw_lines, palette
from edge_agent.frame import Frame
from edge_agent.result import Track

_LARGEST = 1280  # pixels of the longer side
_BLOCKS = 32  # along the longer side of a blurred picture: a face is a block or two
_QUALITY = 80  # of the JPEG, of 100
_PAUSE = 1.0  # s between two pictures of one pipeline that events ask for


class Snapshots(Protocol):
    """Makes pictures of one pipeline; `allowed` tells whether any may leave."""

    allowed: bool

    def request(self) -> None:
        """Take a picture of the next frame."""

    def frame(self, frame: Frame) -> None:
        """Take in a frame of the source, already masked; called in the source's thread."""

    def inferred(self, frame: Frame, tracks: Sequence[Track], news: bool) -> None:
        """Take in what is followed in a frame; `news` when it shows something new."""


class NoSnapshots:
    """In place of pictures where the configuration allows none."""

    allowed = False

    def request(self) -> None:
        """Do nothing."""

    def frame(self, frame: Frame) -> None:
        """Do nothing."""

    def inferred(self, frame: Frame, tracks: Sequence[Track], news: bool) -> None:
        """Do nothing."""


class JpegSnapshots:
    """A picture of each frame that shows something new, and of the next one when asked.

    "blurred" pixelates all of it beyond recovery, "full" shows what the masks leave. `publish` is
    given the JPEG, which holds pixels and nothing else.
    """

    allowed = True

    def __init__(self, mode: Literal["blurred", "full"], publish: Callable[[bytes], None]) -> None:
        self._blurred = mode == "blurred"
        self._publish = publish
        self._requested = False
        self._tracks: Sequence[Track] = ()
        self._last = float("-inf")

    def request(self) -> None:
        """Take a picture of the next frame, whether or not it is inferred."""
        self._requested = True

    def frame(self, frame: Frame) -> None:
        """Take the picture that was asked for, with what was followed last."""
        if self._requested:
            self._requested = False
            self._publish(self._picture(frame, self._tracks))

    def inferred(self, frame: Frame, tracks: Sequence[Track], news: bool) -> None:
        """Take a picture of something new, at most one a second."""
        self._tracks = [track for track in tracks if track.seen and track.phase != "ended"]
        now = time.monotonic()
        if news and now - self._last >= _PAUSE:
            self._last = now
            self._publish(self._picture(frame, self._tracks))

    def _picture(self, frame: Frame, tracks: Sequence[Track]) -> bytes:
        image = _resized(frame.data, _LARGEST)
        if self._blurred:
            height, width = image.shape[:2]
            blocks = _resized(image, _BLOCKS)
            image = cv2.resize(blocks, (width, height), interpolation=cv2.INTER_NEAREST)
        elif image is frame.data:
            image = image.copy()
        _draw(image, tracks)
        encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1]
        return encoded.tobytes()


def _resized(image: Picture, largest: int) -> Picture:
    """The picture with no side longer than `largest` pixels; itself where it is so already."""
    height, width = image.shape[:2]
    scale = largest / max(width, height)
    if scale >= 1.0:
        return image
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def _draw(image: Picture, tracks: Sequence[Track]) -> None:
    colours = palette(track.label for track in tracks)
    for track in tracks:
        if track.box is not None:
            draw_box(image, track.box, f"{track.label} {track.score:.2f}", colours[track.label])
    classes = [f"{track.label} {track.score:.2f}" for track in tracks if track.box is None]
    if classes:
        draw_lines(image, classes)
