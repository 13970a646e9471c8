"""Numbers that come as lines: every kind of port and of line, and what goes wrong with them."""

from __future__ import annotations

import os
import pty
import socket
import threading
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_agent.errors import SourceUnavailable, SourceUnusable
from edge_agent.frame import Frame, Signal
from edge_agent.sources import usable
from edge_agent.sources.lines import LinesOptions, LinesSource
from tests.support.reading import Watcher, reading

Send = Callable[[bytes], Any]


def _source(**options: Any) -> LinesSource:
    return LinesSource("meter", LinesOptions(**options))


@pytest.fixture(name="fifo")
def _fifo(tmp_path: Path) -> Path:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path


@contextmanager
def _started(source: LinesSource) -> Iterator[LinesSource]:
    source.start()
    try:
        yield source
    finally:
        source.stop()


@contextmanager
def _piped(fifo: Path, **options: Any) -> Iterator[tuple[LinesSource, Send]]:
    """A started source that reads a FIFO, and what writes to it."""
    with _started(_source(fifo=fifo, **options)) as source:
        writer = os.open(fifo, os.O_WRONLY)
        try:
            yield source, lambda data: os.write(writer, data)
        finally:
            os.close(writer)


def _block(source: LinesSource) -> Frame:
    frame = source.read()
    assert frame is not None
    return frame


def _signal(frame: Frame) -> Signal:
    assert frame.signal is not None
    return frame.signal


def _rows(frames: list[Frame]) -> list[list[float]]:
    rows: NDArray[np.float32] = np.concatenate([frame.data for frame in frames])
    listed: list[list[float]] = rows.tolist()
    return listed


def _free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.parametrize(
    ("text", "options", "channels", "rows"),
    [
        ("1,2\n3,4\n", {}, ("column1", "column2"), [[1, 2], [3, 4]]),
        ("x;y\n1,5;2\n", {}, ("x", "y"), [[1.5, 2]]),
        ("1 2 3\r\n", {"channels": ("a", "b", "c")}, ("a", "b", "c"), [[1, 2, 3]]),
        ("1\t2\t3\n", {"channels": (3, 1)}, ("column3", "column1"), [[3, 1]]),
        ("21.5\n", {}, ("column1",), [[21.5]]),
        ('{"t": 1.5, "room": {"h": 40}, "id": "x"}\n', {}, ("t", "room.h"), [[1.5, 40]]),
        ('{"a": [1, 2]}\n', {"channels": ("a.1",)}, ("a.1",), [[2]]),
        ("[1, true]\n", {}, ("0", "1"), [[1, 1]]),
        ("t=1.5 h=40 ok=yes\n", {}, ("t", "h"), [[1.5, 40]]),
        ("temp: 1.5, hum: 40\n", {"channels": ("hum",)}, ("hum",), [[40]]),
        ("t=1\nh=2\nt=3\n", {"channels": ("t", "h"), "missing": "hold"}, ("t", "h"),
         [[1, 2], [3, 2]]),
    ],
)  # fmt: skip
def test_kinds_of_lines(
    fifo: Path, text: str, options: dict[str, Any], channels: tuple[str, ...], rows: list[Any]
) -> None:
    """Cells, JSON and name=value are told apart, and fields become channels."""
    with _piped(fifo, **options) as (source, send):
        send(text.encode())
        block = _block(source)
        assert _signal(block).channels == channels
        assert block.data.tolist() == rows
        assert block.data.dtype == np.float32
        assert block.media_time is None


def test_a_burst_is_few_blocks(fifo: Path) -> None:
    """Thousands of lines that come at once make few blocks, and none is lost."""
    with _piped(fifo) as (source, send):
        text = b"".join(b"%d,%d\n" % (n, -n) for n in range(5000))
        thread = threading.Thread(target=lambda: send(text))
        thread.start()
        blocks = [_block(source)]
        while sum(len(block.data) for block in blocks) < 5000:
            blocks.append(_block(source))
        thread.join()
        assert _rows(blocks) == [[n, -n] for n in range(5000)]
        assert len(blocks) < 20


