"""USB and built-in cameras: Video4Linux2 through OpenCV."""

from __future__ import annotations

import logging
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import cv2
from annotated_types import Ge, Gt

from edge_agent import options as words
from edge_agent.clock import Clock
from edge_agent.errors import SourceUnavailable
from edge_agent.frame import Frame
from edge_agent.options import Doc, Duration, Positive
from edge_agent.sources import v4l2
from edge_agent.sources.base import SYSTEM_CLOCK, Image, Stamp, patience_for
from edge_agent.sources.capture import Capture, Device
from edge_agent.sources.pictures import BadPicture

log = logging.getLogger(__name__)

_SELECT_TIMEOUT = "OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT"
_PAUSE = 0.02  # seconds between tries of a camera that answers at once with nothing


@dataclass(frozen=True, slots=True)
class CameraOptions(words.Options):
    """Options of the source `camera`."""

    device: Annotated[
        int | str, Doc("Number or path; /dev/v4l/by-id/... stays the same when replugged.")
    ] = 0
    fourcc: Annotated[str, Doc("Pixel format, such as MJPG or YUYV; default: the camera's.")] = ""
    size: Annotated[
        tuple[Annotated[int, Ge(1)], Annotated[int, Ge(1)]] | None,
        Doc("Width and height in pixels; default: the camera's."),
    ] = None
    fps: Annotated[Positive | None, Doc("Frames per second; default: the camera's.")] = None
    timeout: Annotated[
        Duration, Gt(0), Doc("A camera that gives no frame for so long is opened again.")
    ] = 5.0


class CameraSource:
    """A V4L2 camera. Waits at most `timeout` (to about one second) for a frame."""

    Options: ClassVar[type[words.Options]] = CameraOptions
    live = True

    def __init__(self, name: str, options: CameraOptions, clock: Clock = SYSTEM_CLOCK) -> None:
        if options.fourcc and (len(options.fourcc) != 4 or not options.fourcc.isascii()):
            raise ValueError(f"fourcc {options.fourcc!r} must have four letters, such as MJPG")
        self.name = name
        self.patience = patience_for(options.timeout)
        self._options = options
        self._path = v4l2.device_path(options.device)
        self._stamp = Stamp(name, clock)
        self._capture: Capture | None = None
        self._told_size: tuple[int, int] | None = None

    def start(self) -> None:
        """Open the camera and ask for format, size and rate."""
        self.stop()
        v4l2.check_camera(self._path)
        device = open_device(self._path)
        if not device.isOpened():
            device.release()
            raise v4l2.busy(self._path)
        self._configure(device)
        self._capture = Capture(device)

    def read(self) -> Frame | None:
        """Next frame; raises SourceUnavailable when none comes within the timeout."""
        capture = self._capture
        deadline = time.monotonic() + self._options.timeout
        problem = "gives no frame"
        while capture is not None and not capture.closing.is_set():
            try:
                image = capture.read()
            except BadPicture as error:
                image, problem = None, f"sends garbage: {error}"
            if image is not None:
                self._check_size(image)
                return self._stamp.live(image)
            if not self._path.exists():
                raise SourceUnavailable(f"camera {self._path} was unplugged", "plug it in again")
            if time.monotonic() >= deadline:
                raise self._silent(problem)
            capture.closing.wait(_PAUSE)
        return None

    def stop(self) -> None:
        """Release the camera."""
        if self._capture is not None:
            self._capture.close()

    def _configure(self, device: Device) -> None:
        # The format first: it decides which sizes exist, and these decide the rates.
        if self._options.fourcc:
            device.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*self._options.fourcc))
        if self._options.size:
            device.set(cv2.CAP_PROP_FRAME_WIDTH, self._options.size[0])
            device.set(cv2.CAP_PROP_FRAME_HEIGHT, self._options.size[1])
        if self._options.fps:
            device.set(cv2.CAP_PROP_FPS, self._options.fps)

    def _check_size(self, image: Image) -> None:
        got = image.shape[1], image.shape[0]
        wanted = self._options.size
        if wanted is not None and got not in (wanted, self._told_size):
            self._told_size = got
            log.warning(
                "camera %s gives %dx%d instead of %dx%d (see v4l2-ctl --list-formats-ext)",
                self._path, *got, *wanted,
            )  # fmt: skip

    def _silent(self, problem: str) -> SourceUnavailable:
        return SourceUnavailable(
            f"camera {self._path} {problem} for {self._options.timeout:g} s",
            "unplug it and plug it in again, try another cable or a smaller size",
        )


def open_device(path: Path) -> Device:
    """OpenCV's capture of that device, opened or not."""
    # OpenCV reads this once in the process, in whole seconds. The shortest wait lets each
    # camera keep its own time limit and a stop be prompt: `read` asks again until then.
    os.environ.setdefault(_SELECT_TIMEOUT, "1")
    return cv2.VideoCapture(str(path), cv2.CAP_V4L2)
