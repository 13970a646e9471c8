"""RTSP cameras: FFmpeg against a real server that is killed, frozen and locked."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import closing
from typing import Any

import pytest

from edge_agent.errors import SourceError, SourceUnavailable, SourceUnusable
from edge_agent.options import Secret
from edge_agent.sources.rtsp import RtspOptions, RtspSource, Transport
from tests.support.pictures import jpeg
from tests.support.reading import LIMIT, reading
from tests.support.rtsp_server import RtspServer


def _source(url: str, **options: Any) -> RtspSource:
    return RtspSource("yard", RtspOptions(Secret(url), **{"timeout": 5.0, **options}))


def _fails(url: str, **options: Any) -> SourceError:
    source = _source(url, **options)
    with pytest.raises(SourceError) as error:
        source.start()
    source.stop()
    assert error.value.cure
    return error.value


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_plays(transport: str) -> None:
    """The stream is played by the transport that was asked for."""
    with RtspServer(fps=100.0) as server:
        with reading(_source(server.url, transport=transport)) as (watcher, _):
            watcher.wait(lambda: len(watcher.frames) >= 5)
        assert server.transports == [transport]
    frame = watcher.frames[-1]
    assert frame.size == (64, 48)
    assert frame.timeline == frame.monotonic_ns / 1e9


def test_camera_that_comes_back(capfd: pytest.CaptureFixture[str]) -> None:
    """A camera that loses power is told, and plays again when it comes back on its port."""
    server = RtspServer(fps=100.0)
    with reading(_source(server.url.replace("//", "//me:geheim@"), timeout=2.0)) as (watcher, _):
        watcher.wait_online()
        server.kill()
        watcher.wait(lambda: "nothing listens" in watcher.statuses[-1].reason)
        with RtspServer(server.port, fps=100.0):
            watcher.wait_online()
    captured = capfd.readouterr()
    assert "geheim" not in captured.out + captured.err


def test_frozen_stream() -> None:
    """A stream that falls silent while its connection stays open is found out."""
    server = RtspServer(fps=100.0)
    with server, reading(_source(server.url, timeout=1.0)) as (watcher, _):
        watcher.wait_online()
        server.frozen.set()
        assert "is frozen: no frame for 1 s" in watcher.wait_offline()


def test_password() -> None:
    """A missing and a wrong password are told, the right one plays; none is shown."""
    with RtspServer(fps=100.0, user="me", password="geheim") as server:
        missing = _fails(server.url)
        wrong = _fails(server.url.replace("//", "//me:falsch@"))
        with reading(_source(server.url.replace("//", "//me:geheim@"))) as (watcher, _):
            watcher.wait_online()
    assert isinstance(missing, SourceUnusable)
    assert "wants a password (401)" in str(missing)
    assert isinstance(wrong, SourceUnusable)
    assert "refuses the user name or password (401)" in str(wrong)
    assert "falsch" not in str(wrong)


def test_why_it_is_closed() -> None:
    """A wrong path, a closed port, an unknown host and a silent server are told apart."""
    with RtspServer() as server:
        assert "no stream of that path (404)" in str(_fails(server.url.replace("stream", "x")))
    assert "nothing listens" in str(_fails(server.url))
    assert "is not known" in str(_fails("rtsp://camera.invalid/x"))
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        url = f"rtsp://127.0.0.1:{silent.getsockname()[1]}/x"
        error = _fails(url, timeout=0.5)
    assert isinstance(error, SourceUnavailable)
    assert "no answer" in str(error)


def test_not_rtsp() -> None:
    """A server that speaks something else is told, whatever it sends."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:

        def answer() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(1000)
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" + jpeg())

        thread = threading.Thread(target=answer)
        thread.start()
        error = _fails(f"rtsp://127.0.0.1:{listener.getsockname()[1]}/x", timeout=2.0)
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(LIMIT)
    assert "does not speak RTSP" in str(error)


def test_bad_address() -> None:
    """A wrong address is refused when the source is built."""
    with pytest.raises(ValueError, match="must be rtsp:// or rtsps://"):
        _source("http://cam/x")


_VARIABLE = "OPENCV_FFMPEG_CAPTURE_OPTIONS"


def test_transports_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streams of one transport open together; one of the other waits, with a limit."""
    monkeypatch.setenv(_VARIABLE, "")
    monkeypatch.delenv(_VARIABLE)
    transport = Transport("5.0.0")
    with transport.using("tcp", 1), transport.using("tcp", 1):
        assert os.environ[_VARIABLE] == "rtsp_transport;tcp"
        with pytest.raises(TimeoutError), transport.using("udp", 0.01):
            pass
    with transport.using("udp", 1):
        assert os.environ[_VARIABLE] == "rtsp_transport;udp"


def test_environment_of_the_user_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the user has set for FFmpeg stays."""
    monkeypatch.setenv(_VARIABLE, "fflags;nobuffer")
    with Transport("5.0.0").using("udp", 1):
        assert os.environ[_VARIABLE] == "fflags;nobuffer"
