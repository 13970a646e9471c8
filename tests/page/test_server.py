"""The status page: what it serves, whom it lets in, and what it bounds."""

from __future__ import annotations

import http.client
import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.mqtt.broker import free_port
from edge_agent.options import Secret
from edge_agent.page import server as module
from edge_agent.page.options import PageOptions, check_options
from edge_agent.page.server import PageServer
from edge_agent.page.site import Site
from tests.support.broker import wait_until

STATE = {"info": {"device": "dev"}, "events": []}
JPEG = b"\xff\xd8picture"

Start = Callable[..., "Visitor"]


class Visitor:
    """Asks a page for things."""

    def __init__(self, port: int) -> None:
        self.port = port

    def get(self, path: str, method: str = "GET", **headers: str) -> tuple[int, bytes, Any]:
        """Status, content and headers of an answer."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)) as line:
            line.putrequest(method, path, skip_host="Host" in headers)
            for name, value in headers.items():
                line.putheader(name, value)
            line.endheaders()
            answer = line.getresponse()
            return answer.status, answer.read(), answer.headers


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts pages, and ends them after the test, at once."""
    monkeypatch.setattr(module, "_LOOK", 0.01)
    pages: list[PageServer] = []

    def begin(**options: Any) -> Visitor:
        port = free_port()
        pages.append(
            PageServer(
                PageOptions(port=port, **options),
                lambda: STATE,
                lambda name: JPEG if name == "door" else None,
            )
        )
        pages[-1].start()
        return Visitor(port)

    yield begin
    for page in pages:
        page.stop()
        page.stop()


def test_the_page_and_its_parts(start: Start) -> None:
    """Everything that the page needs comes from here, with headers that shut out all else."""
    visitor = start()
    code, content, headers = visitor.get("/")
    assert (code, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert b'<script src="/app.js"' in content
    for name, value in module._HEADERS.items():
        assert headers[name] == value
    assert visitor.get("/app.js")[0] == visitor.get("/style.css")[0] == 200
    assert json.loads(visitor.get("/state")[1]) == STATE


def test_it_is_small_and_holds_nothing_of_others() -> None:
    """Less than 30 kB in all, no address of anybody else, nothing inline."""
    page = Site(PageOptions(), dict, lambda _: None)
    parts = [content for content, _ in page._assets.values()]
    assert sum(map(len, parts)) < 30_000
    for part in parts:
        assert b"//" not in part.replace(b"http://www.w3.org/2000/svg", b"")
        assert b"style=" not in part
        assert not re.search(rb"\son\w+=", part)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
def test_nothing_can_be_written(start: Start, method: str) -> None:
    """The page only shows; what it refuses is refused with the same headers."""
    code, _, headers = start().get("/state", method)
    assert (code, headers["Content-Type"]) == (501, "text/plain")
    for name, value in module._HEADERS.items():
        assert headers[name] == value


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40))
def test_no_path_leads_anywhere_else(path: str) -> None:
    """The routes are a table: whatever else is asked for is not there."""
    page = Site(PageOptions(preview=True), lambda: STATE, lambda _: None)
    known = {"/", "/app.js", "/icon.svg", "/style.css", "/state"}
    assert (page.answer(f"/{path}", {}) is not None) == (f"/{path}" in known)


@pytest.mark.parametrize("path", ["/../../etc/passwd", "/%2e%2e/x", "/assets/app.js", "/state/"])
def test_what_is_not_there(start: Start, path: str) -> None:
    """It is told as 404."""
    assert start().get(path)[0] == 404


@pytest.mark.parametrize(
    ("host", "code"),
    [("127.0.0.1", 200), ("localhost:8787", 200), ("[::1]:8787", 200), ("evil.example", 421),
     ("LocalHost", 200), ("127.0.0.1.evil.example", 421), ("", 421)],
)  # fmt: skip
def test_a_name_that_is_not_ours(start: Start, host: str, code: int) -> None:
    """A page of others cannot reach ours by a name that it points at this machine."""
    assert start().get("/state", Host=host)[0] == code


