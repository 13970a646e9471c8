"""Network cameras that speak RTSP: FFmpeg through OpenCV, every wait limited."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import cv2
from annotated_types import Gt

from edge_agent import options as words
from edge_agent.clock import Clock
from edge_agent.errors import SourceUnavailable
from edge_agent.frame import Frame
from edge_agent.options import Doc, Duration, Secret
from edge_agent.sources.address import Address, Contact, parse_address
from edge_agent.sources.base import SYSTEM_CLOCK, Stamp, patience_for
from edge_agent.sources.capture import Capture
from edge_agent.sources.pictures import BadPicture
from edge_agent.sources.rtsp_probe import why_closed

TransportName = Literal["tcp", "udp"]

_FFMPEG_OPTIONS = "OPENCV_FFMPEG_CAPTURE_OPTIONS"


@dataclass(frozen=True, slots=True)
class RtspOptions(words.Options):
    """Options of the source `rtsp`."""

    url: Annotated[Secret, Doc("rtsp://USER:PASSWORD@HOST:PORT/PATH of the stream.")]
    transport: Annotated[
        TransportName, Doc("tcp loses nothing; udp is for cameras that know no other.")
    ] = "tcp"
    timeout: Annotated[Duration, Gt(0), Doc("Limit for opening, and for each frame.")] = 5.0

    @property
    def address(self) -> Address:
        """Where the camera is; raises ValueError for a url that tells none."""
        return parse_address(self.url.reveal(), {"rtsp": 554, "rtsps": 322})

    @property
    def contact(self) -> Contact:
        """Whom the source connects to."""
        return self.address.contact


class Transport:
    """Tells FFmpeg which transport to use; that is an environment variable of the process.

    Streams of one transport may be opened at the same time, one of the other waits for them. A
    value that the user has set in the environment is left alone.
    """

    def __init__(self, version: str = cv2.__version__) -> None:
        # 4.11 reads the variable the wrong way round: set means TCP, empty FFmpeg's default, UDP.
        reversed_test = version.startswith("4.11.")
        udp = "" if reversed_test else "rtsp_transport;udp"
        self._values = {"tcp": "rtsp_transport;tcp", "udp": udp}
        self._by_user = _FFMPEG_OPTIONS in os.environ
        self._now: TransportName | None = None
        self._opening = 0
        self._changed = threading.Condition()

    @contextmanager
    def using(self, transport: TransportName, timeout: float) -> Iterator[None]:
        """Open a stream inside this; raises TimeoutError when others take too long."""
        with self._changed:
            free = self._changed.wait_for(lambda: self._usable(transport), timeout)
            if not free:
                raise TimeoutError
            if not self._by_user and self._now != transport:
                os.environ[_FFMPEG_OPTIONS] = self._values[transport]
            self._now = transport
            self._opening += 1
        try:
            yield
        finally:
            with self._changed:
                self._opening -= 1
                self._changed.notify_all()

    def _usable(self, transport: TransportName) -> bool:
        return not self._opening or self._now == transport


_TRANSPORT = Transport()


class RtspSource:
    """An RTSP stream. A dead stream is found out within `timeout` and must be opened anew."""

    Options: ClassVar[type[words.Options]] = RtspOptions
    live = True

    def __init__(self, name: str, options: RtspOptions, clock: Clock = SYSTEM_CLOCK) -> None:
        self.name = name
        self.patience = patience_for(options.timeout)
        self._options = options
        self._address = options.address
        self._stamp = Stamp(name, clock)
        self._capture: Capture | None = None

    def start(self) -> None:
        """Connect; what went wrong is asked from the server itself."""
        self.stop()
        timeout = self._options.timeout
        limit = int(timeout * 1000)
        params = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, limit, cv2.CAP_PROP_READ_TIMEOUT_MSEC, limit]
        try:
            with _TRANSPORT.using(self._options.transport, timeout):
                device = cv2.VideoCapture(self._options.url.reveal(), cv2.CAP_FFMPEG, params)
        except TimeoutError:
            text = f"{self._address.shown} waits for streams of the other transport to open"
            raise SourceUnavailable(text, "use one transport for all cameras") from None
        if not device.isOpened():
            device.release()
            raise why_closed(self._address, timeout)
        self._capture = Capture(device)

    def read(self) -> Frame | None:
        """Next frame; raises SourceUnavailable when the stream breaks or falls silent."""
        capture = self._capture
        if capture is None or capture.closing.is_set():
            return None
        began = time.monotonic()
        try:
            image = capture.read()
        except BadPicture as error:
            raise SourceUnavailable(f"{self._address.shown} sends garbage: {error}") from error
        if image is not None:
            return self._stamp.live(image)
        if capture.closing.is_set():
            return None
        raise self._broken(time.monotonic() - began)

    def stop(self) -> None:
        """Close the connection."""
        if self._capture is not None:
            self._capture.close()

    def _broken(self, waited: float) -> SourceUnavailable:
        shown, timeout = self._address.shown, self._options.timeout
        if waited >= 0.9 * timeout:
            cure = "check power and network of the camera"
            return SourceUnavailable(f"{shown} is frozen: no frame for {timeout:g} s", cure)
        return SourceUnavailable(f"{shown} ended the stream", "it is opened again by itself")
