"""Recordings: video files, at their own pace, as fast as they are taken, or in a loop."""

from __future__ import annotations

import logging
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import cv2

from edge_agent import options as words
from edge_agent.clock import Clock
from edge_agent.errors import SourceUnusable
from edge_agent.frame import Frame
from edge_agent.options import Doc
from edge_agent.sources.base import SYSTEM_CLOCK, Image, Pace, Stamp
from edge_agent.sources.capture import Capture
from edge_agent.sources.pictures import BadPicture

log = logging.getLogger(__name__)

_DECODER_THREADS = max(1, (os.cpu_count() or 1) // 2)  # the model needs the other cores
_DEFAULT_FPS = 25.0  # for a recording that does not know its own


@dataclass(frozen=True, slots=True)
class VideoOptions(words.Options):
    """Options of the source `video`."""

    file: Annotated[Path, Doc("The video file.")]
    pace: Annotated[
        Literal["real", "fast", "loop"],
        Doc(
            "real: as it was taken, late frames are dropped; fast: every frame, as fast as they "
            "are taken; loop: real, again and again."
        ),
    ] = "real"


class Recording:
    """One pass over a video file; its first frame is decoded when it is opened.

    `time` is the position of the newest frame in seconds, `length` where the next pass may begin,
    `fps` and `expected` what the file says of its rate and number of frames.
    Raises SourceUnusable for a file that is missing, no video, or without a frame.
    """

    def __init__(self, file: Path) -> None:
        if not file.is_file():
            raise SourceUnusable(f"video {file} does not exist", "check source.file")
        # OpenCV 4.6 of Debian 12 cannot be told.
        key = getattr(cv2, "CAP_PROP_N_THREADS", None)
        options = [] if key is None else [key, _DECODER_THREADS]
        device = cv2.VideoCapture(str(file), cv2.CAP_FFMPEG, options)
        if not device.isOpened():
            device.release()
            cure = "it is no video, or was cut off while it was written; try: ffmpeg -i FILE"
            raise SourceUnusable(f"video {file} cannot be read", cure)
        self._file = file
        self.capture = Capture(device)
        fps = self.capture.get(cv2.CAP_PROP_FPS)
        self.fps = fps if 0.1 <= fps <= 1000.0 else _DEFAULT_FPS
        self._interval = 1.0 / self.fps
        self.expected = int(self.capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self._frames = 0
        self.time = -self._interval
        self._first = self._decode()
        if self._first is None:
            self.capture.close()
            raise SourceUnusable(f"video {file} has no frame that can be decoded", "convert it")

    @property
    def length(self) -> float:
        """Seconds from the first frame to the end of the newest."""
        return self.time + self._interval

    def next(self) -> Image | None:
        """Next image, None at the end."""
        image, self._first = self._first, None
        if image is None:
            image = self._decode()
            if image is None and not self.capture.closing.is_set():
                self._tell_if_cut_off()
        return image

    def _decode(self) -> Image | None:
        try:
            image = self.capture.read()
        except BadPicture as error:
            log.warning("video %s: a frame cannot be used: %s", self._file, error)
            return None
        if image is not None:
            self._frames += 1
            stamp = self.capture.get(cv2.CAP_PROP_POS_MSEC) / 1000.0
            # A file without (rising) time stamps gets those of its frame rate.
            self.time = stamp if stamp > self.time else self.time + self._interval
        return image

    def _tell_if_cut_off(self) -> None:
        # The count of the header is an estimate in some formats.
        if self._frames < 0.9 * self.expected:
            log.warning(
                "video %s ends early: %d of about %d frames; the file is damaged or cut off",
                self._file, self._frames, self.expected,
            )  # fmt: skip


class VideoSource:
    """A video file.

    At pace `fast` it waits for its reader and no frame is lost; at `real` and `loop` it plays in
    time like a camera (`live`), so that a slow model sees the newest frame. `media_time` comes
    from the time stamps of the file, so a variable frame rate is right; `timeline` is the same,
    rising through loops.
    """

    Options: ClassVar[type[words.Options]] = VideoOptions
    patience = None

    def __init__(self, name: str, options: VideoOptions, clock: Clock = SYSTEM_CLOCK) -> None:
        self.name = name
        self.live = options.pace != "fast"
        self._file = options.file
        self._loop = options.pace == "loop"
        self._stamp = Stamp(name, clock)
        self._clock = clock
        self._stopped = threading.Event()
        self._recording: Recording | None = None
        self._offset = 0.0

    def start(self) -> None:
        """Open the file and decode its first frame; raises SourceUnusable."""
        self.stop()
        self._stopped.clear()
        self._offset = 0.0
        self._recording = Recording(self._file)
        self._pace = Pace(self._clock, self._stopped.wait)

    def read(self) -> Frame | None:
        """Next frame, at `real` and `loop` when its time has come; None at the end."""
        recording = self._recording
        if recording is None or self._stopped.is_set():
            return None
        image = recording.next()
        if image is None and self._loop and not self._stopped.is_set():
            recording, image = self._begin_again(recording)
        if image is None:
            return None
        timeline = self._offset + recording.time
        if self.live:
            self._pace.until(timeline)
        if self._stopped.is_set():
            return None
        return self._stamp.recorded(image, recording.time, timeline)

    def stop(self) -> None:
        """Close the file."""
        self._stopped.set()
        if self._recording is not None:
            self._recording.capture.close()

    def _begin_again(self, ended: Recording) -> tuple[Recording, Image | None]:
        # Opened anew: not every format can be wound back exactly.
        self._offset += ended.length
        ended.capture.close()
        self._recording = Recording(self._file)
        return self._recording, self._recording.next()