def test_times_of_arrival(fifo: Path) -> None:
    """Without a field of times rows are placed at when they came, on the monotonic clock."""
    with _piped(fifo) as (source, send):
        send(b"1\n")
        first = _block(source)
        time.sleep(0.05)
        send(b"2\n")
        second = _block(source)
        assert 0.05 <= second.timeline - first.timeline < 5.0
        assert second.timeline == pytest.approx(time.monotonic(), abs=5.0)
        assert not _signal(second).is_gap
        assert second.wall == pytest.approx(time.time(), abs=5.0)


def test_times_from_a_field(fifo: Path) -> None:
    """A field of times says how far apart rows are, and gives their wall time."""
    with _piped(fifo, time="ts") as (source, send):
        send(b"ts,v\n1714564800.0,1\n1714564800.5,2\n1714564801.5,3\n")
        block = _block(source)
        assert _signal(block).channels == ("v",)
        assert np.diff(_signal(block).times).tolist() == pytest.approx([0.5, 1.0])
        assert block.wall == pytest.approx(1714564801.5)
        assert block.timeline == pytest.approx(time.monotonic(), abs=5.0)


def test_a_clock_that_steps(fifo: Path) -> None:
    """A sender's clock that is set forward or back gives a gap and a timeline that rises."""
    noted = [*range(100, 130), *range(4000, 4003), *range(50, 53)]
    with _piped(fifo, time=1) as (source, send):
        blocks = []
        for group in (noted[:30], noted[30:33], noted[33:]):
            send(b"".join(b"%d,1\n" % moment for moment in group))
            blocks.append(_block(source))
        assert [_signal(block).is_gap for block in blocks] == [False, True, True]
        times = np.concatenate([_signal(block).times for block in blocks])
        assert (np.diff(times) >= 0).all()
        assert times[-1] == pytest.approx(time.monotonic(), abs=4000.0)


def test_a_fixed_rate(fifo: Path) -> None:
    """With a rate the rows of irregular senders become even ones; a pause is a gap."""
    with _piped(fifo, time=1, rate=2.0, max_gap=3.0) as (source, send):
        send(b"10,0\n10.4,4\n11,10\n13,30\n20,5\n20.5,6\n")
        first, second = _block(source), _block(source)
        assert first.data[:, 0].tolist() == pytest.approx([0, 5, 10, 15, 20, 25, 30])
        assert np.diff(_signal(first).times).tolist() == pytest.approx([0.5] * 6)
        assert second.data[:, 0].tolist() == pytest.approx([5, 6])
        assert (_signal(first).is_gap, _signal(second).is_gap) == (False, True)
        assert _signal(first).rate == 2.0


def test_a_burst_at_a_fixed_rate(fifo: Path) -> None:
    """With a rate, lines that come at once are as far apart as it says."""
    with _piped(fifo, rate=100.0) as (source, send):
        send(b"".join(b"%d\n" % n for n in range(10)))
        block = _block(source)
        assert np.diff(_signal(block).times).tolist() == pytest.approx([0.01] * 9)
        assert block.data[:, 0].tolist() == pytest.approx(range(10), abs=1e-3)
        assert block.timeline == pytest.approx(time.monotonic(), abs=5.0)
        time.sleep(0.2)
        send(b"10\n11\n")
        assert _signal(_block(source)).is_gap


