"""Image buffers that are used again once nobody looks at them any more."""

from __future__ import annotations

import sys

import numpy as np

from edge_agent.sources.base import Image


class BufferPool:
    """Hands out buffers of one shape; a buffer is free when only the pool refers to it.

    Freedom is read from CPython's reference count. A numpy view keeps its owner in `base`, so a
    buffer stays taken as long as any view of it lives, and a frame needs no release call. It saves
    a fresh allocation per frame, whose page faults cost more than copying the pixels. For one
    thread; other threads may drop their references at any time.
    """

    def __init__(self, limit: int = 6) -> None:
        self._limit = limit
        self._buffers: list[Image] = []
        self._shape: tuple[int, ...] = ()
        # What a buffer counts while only a list holds it: it differs between Python versions.
        probe = [np.empty(1, np.uint8)]
        self._free_count = sys.getrefcount(probe[0])

    def take(self, shape: tuple[int, ...]) -> Image:
        """A buffer of that shape with any content; a fresh one when `limit` are in use."""
        if shape != self._shape:
            self._shape = shape
            self._buffers.clear()
        for index in range(len(self._buffers)):
            if sys.getrefcount(self._buffers[index]) <= self._free_count:
                return self._buffers[index]
        fresh = np.empty(shape, np.uint8)
        if len(self._buffers) < self._limit:
            self._buffers.append(fresh)
        return fresh

    def __len__(self) -> int:
        return len(self._buffers)
