"""A small real HTTP camera with good and bad habits, which can be killed and started again."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.server
import random
import socket
import threading
from types import TracebackType
from typing import Any, Self

from tests.support.pictures import jpeg

USER, PASSWORD = "cam", "s3cret"


class MjpegServer:
    """Serves on loopback; `url(path)` names what it does.

    /mjpeg endless stream; /bare the same without lengths and with a wrong boundary; /garbage with
    random bytes between the parts; /rubbish nothing but them; /drop ends after 5 pictures; /stall
    falls silent after 5; /drip sends one byte at a time; /snapshot.jpg, /broken.jpg, /auth.jpg
    (basic), /digest.jpg, /digest (stream), /html, /moved.
    """

    def __init__(self, port: int = 0, fps: float = 100.0) -> None:
        self.stopped = threading.Event()
        self.interval = 1 / fps
        self.requests: list[str] = []
        self._connections: list[socket.socket] = []
        owner = self

        class Handler(_Handler):
            camera = owner

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def process_request(self, request: Any, client_address: Any) -> None:
                owner._connections.append(request)
                super().process_request(request, client_address)

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A client that goes away is no error."""

        self._server = Server(("127.0.0.1", port), Handler)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )
        self._thread.start()

    def url(self, path: str) -> str:
        """Address of one of the paths."""
        return f"http://127.0.0.1:{self.port}{path}"

    def kill(self) -> None:
        """Cut all connections and stop listening."""
        self.stopped.set()
        self._server.shutdown()
        self._server.server_close()
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
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


class _Handler(http.server.BaseHTTPRequestHandler):
    camera: MjpegServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Answer one request."""
        path = self.path.partition("?")[0]
        self.camera.requests.append(self.path)
        if path == "/html":
            self._body(b"<html></html>", "text/html")
        elif path == "/moved":
            self._status(301, ("Location", "/snapshot.jpg"))
        elif path == "/broken.jpg":
            self._body(jpeg()[:400], "image/jpeg")
        elif path.endswith(".jpg"):
            if self._allowed(path):
                self._body(jpeg(len(self.camera.requests) % 30), "image/jpeg")
        elif path in _STREAMS:
            if self._allowed(path):
                self._stream(path)
        else:
            self._status(404)

    def _allowed(self, path: str) -> bool:
        given = self.headers.get("Authorization", "")
        if path == "/auth.jpg":
            right = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
            challenge = 'Basic realm="cam"'
        elif path.startswith("/digest"):
            right = given if _digest_is_right(given, path) else "Digest ..."
            challenge = 'Digest realm="cam", nonce="n0", qop="auth", opaque="o"'
        else:
            return True
        if given == right:
            return True
        self._status(401, ("WWW-Authenticate", challenge))
        return False

    def _status(self, status: int, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for header in (*headers, ("Content-Length", "0")):
            self.send_header(*header)
        self.end_headers()

    def _body(self, data: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, path: str) -> None:
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        noise = random.Random(7)
        number = 0
        while not self.camera.stopped.wait(self.camera.interval):
            picture = jpeg(number % 30)
            if path == "/drip":
                self.wfile.write(picture[number % len(picture) :][:1])
            elif path == "/rubbish":
                self.wfile.write(noise.randbytes(500))
            elif path == "/bare":
                self.wfile.write(b"--other\r\n\r\n" + picture)
            else:
                head = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n"
                self.wfile.write(head % len(picture) + picture + b"\r\n")
            if path == "/garbage":
                self.wfile.write(noise.randbytes(2000))
            number += 1
            if number >= 5 and path == "/drop":
                return
            if number >= 5 and path == "/stall":
                self.camera.stopped.wait(60)


_STREAMS = {"/mjpeg", "/bare", "/garbage", "/rubbish", "/drop", "/stall", "/drip", "/digest"}


def _digest_is_right(given: str, path: str) -> bool:
    fields = dict(
        part.strip().replace('"', "").split("=", 1) for part in given[7:].split(",") if "=" in part
    )
    secret = hashlib.md5(f"{USER}:cam:{PASSWORD}".encode()).hexdigest()
    request = hashlib.md5(f"GET:{path}".encode()).hexdigest()
    text = f"{secret}:n0:{fields.get('nc')}:{fields.get('cnonce')}:auth:{request}"
    return fields.get("response") == hashlib.md5(text.encode()).hexdigest()
