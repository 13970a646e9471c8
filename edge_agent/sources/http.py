"""Network cameras that speak HTTP: an MJPEG stream, or a still picture fetched again and again."""

from __future__ import annotations

import http.client
import time
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

from annotated_types import Gt

from edge_agent import options as words
from edge_agent.clock import Clock
from edge_agent.errors import SourceUnavailable, SourceUnusable
from edge_agent.frame import Frame
from edge_agent.options import Doc, Duration, Positive, Secret
from edge_agent.sources.address import Address, Contact, parse_address
from edge_agent.sources.auth import Login
from edge_agent.sources.base import SYSTEM_CLOCK, Image, Stamp, patience_for
from edge_agent.sources.guard import Guard
from edge_agent.sources.http_client import HttpClient
from edge_agent.sources.jpeg import JpegScanner
from edge_agent.sources.pictures import BadPicture, decode_picture

_MAX_PICTURE_BYTES = 16 * 2**20
_NO_PASSWORD = Secret("")


@dataclass(frozen=True, slots=True)
class HttpOptions(words.Options):
    """Options of the source `http`."""

    url: Annotated[Secret, Doc("http(s):// address of an MJPEG stream or of a still picture.")]
    username: Annotated[str, Doc("User name; may also stand in the url.")] = ""
    password: Annotated[Secret, Doc("Password; may also stand in the url.")] = _NO_PASSWORD
    fps: Annotated[Positive, Doc("How many still pictures to fetch per second.")] = 1.0
    timeout: Annotated[Duration, Gt(0), Doc("Limit for opening, and for each whole picture.")] = 5.0
    verify_tls: Annotated[bool, Doc("Whether an https camera must show a trusted certificate.")] = (
        True
    )

    @property
    def address(self) -> Address:
        """Where the camera is; raises ValueError for a url that tells none."""
        return parse_address(self.url.reveal(), {"http": 80, "https": 443})

    @property
    def contact(self) -> Contact:
        """Whom the source connects to."""
        contact = self.address.contact
        return replace(contact, login=contact.login or bool(self.username or self.password))


class HttpSource:
    """An HTTP camera; the content type of its answer tells which kind it is.

    Of several pictures that have come at once only the newest is decoded.
    """

    Options: ClassVar[type[words.Options]] = HttpOptions
    live = True

    def __init__(self, name: str, options: HttpOptions, clock: Clock = SYSTEM_CLOCK) -> None:
        self.name = name
        self.patience = patience_for(options.timeout) + 1.0 / options.fps
        self._options = options
        self._address = options.address
        self._stamp = Stamp(name, clock)
        self._guard = Guard(self._release)
        self._client: HttpClient | None = None
        self._stream: http.client.HTTPResponse | None = None
        self._scanner = JpegScanner(_MAX_PICTURE_BYTES)
        self._first: Image | None = None
        self._next_poll = 0.0

    def start(self) -> None:
        """Connect, and see whether a stream or a still picture comes."""
        self._guard.reopen()
        self._first = self._stream = None
        self._scanner = JpegScanner(_MAX_PICTURE_BYTES)
        self._next_poll = time.monotonic() + 1.0 / self._options.fps
        with self._guard.use():
            self._release()
            self._client = self._new_client()
            self._open(self._client)

    def read(self) -> Frame | None:
        """Next frame; raises SourceError, at the latest when the timeout is over."""
        with self._guard.use() as allowed:
            client = self._client
            if not allowed or client is None:
                return None
            try:
                image = self._from_stream(client) if self._stream else self._still(client)
            except SourceUnavailable:
                if self._guard.closing.is_set():
                    return None
                raise
        return None if image is None else self._stamp.live(image)

    def stop(self) -> None:
        """End a running wait and close the connection."""
        client = self._client
        if client is not None:
            client.cut()
        self._guard.close()

    def _open(self, client: HttpClient) -> None:
        response = client.get()
        kind = response.headers.get_content_type()
        if kind.startswith("multipart/"):
            self._stream = response
        elif kind.startswith("image/") or kind == "application/octet-stream":
            self._first = self._decode(client.read_all(response, _MAX_PICTURE_BYTES))
        else:
            raise SourceUnusable(
                f"{self._address.shown} answers with {kind}, not with pictures",
                "look up the address of its MJPEG stream or still picture in its manual",
            )

    def _new_client(self) -> HttpClient:
        user = self._options.username or self._address.user
        password = self._options.password.reveal() or self._address.password
        login = Login(user, password)
        return HttpClient(self._address, login, self._options.timeout, self._options.verify_tls)

    def _from_stream(self, client: HttpClient) -> Image | None:
        """The next whole picture of the stream; broken ones are skipped until the time is up."""
        assert self._stream is not None
        deadline = time.monotonic() + self._options.timeout
        problem = "no picture"
        while not self._guard.closing.is_set():
            try:
                data = client.read_some(self._stream, deadline)
            except TimeoutError as error:
                if problem == "no picture":
                    raise client.explain(error) from error
                raise SourceUnavailable(
                    f"{self._address.shown} sends garbage: {problem}"
                ) from error
            except (OSError, http.client.HTTPException) as error:
                raise client.explain(error) from error
            if not data:
                text = f"{self._address.shown} ended the stream"
                raise SourceUnavailable(text, "it is opened again by itself")
            if pictures := self._scanner.feed(data):
                try:
                    return decode_picture(pictures[-1])
                except BadPicture as error:
                    problem = str(error)
        return None

    def _still(self, client: HttpClient) -> Image | None:
        if self._first is not None:
            image, self._first = self._first, None
            return image
        self._guard.closing.wait(max(0.0, self._next_poll - time.monotonic()))
        # The rate is kept by the clock; what a slow camera missed is not caught up with.
        self._next_poll = max(self._next_poll, time.monotonic() - 1.0 / self._options.fps)
        self._next_poll += 1.0 / self._options.fps
        if self._guard.closing.is_set():
            return None
        return self._decode(client.read_all(client.get(), _MAX_PICTURE_BYTES))

    def _decode(self, data: bytes) -> Image:
        try:
            return decode_picture(data)
        except BadPicture as error:
            text = f"{self._address.shown} sends no usable picture: {error}"
            raise SourceUnavailable(text, "open the address in a browser") from error

    def _release(self) -> None:
        client, self._client, self._stream = self._client, None, None
        if client is not None:
            client.close()
