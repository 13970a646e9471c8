"""Pictures and recordings that tests make themselves."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray


def picture(seed: int = 0, size: tuple[int, int] = (64, 48)) -> NDArray[np.uint8]:
    """A smooth BGR picture of (width, height) whose colours depend on the seed."""
    width, height = size
    image = np.empty((height, width, 3), np.uint8)
    image[..., 0] = np.linspace(0, 200, width).astype(np.uint8)
    image[..., 1] = np.linspace(0, 200, height).astype(np.uint8)[:, None]
    image[..., 2] = seed * 8 % 256
    return image


def jpeg(seed: int = 0, size: tuple[int, int] = (64, 48), quality: int = 90) -> bytes:
    """A baseline JPEG (4:2:0, standard Huffman tables) of `picture`."""
    return encode(picture(seed, size), ".jpg", [cv2.IMWRITE_JPEG_QUALITY, quality])


def encode(
    image: NDArray[np.uint8] | NDArray[np.uint16], suffix: str, flags: list[int] | None = None
) -> bytes:
    """The picture as the bytes of a file of that kind."""
    done, data = cv2.imencode(suffix, image, flags or [])
    assert done
    return data.tobytes()


def write_video(
    path: Path,
    frames: int,
    fps: float = 10.0,
    fourcc: str = "mp4v",
    size: tuple[int, int] = (64, 48),
) -> Path:
    """A recording at constant rate; the red of frame n is n * 8."""
    code = cv2.VideoWriter.fourcc(*fourcc)
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, code, fps, size)
    assert writer.isOpened()
    for number in range(frames):
        writer.write(picture(number, size))
    writer.release()
    return path


def write_mov(path: Path, durations_ms: list[int], size: tuple[int, int] = (64, 48)) -> Path:
    """A QuickTime recording of JPEG frames, each shown for its own time (variable rate)."""
    samples = [jpeg(number, size) for number in range(len(durations_ms))]
    ftyp = _box(b"ftyp", b"qt  \0\0\2\0qt  ")
    mdat = _box(b"mdat", *samples)
    moov = _moov(samples, durations_ms, size, len(ftyp) + 8)
    path.write_bytes(ftyp + mdat + moov)
    return path


def _box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def _moov(samples: list[bytes], durations: list[int], size: tuple[int, int], offset: int) -> bytes:
    total = sum(durations)
    matrix = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
    mvhd = struct.pack(">5I I H 10x", 0, 0, 0, 1000, total, 0x10000, 0x100) + matrix + bytes(24)
    tkhd = struct.pack(">6I 8x 8x", 7, 0, 0, 1, 0, total) + matrix
    tkhd += struct.pack(">2I", size[0] << 16, size[1] << 16)
    mdhd = struct.pack(">5I 4x", 0, 0, 0, 1000, total)
    hdlr = struct.pack(">I4s4s12x", 0, b"mhlr", b"vide") + b"\0"
    dref = struct.pack(">2I", 0, 1) + _box(b"url ", struct.pack(">I", 1))
    minf = _box(b"vmhd", struct.pack(">I8x", 1)) + _box(b"dinf", _box(b"dref", dref))
    stbl = _box(b"stbl", _sample_tables(samples, durations, size, offset))
    mdia = _box(b"mdhd", mdhd) + _box(b"hdlr", hdlr) + _box(b"minf", minf, stbl)
    trak = _box(b"trak", _box(b"tkhd", tkhd), _box(b"mdia", mdia))
    return _box(b"moov", _box(b"mvhd", mvhd), trak)


def _sample_tables(
    samples: list[bytes], durations: list[int], size: tuple[int, int], offset: int
) -> bytes:
    count = len(samples)
    entry = struct.pack(">6xH 16x 2H 2I 4x H 32x Hh", 1, *size, 72 << 16, 72 << 16, 1, 24, -1)
    stts = b"".join(struct.pack(">2I", 1, duration) for duration in durations)
    stsz = b"".join(struct.pack(">I", len(sample)) for sample in samples)
    return b"".join(
        (
            _box(b"stsd", struct.pack(">2I", 0, 1), _box(b"jpeg", entry)),
            _box(b"stts", struct.pack(">2I", 0, count), stts),
            _box(b"stsc", struct.pack(">5I", 0, 1, 1, count, 1)),
            _box(b"stsz", struct.pack(">3I", 0, 0, count), stsz),
            _box(b"stco", struct.pack(">3I", 0, 1, offset)),
        )
    )
