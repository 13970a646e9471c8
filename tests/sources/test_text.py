"""Lines of text: files that are read or followed, and ports."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from edge_agent.errors import SourceUnavailable, SourceUnusable
from edge_agent.frame import Frame
from edge_agent.sources.text import TextOptions, TextSource
from tests.support.reading import reading


def _source(**options: Any) -> TextSource:
    return TextSource("log", TextOptions(**options))


@contextmanager
def _started(source: TextSource) -> Iterator[TextSource]:
    source.start()
    try:
        yield source
    finally:
        source.stop()


def _line(source: TextSource) -> str:
    frame = source.read()
    assert frame is not None
    assert frame.text is not None
    return frame.text


def _all(source: TextSource, limit: int = 1000) -> list[Frame]:
    frames: list[Frame] = []
    with _started(source):
        while len(frames) < limit and (frame := source.read()) is not None:
            frames.append(frame)
    return frames


def _append(file: Path, text: str) -> None:
    with file.open("a") as writer:
        writer.write(text)


def test_a_whole_file(tmp_path: Path) -> None:
    """At pace fast every line of a file comes once, a line a second in its time."""
    file = tmp_path / "a.log"
    file.write_bytes(b"one\r\n\r\ntwo \xff\n   \nthree")
    source = _source(file=file, pace="fast")
    frames = _all(source)
    assert not source.live
    assert [frame.text for frame in frames] == ["one", "two \ufffd", "three"]
    assert [frame.media_time for frame in frames] == [0, 1, 2]
    assert [frame.timeline for frame in frames] == [0, 1, 2]
    assert [frame.seq for frame in frames] == [0, 1, 2]
    assert frames[0].size == (0, 0)
    assert source.read() is None


def test_rate_and_loop(tmp_path: Path) -> None:
    """In a loop lines come at their rate while the timeline rises."""
    file = tmp_path / "a.log"
    file.write_text("one\ntwo\n")
    began = time.monotonic()
    frames = _all(_source(file=file, pace="loop", rate=50.0), 5)
    assert time.monotonic() - began >= 0.079
    assert [frame.text for frame in frames] == ["one", "two", "one", "two", "one"]
    assert [frame.timeline for frame in frames] == pytest.approx([n / 50 for n in range(5)])
    assert [frame.media_time for frame in frames] == pytest.approx([0, 0.02, 0, 0.02, 0])


def test_long_lines(tmp_path: Path) -> None:
    """A long line is cut, an endless one left out, and what follows is whole."""
    file = tmp_path / "a.log"
    file.write_text("x" * 5000 + "\n" + "y" * 1_000_000 + "\nend\n")
    frames = _all(_source(file=file, pace="fast", max_chars=10))
    assert [frame.text for frame in frames] == ["x" * 10, "end"]


def test_following_a_file(tmp_path: Path) -> None:
    """A followed file gives what is written from now on, through rotation and truncation."""
    file = tmp_path / "a.log"
    file.write_text("old\n")
    with _started(_source(file=file)) as source:
        assert not source.live
        _append(file, "new\nhal")
        assert _line(source) == "new"
        _append(file, "f\n")
        assert _line(source) == "half"
        _append(file, "last words\n")
        file.rename(tmp_path / "a.log.1")
        _append(tmp_path / "a.log.1", "late\n")
        file.write_text("rotated\n")
        assert [_line(source) for _ in range(3)] == ["last words", "late", "rotated"]
        file.write_text("cut\n")
        assert _line(source) == "cut"
        file.unlink()
        time.sleep(0.3)
        file.write_text("back\n")
        assert _line(source) == "back"


def test_live_lines_have_the_time(tmp_path: Path) -> None:
    """A line that comes now has the monotonic clock for its timeline and no media time."""
    fifo = tmp_path / "pipe"
    os.mkfifo(fifo)
    with _started(_source(fifo=fifo)) as source:
        fifo_writer = fifo.open("wb", buffering=0)
        with fifo_writer:
            fifo_writer.write(b"hello\n")
        frame = source.read()
    assert frame is not None
    assert frame.media_time is None
    assert frame.timeline == pytest.approx(time.monotonic(), abs=5.0)
    assert frame.signal is None


def test_sockets() -> None:
    """Lines come over UDP and from senders that connect."""
    for kind, option in ((socket.SOCK_DGRAM, "udp"), (socket.SOCK_STREAM, "listen")):
        with socket.socket(socket.AF_INET, kind) as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        source = _source(**{option: f"127.0.0.1:{port}"})
        with _started(source), socket.socket(socket.AF_INET, kind) as sender:
            sender.connect(("127.0.0.1", port))
            sender.sendall("grüße\n".encode())
            assert _line(source) == "grüße"


def test_reader_finishes(tmp_path: Path) -> None:
    """Read by its thread, a file is delivered whole and then finished."""
    file = tmp_path / "a.log"
    file.write_text("line\n" * 500)
    with reading(_source(file=file, pace="fast")) as (watcher, reader):
        watcher.wait(lambda: any(status.finished for status in watcher.statuses))
        assert reader.frames == 500


def test_stop_ends_a_wait(tmp_path: Path) -> None:
    """A stop from another thread ends the wait for a line, of a file that is played or followed."""
    file = tmp_path / "a.log"
    file.write_text("one\ntwo\n")
    for pace in ("real", "follow"):
        source = _source(file=file, pace=pace, rate=0.001)
        source.start()
        if pace == "real":
            assert source.read() is not None
        results: list[Frame | None] = []
        thread = threading.Thread(target=lambda s=source, r=results: r.append(s.read()))
        thread.start()
        time.sleep(0.05)
        source.stop()
        thread.join(10)
        assert results == [None]


def test_silence(tmp_path: Path) -> None:
    """A file to which nobody writes is told after the silence."""
    file = tmp_path / "a.log"
    file.touch()
    source = _source(file=file, silence=0.1)
    with _started(source), pytest.raises(SourceUnavailable, match="is silent"):
        source.read()


def test_mistakes(tmp_path: Path) -> None:
    """What cannot be is a mistake of the configuration, or told when it is opened."""
    with pytest.raises(ValueError, match="give one of file"):
        _source()
    with pytest.raises(ValueError, match="pace is for a file"):
        _source(stdin=True, pace="fast")
    with pytest.raises(SourceUnusable, match="does not exist"):
        _source(file=tmp_path / "missing", pace="fast").start()
