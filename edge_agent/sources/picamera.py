"""The cameras on the ribbon cable of a Raspberry Pi, through picamera2 (libcamera)."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Any, ClassVar

from annotated_types import Ge, Gt

from edge_agent import options as words
from edge_agent.clock import Clock
from edge_agent.errors import SourceUnavailable, SourceUnusable
from edge_agent.frame import Frame
from edge_agent.options import Doc, Duration, Positive
from edge_agent.sources.base import SYSTEM_CLOCK, Stamp, patience_for
from edge_agent.sources.guard import Guard
from edge_agent.sources.pictures import BadPicture, as_bgr

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PicameraOptions(words.Options):
    """Options of the source `picamera`."""

    camera: Annotated[int, Ge(0), Doc("Number of the camera.")] = 0
    size: Annotated[
        tuple[Annotated[int, Ge(1)], Annotated[int, Ge(1)]], Doc("Width and height in pixels.")
    ] = (640, 480)
    fps: Annotated[Positive, Doc("Frames per second.")] = 10.0
    timeout: Annotated[
        Duration, Gt(0), Doc("A camera that gives no frame for so long is opened again.")
    ] = 5.0


class PicameraSource:
    """A Pi camera; picamera2 is imported when it starts, since only a Pi has it."""

    Options: ClassVar[type[words.Options]] = PicameraOptions
    live = True

    def __init__(self, name: str, options: PicameraOptions, clock: Clock = SYSTEM_CLOCK) -> None:
        self.name = name
        self.patience = patience_for(options.timeout)
        self._options = options
        self._stamp = Stamp(name, clock)
        self._guard = Guard(self._release)
        self._camera: Any = None

    def start(self) -> None:
        """Open and start the camera."""
        self._guard.reopen()
        with self._guard.use():
            self._release()
            self._open()

    def read(self) -> Frame | None:
        """Next frame; raises SourceUnavailable when none comes within the timeout."""
        with self._guard.use() as allowed:
            if not allowed or self._camera is None:
                return None
            image = self._capture()
        try:
            return self._stamp.live(as_bgr(image))
        except BadPicture as error:
            raise SourceUnavailable(f"the Pi camera sends garbage: {error}") from error

    def stop(self) -> None:
        """Release the camera, at once or when the running read returns."""
        self._guard.close()

    def _open(self) -> None:
        picamera2 = _import()
        number = self._options.camera
        present = len(picamera2.global_camera_info())
        if number >= present:
            raise SourceUnavailable(
                f"Pi camera {number} is missing ({present} found)",
                "check its cable, then: rpicam-hello --list-cameras",
            )
        try:
            self._camera = picamera2(number)
            self._configure(self._camera)
        except (RuntimeError, OSError) as error:
            self._release()
            cure = "stop the other program that uses it: fuser /dev/media*"
            text = f"Pi camera {number} is busy or does not start: {error}"
            raise SourceUnavailable(text, cure) from error

    def _configure(self, camera: Any) -> None:
        # libcamera names formats by the order in a word: its RGB888 is BGR in memory.
        camera.configure(
            camera.create_video_configuration(
                main={"size": self._options.size, "format": "RGB888"},
                controls={"FrameRate": self._options.fps},
            )
        )
        camera.start()

    def _capture(self) -> Any:
        number, timeout = self._options.camera, self._options.timeout
        try:
            return self._camera.capture_array("main", wait=False).get_result(timeout=timeout)
        except TimeoutError:
            cure = "check its cable, then: rpicam-hello"
            text = f"Pi camera {number} is frozen: no frame for {timeout:g} s"
            raise SourceUnavailable(text, cure) from None
        except (RuntimeError, OSError) as error:
            text = f"Pi camera {number} fails: {error}"
            raise SourceUnavailable(text, "check its cable") from error

    def _release(self) -> None:
        camera, self._camera = self._camera, None
        if camera is not None:
            try:
                camera.stop()
                camera.close()
            except (RuntimeError, OSError) as error:
                log.warning("Pi camera %d does not close: %s", self._options.camera, error)


def _import() -> Any:
    """The class Picamera2; raises SourceUnusable with the way to install it."""
    try:
        return import_module("picamera2").Picamera2
    except (ImportError, ValueError) as error:  # ValueError: built for another numpy
        raise SourceUnusable(
            f"picamera2 cannot be imported: {error}",
            "sudo apt install python3-picamera2, and make the venv with --system-site-packages",
        ) from error