def test_the_token(start: Start) -> None:
    """Nothing without it; opened once with it, a cookie that scripts cannot read lets one in."""
    visitor = start(token=Secret("s3cret"))
    assert visitor.get("/")[0] == visitor.get("/state")[0] == 401
    assert visitor.get("/?token=wrong")[0] == 401
    code, _, headers = visitor.get("/?token=s3cret")
    assert (code, headers["Location"]) == (303, "/")
    assert "HttpOnly; SameSite=Strict" in headers["Set-Cookie"]
    cookie = headers["Set-Cookie"].partition(";")[0]
    code, content, _ = visitor.get("/state", Cookie=cookie)
    assert code == 200
    assert b"s3cret" not in content
    assert b"s3cret" not in cookie.encode()
    assert visitor.get("/state", Cookie="edge_agent_token=s3cret")[0] == 401
    assert visitor.get("/state", Cookie="edge_agent_token=")[0] == 401
    assert visitor.get("/state", Cookie="=;=\x01")[0] == 401


def test_pictures_only_if_wanted(start: Start) -> None:
    """Without `preview` none, whatever is asked for; with it those that there are."""
    assert start().get("/picture?pipeline=door")[0] == 404
    visitor = start(preview=True)
    code, content, headers = visitor.get("/picture?pipeline=door")
    assert (code, content, headers["Content-Type"]) == (200, JPEG, "image/jpeg")
    assert visitor.get("/picture?pipeline=yard")[0] == visitor.get("/picture")[0] == 404


@pytest.mark.parametrize("token", ["a;b c", 'quo"te', "schlüssel", "鍵", "x" * 500])
def test_a_token_of_any_letters(start: Start, token: str) -> None:
    """What it is made of does not matter to the cookie."""
    visitor = start(token=Secret(token))
    _, _, headers = visitor.get("/?token=" + quote(token))
    cookie = headers["Set-Cookie"].partition(";")[0]
    assert visitor.get("/state", Cookie=cookie)[0] == 200


def live(visitor: Visitor, path: str = "/live?pipeline=door") -> http.client.HTTPResponse:
    """The answer to a request for a live picture, open."""
    line = http.client.HTTPConnection("127.0.0.1", visitor.port, timeout=5)
    line.request("GET", path)
    return line.getresponse()


