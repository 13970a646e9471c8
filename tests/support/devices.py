"""A capture device that does what a test says."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray


class FakeDevice:
    """Gives the images one after the other, None for a failed read; after the last it fails.

    Reads wait for `gate`, when there is one; `settings` keeps what was set, in order.
    """

    def __init__(self, images: Iterable[NDArray[Any] | None] = (), opened: bool = True) -> None:
        self._images = iter(images)
        self._opened = opened
        self.gate: threading.Event | None = None
        self.reading = threading.Event()
        self.settings: list[tuple[int, float]] = []
        self.released = 0

    def isOpened(self) -> bool:
        """Whether it was opened."""
        return self._opened

    def read(self, image: NDArray[Any], /) -> tuple[bool, NDArray[Any] | None]:
        """Next image, into the buffer if it fits."""
        self.reading.set()
        if self.gate is not None:
            self.gate.wait(20)
        given = next(self._images, None)
        if given is None:
            return False, None
        if given.shape == image.shape and given.dtype == image.dtype:
            np.copyto(image, given)
            return True, image
        return True, given

    def get(self, prop: int, /) -> float:
        """A property."""
        return 1.0

    def set(self, prop: int, value: float, /) -> bool:
        """Note the setting."""
        self.settings.append((prop, value))
        return True

    def release(self) -> None:
        """Count the releases."""
        self.released += 1
