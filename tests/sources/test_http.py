"""HTTP cameras: real sockets, good and bad habits."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from edge_agent.errors import SourceError, SourceUnavailable, SourceUnusable
from edge_agent.options import Secret
from edge_agent.sources.http import HttpOptions, HttpSource
from tests.support.mjpeg_server import PASSWORD, USER, MjpegServer
from tests.support.reading import LIMIT, reading


@pytest.fixture(name="camera", scope="module")
def _camera() -> Iterator[MjpegServer]:
    """One camera for the tests that do not kill it."""
    with MjpegServer() as server:
        yield server


def _source(url: str, **options: Any) -> HttpSource:
    return HttpSource("yard", HttpOptions(Secret(url), **{"timeout": 5.0, **options}))


def _fails(source: HttpSource) -> SourceError:
    """The error that a source meets in its first 50 frames."""

    def run() -> None:
        source.start()
        for _ in range(50):
            assert source.read() is not None

    with pytest.raises(SourceError) as error:
        run()
    source.stop()
    return error.value


@pytest.mark.parametrize("path", ["/mjpeg", "/bare", "/garbage"])
def test_stream(camera: MjpegServer, path: str) -> None:
    """A stream gives frames whatever its parts look like and whatever stands between them."""
    with reading(_source(camera.url(path))) as (watcher, reader):
        watcher.wait(lambda: len(watcher.frames) >= 10)
        assert reader.reopens == 0
    frame = watcher.frames[0]
    assert frame.size == (64, 48)
    assert frame.media_time is None
    assert frame.timeline == frame.monotonic_ns / 1e9


def test_still_pictures_at_their_rate(camera: MjpegServer) -> None:
    """A still picture is fetched again and again over one connection."""
    with reading(_source(camera.url("/snapshot.jpg"), fps=50.0)) as (watcher, reader):
        watcher.wait(lambda: len(watcher.frames) >= 5)
        assert reader.reopens == 0
    gaps = [
        b.timeline - a.timeline for a, b in zip(watcher.frames, watcher.frames[1:], strict=False)
    ]
    assert sum(gaps) >= 0.9 * (len(gaps) - 1) / 50


def test_polling_wait_ends_with_stop(camera: MjpegServer) -> None:
    """A long wait for the next poll ends at once when the source is stopped."""
    with reading(_source(camera.url("/snapshot.jpg"), fps=0.0001)) as (watcher, _):
        watcher.wait_online()


@pytest.mark.parametrize("path", ["/auth.jpg", "/digest.jpg", "/digest"])
def test_logs_in(camera: MjpegServer, path: str) -> None:
    """Basic and digest logins work, from the url and from the options."""
    url = camera.url(path)
    in_url = url.replace("//", f"//{USER}:{PASSWORD}@")
    for source in (
        _source(in_url, fps=100.0),
        _source(url, username=USER, password=Secret(PASSWORD), fps=100.0),
    ):
        source.start()
        assert [source.read() is not None for _ in range(3)] == [True] * 3
        source.stop()


@pytest.mark.parametrize(
    ("path", "reason", "kind"),
    [
        ("/auth.jpg", "refuses the user name or password (401)", SourceUnusable),
        ("/digest", "refuses the user name or password (401)", SourceUnusable),
        ("/none", "no such address (404)", SourceUnusable),
        ("/html", "text/html, not with pictures", SourceUnusable),
        ("/moved", "has moved (301)", SourceUnusable),
        ("/broken.jpg", "no usable picture: it breaks off", SourceUnavailable),
        ("/drop", "ended the stream", SourceUnavailable),
    ],
)
def test_refusals(camera: MjpegServer, path: str, reason: str, kind: type[SourceError]) -> None:
    """What the camera refuses is said exactly, with a cure and without the password."""
    error = _fails(_source(camera.url(path).replace("//", "//cam:geheim@")))
    assert isinstance(error, kind)
    assert reason in str(error)
    assert error.cure
    assert "geheim" not in str(error)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/stall", "is frozen: no whole picture within 0.3 s"),
        ("/drip", "is frozen: no whole picture within 0.3 s"),
        ("/rubbish", "is frozen: no whole picture within 0.3 s"),
    ],
)
def test_time_limit(camera: MjpegServer, path: str, reason: str) -> None:
    """Silence, a slow drip and endless rubbish end at the time limit."""
    began = time.monotonic()
    error = _fails(_source(camera.url(path), timeout=0.3))
    assert reason in str(error)
    assert time.monotonic() - began < 5.0


def test_nobody_there() -> None:
    """A closed port, an unknown host and a server that never answers are told apart."""
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        port = silent.getsockname()[1]
        assert "is frozen" in str(_fails(_source(f"http://127.0.0.1:{port}/", timeout=0.3)))
    assert "nothing listens" in str(_fails(_source(f"http://127.0.0.1:{port}/")))
    assert "not known" in str(_fails(_source("http://camera.invalid/")))


def test_no_http() -> None:
    """A server that speaks something else is told with a cure."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"220 mail.example ESMTP\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        error = _fails(_source(f"http://127.0.0.1:{listener.getsockname()[1]}/"))
        thread.join(LIMIT)
    assert "gives no HTTP answer" in str(error)


def test_stop_ends_a_read(camera: MjpegServer) -> None:
    """A read that waits for a silent camera ends as soon as the source is stopped."""
    with reading(_source(camera.url("/stall"), timeout=3600.0)) as (watcher, _):
        watcher.wait(lambda: len(watcher.frames) == 5)


def test_camera_that_comes_back(caplog: pytest.LogCaptureFixture) -> None:
    """A camera that is killed and comes back is online again; its password is in no log."""
    caplog.set_level(logging.DEBUG)
    server = MjpegServer()
    url = server.url("/mjpeg").replace("//", "//cam:geheim@")
    with reading(_source(url)) as (watcher, reader):
        watcher.wait_online()
        server.kill()
        assert watcher.wait_offline()
        watcher.wait(lambda: "nothing listens" in watcher.statuses[-1].reason)
        with MjpegServer(server.port):
            watcher.wait_online()
        assert reader.reopens >= 1
    assert "geheim" not in caplog.text
    assert "geheim" not in repr(HttpOptions(Secret(url)))
