"""An HTTP GET whose every step ends at one deadline, and which another thread can cut."""

from __future__ import annotations

import contextlib
import http.client
import io
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge_agent.errors import SourceError, SourceUnavailable, SourceUnusable
from edge_agent.sources.address import Address
from edge_agent.sources.auth import Login

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_CHUNK = 64 * 1024


class _DeadlineSocket:
    """The part of a socket that http.client uses; a slow drip does not extend its deadline."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.deadline = 0.0

    def makefile(self, mode: str) -> io.BufferedReader:
        assert mode == "rb"
        return io.BufferedReader(_Stream(self), _CHUNK)

    def sendall(self, data: bytes) -> None:
        self.connection.sendall(data)

    def receive_into(self, buffer: WriteableBuffer) -> int:
        left = self.deadline - time.monotonic()
        if left <= 0.0:
            raise TimeoutError("the time is up")
        self.connection.settimeout(left)
        return self.connection.recv_into(buffer)

    def close(self) -> None:
        """Keep it open: http.client closes its socket while the answer is still to be read."""


class _Stream(io.RawIOBase):
    """One answer; closing it leaves the connection open for the next."""

    def __init__(self, source: _DeadlineSocket) -> None:
        self._source = source

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        return self._source.receive_into(buffer)


@dataclass(frozen=True, slots=True)
class Words:
    """What messages call the server and what it sends."""

    server: str
    content: str
    smaller: str


CAMERA = Words("camera", "picture", "choose a smaller size in the camera's settings")


class HttpClient:
    """One connection to one server, kept open between requests, logged in where it asks for it.

    `headers` go with every request.
    """

    def __init__(
        self,
        address: Address,
        login: Login,
        timeout: float,
        verify_tls: bool,
        words: Words = CAMERA,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._address = address
        self._login = login
        self._words = words
        self._headers = dict(headers or {})
        self._timeout = timeout
        self._verify_tls = verify_tls
        self._socket: _DeadlineSocket | None = None
        self._connection: http.client.HTTPConnection | None = None
        self._response: http.client.HTTPResponse | None = None
        self._cut = threading.Event()

    def get(self) -> http.client.HTTPResponse:
        """The answer to a GET, its body unread; raises SourceError."""
        try:
            return self._get()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise self.explain(error) from error

    def read_some(self, response: http.client.HTTPResponse, deadline: float) -> bytes:
        """The next bytes of the body, b"" at its end; raises OSError or HTTPException."""
        if self._socket is None:
            return b""
        self._socket.deadline = deadline
        return response.read1(_CHUNK)

    def read_all(self, response: http.client.HTTPResponse, max_bytes: int) -> bytes:
        """The whole body within the timeout; raises SourceError, also when it is too long."""
        deadline = time.monotonic() + self._timeout
        body = bytearray()
        try:
            while data := self.read_some(response, deadline):
                body += data
                if len(body) > max_bytes:
                    raise SourceUnusable(
                        f"a {self._words.content} of {self._address.shown} has more than "
                        f"{max_bytes} bytes",
                        self._words.smaller,
                    )
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise self.explain(error) from error
        response.close()
        return bytes(body)

    def cut(self) -> None:
        """End a running wait, from any thread; the connection cannot be used any more."""
        self._cut.set()
        connection = self._socket
        if connection is not None:
            with contextlib.suppress(OSError):
                # Not SSLSocket.shutdown: it takes the encryption away under the reading thread.
                socket.socket.shutdown(connection.connection, socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection; for the thread that reads."""
        parts = self._response, self._connection, self._socket and self._socket.connection
        for part in parts:
            if part is not None:
                part.close()
        self._response = self._connection = self._socket = None

    def explain(self, error: Exception) -> SourceError:
        """The error of the network in words, with its cure."""
        shown, server = self._address.shown, self._words.server
        if isinstance(error, socket.gaierror):
            text = f"{shown}: the host {self._address.host!r} is not known"
            return SourceUnavailable(text, "check the name and the DNS")
        if isinstance(error, ConnectionRefusedError):
            where = f"{self._address.host}:{self._address.port}"
            text = f"{shown}: nothing listens at {where}"
            return SourceUnavailable(text, f"check that the {server} runs, and the port")
        if isinstance(error, TimeoutError):
            what = f"no whole {self._words.content} within {self._timeout:g} s"
            cure = f"check power and network of the {server}"
            return SourceUnavailable(f"{shown} is frozen: {what}", cure)
        if isinstance(error, ssl.SSLCertVerificationError):
            text = f"{shown}: its certificate is not trusted: {error.verify_message}"
            return SourceUnusable(text, f"set verify_tls: false for a {server} with its own one")
        if isinstance(error, http.client.BadStatusLine):
            return SourceUnavailable(f"{shown} gives no HTTP answer", "check the port")
        return SourceUnavailable(
            f"{shown}: the connection failed: {error!s:.200}", f"check the network of the {server}"
        )

    def _get(self) -> http.client.HTTPResponse:
        kept = self._connection is not None
        try:
            response = self._request()
        except (ConnectionError, http.client.BadStatusLine):
            # A kept connection may have been closed by the camera in the meantime.
            if not kept:
                raise
            self.close()
            response = self._request()
        if response.status == http.client.UNAUTHORIZED:
            challenges = response.headers.get_all("WWW-Authenticate", [])
            if self._login.challenged(challenges):
                self.close()
                response = self._request()
        if response.status != http.client.OK:
            raise self._refused(response)
        return response

    def _request(self) -> http.client.HTTPResponse:
        if self._connection is None or self._connection.sock is None:
            self.close()
            self._connection = self._connect()
        assert self._socket is not None
        self._socket.connection.settimeout(self._timeout)
        self._socket.deadline = time.monotonic() + self._timeout
        headers = (
            {"Accept": "*/*"} | self._headers | self._login.headers("GET", self._address.target)
        )
        self._connection.request("GET", self._address.target, headers=headers)
        self._response = self._connection.getresponse()
        return self._response

    def _connect(self) -> http.client.HTTPConnection:
        address = self._address
        raw = socket.create_connection((address.host, address.port), self._timeout)
        if address.scheme == "https":
            raw = self._context().wrap_socket(raw, server_hostname=address.host)
        connection = http.client.HTTPConnection(address.host, address.port, timeout=self._timeout)
        connection.auto_open = 0
        self._socket = _DeadlineSocket(raw)
        plugged: Any = self._socket
        connection.sock = plugged
        if self._cut.is_set():
            raw.close()
            raise ConnectionAbortedError("it was stopped")
        return connection

    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if not self._verify_tls:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    def _refused(self, response: http.client.HTTPResponse) -> SourceError:
        shown, status, server = self._address.shown, response.status, self._words.server
        self.close()
        if status in (401, 403):
            return SourceUnusable(
                f"{shown} refuses the user name or password ({status})",
                f"check username and password, or the user's rights at the {server}",
            )
        if status == 404:
            text = f"{shown}: the {server} has no such address (404)"
            return SourceUnusable(text, "look it up in its manual")
        if 300 <= status < 400:
            text = f"{shown} has moved ({status})"
            return SourceUnusable(text, "write the address that a browser shows in the end")
        return SourceUnavailable(f"{shown}: the {server} answers {status}", f"restart the {server}")
