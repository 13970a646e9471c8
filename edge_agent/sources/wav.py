"""WAVE files, read piece by piece: PCM of 8, 16, 24 or 32 bits, or float of 32 or 64."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from edge_agent.sources.sound import Rows

_UNKNOWN_LENGTH = 0xFFFFFFFF  # of a file that was written into a pipe
_EXTENSIBLE = 0xFFFE  # the real code begins the GUID behind the fields
_HEADER = "<2H2I2H"
_HEAD_BYTES = 64  # of a chunk that are looked at


class BadSound(ValueError):
    """This file holds no sound that can be used; the text says why."""


def _pcm24(content: bytes) -> NDArray[np.float32]:
    whole = np.zeros((len(content) // 3, 4), np.uint8)
    whole[:, 1:] = np.frombuffer(content, np.uint8).reshape(-1, 3)
    return _scaled(whole.view("<i4").reshape(-1), 31)


def _scaled(values: NDArray[Any], bits: int) -> NDArray[np.float32]:
    scaled = values.astype(np.float32)
    scaled *= np.float32(2.0**-bits)  # a power of two: 8 to 24 bits survive exactly
    return scaled


def pcm16(content: bytes) -> NDArray[np.float32]:
    """Samples from -1 to 1 of little endian 16 bits: each is exactly value / 32768."""
    return _scaled(np.frombuffer(content, "<i2"), 15)


_FORMATS: Mapping[tuple[int, int], Callable[[bytes], NDArray[np.float32]]] = {
    (1, 8): lambda content: _scaled(np.frombuffer(content, np.uint8) - np.float32(128.0), 7),
    (1, 16): pcm16,
    (1, 24): _pcm24,
    (1, 32): lambda content: _scaled(np.frombuffer(content, "<i4"), 31),
    (3, 32): lambda content: np.frombuffer(content, "<f4").astype(np.float32),
    (3, 64): lambda content: np.frombuffer(content, "<f8").astype(np.float32),
}


class WavFile:
    """An open WAVE file; only what is asked for is read.

    `rate` is samples a second of each of its `channels`, `expected` how many its header promises,
    None where it was written before that was known. Raises BadSound, also for a file that cannot
    be read.
    """

    def __init__(self, path: Path) -> None:
        if path.exists() and not path.is_file():  # opening a FIFO would wait for its writer
            raise BadSound("it is no file")
        try:
            self._file: BinaryIO = path.open("rb")
        except OSError as error:
            raise BadSound(f"it cannot be read: {error.strerror}") from error
        try:
            self._open()
        except OSError as error:
            self.close()
            raise BadSound(f"it cannot be read: {error.strerror}") from error
        except BadSound:
            self.close()
            raise

    @property
    def left(self) -> int:
        """Rows that are still to be read."""
        rows: int = self._left // self._row_bytes
        return rows

    def read(self, count: int) -> Rows:
        """The next `count` rows, fewer at the end; raises BadSound for a file that fails."""
        try:
            content = self._file.read(min(count * self._row_bytes, self._left))
        except OSError as error:
            raise BadSound(f"it cannot be read: {error.strerror}") from error
        self._left -= len(content)
        whole = len(content) // self._row_bytes * self._row_bytes
        return self._convert(content[:whole]).reshape(-1, self.channels)

    def close(self) -> None:
        """Close the file; safe twice."""
        self._file.close()

    def _open(self) -> None:
        kind = self._file.read(12)
        if kind[:4] not in (b"RIFF", b"RF64") or kind[8:12] != b"WAVE":
            raise BadSound("it is no WAVE file")
        chunks, length = self._chunks()
        try:
            code, self.channels, self.rate, _, _, bits = struct.unpack_from(
                _HEADER, chunks[b"fmt "]
            )
            if code == _EXTENSIBLE:
                (code,) = struct.unpack_from("<H", chunks[b"fmt "], 24)
        except (KeyError, struct.error) as error:
            raise BadSound("it has no format or no samples") from error
        if (code, bits) not in _FORMATS or not self.channels or not self.rate:
            raise BadSound(
                f"its format {code} of {bits} bits is unknown: "
                "save it as PCM of 8 to 32 bits or float"
            )
        self._convert = _FORMATS[code, bits]
        self._row_bytes = self.channels * bits // 8
        if length == _UNKNOWN_LENGTH and b"ds64" in chunks:
            (length,) = struct.unpack_from("<Q", chunks[b"ds64"].ljust(16, b"\xff"), 8)
        there = os.fstat(self._file.fileno()).st_size - self._file.tell()
        known = 0 < length != _UNKNOWN_LENGTH
        self.expected = length // self._row_bytes if known else None
        self._left = min(length, there) if known else there

    def _chunks(self) -> tuple[dict[bytes, bytes], int]:
        """Every chunk before the samples, where the file then stands, and their length in bytes."""
        found: dict[bytes, bytes] = {}
        while len(head := self._file.read(8)) == 8:
            name, length = head[:4], int.from_bytes(head[4:], "little")
            if name == b"data":
                return found, length
            content = self._file.read(min(length, _HEAD_BYTES))
            self._file.seek(length - len(content) + length % 2, os.SEEK_CUR)
            if name in (b"fmt ", b"ds64"):
                found[name] = content
        raise BadSound("it has no format or no samples")
