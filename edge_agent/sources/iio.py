"""Sensors of Linux Industrial I/O: polled through sysfs, or buffered by the kernel."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Ge, Gt, Le
from numpy.typing import NDArray

from edge_agent import options as words
from edge_agent.clock import Clock
from edge_agent.frame import Frame, Signal
from edge_agent.options import Doc, Duration
from edge_agent.sources.base import SYSTEM_CLOCK, Medium, Stamp, patience_for
from edge_agent.sources.guard import Guard
from edge_agent.sources.iio_buffer import IioBuffer
from edge_agent.sources.iio_device import IioDevice
from edge_agent.sources.polling import Poller
from edge_agent.sources.sound import SampleClock

_BLOCK = 0.05  # seconds of samples that are handed over at once
_BACKLOG = 1.0  # most of what has piled up
_HOLE = 2.5  # sampling periods between two stamps that are one hole
_NEAR = 10.0  # seconds from now within which a time stamp is believed


@dataclass(frozen=True, slots=True)
class IioOptions(words.Options):
    """Options of the source `iio`."""

    device: Annotated[str | int, Doc("Name such as bme280, number, or iio:deviceN.")]
    channels: Annotated[
        tuple[str, ...], Doc("Channels such as accel_x or temp; default: all that can be read.")
    ] = ()
    rate: Annotated[float, Gt(0), Le(100_000), Doc("Samples a second.")] = 10.0
    buffer: Annotated[
        int | None,
        Ge(2),
        Le(1_000_000),
        Doc("Samples that the kernel's buffer holds; default: no buffer, each value is polled."),
    ] = None
    trigger: Annotated[
        str, Doc("Name of the trigger that fills the buffer; default: the one that is set.")
    ] = ""
    timeout: Annotated[
        Duration, Gt(0), Doc("A device that gives nothing for so long is opened again.")
    ] = 10.0


class IioSource:
    """An IIO device, its values in the units of the kernel's ABI: offset and scale are applied.

    Those are m/s² and rad/s, but millivolts, kilopascals and thousandths of a degree. Polled
    values carry the time of their reading, buffered ones the kernel's own time stamps where it has
    a monotonic clock for them.
    """

    medium: ClassVar[Medium] = "signal"
    Options: ClassVar[type[words.Options]] = IioOptions
    live = True

    def __init__(
        self, name: str, options: IioOptions, clock: Clock = SYSTEM_CLOCK, root: Path = Path("/")
    ) -> None:
        if options.trigger and options.buffer is None:
            raise ValueError("a trigger needs a buffer")
        if options.buffer is None and options.rate > 1000.0:
            raise ValueError("more than 1000 samples a second need a buffer")
        self.name = name
        self._options = options
        self._clock = clock
        self._root = root
        self._stamp = Stamp(name, clock)
        self._poller = Poller(
            f"IIO device {options.device}", options.rate, options.timeout, self._stamp, clock
        )
        self.patience = max(self._poller.patience, patience_for(options.timeout))
        self._guard = Guard(self._release)
        self._readers: list[Callable[[], float]] = []
        self._buffer: IioBuffer | None = None
        self._blocks: deque[tuple[NDArray[np.float32], Signal]] = deque()
        self._names: tuple[str, ...] = ()

    def start(self) -> None:
        """Find the device and set it up; raises SourceError."""
        options = self._options
        self._guard.reopen()
        with self._guard.use():
            self._release()
            device = IioDevice(options.device, self._root)
            channels = device.channels(options.channels)
            self._names = tuple(channel.name for channel in channels)
            if options.buffer is None:
                self._poller.begin(self._names)
                self._readers = [channel.read for channel in channels]
            else:
                self._buffer = IioBuffer(
                    device, channels, options.rate, options.buffer, options.trigger
                )
                self._times = SampleClock(self._buffer.rate)
                self._last = 0.0
                self._stamp.opened()

    def read(self) -> Frame | None:
        """Next samples; raises SourceError."""
        with self._guard.use() as allowed:
            if not allowed:
                return None
            if self._buffer is not None:
                return self._buffered(self._buffer)
            if self._readers:
                return self._poller.frame(self._readers, self._guard.closing)
            return None

    def stop(self) -> None:
        """End a running wait, and the kernel's collecting."""
        self._guard.close()

    def _buffered(self, buffer: IioBuffer) -> Frame | None:
        if not self._blocks:
            least, most = (max(1, round(buffer.rate * span)) for span in (_BLOCK, _BACKLOG))
            rows, stamps = buffer.read(least, most, self._options.timeout, self._guard.closing)
            if not len(rows):
                return None
            self._cut(buffer.rate, rows, stamps, caught_up=len(rows) < most)
        rows, signal = self._blocks.popleft()
        return self._stamp.samples(rows, signal)

    def _cut(
        self,
        rate: float,
        rows: NDArray[np.float32],
        stamps: NDArray[np.float64] | None,
        caught_up: bool,
    ) -> None:
        """Put samples in line, as one block or cut where the kernel's stamps show a hole.

        Stamps that cannot be believed give way to a clock that counts samples.
        """
        now = self._clock.monotonic_ns() / 1e9
        times, late = self._times.stamp(len(rows), now, caught_up, lost=False)
        holes = np.zeros(0, np.intp)
        if stamps is not None and _rising(stamps, self._last) and abs(now - stamps[-1]) < _NEAR:
            steps = np.diff(stamps, prepend=self._last or stamps[0])
            times, late = stamps, bool(steps[0] > _HOLE / rate)
            holes = np.flatnonzero(steps[1:] > _HOLE / rate) + 1
        self._last = float(times[-1])
        for block, moments in zip(np.split(rows, holes), np.split(times, holes), strict=True):
            self._blocks.append((block, Signal(self._names, moments, rate, late)))
            late = True

    def _release(self) -> None:
        buffer, self._buffer = self._buffer, None
        self._readers = []
        self._blocks.clear()
        if buffer is not None:
            buffer.close()


def _rising(stamps: NDArray[np.float64], last: float) -> bool:
    return bool(stamps[0] > last and (np.diff(stamps) > 0.0).all())
