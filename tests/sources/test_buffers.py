"""Buffers that are used again once nobody looks at them."""

from __future__ import annotations

import threading

import numpy as np

from edge_agent.sources.buffers import BufferPool
from edge_agent.sources.capture import Capture
from edge_agent.sources.guard import Guard
from tests.support.devices import FakeDevice
from tests.support.pictures import picture


def test_free_buffer_is_used_again() -> None:
    """A buffer that nobody holds is handed out again."""
    pool = BufferPool()
    first = id(pool.take((4, 4, 3)))
    assert id(pool.take((4, 4, 3))) == first
    assert len(pool) == 1


def test_view_keeps_its_buffer() -> None:
    """A buffer of which only a view is left stays taken."""
    pool = BufferPool()
    buffer = pool.take((4, 4, 3))
    buffer[:] = 7
    view = buffer[1:3][:, 1:]
    del buffer
    pool.take((4, 4, 3))[:] = 9
    assert (view == 7).all()
    del view
    assert (pool.take((4, 4, 3)) == 7).all()


def test_bounded() -> None:
    """Beyond its bound the pool gives fresh buffers and keeps none of them."""
    pool = BufferPool(limit=2)
    held = [pool.take((2, 2, 3)) for _ in range(5)]
    assert len({id(buffer) for buffer in held}) == 5
    assert len(pool) == 2


def test_other_shape() -> None:
    """Another shape drops the old buffers."""
    pool = BufferPool()
    pool.take((2, 2, 3))
    assert pool.take((4, 2, 3)).shape == (4, 2, 3)
    assert len(pool) == 1


def test_capture_reads_into_the_pool() -> None:
    """In the long run a capture reads into a few buffers, and held frames do not change."""
    capture = Capture(FakeDevice(picture(n) for n in range(20)))
    held, seen = capture.read(), set()
    assert held is not None
    copy = held.copy()
    for _ in range(19):
        image = capture.read()
        seen.add(id(image))
    assert len(seen) <= 2
    assert np.array_equal(held, copy)


def test_close_during_a_read() -> None:
    """A device is never released during a read, but right after it."""
    device = FakeDevice(iter([picture()]))
    device.gate = threading.Event()
    capture = Capture(device)
    thread = threading.Thread(target=capture.read)
    thread.start()
    assert device.reading.wait(10)
    capture.close()
    releases = [device.released]
    device.gate.set()
    thread.join(10)
    releases.append(device.released)
    assert capture.read() is None
    assert capture.get(0) == 0.0
    capture.close()
    assert [*releases, device.released] == [0, 1, 1]


def test_guard_opens_again() -> None:
    """After a release the guard can be used again."""
    released: list[int] = []
    guard = Guard(lambda: released.append(1))
    guard.close()
    with guard.use() as allowed:
        assert not allowed
    guard.reopen()
    with guard.use() as allowed:
        assert allowed
    assert len(released) == 2
