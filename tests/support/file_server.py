"""An HTTP server of files that cuts answers short, ignores ranges or sends something else."""

from __future__ import annotations

import hashlib
import http.server
import ssl
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self


class FileServer:
    """Serves `files` (content by path) on loopback; over TLS with CERTIFICATE.crt and .key.

    `cut` is how many bytes an answer has at most before its connection ends, `ranges` whether a
    part can be asked for, `status` what is answered in place of 200, `moved` where a path leads
    to. `asked` are the paths and their Range, as they came in, `not_modified` how often a content
    was there already, `authorization` what was shown last.
    """

    def __init__(self, files: dict[str, bytes], certificate: Path | None = None) -> None:
        self.files = files
        self.cut: int | None = None
        self.ranges = True
        self.status = 200
        self.moved: dict[str, str] = {}
        self.not_modified = 0
        self.authorization: str | None = None
        self.asked: list[tuple[str, str | None]] = []
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                """Answer."""
                wanted = self.headers.get("Range")
                owner.asked.append((self.path, wanted))
                owner.authorization = self.headers.get("Authorization")
                if self.path in owner.moved:
                    self.send_response(302)
                    self.send_header("Location", owner.moved[self.path])
                    self.end_headers()
                    return
                path = self.path.partition("://")[2]
                content = owner.files.get("/" + path.partition("/")[2] if path else self.path)
                if content is None or owner.status != 200:
                    self.send_error(404 if content is None else owner.status)
                    return
                etag = f'"{hashlib.sha256(content).hexdigest()}"'
                if self.headers.get("If-None-Match") == etag:
                    owner.not_modified += 1
                    self.send_response(304)
                    self.end_headers()
                    return
                begin = int(wanted[6:-1]) if wanted and owner.ranges else 0
                self.send_response(206 if begin else 200)
                if begin:
                    end = len(content)
                    self.send_header("Content-Range", f"bytes {begin}-{end - 1}/{end}")
                self.send_header("ETag", etag)
                self.send_header("Content-Length", str(len(content) - begin))
                self.end_headers()
                self.wfile.write(content[begin:][: owner.cut])

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A client that goes away is no error."""

        self._server = Server(("127.0.0.1", 0), Handler)
        scheme = "http"
        if certificate is not None:
            scheme, context = "https", ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            files_of_it = [certificate.with_suffix(end) for end in (".crt", ".key")]
            context.load_cert_chain(files_of_it[0], files_of_it[1])
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"{scheme}://127.0.0.1:{self._server.server_address[1]}"
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
        self._thread.join()
