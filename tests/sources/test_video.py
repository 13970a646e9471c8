"""Recordings: every frame, the right times, and clear words for bad files."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Literal

import pytest

from edge_agent.errors import SourceUnusable
from edge_agent.frame import Frame
from edge_agent.sources.video import VideoOptions, VideoSource
from tests.support.data import data_file
from tests.support.pictures import write_mov, write_video
from tests.support.reading import reading

Pace = Literal["real", "fast", "loop"]


def _source(file: Path, pace: Pace = "fast") -> VideoSource:
    return VideoSource("clip", VideoOptions(file, pace))


def _frames(source: VideoSource, limit: int = 10_000) -> list[Frame]:
    source.start()
    frames: list[Frame] = []
    while len(frames) < limit and (frame := source.read()) is not None:
        frames.append(frame)
    source.stop()
    return frames


def _red(frame: Frame) -> int:
    """Which picture it is: the red of picture n is n * 8."""
    return round(float(frame.data[..., 2].mean()) / 8)


@pytest.mark.parametrize(("fourcc", "ending"), [("mp4v", "mp4"), ("MJPG", "avi")])
def test_fast_gives_every_frame(tmp_path: Path, fourcc: str, ending: str) -> None:
    """At pace fast every frame comes once, in order, with its time in the recording."""
    file = write_video(tmp_path / f"clip.{ending}", 20, fps=10, fourcc=fourcc)
    source = _source(file)
    frames = _frames(source)
    assert not source.live
    assert [_red(frame) for frame in frames] == list(range(20))
    assert [frame.seq for frame in frames] == list(range(20))
    assert [frame.media_time for frame in frames] == pytest.approx([n / 10 for n in range(20)])
    assert all(frame.timeline == frame.media_time for frame in frames)
    assert frames[0].size == (64, 48)
    assert source.read() is None


def test_variable_frame_rate(tmp_path: Path) -> None:
    """The times come from the file's own time stamps."""
    file = write_mov(tmp_path / "clip.mov", [100, 50, 400, 100, 30, 100])
    times = [frame.media_time for frame in _frames(_source(file))]
    assert times == pytest.approx([0, 0.1, 0.15, 0.55, 0.65, 0.68])


def test_start_again(tmp_path: Path) -> None:
    """A source that is started again plays from the beginning, its sequence goes on."""
    source = _source(write_video(tmp_path / "clip.mp4", 3))
    assert len(_frames(source)) == 3
    again = _frames(source)
    assert [frame.media_time for frame in again] == pytest.approx([0, 0.1, 0.2])
    assert [frame.seq for frame in again] == [3, 4, 5]


def test_loop_goes_on(tmp_path: Path) -> None:
    """A loop begins again at its end while the timeline rises evenly."""
    source = _source(write_video(tmp_path / "clip.mp4", 4, fps=100), "loop")
    frames = _frames(source, limit=10)
    assert source.live
    assert [_red(frame) for frame in frames] == [0, 1, 2, 3, 0, 1, 2, 3, 0, 1]
    assert [frame.timeline for frame in frames] == pytest.approx([n / 100 for n in range(10)])
    assert frames[5].media_time == pytest.approx(0.01)


class ManualClock:
    """A clock that stands still."""

    def wall(self) -> float:
        """Seconds since the epoch."""
        return 1000.0

    def monotonic_ns(self) -> int:
        """Nanoseconds."""
        return 5_000_000_000


def test_real_pace_waits(tmp_path: Path) -> None:
    """At real pace a frame waits until its time has come, and a stop ends the wait."""
    file = write_video(tmp_path / "clip.mp4", 3, fps=1)
    source = VideoSource("clip", VideoOptions(file, "real"), ManualClock())
    source.start()
    first = source.read()
    assert first is not None
    assert (first.wall, first.monotonic_ns) == (1000.0, 5_000_000_000)
    results: list[Frame | None] = []
    thread = threading.Thread(target=lambda: results.append(source.read()))
    thread.start()
    source.stop()
    thread.join(10)
    assert results == [None]


def test_reader_finishes(tmp_path: Path) -> None:
    """Read by its thread, a recording is delivered whole and then finished."""
    with reading(_source(write_video(tmp_path / "clip.mp4", 30))) as (watcher, reader):
        watcher.wait(lambda: any(status.finished for status in watcher.statuses))
        assert reader.frames == 30
        assert [status.online for status in watcher.statuses] == [True, False]


def test_bad_files(tmp_path: Path) -> None:
    """A missing file, no video, a folder and a cut off mp4 are told with a cure."""
    (tmp_path / "text.mp4").write_text("hello " * 1000)
    (tmp_path / "empty.mp4").touch()
    whole = write_video(tmp_path / "clip.mp4", 20).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    for name in ("missing.mp4", "text.mp4", "empty.mp4", "cut.mp4", "."):
        with pytest.raises(SourceUnusable) as error:
            _source(tmp_path / name).start()
        assert error.value.cure


def test_no_frames(tmp_path: Path) -> None:
    """A video without a frame is refused."""
    with pytest.raises(SourceUnusable):
        _source(write_video(tmp_path / "clip.avi", 0, fourcc="MJPG")).start()


def test_ends_early(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A video that is cut off in the middle plays what there is and says so."""
    file = write_mov(tmp_path / "clip.mov", [100] * 20)
    data = bytearray(file.read_bytes())
    moov = data.index(b"moov") - 4
    # The index first, as players like it; then the end can be missing.
    index, media = data[moov:], data[20:moov]
    stco = index.index(b"stco") + 12
    offset = int.from_bytes(index[stco : stco + 4], "big") + len(index)
    index[stco : stco + 4] = offset.to_bytes(4, "big")
    file.write_bytes(data[:20] + index + media[: len(media) // 2])
    caplog.set_level(logging.WARNING)
    frames = _frames(_source(file))
    assert 5 <= len(frames) <= 11
    assert "ends early" in caplog.text


@pytest.mark.data
def test_real_clip() -> None:
    """A real clip has all its frames at a tenth of a second each."""
    file = data_file("video/one-by-one-person-detection.mp4")
    frames = _frames(_source(file), limit=50)
    assert [frame.media_time for frame in frames] == pytest.approx([n / 10 for n in range(50)])
    assert frames[0].size == (768, 432)
