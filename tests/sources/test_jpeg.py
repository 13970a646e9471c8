"""Cutting JPEG pictures out of a stream."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.sources.jpeg import JpegScanner, JpegWalk, NotJpeg
from tests.support.pictures import jpeg

_PICTURES = [jpeg(seed, (16 + 8 * seed, 16)) for seed in range(4)]
_SOI = b"\xff\xd8\xff"


def _scan(stream: bytes, cuts: list[int], limit: int = 2**20) -> list[bytes]:
    scanner = JpegScanner(limit)
    found: list[bytes] = []
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    for start, end in pairwise(edges):
        found += scanner.feed(stream[start:end])
    return found


_garbage = st.one_of(
    st.binary(max_size=300),
    st.just(_SOI),
    st.just(_SOI + b"\xe0\x00\x10JFIF"),
    st.just(b"--frame\r\nContent-Length: 99999\r\n\r\n"),
    st.sampled_from(_PICTURES).map(lambda picture: picture[:200]),
)


@given(
    st.lists(st.tuples(_garbage, st.sampled_from(_PICTURES)), min_size=1, max_size=5),
    st.lists(st.integers(0, 2**16), max_size=20),
)
def test_finds_every_whole_picture(parts: list[tuple[bytes, bytes]], cuts: list[int]) -> None:
    """Whatever stands between the pictures and however the stream is cut, none is lost."""
    stream = b"".join(garbage + picture for garbage, picture in parts)
    # A false start may swallow what follows it only if it forms a whole picture itself.
    found = _scan(stream, cuts)
    wanted = [picture for _, picture in parts]
    assert [picture for picture in found if picture in _PICTURES] == wanted


@given(st.binary(max_size=2000), st.lists(st.integers(0, 2000), max_size=10))
def test_chunks_do_not_matter(stream: bytes, cuts: list[int]) -> None:
    """The same bytes give the same pictures in one piece and in many."""
    assert _scan(stream, cuts) == _scan(stream, [])


def test_thumbnail_is_no_picture() -> None:
    """A JPEG inside the EXIF part of another one does not end it."""
    thumbnail, outer = _PICTURES[0], _PICTURES[3]
    segment = b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail
    whole = outer[:2] + segment + outer[2:]
    assert _scan(b"x" + whole + b"y", [5, 50, 500]) == [whole]


def test_short_last_segment() -> None:
    """A picture that ends with the shortest possible segment is whole."""
    whole = _PICTURES[0][:-2] + b"\xff\xfe\x00\x02\xff\xff\xd9"
    assert _scan(whole, []) == [whole]


def test_bounded() -> None:
    """A picture that never ends is given up at the limit, and the next one is found."""
    scanner = JpegScanner(1000)
    endless = _PICTURES[0][:-2]
    assert scanner.feed(endless) == []
    for _ in range(100):
        assert scanner.feed(b"\x00" * 1000) == []
        assert len(scanner._data) <= 2000
    assert scanner.feed(_PICTURES[1]) == [_PICTURES[1]]


def test_too_long_picture_is_refused() -> None:
    """A whole picture above the limit is not handed out."""
    assert _scan(jpeg(0, (64, 64)) + _PICTURES[0], [], limit=len(_PICTURES[0])) == [_PICTURES[0]]


def test_size() -> None:
    """The size is known from the header alone."""
    walk = JpegWalk()
    assert walk.end(jpeg(0, (40, 24))[:-2]) is None
    assert walk.size == (40, 24)


@pytest.mark.parametrize("data", [_SOI + b"\x10", _SOI + b"\xe0\x00\x01abc", _SOI + b"\xd9"])
def test_no_jpeg(data: bytes) -> None:
    """Impossible bytes are told at once."""
    with pytest.raises(NotJpeg):
        JpegWalk().end(data + b"\0" * 10)
