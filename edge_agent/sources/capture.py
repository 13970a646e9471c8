"""One cv2.VideoCapture, closed safely and read into buffers that are used again."""

from __future__ import annotations

import threading
from typing import Any, Protocol

from numpy.typing import NDArray

from edge_agent.sources.base import Image
from edge_agent.sources.buffers import BufferPool
from edge_agent.sources.guard import Guard
from edge_agent.sources.pictures import as_bgr


class Device(Protocol):
    """The part of cv2.VideoCapture that is used."""

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        """Whether the device was opened."""

    def read(self, image: NDArray[Any], /) -> tuple[bool, NDArray[Any] | None]:
        """Next image, into the given buffer if it fits."""

    def get(self, prop: int, /) -> float:
        """A property of the device."""

    def set(self, prop: int, value: float, /) -> bool:
        """Change a property; False where that is not possible."""

    def release(self) -> None:
        """Close the device."""


class Capture:
    """A device with a pool of buffers, which may be closed from any thread."""

    def __init__(self, device: Device) -> None:
        self._device: Device | None = device
        self._pool = BufferPool()
        self._shape = (1, 1, 3)
        self._guard = Guard(self._release)

    @property
    def closing(self) -> threading.Event:
        """Set as soon as the device is to be closed; waits end with it."""
        return self._guard.closing

    def read(self) -> Image | None:
        """Next image, None when the device gives none; raises BadPicture for a useless one."""
        with self._guard.use() as allowed:
            if not allowed or self._device is None:
                return None
            done, image = self._device.read(self._pool.take(self._shape))
        if not done:
            return None
        bgr = as_bgr(image)
        self._shape = bgr.shape
        return bgr

    def get(self, prop: int) -> float:
        """A property of the device, 0 once it is closed."""
        with self._guard.use() as allowed:
            return self._device.get(prop) if allowed and self._device is not None else 0.0

    def close(self) -> None:
        """Release the device, at once or when the running read returns."""
        self._guard.close()

    def _release(self) -> None:
        device, self._device = self._device, None
        # Now, not when the cycle of capture and guard is collected: that may take minutes.
        self._pool = BufferPool()
        if device is not None:
            device.release()
