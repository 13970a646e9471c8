"""Where lines come from: serial ports, sockets, FIFOs and the standard input, and their ends."""

from __future__ import annotations

import gc
import os
import pty
import socket
import struct
import threading
import time
import tty
from pathlib import Path
from typing import Any

import pytest

from edge_agent.errors import SourceUnavailable, SourceUnusable
from edge_agent.frame import Frame
from edge_agent.sources import sockets
from edge_agent.sources.lines import LinesSource
from edge_agent.sources.text import TextOptions, TextSource
from tests.support.lines import (
    free_port,
    lines_source,
    next_block,
    rows_of,
    send_until,
    signal_of,
    started,
)
from tests.support.reading import reading


@pytest.fixture(name="fifo")
def _fifo(tmp_path: Path) -> Path:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path


def test_silence(fifo: Path) -> None:
    """A sender that says nothing for too long is offline with that reason, and comes back."""
    source = lines_source(fifo=fifo, silence=0.1)
    with reading(source) as (watcher, _):
        assert "is silent: nothing came for 0.1 s" in watcher.wait_offline()
        with fifo.open("wb", buffering=0) as writer:
            send_until(watcher, lambda: watcher.statuses[-1].online, lambda: writer.write(b"1\n"))
        watcher.wait_offline()


def test_tcp_is_opened_again() -> None:
    """A sender that hangs up is connected to again; what came first says that there is a gap."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        source = lines_source(tcp=f"127.0.0.1:{server.getsockname()[1]}")
        with reading(source) as (watcher, reader):
            for n in range(2):
                connection, _ = server.accept()
                with connection:
                    connection.sendall(b"%d\n" % n)
                    watcher.wait(lambda n=n: len(watcher.frames) == n + 1)  # type: ignore[misc]
            assert "closed the connection" in watcher.wait_offline()
            assert reader.reopens >= 1
        assert [signal_of(frame).is_gap for frame in watcher.frames] == [False, True]
        assert watcher.frames[1].timeline >= watcher.frames[0].timeline


def test_last_words() -> None:
    """What a sender says right before it hangs up is not lost."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        source = lines_source(tcp=f"127.0.0.1:{server.getsockname()[1]}")
        with started(source), server.accept()[0] as connection:
            connection.sendall(b"1\n2\n")
            connection.close()
            assert next_block(source).data.tolist() == [[1], [2]]
            with pytest.raises(SourceUnavailable, match="closed the connection"):
                source.read()


def test_half_open_tcp() -> None:
    """A connection whose other side is silent for ever is given up after the silence."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        source = lines_source(tcp=f"127.0.0.1:{port}", silence=0.1)
        with started(source), pytest.raises(SourceUnavailable, match="is silent"):
            source.read()


def test_nobody_listens() -> None:
    """A sender that is not there is told with its address and a cure."""
    source = lines_source(tcp=f"127.0.0.1:{free_port()}")
    with pytest.raises(SourceUnavailable, match="nothing listens there") as error:
        source.start()
    assert error.value.cure


def test_an_unknown_host() -> None:
    """A sender whose name nobody knows is told."""
    with pytest.raises(SourceUnavailable, match="the host is not known"):
        lines_source(tcp="no.such.host.invalid:1").start()


def test_a_connection_that_breaks() -> None:
    """A sender that is cut off in the middle of a line leaves the others alone."""
    port = free_port()
    with started(lines_source(listen=f"127.0.0.1:{port}")) as source:
        one = socket.create_connection(("127.0.0.1", port))
        one.sendall(b"1\n")
        assert next_block(source).data.tolist() == [[1]]
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        one.close()
        with socket.create_connection(("127.0.0.1", port)) as two:
            two.sendall(b"2\n")
            assert next_block(source).data.tolist() == [[2]]


def test_the_oldest_connection_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Senders that connect again and again without closing do not use up the descriptors."""
    monkeypatch.setattr(sockets, "_MAX_CONNECTIONS", 2)
    port = free_port()
    with started(lines_source(listen=f"127.0.0.1:{port}")) as source:
        senders = []
        for n in range(4):
            senders.append(socket.create_connection(("127.0.0.1", port)))
            senders[-1].sendall(b"%d\n" % n)
            assert next_block(source).data.tolist() == [[n]]
        senders[0].settimeout(10)
        assert senders[0].recv(1) == b""
        senders[3].sendall(b"4\n")
        assert next_block(source).data.tolist() == [[4]]
        for sender in senders:
            sender.close()


def test_an_address_that_is_not_ours() -> None:
    """A port at an address of another machine cannot be taken."""
    with pytest.raises(SourceUnavailable, match="cannot be taken"):
        lines_source(udp="192.0.2.1:5005").start()


def test_ipv6() -> None:
    """Addresses of IPv6 stand in brackets."""
    if not socket.has_ipv6 or not Path("/proc/net/if_inet6").exists():
        pytest.skip("no IPv6 here")
    with started(lines_source(udp="[::1]:0".replace(":0", f":{free_port(socket.SOCK_DGRAM)}"))):
        pass


