"""Serves the page: a fixed table of routes, nothing that writes, and bounds on everything.

Against pages of others in the same browser: the Host must be one of this machine's own names (DNS
rebinding), frames are forbidden, and scripts come from here alone. Against slow or many clients: so
many connections at once, so many seconds for each.
"""

from __future__ import annotations

import hmac
import json
import logging
import socket
import threading
from collections.abc import Callable, Mapping
from functools import partial
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qs, urlsplit

from edge_agent.page.options import PageOptions, check_options

_log = logging.getLogger(__name__)

_MOST = 16  # connections at once
_LIMIT = 10.0  # s for one connection
_SILENCE = 5.0  # s
_LOOK = 0.2  # s between two looks whether it is to end
_COOKIE = "edge_agent_token"
_LOCAL = {"localhost", "127.0.0.1", "[::1]", "::1"}
_ASSETS = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/app.js": ("app.js", "text/javascript; charset=utf-8"),
    "/style.css": ("style.css", "text/css; charset=utf-8"),
}
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

State = Callable[[], Mapping[str, Any]]
Picture = Callable[[str], bytes | None]


class PageServer:
    """The page of one agent.

    `state` gives what is shown, as plain values; `picture` a JPEG of what a pipeline sees now, None
    where there is none. Both are called in threads of the server. Raises ValueError for options
    that would let strangers in.
    """

    def __init__(self, options: PageOptions, state: State, picture: Picture) -> None:
        check_options(options)
        self._options = options
        self._state = state
        self._picture = picture
        self._assets = {
            route: (files("edge_agent.page").joinpath("assets", name).read_bytes(), kind)
            for route, (name, kind) in _ASSETS.items()
        }
        self._server: _Server | None = None

    def start(self) -> None:
        """Listen, in the background; a port that is taken is told, and no reason to end."""
        options = self._options
        try:
            server = _Server((options.address, options.port), self)
        except OSError as error:
            where = f"{options.address}:{options.port}"
            _log.error("the page cannot listen at %s: %s (set page.port)", where, error)
            return
        self._server = server
        serve = partial(server.serve_forever, _LOOK)
        threading.Thread(target=serve, name="page", daemon=True).start()
        _log.info("status page at http://%s:%d/", options.address, options.port)

    def stop(self) -> None:
        """End; safe without `start` and twice."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    def knows_host(self, host: str) -> bool:
        """Whether a Host header is one of ours: where only this machine comes, its own names."""
        return not self._options.is_local or host.rsplit(":", 1)[0] in _LOCAL or host in _LOCAL

    def lets_in(self, token: str) -> bool:
        """Whether a token opens the page; without one of ours everybody is let in."""
        wanted = self._options.token
        if wanted is None:
            return True
        return hmac.compare_digest(token.encode("utf-8", "replace"), wanted.reveal().encode())

    def answer(self, path: str, query: Mapping[str, list[str]]) -> tuple[bytes, str] | None:
        """Content and type of a route; None where there is nothing."""
        if path in self._assets:
            return self._assets[path]
        if path == "/state":
            return json.dumps(self._state(), allow_nan=False).encode(), "application/json"
        if path == "/picture" and self._options.preview:
            jpeg = self._picture(query.get("pipeline", [""])[0])
            return None if jpeg is None else (jpeg, "image/jpeg")
        return None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], page: PageServer) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.page = page
        self._room = threading.BoundedSemaphore(_MOST)
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Take a connection while there is room; a full house hangs up."""
        if not self._room.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a connection, for so long at the most."""
        timer = threading.Timer(_LIMIT, _hang_up, (request,))
        timer.daemon = True
        timer.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            timer.cancel()
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - as above us
        """A client that went away is no news; anything else is."""
        _log.debug("the page lost %s", client_address, exc_info=True)


def _hang_up(request: socket.socket) -> None:
    try:
        request.shutdown(socket.SHUT_RDWR)
    except OSError as error:
        _log.debug("already gone: %s", error)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = _SILENCE
    server_version = "edge-agent"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer one of the routes."""
        page = self.server.page
        parts = urlsplit(self.path)
        query = parse_qs(parts.query)
        if not page.knows_host(self.headers.get("Host", "")):
            self._send(421, b"not a name of this device\n", "text/plain")
        elif "token" in query and parts.path == "/":
            self._log_in(query["token"][0])
        elif not page.lets_in(self._token()):
            self._send(401, b"open /?token=... with the token of the configuration\n", "text/plain")
        else:
            self._answer(parts.path, query)

    do_HEAD = do_GET  # noqa: N815 - the name that http.server looks for

    def _answer(self, path: str, query: Mapping[str, list[str]]) -> None:
        try:
            found = self.server.page.answer(path, query)
        except Exception:  # noqa: BLE001 - the thread's edge
            _log.exception("fault in the status page")
            self._send(500, b"a fault, see the log\n", "text/plain")
            return
        if found is None:
            self._send(404, b"there is nothing here\n", "text/plain")
        else:
            self._send(200, *found)

    def _log_in(self, token: str) -> None:
        if not self.server.page.lets_in(token):
            self._send(401, b"this is not the token\n", "text/plain")
            return
        cookie = f"{_COOKIE}={token}; HttpOnly; SameSite=Strict; Path=/"
        self._send(303, b"", "text/plain", {"Location": "/", "Set-Cookie": cookie})

    def _token(self) -> str:
        try:
            cookie = SimpleCookie(self.headers.get("Cookie", "")).get(_COOKIE)
        except CookieError:
            return ""
        return cookie.value if cookie is not None else ""

    def _send(
        self, code: int, content: bytes, kind: str, more: Mapping[str, str] | None = None
    ) -> None:
        self.send_response(code)
        headers = {"Content-Type": kind, "Content-Length": str(len(content)), **_HEADERS}
        for name, value in {**headers, **(more or {}), "Connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Requests are no news, and their addresses may hold the token."""
