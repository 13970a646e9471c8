"""From the bytes of a picture, or whatever a device calls an image, to BGR pixels."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.sources.base import Image
from edge_agent.sources.jpeg import JpegWalk, NotJpeg

_MAX_FILE_BYTES = 256 * 2**20

MAX_PIXELS = 64 * 2**20
"""A larger picture is refused before it is decoded: 64 Mpx take 192 MiB."""

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
"""Endings of the picture files that can be read."""

_TIFF_TYPES = {3: "H", 4: "I"}


class BadPicture(ValueError):
    """These bytes or pixels are no picture that can be used; the text says why."""


class IncompletePicture(BadPicture):
    """The picture breaks off before its end."""


def as_bgr(image: NDArray[Any] | None) -> Image:
    """Height x width x 3 uint8 BGR of grey, BGRA, 8 or 16 bit pixels; raises BadPicture.

    A picture that is right already is returned as it is.
    """
    if image is None or image.size == 0:
        raise BadPicture("the picture has no pixels")
    if image.dtype == np.uint16:
        image = cv2.convertScaleAbs(image, alpha=1 / 257)
    if image.dtype != np.uint8 or image.ndim not in (2, 3):
        raise BadPicture(f"cannot use pixels of type {image.dtype} and shape {image.shape}")
    channels = image.shape[2] if image.ndim == 3 else 1
    if channels == 3:
        return cast("Image", image)
    if channels not in (1, 4):
        raise BadPicture(f"cannot use a picture of {channels} channels")
    code = cv2.COLOR_GRAY2BGR if channels == 1 else cv2.COLOR_BGRA2BGR
    return cast("Image", cv2.cvtColor(image, code))


def decode_picture(data: bytes, max_pixels: int = MAX_PIXELS) -> Image:
    """BGR pixels of a JPEG, PNG, BMP, WebP or TIFF file, turned as its EXIF says.

    Alpha is dropped, 16 bits become 8. Raises BadPicture, also for more than `max_pixels`.
    """
    width, height = picture_size(data)
    if width <= 0 or height <= 0:
        raise BadPicture(f"its size is {width}x{height}")
    if width * height > max_pixels:
        raise BadPicture(f"{width}x{height} is more than {max_pixels / 2**20:.0f} megapixels")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise BadPicture(f"it cannot be decoded: {error.err}") from error
    if image is None:
        raise BadPicture("it is damaged")
    return as_bgr(image)


def load_picture(path: Path) -> Image:
    """BGR pixels of a picture file; raises BadPicture, also for one that cannot be read."""
    try:
        if path.stat().st_size > _MAX_FILE_BYTES:
            raise BadPicture(f"it is larger than {_MAX_FILE_BYTES // 2**20} MiB")
        return decode_picture(path.read_bytes())
    except OSError as error:
        raise BadPicture(f"it cannot be read: {error.strerror}") from error


def picture_size(data: bytes) -> tuple[int, int]:
    """Width and height by the header alone, before anything is decoded; raises BadPicture."""
    for magic, offset, reader in _FORMATS:
        if data[offset : offset + len(magic)] == magic:
            try:
                return reader(data)
            except struct.error as error:
                raise IncompletePicture("it breaks off in its header") from error
    if not data.strip(b"\0"):
        raise IncompletePicture("it is empty" if not data else "it holds only zeros")
    raise BadPicture("it is not a JPEG, PNG, BMP, WebP or TIFF picture")


def _jpeg_size(data: bytes) -> tuple[int, int]:
    walk = JpegWalk()
    try:
        end = walk.end(data)
    except NotJpeg as error:
        raise BadPicture(f"it is damaged: {error}") from error
    if end is None or walk.size is None:
        raise IncompletePicture("it breaks off before its end")
    return walk.size


def _png_size(data: bytes) -> tuple[int, int]:
    end = data.rfind(b"IEND")  # the last chunk, four bytes of checksum behind it
    if end < 0 or end + 8 > len(data):
        raise IncompletePicture("it breaks off before its end")
    return struct.unpack_from(">2I", data, 16)


def _bmp_size(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack_from("<2i", data, 18)
    return width, abs(height)


def _webp_size(data: bytes) -> tuple[int, int]:
    """RFC 9649: the chunk is lossy (VP8), lossless (VP8L) or extended (VP8X)."""
    (length,) = struct.unpack_from("<I", data, 4)
    if len(data) < length + 8:
        raise IncompletePicture("it breaks off before its end")
    if data[12:16] == b"VP8X":
        width, height = int.from_bytes(data[24:27], "little"), int.from_bytes(data[27:30], "little")
        return width + 1, height + 1
    if data[12:16] == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = struct.unpack_from("<2H", data, 26)
    return width & 0x3FFF, height & 0x3FFF


def _tiff_size(data: bytes) -> tuple[int, int]:
    """TIFF 6.0: tags 256 and 257 of the first directory."""
    order = "<" if data[:2] == b"II" else ">"
    (directory,) = struct.unpack_from(f"{order}I", data, 4)
    (count,) = struct.unpack_from(f"{order}H", data, directory)
    found: dict[int, int] = {}
    for index in range(count):
        at = directory + 2 + 12 * index
        tag, kind = struct.unpack_from(f"{order}2H", data, at)
        if tag in (256, 257) and kind in _TIFF_TYPES:
            (found[tag],) = struct.unpack_from(order + _TIFF_TYPES[kind], data, at + 8)
    return found.get(256, 0), found.get(257, 0)


_FORMATS = (
    (b"\xff\xd8\xff", 0, _jpeg_size),
    (b"\x89PNG\r\n\x1a\n", 0, _png_size),
    (b"BM", 0, _bmp_size),
    (b"WEBP", 8, _webp_size),
    (b"II*\0", 0, _tiff_size),
    (b"MM\0*", 0, _tiff_size),
)
