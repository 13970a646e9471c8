"""Numbers of a web service: a real server with good and bad answers."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import Any

import pytest

from edge_agent.errors import SourceError, SourceUnavailable, SourceUnusable
from edge_agent.options import Secret
from edge_agent.sources.http_json import HttpJsonOptions, HttpJsonSource
from tests.support.json_server import JsonServer
from tests.support.reading import reading

ANSWER = b'{"meters": [{"power": 231.5}, {"power": "17"}], "relay": {"ison": true}, "gas": null}'
CHANNELS = {"one": "meters[0].power", "two": "meters[1].power", "relay": "relay.ison", "gas": "gas"}


@pytest.fixture(name="server")
def _server() -> Iterator[JsonServer]:
    with JsonServer(ANSWER) as server:
        yield server


def _source(url: str, **options: Any) -> HttpJsonSource:
    options = {"channels": CHANNELS, "interval": 0.05, **options}
    return HttpJsonSource("meter", HttpJsonOptions(Secret(url), **options))


def _fails(source: HttpJsonSource) -> SourceError:
    with pytest.raises(SourceError) as error:
        source.start()
    source.stop()
    return error.value


def test_numbers_of_an_answer(server: JsonServer) -> None:
    """One row for each request, in one connection; null is NaN."""
    with reading(_source(server.url)) as (watcher, reader):
        watcher.wait(lambda: len(watcher.frames) >= 4)
        assert reader.reopens == 0
    frame = watcher.frames[0]
    assert frame.data[0, :3].tolist() == [231.5, 17.0, 1.0]
    assert math.isnan(frame.data[0, 3])
    assert frame.signal is not None
    assert (frame.signal.channels, frame.signal.rate) == (tuple(CHANNELS), 20.0)
    assert not frame.signal.is_gap
    took = watcher.frames[3].timeline - watcher.frames[0].timeline
    assert took >= 0.13


def test_a_slow_server_leaves_gaps(server: JsonServer) -> None:
    """Requests that could not be made in time are told, not made up."""
    server.delay = 0.12
    source = _source(server.url)
    source.start()
    frames = [source.read() for _ in range(3)]
    source.stop()
    assert [frame.signal.is_gap for frame in frames if frame and frame.signal] == [
        False, True, True,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"username": "me", "password": Secret("geheim")}, "Basic bWU6Z2VoZWlt"),
        ({"token": Secret("geheim")}, "Bearer geheim"),
    ],
)
def test_logging_in(server: JsonServer, options: dict[str, Any], wanted: str) -> None:
    """With a password or a token; without, or with a wrong one, it is refused."""
    server.wanted = wanted
    source = _source(server.url, **options)
    source.start()
    assert source.read() is not None
    source.stop()
    error = _fails(_source(server.url, token=Secret("falsch")))
    assert isinstance(error, SourceUnusable)
    assert "refuses the user name or password (401)" in str(error)
    assert "falsch" not in str(error)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<html>", "does not answer with JSON"),
        (b"\xff\xfe{", "does not answer with JSON"),
        (b"", "does not answer with JSON"),
        (b"[]", "answers without a number (one: there is no 'meters')"),
        (b'{"meters": [{"power": NaN}]}', "answers without a number (one: 'nan' is no finite"),
        (b'"' + b"x" * 2**20 + b'"', "has more than 1048576 bytes"),
    ],
)
def test_bad_answers(server: JsonServer, body: bytes, message: str) -> None:
    """They are told with what came."""
    server.body = body
    error = _fails(_source(server.url))
    assert message in error.message
    assert error.cure


def test_a_server_that_fails_and_comes_back(server: JsonServer) -> None:
    """Offline with the reason, and online by itself; the row after that follows a gap."""
    with reading(_source(server.url)) as (watcher, _):
        watcher.wait_online()
        server.status = 503
        watcher.wait_reason("the server answers 503")
        before = len(watcher.frames)
        server.status = 200
        watcher.wait_online()
        watcher.wait(lambda: len(watcher.frames) > before)
    signal = watcher.frames[before].signal
    assert signal is not None
    assert signal.is_gap


def test_limits(server: JsonServer) -> None:
    """A server that takes too long ends at the limit, and a wait ends with a stop."""
    server.delay = 1.0
    began = time.monotonic()
    error = _fails(_source(server.url, timeout=0.2))
    assert "no whole JSON answer within 0.2 s" in str(error)
    assert time.monotonic() - began < 5.0
    server.delay = 0.0
    with reading(_source(server.url, interval=3600.0)) as (watcher, _):
        watcher.wait_online()


def test_nobody_there() -> None:
    """A closed port is told without what is secret in the address."""
    error = _fails(_source("http://me:geheim@127.0.0.1:1/x?token=abc"))
    assert isinstance(error, SourceUnavailable)
    assert "nothing listens at 127.0.0.1:1" in error.message
    assert "geheim" not in str(error)
    assert "abc" not in str(error)


def test_contact() -> None:
    """Whom it connects to, and whether it logs in."""
    options = HttpJsonOptions(Secret("https://meter.local/x"), CHANNELS, token=Secret("x"))
    assert (options.contact.host, options.contact.port) == ("meter.local", 443)
    assert options.contact.login
    assert options.contact.encrypted