def test_garbage_among_good_lines(fifo: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Garbage, other encodings, endless lines and NaN are left out and told once."""
    with _piped(fifo) as (source, send):
        send(b"1,2\n\xff\xfe\x00,\n{}\n;;;\n1,2,3\n=\nnan,nan\nT\xe4st\n")
        blocks = [_block(source)]
        send(b"x" * 50_000)
        assert source._feed.lines(time.monotonic() + 0.05) == []
        send(b"x" * 50_000 + b"\n3,4\n")
        blocks.append(_block(source))
        assert _rows(blocks) == [[1, 2], [3, 4]]
    assert caplog.text.count("not used") == 1
    assert "a line of more than 65536 bytes" in caplog.text


def test_only_garbage(fifo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sender of nothing but garbage is offline, with an example of it."""
    monkeypatch.setattr(usable, "_GARBAGE_SECONDS", 0.1)
    with _piped(fifo) as (source, send):
        done = threading.Event()

        def babble() -> None:
            while not done.wait(0.01):
                send(b"hello world\n")

        thread = threading.Thread(target=babble)
        thread.start()
        with pytest.raises(SourceUnavailable, match="'hello world': it holds no number") as error:
            source.read()
        done.set()
        thread.join()
    assert error.value.cure


def test_nan_storm(fifo: Path) -> None:
    """Rows without a number end with silence, and say that numbers are missing."""
    with _piped(fifo, silence=0.2) as (source, send):
        send(b"1,2\n")
        _block(source)
        send(b"nan,\n" * 1000)
        with pytest.raises(SourceUnavailable, match="numbers are missing"):
            source.read()


def test_silence(fifo: Path) -> None:
    """A sender that says nothing for too long is offline with that reason, and comes back."""
    source = _source(fifo=fifo, silence=0.1)
    with reading(source) as (watcher, _):
        assert "is silent: nothing came for 0.1 s" in watcher.wait_offline()
        with fifo.open("wb", buffering=0) as writer:
            _send_until(watcher, lambda: watcher.statuses[-1].online, lambda: writer.write(b"1\n"))
        watcher.wait_offline()


def _send_until(watcher: Watcher, done: Callable[[], bool], send: Callable[[], Any]) -> None:
    until = time.monotonic() + 10.0
    while not done():
        assert time.monotonic() < until, watcher.statuses
        send()
        time.sleep(0.02)


def test_tcp_is_opened_again() -> None:
    """A sender that hangs up is connected to again; what came first says that there is a gap."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        source = _source(tcp=f"127.0.0.1:{server.getsockname()[1]}")
        with reading(source) as (watcher, reader):
            for n in range(2):
                connection, _ = server.accept()
                with connection:
                    connection.sendall(b"%d\n" % n)
                    watcher.wait(lambda n=n: len(watcher.frames) == n + 1)  # type: ignore[misc]
            assert "closed the connection" in watcher.wait_offline()
            assert reader.reopens >= 1
        assert [_signal(frame).is_gap for frame in watcher.frames] == [False, True]
        assert watcher.frames[1].timeline >= watcher.frames[0].timeline


def test_half_open_tcp() -> None:
    """A connection whose other side is silent for ever is given up after the silence."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        source = _source(tcp=f"127.0.0.1:{port}", silence=0.1)
        with _started(source), pytest.raises(SourceUnavailable, match="is silent"):
            source.read()


def test_nobody_listens() -> None:
    """A sender that is not there is told with its address and a cure."""
    source = _source(tcp=f"127.0.0.1:{_free_port()}")
    with pytest.raises(SourceUnavailable, match="nothing listens there") as error:
        source.start()
    assert error.value.cure


def test_several_connect() -> None:
    """Several senders connect to our port; half lines of one do not mix with those of another."""
    port = _free_port()
    with _started(_source(listen=f"127.0.0.1:{port}")) as source:
        address = ("127.0.0.1", port)
        with socket.create_connection(address) as one, socket.create_connection(address) as two:
            one.sendall(b"1")
            two.sendall(b"7\n")
            blocks = [_block(source)]
            one.sendall(b"2\n")
            blocks.append(_block(source))
        with socket.create_connection(address) as three:
            three.sendall(b"5")  # no end of line, but of the connection
        blocks.append(_block(source))
        assert _rows(blocks) == [[7], [12], [5]]


def test_a_port_in_use() -> None:
    """A port that another program has is told."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        source = _source(listen=f"127.0.0.1:{server.getsockname()[1]}")
        with pytest.raises(SourceUnavailable, match="is in use"):
            source.start()


def test_udp() -> None:
    """Each datagram is a line, or several."""
    port = _free_port(socket.SOCK_DGRAM)
    with _started(_source(udp=f"127.0.0.1:{port}")) as source:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for data in (b"1", b"2\n3\n", b""):
                sender.sendto(data, ("127.0.0.1", port))
        rows = _rows([_block(source)])
        while len(rows) < 3:
            rows += _rows([_block(source)])
        assert rows == [[1], [2], [3]]


def test_writers_of_a_fifo_come_and_go(fifo: Path) -> None:
    """A FIFO goes on when its writer ends and another begins."""
    with _started(_source(fifo=fifo)) as source:
        for n in range(2):
            with fifo.open("w") as writer:
                writer.write(f"{n}\n")
            assert _block(source).data.tolist() == [[n]]


def test_no_fifo(tmp_path: Path) -> None:
    """A FIFO that is missing may come; a file in its place is a mistake."""
    with pytest.raises(SourceUnavailable, match="does not exist"):
        _source(fifo=tmp_path / "missing").start()
    (tmp_path / "file").touch()
    with pytest.raises(SourceUnusable, match="is no FIFO"):
        _source(fifo=tmp_path / "file").start()


def test_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    """The standard input is read to its end, which is that of the source."""
    reader, writer = os.pipe()
    monkeypatch.setattr("edge_agent.sources.ports.StdinPort.__init__.__defaults__", (reader,))
    os.write(writer, b"1\n2")
    os.close(writer)
    with reading(_source(stdin=True)) as (watcher, _):
        watcher.wait(lambda: any(status.finished for status in watcher.statuses))
    assert _rows(watcher.frames) == [[1], [2]]
    os.close(reader)


def test_serial_port() -> None:
    """A serial port: half a first line is left out, unplugging is told, and it comes back."""
    pytest.importorskip("serial")
    master, slave = pty.openpty()
    tty.setraw(slave)
    device = os.ttyname(slave)
    with reading(_source(serial=device, baud=9600)) as (watcher, _):
        _send_until(
            watcher, lambda: bool(watcher.frames), lambda: os.write(master, b"4,5\n1.5,2\n1.5,2\n")
        )
        assert watcher.frames[0].data[-1].tolist() == [1.5, 2]
        os.close(slave)
        os.close(master)
        reason = watcher.wait_offline()
        assert device in reason


def test_a_serial_port_in_use() -> None:
    """A serial port that another source has is told."""
    pytest.importorskip("serial")
    master, slave = pty.openpty()
    device = os.ttyname(slave)
    with _started(_source(serial=device)), pytest.raises(SourceUnavailable, match="is in use"):
        _source(serial=device).start()
    os.close(slave)
    os.close(master)


def test_a_missing_serial_port() -> None:
    """A serial port that is not there is told with a cure."""
    pytest.importorskip("serial")
    with pytest.raises(SourceUnavailable, match="does not exist") as error:
        _source(serial="/dev/ttyUSB99").start()
    assert error.value.cure


def test_without_pyserial(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pyserial a serial port says what to install."""
    monkeypatch.setitem(__import__("sys").modules, "serial", None)
    with pytest.raises(SourceUnusable, match="not installed") as error:
        _source(serial="/dev/ttyUSB0").start()
    assert "edge-agent[sensors]" in error.value.cure


def test_stop_ends_a_wait(fifo: Path) -> None:
    """A stop from another thread ends the wait for a line at once."""
    source = _source(fifo=fifo)
    source.start()
    results: list[Frame | None] = []
    thread = threading.Thread(target=lambda: results.append(source.read()))
    thread.start()
    time.sleep(0.05)
    source.stop()
    thread.join(10)
    assert results == [None]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "give one of serial, tcp"),
        ({"tcp": "h:1", "stdin": True}, "give one of serial, tcp"),
        ({"tcp": "host"}, "tcp: 'host' is not HOST:PORT"),
        ({"udp": "::1:99999"}, "udp: "),
        ({"serial": "/dev/x", "mode": "8X1"}, "mode: '8X1'"),
        ({"stdin": True, "timezone": "Mars"}, "Mars"),
    ],
)
def test_mistakes(options: dict[str, Any], words: str) -> None:
    """What cannot be right is a mistake of the configuration."""
    with pytest.raises(ValueError, match=words):
        _source(**options)
