"""A small real RTSP server (RFC 2326): JPEG over RTP (RFC 2435), in the TCP connection or by UDP.

FFmpeg plays it. It can be killed and started again on the same port.
"""

from __future__ import annotations

import base64
import contextlib
import socket
import struct
import threading
from types import TracebackType
from typing import IO, Self

from tests.support.pictures import jpeg

_CHUNK = 1200
_JPEG_CLOCK = 90_000
_SDP = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=test\r\nt=0 0\r\nm=video 0 RTP/AVP 26\r\n"


class RtspServer:
    """Serves one stream at `url`; every other path is answered with 404.

    `frozen` (an Event) stops the pictures while the connection stays open. With `user` and
    `password` it wants basic authentication.
    """

    def __init__(
        self, port: int = 0, fps: float = 25.0, user: str = "", password: str = ""
    ) -> None:
        self._fps = fps
        self._credentials = base64.b64encode(f"{user}:{password}".encode()).decode() if user else ""
        self.frozen = threading.Event()
        self.transports: list[str] = []
        self._stopped = threading.Event()
        self._connections: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Address of the stream."""
        return f"rtsp://127.0.0.1:{self.port}/stream"

    def kill(self) -> None:
        """Cut all connections and stop listening, as a camera that loses power."""
        self._stopped.set()
        for connection in (self._listener, *self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        self._thread.join(5)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.kill()

    def _accept(self) -> None:
        while not self._stopped.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        session = _Session(self, connection)
        with (
            contextlib.suppress(OSError, ValueError),
            connection,
            connection.makefile("rb") as lines,
        ):
            while line := _request_line(lines):
                session.answer(line.decode().split(), _headers(lines))

    def allowed(self, headers: dict[str, str]) -> bool:
        """Whether the request carries the right user and password."""
        return not self._credentials or headers.get("authorization") == f"Basic {self._credentials}"

    def play(self, send: _Sender) -> None:
        """Send pictures until the server or the connection ends."""
        number = 0
        with contextlib.suppress(OSError):
            while not self._stopped.wait(1 / self._fps):
                if self.frozen.is_set():
                    continue
                send.picture(jpeg(number % 30), int(number * _JPEG_CLOCK / self._fps))
                number += 1


class _Session:
    """The requests of one connection."""

    def __init__(self, server: RtspServer, connection: socket.socket) -> None:
        self._server = server
        self._connection = connection
        self._sender: _Sender | None = None

    def answer(self, request: list[str], headers: dict[str, str]) -> None:
        """Answer one request; PLAY starts the pictures."""
        method, url = request[0], request[1]
        if not self._server.allowed(headers):
            self._reply(headers, "401 Unauthorized", ('WWW-Authenticate: Basic realm="cam"',))
        elif "/stream" not in url:
            self._reply(headers, "404 Not Found")
        elif method == "OPTIONS":
            self._reply(headers, "200 OK", ("Public: DESCRIBE, SETUP, PLAY, TEARDOWN",))
        elif method == "DESCRIBE":
            body = f"{_SDP}a=control:{self._server.url}/track0\r\n"
            self._reply(headers, "200 OK", ("Content-Type: application/sdp",), body)
        elif method == "SETUP":
            self._set_up(headers)
        else:
            self._reply(headers, "200 OK", ("Session: 1",))
            if method == "PLAY" and self._sender:
                threading.Thread(
                    target=self._server.play, args=(self._sender,), daemon=True
                ).start()

    def _set_up(self, headers: dict[str, str]) -> None:
        transport = headers["transport"]
        if "TCP" in transport:
            self._server.transports.append("tcp")
            self._sender = _Sender(self._connection)
        else:
            self._server.transports.append("udp")
            port = int(transport.split("client_port=")[1].split("-")[0])
            self._sender = _Sender(socket.socket(socket.AF_INET, socket.SOCK_DGRAM), port)
            transport += f";server_port={self._sender.port}-{self._sender.port + 1}"
        self._reply(headers, "200 OK", (f"Transport: {transport}", "Session: 1"))

    def _reply(
        self, request: dict[str, str], status: str, headers: tuple[str, ...] = (), body: str = ""
    ) -> None:
        lines = [f"RTSP/1.0 {status}", f"CSeq: {request.get('cseq', '0')}", *headers]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        self._connection.sendall(("\r\n".join(lines) + "\r\n\r\n" + body).encode())


class _Sender:
    """Cuts JPEG pictures into RTP packets (RFC 2435) and sends them."""

    def __init__(self, connection: socket.socket, udp_port: int = 0) -> None:
        self._socket = connection
        self._udp = bool(udp_port)
        self._sequence = 0
        if udp_port:
            connection.bind(("127.0.0.1", 0))
            connection.connect(("127.0.0.1", udp_port))
        self.port: int = connection.getsockname()[1]

    def picture(self, data: bytes, timestamp: int) -> None:
        """Send one baseline 4:2:0 JPEG, its quantisation tables in the first packet."""
        tables, width, height, scan = _parts(data)
        for offset in range(0, len(scan), _CHUNK):
            last = offset + _CHUNK >= len(scan)
            head = struct.pack(">I4B", offset, 1, 255, width // 8, height // 8)
            if offset == 0:
                head += struct.pack(">2BH", 0, 0, len(tables)) + tables
            self._packet(head + scan[offset : offset + _CHUNK], timestamp, last)

    def _packet(self, payload: bytes, timestamp: int, last: bool) -> None:
        self._sequence = (self._sequence + 1) % 65536
        header = struct.pack(">2BH2I", 0x80, 26 | last << 7, self._sequence, timestamp, 1)
        packet = header + payload
        if self._udp:
            self._socket.send(packet)
        else:
            self._socket.sendall(struct.pack(">2BH", 0x24, 0, len(packet)) + packet)


def _headers(lines: IO[bytes]) -> dict[str, str]:
    found: dict[str, str] = {}
    while line := lines.readline().strip():
        name, _, value = line.decode().partition(":")
        found[name.lower()] = value.strip()
    return found


def _parts(data: bytes) -> tuple[bytes, int, int, bytes]:
    """Quantisation tables, width, height and entropy-coded data of a JPEG."""
    tables, width, height, at = b"", 0, 0, 2
    while True:
        marker, length = data[at + 1], struct.unpack(">H", data[at + 2 : at + 4])[0]
        body = data[at + 4 : at + 2 + length]
        if marker == 0xDB:
            tables += b"".join(body[i + 1 : i + 65] for i in range(0, len(body), 65))
        elif marker == 0xC0:
            height, width = struct.unpack(">2H", body[1:5])
        at += 2 + length
        if marker == 0xDA:
            return tables, width, height, data[at:-2]


def _request_line(lines: IO[bytes]) -> bytes:
    """The next request, past the receiver reports that come in the same connection."""
    while (first := lines.read(1)) == b"$":
        lines.read(struct.unpack(">xH", lines.read(3))[0])
    return first + lines.readline()
