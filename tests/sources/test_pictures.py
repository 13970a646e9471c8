"""Pictures of every kind become BGR, or are refused with a reason."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.sources.pictures import (
    BadPicture,
    IncompletePicture,
    as_bgr,
    decode_picture,
    picture_size,
)
from tests.support.data import data_file
from tests.support.pictures import encode, jpeg, picture


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".webp", ".tiff"])
def test_formats(suffix: str) -> None:
    """Every format is measured by its header and decoded."""
    data = encode(picture(3, (50, 30)), suffix)
    assert picture_size(data) == (50, 30)
    image = decode_picture(data)
    assert image.shape == (30, 50, 3)
    assert np.abs(image.astype(int) - picture(3, (50, 30))).mean() < 6


def test_lossless_webp() -> None:
    """The size of a lossless WebP is read from its own header."""
    data = encode(picture(3, (50, 30)), ".webp", [cv2.IMWRITE_WEBP_QUALITY, 101])
    assert picture_size(data) == (50, 30)


@pytest.mark.parametrize(
    "pixels",
    [
        np.full((6, 8), 90, np.uint8),
        np.full((6, 8, 1), 90, np.uint8),
        np.full((6, 8, 4), 90, np.uint8),
        np.full((6, 8), 90 * 257, np.uint16),
        np.full((6, 8, 3), 90 * 257, np.uint16),
    ],
    ids=["grey", "grey3d", "bgra", "grey16", "bgr16"],
)
def test_odd_pixels(pixels: Any) -> None:
    """Grey, alpha and 16 bits become 8 bit BGR, from a device and from a file."""
    image = as_bgr(pixels)
    assert image.shape == (6, 8, 3)
    assert image.dtype == np.uint8
    assert (image == 90).all()
    assert (decode_picture(encode(pixels, ".png")) == 90).all()


@pytest.mark.parametrize(
    "pixels",
    [
        None,
        np.empty((0, 0, 3), np.uint8),
        np.zeros((4, 4, 2), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((2, 4, 4, 3), np.uint8),
        np.zeros(16, np.uint8),
    ],
    ids=["none", "empty", "two channels", "float", "4-D", "1-D"],
)
def test_refused_pixels(pixels: Any) -> None:
    """What is no picture is refused with a reason."""
    with pytest.raises(BadPicture):
        as_bgr(pixels)


def test_right_pixels_are_not_copied() -> None:
    """A BGR picture passes as it is."""
    image = picture()
    assert as_bgr(image) is image


def test_exif_rotation() -> None:
    """A picture is turned as its EXIF orientation says."""
    tiff = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
    exif = b"Exif\0\0" + tiff
    data = jpeg(0, (64, 48))
    data = data[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + data[2:]
    assert decode_picture(data).shape == (64, 48, 3)


def test_cmyk_jpeg() -> None:
    """A JPEG of four colours (CMYK) is decoded, or refused with a reason."""
    image = decode_picture(_cmyk_jpeg())
    assert image.shape == (8, 8, 3)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp", ".webp", ".tiff"])
@given(share=st.floats(0, 1))
def test_truncated(suffix: str, share: float) -> None:
    """A picture that breaks off never raises anything but BadPicture."""
    data = encode(picture(), suffix)
    cut = data[: int(share * (len(data) - 1))]
    if suffix in (".jpg", ".png", ".webp") and len(cut) > 16:
        with pytest.raises(IncompletePicture):
            decode_picture(cut)
        return
    try:
        decode_picture(cut)
    except BadPicture:
        return


@given(st.sampled_from([".jpg", ".png", ".bmp", ".webp", ".tiff"]), st.binary(max_size=60))
def test_garbage_behind_a_header(suffix: str, garbage: bytes) -> None:
    """A right beginning with garbage behind it is refused, not crashed on."""
    data = encode(picture(), suffix)[:14] + garbage
    try:
        decode_picture(data, max_pixels=10_000)
    except BadPicture:
        return


@pytest.mark.parametrize("data", [b"", b"\0" * 100, b"GIF89a", b"<html>"])
def test_no_picture(data: bytes) -> None:
    """What is no picture is told by its first bytes."""
    with pytest.raises(BadPicture, match=r"empty|zeros|not a JPEG"):
        decode_picture(data)


def test_decompression_bomb() -> None:
    """A small file that claims a huge picture is refused before it is decoded."""
    header = struct.pack(">2I5B", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    data = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk
    data += struct.pack(">I", zlib.crc32(chunk)) + b"\0\0\0\0IEND\xaeB`\x82"
    with pytest.raises(BadPicture, match="60000x60000 is more than 64 megapixels"):
        decode_picture(data)


@pytest.mark.data
def test_real_pictures() -> None:
    """Real photographs are measured as OpenCV measures them."""
    folder = data_file("README.md").parent / "images"
    files = [path for path in sorted(folder.rglob("*")) if path.suffix in (".jpg", ".png")]
    for path in files[:20]:
        data = path.read_bytes()
        raw = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
        assert raw is not None
        assert picture_size(data) == (raw.shape[1], raw.shape[0]), path
        assert decode_picture(data).shape[2] == 3


def _cmyk_jpeg() -> bytes:
    """A grey 8x8 JPEG in which three more components point at the same data tables."""
    data = encode(np.full((8, 8), 128, np.uint8), ".jpg")
    at = data.index(b"\xff\xc0")
    frame = b"\xff\xc0" + struct.pack(">HBHHB", 20, 8, 8, 8, 4)
    frame += b"".join(bytes((n, 0x11, 0)) for n in range(1, 5))
    scan_at = data.index(b"\xff\xda")
    scan = b"\xff\xda" + struct.pack(">HB", 14, 4) + bytes((1, 0, 2, 0, 3, 0, 4, 0, 0, 63, 0))
    # A flat block is two codes of six bits: repeated for each component it stays aligned.
    body = data[scan_at + 2 + struct.unpack_from(">H", data, scan_at + 2)[0] : -2]
    tables = data[at + 2 + struct.unpack_from(">H", data, at + 2)[0] : scan_at]
    return data[:at] + frame + tables + scan + body * 4 + b"\xff\xd9"
