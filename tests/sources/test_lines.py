"""Numbers that come as lines: what lines may look like, their times, and garbage."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_agent.errors import SourceUnavailable
from edge_agent.sources import usable
from tests.support.lines import (
    next_block,
    piped,
    rows_of,
    signal_of,
)


@pytest.fixture(name="fifo")
def _fifo(tmp_path: Path) -> Path:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path


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
    with piped(fifo, **options) as (source, send):
        send(text.encode())
        block = next_block(source)
        assert signal_of(block).channels == channels
        assert block.data.tolist() == rows
        assert block.data.dtype == np.float32
        assert block.media_time is None


def test_a_burst_is_few_blocks(fifo: Path) -> None:
    """Thousands of lines that come at once make few blocks, and none is lost."""
    with piped(fifo) as (source, send):
        text = b"".join(b"%d,%d\n" % (n, -n) for n in range(5000))
        thread = threading.Thread(target=lambda: send(text))
        thread.start()
        blocks = [next_block(source)]
        while sum(len(block.data) for block in blocks) < 5000:
            blocks.append(next_block(source))
        thread.join()
        assert rows_of(blocks) == [[n, -n] for n in range(5000)]
        assert len(blocks) < 20


def test_times_of_arrival(fifo: Path) -> None:
    """Without a field of times rows are placed at when they came, on the monotonic clock."""
    with piped(fifo) as (source, send):
        send(b"1\n")
        first = next_block(source)
        time.sleep(0.05)
        send(b"2\n")
        second = next_block(source)
        assert 0.05 <= second.timeline - first.timeline < 5.0
        assert second.timeline == pytest.approx(time.monotonic(), abs=5.0)
        assert not signal_of(second).is_gap
        assert second.wall == pytest.approx(time.time(), abs=5.0)


def test_times_from_a_field(fifo: Path) -> None:
    """A field of times says how far apart rows are, and gives their wall time."""
    with piped(fifo, time="ts") as (source, send):
        send(b"ts,v\n1714564800.0,1\n1714564800.5,2\n1714564801.5,3\n")
        block = next_block(source)
        assert signal_of(block).channels == ("v",)
        assert np.diff(signal_of(block).times).tolist() == pytest.approx([0.5, 1.0])
        assert block.wall == pytest.approx(1714564801.5)
        assert block.timeline == pytest.approx(time.monotonic(), abs=5.0)


def test_a_clock_that_steps(fifo: Path) -> None:
    """A sender's clock that is set forward or back gives a gap and a timeline that rises."""
    noted = [*range(100, 130), *range(4000, 4003), *range(50, 53)]
    with piped(fifo, time=1) as (source, send):
        blocks = []
        for group in (noted[:30], noted[30:33], noted[33:]):
            send(b"".join(b"%d,1\n" % moment for moment in group))
            blocks.append(next_block(source))
        assert [signal_of(block).is_gap for block in blocks] == [False, True, True]
        times = np.concatenate([signal_of(block).times for block in blocks])
        assert (np.diff(times) >= 0).all()
        assert times[-1] == pytest.approx(time.monotonic(), abs=4000.0)


def test_a_fixed_rate(fifo: Path) -> None:
    """With a rate the rows of irregular senders become even ones; a pause is a gap."""
    with piped(fifo, time=1, rate=2.0, max_gap=3.0) as (source, send):
        send(b"10,0\n10.4,4\n11,10\n13,30\n20,5\n20.5,6\n")
        first, second = next_block(source), next_block(source)
        assert first.data[:, 0].tolist() == pytest.approx([0, 5, 10, 15, 20, 25, 30])
        assert np.diff(signal_of(first).times).tolist() == pytest.approx([0.5] * 6)
        assert second.data[:, 0].tolist() == pytest.approx([5, 6])
        assert (signal_of(first).is_gap, signal_of(second).is_gap) == (False, True)
        assert signal_of(first).rate == 2.0


def test_a_burst_at_a_fixed_rate(fifo: Path) -> None:
    """With a rate, lines that come at once are as far apart as it says."""
    with piped(fifo, rate=100.0) as (source, send):
        send(b"".join(b"%d\n" % n for n in range(10)))
        block = next_block(source)
        assert np.diff(signal_of(block).times).tolist() == pytest.approx([0.01] * 9)
        assert block.data[:, 0].tolist() == pytest.approx(range(10), abs=1e-3)
        assert block.timeline == pytest.approx(time.monotonic(), abs=5.0)
        time.sleep(0.2)
        send(b"10\n11\n")
        assert signal_of(next_block(source)).is_gap


def test_garbage_among_good_lines(fifo: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Garbage, other encodings, endless lines and NaN are left out and told once."""
    with piped(fifo) as (source, send):
        send(b"1,2\n\xff\xfe\x00,\n{}\n;;;\n1,2,3\n=\nnan,nan\nT\xe4st\n")
        blocks = [next_block(source)]
        send(b"x" * 50_000)
        assert source._feed.lines(time.monotonic() + 0.05) == []
        send(b"x" * 50_000 + b"\n3,4\n")
        blocks.append(next_block(source))
        assert rows_of(blocks) == [[1, 2], [3, 4]]
    assert caplog.text.count("not used") == 1
    assert "a line of more than 65536 bytes" in caplog.text


def test_only_garbage(fifo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sender of nothing but garbage is offline, with an example of it."""
    monkeypatch.setattr(usable, "_GARBAGE_SECONDS", 0.1)
    with piped(fifo) as (source, send):
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
    with piped(fifo, silence=0.2) as (source, send):
        send(b"1,2\n")
        next_block(source)
        send(b"nan,\n" * 1000)
        with pytest.raises(SourceUnavailable, match="numbers are missing"):
            source.read()
