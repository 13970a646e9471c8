"""A video of a replay: the frames, masks applied, with what the pipelines made of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2

from edge_agent.config.schema import Config
from edge_agent.drawing import Picture, draw_note
from edge_agent.errors import OutputError
from edge_agent.event import Event
from edge_agent.frame import Frame
from edge_agent.preprocess.mask import PrivacyMask
from edge_agent.runtime.pipeline import Pipeline
from edge_agent.runtime.replay.scene import Scene, Watched

SUFFIX = ".mp4"
"""Ending of what can be written."""

_GAP = 2.0  # seconds without a frame that are shown; more are left out
_CURE = "check free space; some builds of OpenCV write no MPEG-4"


class NoFilm:
    """In place of a video that nobody asked for."""

    def watch(self, pipelines: Sequence[Pipeline]) -> None:
        """Do nothing."""

    def note(self, events: Iterable[Event]) -> None:
        """Do nothing."""

    def show(self, frame: Frame) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class Film:
    """Draws what pipelines saw and writes it at the recording's rate, from its first frame on.

    `draft` is written, `name` stands in errors. `watch` comes before the first frame; `close`
    raises OutputError for a video that is not whole.
    """

    def __init__(self, draft: Path, name: Path, fps: float, config: Config) -> None:
        self._draft = draft
        self._name = name
        self._fps = fps
        self._config = config
        self._masks = [PrivacyMask(item.privacy.mask) for item in config.running.values()]
        self._scenes: dict[str, Scene] = {}
        self._writer: cv2.VideoWriter | None = None
        self._size = (0, 0)
        self._written = 0
        self._left_out = 0

    def watch(self, pipelines: Sequence[Pipeline]) -> None:
        """Look at what these see; all have the same source."""
        for pipeline in pipelines:
            watched = Watched(pipeline.snapshots)
            pipeline.snapshots = watched
            item = self._config.running[pipeline.name]
            self._scenes[pipeline.name] = Scene(item, watched, pipeline.metrics.crossings)

    def note(self, events: Iterable[Event]) -> None:
        """Take in what happened."""
        for event in events:
            self._scenes[event.pipeline].note((event,))

    def show(self, frame: Frame) -> None:
        """Put a frame with what is known of it at the end."""
        shown = frame
        for mask in self._masks:
            shown = mask.apply(shown)
        image = shown.data.copy()
        for scene in self._scenes.values():
            scene.draw(image)
        now = frame.media_time or 0.0
        draw_note(image, f"{now:.1f} s")
        self._put(image, now)

    def close(self) -> None:
        """End the video; raises OutputError where the disk or OpenCV did not take all of it."""
        if self._writer is None:
            return
        self._writer.release()
        self._writer = None
        # OpenCV keeps to itself what it could not write.
        if _frames_in(self._draft) != self._written:
            raise OutputError(f"the video {self._name} did not become whole", _CURE)

    def _put(self, image: Picture, now: float) -> None:
        """Write it as often as a constant rate takes; one that comes too early is left out."""
        if self._writer is None:
            self._size = (image.shape[1], image.shape[0])
            self._writer = self._open()
        due = round(now * self._fps) - self._left_out
        if due - self._written > _GAP * self._fps:
            self._left_out += due - self._written
            due = self._written
        if (image.shape[1], image.shape[0]) != self._size:
            image = cv2.resize(image, self._size, interpolation=cv2.INTER_AREA)
        while self._written <= due:
            self._writer.write(image)
            self._written += 1

    def _open(self) -> cv2.VideoWriter:
        code = cv2.VideoWriter.fourcc(*"mp4v")
        writer = cv2.VideoWriter(str(self._draft), cv2.CAP_FFMPEG, code, self._fps, self._size)
        if not writer.isOpened():
            raise OutputError(f"cannot write the video {self._name}", _CURE)
        return writer


def _frames_in(path: Path) -> int:
    video = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    count = int(video.get(cv2.CAP_PROP_FRAME_COUNT)) if video.isOpened() else 0
    video.release()
    return count