def test_a_live_picture_is_slow_enough(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is whole, and they come no faster than they should."""
    monkeypatch.setattr(module, "_FRAME", 0.05)
    with closing(live(start(preview=True))) as answer:
        assert answer.headers["Content-Type"].startswith("multipart/x-mixed-replace")
        began = time.monotonic()
        for _ in range(5):
            head = [answer.readline() for _ in range(4)]
            assert head[2] == b"Content-Length: %d\r\n" % len(JPEG)
            assert answer.read(len(JPEG)) == JPEG
            assert answer.readline() == b"\r\n"
        assert time.monotonic() - began >= 3 * 0.05


def test_live_pictures_only_if_wanted(start: Start) -> None:
    """Without `preview` none; of what is not there none either."""
    with closing(live(start())) as answer:
        assert answer.status == 404
    with closing(live(start(preview=True), "/live?pipeline=yard")) as answer:
        assert answer.status == 404


def test_live_pictures_leave_room(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few look live at once, the page stays within reach, and who goes makes room."""
    monkeypatch.setattr(module, "_MOST_LIVE", 2)
    monkeypatch.setattr(module, "_FRAME", 0.01)
    visitor = start(preview=True)
    looking = [live(visitor) for _ in range(2)]
    with closing(live(visitor)) as answer:
        assert answer.status == 503
    assert visitor.get("/")[0] == 200
    for each in looking:
        each.close()

    def has_room() -> bool:
        with closing(live(visitor)) as answer:
            return answer.status == 200

    wait_until(has_room, 5.0, "nobody made room")


def test_a_live_picture_outlives_the_limit_and_not_the_page(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It goes on for as long as there is a page, and holds up nothing when that ends."""
    monkeypatch.setattr(module, "_LIMIT", 0.2)
    monkeypatch.setattr(module, "_FRAME", 0.05)
    port = free_port()
    page = PageServer(PageOptions(port=port, preview=True), dict, lambda _: JPEG)
    page.start()
    try:
        with closing(live(Visitor(port))) as answer:
            end = time.monotonic() + 0.5
            while time.monotonic() < end:
                assert answer.readline()
            page.stop()
            answer.read()
    finally:
        page.stop()


def test_who_does_not_read_is_hung_up(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """A viewer who went to sleep holds a live picture for seconds only."""
    monkeypatch.setattr(module._Handler, "timeout", 0.2)
    monkeypatch.setattr(module, "_FRAME", 0.0)
    monkeypatch.setattr(module, "_MOST_LIVE", 1)
    monkeypatch.setitem(globals(), "JPEG", bytes(4_000_000))
    visitor = start(preview=True)
    with closing(live(visitor)):

        def is_free() -> bool:
            with closing(live(visitor)) as answer:
                return answer.status == 200

        wait_until(is_free, 5.0, "it is held")


def test_a_request_has_so_many_bytes(start: Start) -> None:
    """Many long lines are not read to their end; the same in few bytes is answered."""
    visitor = start()
    with socket.create_connection(("127.0.0.1", visitor.port), timeout=5) as line:
        with suppress(OSError):
            line.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
            for number in range(90):
                line.sendall(b"X%d: " % number + b"y" * 60_000 + b"\r\n")
            line.sendall(b"\r\n")
        answer = b""
        with suppress(OSError):  # what we sent and nobody read ends in a reset
            answer = line.recv(100)
        assert not answer.startswith(b"HTTP/1.0 200")
    assert visitor.get("/", X="y" * 10_000)[0] == 200
    with suppress(OSError, http.client.HTTPException):
        assert visitor.get("/", X="y" * 17_000)[0] == 431


def test_a_slow_client_is_hung_up(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that sends a byte now and then."""
    monkeypatch.setattr(module, "_LIMIT", 0.4)
    visitor = start()
    with socket.create_connection(("127.0.0.1", visitor.port), timeout=5) as line:
        began = time.monotonic()
        line.sendall(b"GET / HTTP/1.1\r\n")
        with suppress(OSError):  # reset or broken pipe
            for _ in range(100):
                line.sendall(b"X: y\r\n")
                time.sleep(0.05)
        assert time.monotonic() - began < 3.0
    assert visitor.get("/")[0] == 200


def test_only_so_many_at_once(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full house hangs up, and is open again when somebody has gone."""
    monkeypatch.setattr(module, "_MOST", 3)
    visitor = start()
    lines = [socket.create_connection(("127.0.0.1", visitor.port), timeout=5) for _ in range(3)]
    with socket.create_connection(("127.0.0.1", visitor.port), timeout=5) as extra:
        assert extra.recv(10) == b""
    for line in lines:
        line.close()

    def is_open() -> bool:
        with suppress(ConnectionError, http.client.HTTPException):
            return visitor.get("/")[0] == 200
        return False

    wait_until(is_open, 5.0, "it stays shut")


def test_a_fault_is_told_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """The visitor gets 500 without details, and the next one is served."""

    def state() -> dict[str, Any]:
        raise RuntimeError("broken inside")

    port = free_port()
    page = PageServer(PageOptions(port=port), state, lambda _: None)
    page.start()
    try:
        code, content, _ = Visitor(port).get("/state")
        assert (code, b"inside" in content) == (500, False)
        assert Visitor(port).get("/")[0] == 200
    finally:
        page.stop()
    assert "broken inside" in caplog.text


def test_a_port_that_is_taken(caplog: pytest.LogCaptureFixture) -> None:
    """It is told, and the agent goes on without."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        page = PageServer(PageOptions(port=other.getsockname()[1]), dict, lambda _: None)
        page.start()
        page.stop()
    assert "set page.port" in caplog.text


@pytest.mark.parametrize(
    ("address", "local"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False),
     ("192.168.1.5", False), ("device.local", False)],
)  # fmt: skip
def test_the_network_needs_a_token(address: str, local: bool) -> None:
    """Whoever opens the page to others must say who may come."""
    options = PageOptions(address=address)
    assert options.is_local is local
    if not local:
        with pytest.raises(ValueError, match=r"page\.token"):
            check_options(options)
    check_options(PageOptions(address=address, token=Secret("x")))
