"""Serves the page: a fixed table of routes, nothing that writes, and bounds on everything.

Against pages of others in the same browser: the Host must be one of this machine's own names (DNS
rebinding), frames are forbidden, and scripts come from here alone. Against slow or many clients: so
many connections at once, so many seconds and bytes of a request for each. Only a live picture lasts
longer, for as long as its viewer keeps up.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Mapping
from functools import partial
from http.client import LineTooLong
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, BinaryIO
from urllib.parse import parse_qs, urlsplit

from edge_agent.page.options import PageOptions
from edge_agent.page.site import Picture, Site, State, pipeline_of

_log = logging.getLogger(__name__)

_MOST = 16  # connections at once
_LIMIT = 10.0  # s for one connection
_SILENCE = 5.0  # s
_HEAD = 16384  # bytes of a request
_MOST_LIVE = 4  # live pictures at once: the rest of the connections is for the page itself
_FRAME = 0.2  # s between two pictures of a live one
_LOOK = 0.2  # s between two looks whether it is to end
_COOKIE = "edge_agent_token"
_BOUNDARY = "edge-agent-picture"
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class PageServer:
    """The page of one agent.

    `state` gives what is shown, as plain values; `picture` a JPEG of what a pipeline sees now, None
    where there is none. Both are called in threads of the server. Raises ValueError for options
    that would let strangers in.
    """

    def __init__(self, options: PageOptions, state: State, picture: Picture) -> None:
        self._options = options
        self._site = Site(options, state, picture)
        self._server: _Server | None = None

    def start(self) -> None:
        """Listen, in the background; a port that is taken is told, and no reason to end."""
        options = self._options
        try:
            server = _Server((options.address, options.port), self._site)
        except OSError as error:
            where = f"{options.address}:{options.port}"
            _log.error("the page cannot listen at %s: %s (set page.port)", where, error.strerror)
            return
        self._server = server
        serve = partial(server.serve_forever, _LOOK)
        threading.Thread(target=serve, name="page", daemon=True).start()
        _log.info("status page at http://%s:%d/", options.address, options.port)

    def stop(self) -> None:
        """End; safe without `start` and twice."""
        server, self._server = self._server, None
        if server is not None:
            server.over.set()
            server.shutdown()
            server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], site: Site) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.site = site
        self.over = threading.Event()
        self.live = threading.BoundedSemaphore(_MOST_LIVE)
        self._room = threading.BoundedSemaphore(_MOST)
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Take a connection while there is room; a full house hangs up."""
        if not self._room.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except RuntimeError:  # no thread is to be had
            self._room.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a connection, and make room for the next."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - as above us
        """A client that went away is no news; anything else is."""
        _log.debug("the page lost %s", client_address, exc_info=True)


def _hang_up(request: socket.socket) -> None:
    try:
        request.shutdown(socket.SHUT_RDWR)
    except OSError as error:
        _log.debug("already gone: %s", error)


class _Head:
    """Reads the lines of a request, so many bytes in all."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._left = _HEAD

    def readline(self, most: int) -> bytes:
        """The next line; raises LineTooLong, which is answered, where there is more."""
        line = self._stream.readline(min(most, self._left + 1))
        self._left -= len(line)
        if self._left < 0:
            raise LineTooLong("request")
        return line

    def close(self) -> None:
        """Close the stream."""
        self._stream.close()


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = _SILENCE
    server_version = "edge-agent"
    sys_version = ""

    def handle(self) -> None:
        """Read a request and answer it, in so many seconds and bytes at the most."""
        self.rfile: Any = _Head(self.rfile)
        self._timer = threading.Timer(_LIMIT, _hang_up, (self.connection,))
        self._timer.daemon = True
        self._timer.start()
        try:
            super().handle()
        finally:
            self._timer.cancel()

    def do_GET(self) -> None:
        """Answer one of the routes."""
        site = self.server.site
        parts = urlsplit(self.path)
        query = parse_qs(parts.query)
        if not site.knows_host(self.headers.get("Host", "")):
            self._send(421, b"not a name of this device\n", "text/plain")
        elif "token" in query and parts.path == "/":
            self._log_in(query["token"][0])
        elif not site.lets_in(self._pass()):
            self._send(401, b"open /?token=... with the token of the configuration\n", "text/plain")
        elif parts.path == "/live" and site.has_pictures and self.command == "GET":
            self._show_live(pipeline_of(query))
        else:
            self._answer(parts.path, query)

    do_HEAD = do_GET  # noqa: N815 - the name that http.server looks for

    def _answer(self, path: str, query: Mapping[str, list[str]]) -> None:
        try:
            found = self.server.site.answer(path, query)
        except Exception:  # noqa: BLE001 - the thread's edge
            _log.exception("fault in the status page")
            self._send(500, b"a fault, see the log\n", "text/plain")
            return
        if found is None:
            self._send(404, b"there is nothing here\n", "text/plain")
        else:
            self._send(200, *found)

    def _show_live(self, pipeline: str) -> None:
        """Picture after picture (MJPEG), until the viewer goes, is too slow, or nothing comes."""
        if not self.server.live.acquire(blocking=False):
            self._send(503, b"others look already\n", "text/plain")
            return
        try:
            jpeg = self.server.site.picture(pipeline)
            if jpeg is None:
                self._send(404, b"there is nothing here\n", "text/plain")
                return
            self._timer.cancel()
            self._begin(200, {"Content-Type": f"multipart/x-mixed-replace; boundary={_BOUNDARY}"})
            while jpeg is not None:
                head = f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}"
                self.wfile.write(head.encode() + b"\r\n\r\n" + jpeg + b"\r\n")
                if self.server.over.wait(_FRAME):
                    return
                jpeg = self.server.site.picture(pipeline)
        finally:
            self.server.live.release()

    def _log_in(self, token: str) -> None:
        shown = self.server.site.pass_for(token)
        if shown is None:
            self._send(401, b"this is not the token\n", "text/plain")
            return
        cookie = f"{_COOKIE}={shown}; HttpOnly; SameSite=Strict; Path=/"
        self._send(303, b"", "text/plain", {"Location": "/", "Set-Cookie": cookie})

    def _pass(self) -> str:
        try:
            cookie = SimpleCookie(self.headers.get("Cookie", "")).get(_COOKIE)
        except CookieError:
            return ""
        return cookie.value if cookie is not None else ""

    def _send(
        self, code: int, content: bytes, kind: str, more: Mapping[str, str] | None = None
    ) -> None:
        length = str(len(content))
        self._begin(code, {"Content-Type": kind, "Content-Length": length, **(more or {})})
        if self.command != "HEAD":
            self.wfile.write(content)

    def _begin(self, code: int, headers: Mapping[str, str]) -> None:
        self.send_response(code)
        for name, value in {**headers, **_HEADERS, "Connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()

    def send_error(self, code: int, *_: Any) -> None:
        """Refuse what is no request of ours, with the same headers and no word of the visitor's."""
        self._send(code, b"refused\n", "text/plain")

    def log_message(self, *_: Any) -> None:
        """Requests are no news, and their addresses may hold the token."""
