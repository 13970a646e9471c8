"""Sources of lines at work: started, fed through a FIFO, read block by block."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.frame import Frame, Signal
from edge_agent.sources.lines import LinesOptions, LinesSource
from tests.support.reading import Watcher

Send = Callable[[bytes], Any]


def lines_source(**options: Any) -> LinesSource:
    """A source of lines that is not started."""
    return LinesSource("meter", LinesOptions(**options))


@contextmanager
def started(source: LinesSource) -> Iterator[LinesSource]:
    """A source, started here and stopped behind."""
    source.start()
    try:
        yield source
    finally:
        source.stop()


@contextmanager
def piped(fifo: Path, **options: Any) -> Iterator[tuple[LinesSource, Send]]:
    """A started source that reads a FIFO, and what writes to it."""
    with started(lines_source(fifo=fifo, **options)) as source:
        writer = os.open(fifo, os.O_WRONLY)
        try:
            yield source, lambda data: os.write(writer, data)
        finally:
            os.close(writer)


def next_block(source: LinesSource) -> Frame:
    """Its next block, of which there must be one."""
    frame = source.read()
    assert frame is not None
    return frame


def signal_of(frame: Frame) -> Signal:
    """What the rows of a block are."""
    assert frame.signal is not None
    return frame.signal


def rows_of(frames: list[Frame]) -> list[list[float]]:
    """All rows of some blocks."""
    rows: NDArray[np.float32] = np.concatenate([frame.data for frame in frames])
    listed: list[list[float]] = rows.tolist()
    return listed


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port of this machine that nobody has."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def send_until(watcher: Watcher, done: Callable[[], bool], send: Callable[[], Any]) -> None:
    """Send again and again until it has worked."""
    until = time.monotonic() + 10.0
    while not done():
        assert time.monotonic() < until, watcher.statuses
        send()
        time.sleep(0.02)
