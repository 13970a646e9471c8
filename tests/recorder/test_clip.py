"""The format of a clip: its times, and what is left of a damaged one."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.clip import Stamp, stamp_of, stamped
from edge_agent.errors import SourceUnusable
from edge_agent.sources.clip import read_clip, stamps
from tests.support.pictures import jpeg

JPEG = jpeg()


def clip(path: Path, count: int = 5) -> list[int]:
    """Write a clip of so many pictures, a fifth of a second apart; where each one ends."""
    data, ends = b"", []
    for number in range(count):
        data += stamped(JPEG, Stamp(1000.0 + number / 5, number / 5))
        ends.append(len(data))
    path.write_bytes(data)
    return ends


@given(st.floats(0, 1e10), st.floats(0, 1e6))
def test_times_are_read_as_they_were_written(wall: float, at: float) -> None:
    """To a microsecond, and the pixels are the same as before."""
    found = stamp_of(stamped(JPEG, Stamp(wall, at)))
    assert found == pytest.approx((wall, at), abs=1e-6)


def test_the_picture_stays_a_picture() -> None:
    """JFIF's own segment still comes first, and every pixel is the same."""
    marked = stamped(JPEG, Stamp(1000.0, 0.0))
    assert marked[:11] == JPEG[:11]
    before, after = (cv2.imdecode(np.frombuffer(j, np.uint8), 1) for j in (JPEG, marked))
    assert np.array_equal(before, after)  # type: ignore[arg-type]
    assert stamp_of(JPEG) is None


def test_a_clip_is_a_video_for_others(tmp_path: Path) -> None:
    """FFmpeg, and so most players, read it as MJPEG."""
    clip(tmp_path / "a.mjpg")
    video = cv2.VideoCapture(str(tmp_path / "a.mjpg"), cv2.CAP_FFMPEG)
    assert sum(1 for _ in iter(lambda: video.read()[0], False)) == 5


def test_every_cut_leaves_the_pictures_before_it(tmp_path: Path) -> None:
    """Wherever the power went, what was whole can be read."""
    path = tmp_path / "a.mjpg"
    ends = clip(path)
    whole = path.read_bytes()
    for length in range(0, len(whole) + 1, 97):
        path.write_bytes(whole[:length])
        assert len(list(read_clip(path))) == sum(end <= length for end in ends)


def test_damage_in_the_middle(tmp_path: Path) -> None:
    """Zeros, which a power cut leaves behind, cost the pictures that they are in."""
    path = tmp_path / "a.mjpg"
    ends = clip(path)
    data = bytearray(path.read_bytes())
    data[ends[1] : ends[2]] = bytes(ends[2] - ends[1])
    path.write_bytes(data)
    assert [round(each.stamp.at, 6) for each in read_clip(path)] == [0.0, 0.2, 0.6, 0.8]


def test_what_is_no_clip(tmp_path: Path) -> None:
    """A video of another program has no times, and a folder cannot be read."""
    (tmp_path / "b.mjpg").write_bytes(JPEG * 3)
    assert stamps(tmp_path / "b.mjpg", 5) == []
    with pytest.raises(SourceUnusable, match="cannot be read"):
        stamps(tmp_path, 5)
