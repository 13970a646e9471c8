"""The buffer of an IIO device: samples that the kernel collects at the device's own clock."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import select
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import SourceError, SourceUnavailable, SourceUnusable
from edge_agent.sources.iio_device import IioChannel, IioDevice

_TYPE = re.compile(r"(be|le):([su])(\d+)/(8|16|32|64)>>(\d+)")
_SLICE = 0.1  # seconds after which a wait looks whether it is to end
_TIMESTAMP = "timestamp"


@dataclass(frozen=True, slots=True)
class Element:
    """How one channel lies in a sample; `name` is that of the channel."""

    name: str
    storage: np.dtype[np.unsignedinteger]
    bits: int
    shift: int
    is_signed: bool

    @classmethod
    def parse(cls, name: str, text: str) -> Element:
        """From the words of scan_elements/in_NAME_type; raises ValueError."""
        found = _TYPE.fullmatch(text.strip())
        if found is None or not 1 <= int(found[3]) + int(found[5]) <= int(found[4]):
            raise ValueError(f"{text!r} is no type that can be read")
        order = ">" if found[1] == "be" else "<"
        storage = np.dtype(f"{order}u{int(found[4]) // 8}")
        return cls(name, storage, int(found[3]), int(found[5]), found[2] == "s")

    def numbers(self, stored: NDArray[np.unsignedinteger]) -> NDArray[np.int64]:
        """The numbers that stand in the stored words."""
        words = stored.astype(np.uint64) >> np.uint64(self.shift)
        words &= np.uint64(2**self.bits - 1)
        if self.is_signed:
            sign = np.uint64(1 << (self.bits - 1))
            words = (words ^ sign) - sign  # wraps around, as two's complement does
        return words.view(np.int64)


def layout(elements: Sequence[Element]) -> np.dtype[np.void]:
    """A sample as the kernel packs it: each element aligned to its size, the whole to the largest.

    `elements` are in the order of their scan index.
    """
    offsets, end = [], 0
    for each in elements:
        size = each.storage.itemsize
        begin = (end + size - 1) // size * size
        offsets.append(begin)
        end = begin + size
    largest = max(each.storage.itemsize for each in elements)
    return np.dtype(
        {
            "names": [each.name for each in elements],
            "formats": [each.storage for each in elements],
            "offsets": offsets,
            "itemsize": (end + largest - 1) // largest * largest,
        }
    )


class IioBuffer:
    """Collects samples of some channels; `rate` is what the device really does.

    Everything is set up when it is made; raises SourceError. `length` is how many samples the
    kernel keeps, `trigger` the name of what makes it sample, empty where the device does by itself.
    """

    def __init__(
        self,
        device: IioDevice,
        channels: Sequence[IioChannel],
        rate: float,
        length: int,
        trigger: str,
    ) -> None:
        self._device = device
        self._channels = tuple(channels)
        self._rest = b""
        self._fd = -1
        try:
            self._set_up(rate, length, trigger)
        except SourceError:
            self.close()
            raise

    def read(
        self, least: int, most: int, timeout: float, closing: threading.Event
    ) -> tuple[NDArray[np.float32], NDArray[np.float64] | None]:
        """`least` to `most` rows, and their times in seconds where the kernel stamps them.

        No rows once `closing` is set. Raises SourceUnavailable, also when none come within
        `timeout` seconds.
        """
        size = self._dtype.itemsize
        data = self._rest
        deadline = time.monotonic() + timeout
        while len(data) < least * size and not closing.is_set():
            if time.monotonic() > deadline:
                text = f"{self._device.what} is silent: no sample for {timeout:g} s"
                raise SourceUnavailable(text, "check its wiring and its trigger")
            data += self._some(most * size - len(data))
        if closing.is_set():
            data = b""
        whole = len(data) // size * size
        self._rest = data[whole:]
        return self._rows(np.frombuffer(data[:whole], self._dtype))

    def close(self) -> None:
        """Stop collecting; safe twice."""
        with contextlib.suppress(SourceError):
            self._device.write(f"{self._buffer}/enable", 0)
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _set_up(self, rate: float, length: int, trigger: str) -> None:
        device = self._device
        self._buffer = "buffer" if device.has("buffer") else "buffer0"
        if not device.has(self._buffer):
            raise SourceUnusable(f"{device.what} has no buffer", "leave out buffer: it is polled")
        with contextlib.suppress(SourceUnavailable):
            device.write(f"{self._buffer}/enable", 0)  # the last run may have been killed
        self._scan = "scan_elements" if device.has("scan_elements") else self._buffer
        self._elements = self._choose()
        self._dtype = layout(self._elements)
        self._set_clock(rate, trigger)
        device.write(f"{self._buffer}/length", length)
        if device.has(f"{self._buffer}/watermark"):
            wanted = max(1, min(length // 2, round(self.rate * 0.03)))
            device.write(f"{self._buffer}/watermark", wanted)
        device.write(f"{self._buffer}/enable", 1)
        self._fd = _open(device.node)

    def _set_clock(self, rate: float, trigger: str) -> None:
        device = self._device
        if trigger:
            device.write("trigger/current_trigger", trigger)
        if device.has("sampling_frequency"):
            device.write("sampling_frequency", f"{rate:g}")
        self.rate = float(device.text("sampling_frequency") or rate)
        clock = "current_timestamp_clock"
        self._has_times = any(each.name == _TIMESTAMP for each in self._elements)
        if self._has_times and device.text(clock) != "monotonic":
            self._has_times = device.has(clock)
            if self._has_times:
                device.write(clock, "monotonic")

    def _choose(self) -> list[Element]:
        """Enable the channels and the time stamp alone; all in the order of their index."""
        wanted = {channel.name for channel in self._channels}
        folder = self._device.folder / self._scan
        found: list[tuple[int, Element]] = []
        for path in sorted(folder.glob("in_*_en")):
            name = path.name[len("in_") : -len("_en")]
            chosen = name in wanted or name == _TIMESTAMP
            self._device.write(f"{self._scan}/{path.name}", int(chosen))
            if chosen:
                found.append((self._index(name), self._element(name)))
        if missing := wanted - {element.name for _, element in found}:
            text = f"{self._device.what} cannot buffer {', '.join(sorted(missing))}"
            raise SourceUnusable(text, "leave these channels or buffer out")
        return [element for _, element in sorted(found, key=lambda each: each[0])]

    def _index(self, name: str) -> int:
        return int(self._device.text(f"{self._scan}/in_{name}_index") or 0)

    def _element(self, name: str) -> Element:
        try:
            return Element.parse(name, self._device.text(f"{self._scan}/in_{name}_type"))
        except ValueError as error:
            text = f"{self._device.what}: channel {name}: {error}"
            raise SourceUnusable(text, "leave it out of channels") from error

    def _some(self, most: int) -> bytes:
        """What has come by now, or in a little while; empty where nothing has."""
        ready = select.select([self._fd], [], [], _SLICE)[0]
        try:
            data = os.read(self._fd, most) if ready else b""
        except BlockingIOError:
            return b""
        except OSError as error:
            text = f"{self._device.what} fails: {error.strerror}"
            raise SourceUnavailable(text, "plug it in again") from error
        if ready and not data:
            raise SourceUnavailable(f"{self._device.what} has ended", "plug it in again")
        return data

    def _rows(
        self, samples: NDArray[np.void]
    ) -> tuple[NDArray[np.float32], NDArray[np.float64] | None]:
        rows = np.empty((len(samples), len(self._channels)), np.float32)
        by_name = {each.name: each for each in self._elements}
        for column, channel in enumerate(self._channels):
            numbers = by_name[channel.name].numbers(samples[channel.name])
            rows[:, column] = (numbers + channel.offset) * channel.scale
        if not self._has_times:
            return rows, None
        return rows, by_name[_TIMESTAMP].numbers(samples[_TIMESTAMP]) / 1e9


def _open(node: Path) -> int:
    try:
        return os.open(node, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except PermissionError as error:
        raise SourceUnusable(f"no permission to read {node}", f"sudo chmod a+r {node}") from error
    except OSError as error:
        cure = "stop the other program that uses it" if error.errno == errno.EBUSY else "see dmesg"
        raise SourceUnavailable(f"{node} cannot be opened: {error.strerror}", cure) from error