def test_several_connect() -> None:
    """Several senders connect to our port; half lines of one do not mix with those of another."""
    port = free_port()
    with started(lines_source(listen=f"127.0.0.1:{port}")) as source:
        address = ("127.0.0.1", port)
        with socket.create_connection(address) as one, socket.create_connection(address) as two:
            one.sendall(b"1")
            two.sendall(b"7\n")
            blocks = [next_block(source)]
            one.sendall(b"2\n")
            blocks.append(next_block(source))
        with socket.create_connection(address) as three:
            three.sendall(b"5")  # no end of line, but of the connection
        blocks.append(next_block(source))
        assert rows_of(blocks) == [[7], [12], [5]]


def test_a_port_in_use() -> None:
    """A port that another program has is told."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        source = lines_source(listen=f"127.0.0.1:{server.getsockname()[1]}")
        with pytest.raises(SourceUnavailable, match="is in use"):
            source.start()


def test_udp() -> None:
    """Each datagram is a line, or several."""
    port = free_port(socket.SOCK_DGRAM)
    with started(lines_source(udp=f"127.0.0.1:{port}")) as source:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for data in (b"1", b"2\n3\n", b""):
                sender.sendto(data, ("127.0.0.1", port))
        rows = rows_of([next_block(source)])
        while len(rows) < 3:
            rows += rows_of([next_block(source)])
        assert rows == [[1], [2], [3]]


def test_writers_of_a_fifo_come_and_go(fifo: Path) -> None:
    """A FIFO goes on when its writer ends and another begins."""
    with started(lines_source(fifo=fifo)) as source:
        for n in range(2):
            with fifo.open("w") as writer:
                writer.write(f"{n}\n")
            assert next_block(source).data.tolist() == [[n]]


def test_no_fifo(tmp_path: Path) -> None:
    """A FIFO that is missing may come; a file in its place is a mistake."""
    with pytest.raises(SourceUnavailable, match="does not exist"):
        lines_source(fifo=tmp_path / "missing").start()
    (tmp_path / "file").touch()
    with pytest.raises(SourceUnusable, match="is no FIFO"):
        lines_source(fifo=tmp_path / "file").start()


def test_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    """The standard input is read to its end, which is that of the source."""
    reader, writer = os.pipe()
    monkeypatch.setattr("edge_agent.sources.ports.StdinPort.__init__.__defaults__", (reader,))
    os.write(writer, b"1\n2")
    os.close(writer)
    with reading(lines_source(stdin=True)) as (watcher, _):
        watcher.wait(lambda: any(status.finished for status in watcher.statuses))
    assert rows_of(watcher.frames) == [[1], [2]]
    os.close(reader)


def test_serial_port() -> None:
    """A serial port: half a first line is left out, unplugging is told, and it comes back."""
    pytest.importorskip("serial")
    master, slave = pty.openpty()
    tty.setraw(slave)
    device = os.ttyname(slave)
    with reading(lines_source(serial=device, baud=9600)) as (watcher, _):
        send_until(
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
    with started(lines_source(serial=device)), pytest.raises(SourceUnavailable, match="is in use"):
        lines_source(serial=device).start()
    os.close(slave)
    os.close(master)


def test_a_missing_serial_port() -> None:
    """A serial port that is not there is told with a cure."""
    pytest.importorskip("serial")
    with pytest.raises(SourceUnavailable, match="does not exist") as error:
        lines_source(serial="/dev/ttyUSB99").start()
    assert error.value.cure


def test_without_pyserial(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pyserial a serial port says what to install."""
    monkeypatch.setitem(__import__("sys").modules, "serial", None)
    with pytest.raises(SourceUnusable, match="not installed") as error:
        lines_source(serial="/dev/ttyUSB0").start()
    assert "edge-agent[sensors]" in error.value.cure


def test_stop_ends_a_wait(fifo: Path) -> None:
    """A stop from another thread ends the wait for a line at once."""
    source = lines_source(fifo=fifo)
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
        ({"tcp": "h:1", "stdin": True}, "give only one of serial, tcp"),
        ({"tcp": "host"}, "tcp must be HOST:PORT such as .*, not 'host'"),
        ({"udp": "::1:5005"}, "udp must be"),
        ({"listen": "0.0.0.0:99999"}, "listen must be"),
        ({"serial": "/dev/x", "mode": "8X1"}, "mode must be .*, not '8X1'"),
        ({"stdin": True, "timezone": "Mars"}, "Mars"),
    ],
)
def test_mistakes(options: dict[str, Any], words: str) -> None:
    """What cannot be right is a mistake of the configuration."""
    with pytest.raises(ValueError, match=words):
        lines_source(**options)


def test_descriptors_are_given_back(fifo: Path, tmp_path: Path) -> None:
    """Opening and closing again and again, as a source that fails does, uses nothing up."""
    (tmp_path / "log").touch()
    udp, tcp = free_port(socket.SOCK_DGRAM), free_port()
    with socket.create_server(("127.0.0.1", 0)) as server:
        sources: list[LinesSource | TextSource] = [
            lines_source(fifo=fifo),
            lines_source(udp=f"127.0.0.1:{udp}"),
            lines_source(listen=f"127.0.0.1:{tcp}"),
            lines_source(tcp=f"127.0.0.1:{server.getsockname()[1]}"),
            TextSource("log", TextOptions(file=tmp_path / "log")),
        ]
        gc.collect()  # what other tests have left
        before = len(list(Path("/proc/self/fd").iterdir()))
        for _ in range(20):
            for source in sources:
                source.start()
                source.start()
                source.stop()
        gc.collect()
        assert len(list(Path("/proc/self/fd").iterdir())) == before
