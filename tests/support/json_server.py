"""A web service that answers with what a test tells it."""

from __future__ import annotations

import http.server
import threading
import time
from types import TracebackType
from typing import Any, Self


class JsonServer:
    """Serves `body` with `status` on loopback after `delay` seconds; `wanted` is the only login."""

    def __init__(self, body: bytes = b"{}", port: int = 0) -> None:
        self.body = body
        self.status = 200
        self.delay = 0.0
        self.wanted = ""
        self.requests: list[str] = []
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                """Answer."""
                owner.requests.append(self.path)
                time.sleep(owner.delay)
                refused = owner.wanted not in ("", self.headers.get("Authorization"))
                self.send_response(401 if refused else owner.status)
                self.send_header("WWW-Authenticate", 'Basic realm="x"')
                self.send_header("Content-Length", str(len(owner.body)))
                self.end_headers()
                self.wfile.write(owner.body)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A client that goes away is no error."""

        self._server = Server(("127.0.0.1", port), Handler)
        self.port: int = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/state"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)
