"""Pictures of one source with the numbers of others, aligned in time."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.backoff import Backoff
from edge_agent.clock import SystemClock
from edge_agent.frame import Signal
from edge_agent.sources.base import Stamp
from edge_agent.sources.csv import CsvOptions
from edge_agent.sources.fusion import FusionOptions, FusionSource
from edge_agent.sources.images import ImagesOptions
from edge_agent.sources.lines import LinesOptions
from edge_agent.sources.parts import PartConfig
from edge_agent.sources.picture_with_numbers import readings_at
from edge_agent.sources.sysfs import SysfsOptions
from edge_agent.sources.track import Track
from edge_agent.sources.video import VideoOptions
from tests.support.fake_sysfs import put
from tests.support.pictures import jpeg, write_video
from tests.support.reading import reading

Rule = Literal["hold", "drop", "nan"]
_FPS, _FRAMES = 50.0, 75
RULES: tuple[Rule, ...] = ("hold", "drop", "nan")


@pytest.fixture(name="clip", scope="module")
def _clip(tmp_path_factory: pytest.TempPathFactory) -> PartConfig:
    file = write_video(tmp_path_factory.mktemp("clip") / "eye.avi", _FRAMES, _FPS, "MJPG")
    return PartConfig("video", VideoOptions(file, "loop"))


def _file(path: Path, rate: float = 50.0) -> PartConfig:
    return PartConfig("sysfs", SysfsOptions({"value": str(path)}, rate, timeout=0.2))


def _source(parts: dict[str, PartConfig], **options: Any) -> FusionSource:
    options = {"tolerance": 0.3, "timeout": 10.0, **options}
    return FusionSource("gate", FusionOptions(parts, **options), backoff=lambda: Backoff(0.02, 0.1))


def _naive(
    rows: dict[str, list[tuple[float, float]]], moment: float, tolerance: float, rule: Rule
) -> dict[str, float] | None:
    """Each part's last row of all at or before the moment."""
    found = {}
    for part, each in rows.items():
        past = [row for row in each if row[0] <= moment]
        old = not past or moment - past[-1][0] > tolerance
        if rule == "drop" and old:
            return None
        if past:
            found[f"{part}.x"] = math.nan if rule == "nan" and old else past[-1][1]
    return found


TIMES = st.lists(st.integers(0, 400), min_size=0, max_size=30, unique=True).map(sorted)


@given(
    times=st.dictionaries(st.sampled_from("abc"), TIMES, min_size=1),
    cuts=st.integers(1, 7),
    moment=st.integers(0, 400),
    tolerance=st.integers(1, 200),
    rule=st.sampled_from(RULES),
)
def test_the_values_at_a_moment(
    times: dict[str, list[int]], cuts: int, moment: int, tolerance: int, rule: Rule
) -> None:
    """However rows come in blocks, the last at or before the moment count; as a loop finds them."""
    tracks, rows = {}, {}
    for part, each in times.items():
        tracks[part], stamp = Track(1000.0), Stamp(part, SystemClock())
        rows[part] = [(time / 8, float(place)) for place, time in enumerate(each)]
        for first in range(0, len(each), cuts):
            block = rows[part][first : first + cuts]
            signal = Signal(("x",), np.array([time for time, _ in block]))
            values = np.array([[value] for _, value in block], np.float32)
            tracks[part].put(stamp.samples(values, signal))
    found = readings_at(tracks, moment / 8, tolerance / 8, rule)
    assert str(found) == str(_naive(rows, moment / 8, tolerance / 8, rule))


def test_a_picture_carries_what_was_measured(tmp_path: Path, clip: PartConfig) -> None:
    """Every picture of the clip, under the name of the fusion, with numbers and its own times."""
    put(tmp_path, {"near": "1", "far": "2"})
    parts = {"far": _file(tmp_path / "far"), "eye": clip, "near": _file(tmp_path / "near", 5.0)}
    source = _source(parts)
    assert (source.medium, source.live) == ("picture", True)
    with reading(source) as (watcher, reader):
        watcher.wait(lambda: len(watcher.frames) >= 20)
        assert reader.reopens == 0
    frame = watcher.frames[-1]
    assert frame.is_picture
    assert frame.source == "gate"
    assert frame.media_time is not None
    assert frame.readings == {"far.value": 2.0, "near.value": 1.0}
    assert [each.seq for each in watcher.frames] == list(range(len(watcher.frames)))


@pytest.mark.parametrize(("rule", "expected"), [("hold", 2.0), ("nan", math.nan)])
def test_numbers_that_go(tmp_path: Path, clip: PartConfig, rule: Rule, expected: float) -> None:
    """The pictures go on with the last value, or without; when it is back, so is the number."""
    put(tmp_path, {"far": "2"})
    source = _source({"eye": clip, "far": _file(tmp_path / "far")}, missing=rule)
    with reading(source) as (watcher, _):
        watcher.wait(lambda: bool(watcher.frames) and bool(watcher.frames[-1].readings))
        (tmp_path / "far").unlink()
        before = watcher.frames[-1].seq
        watcher.wait(lambda: watcher.frames[-1].seq > before + 25)
        assert str(watcher.frames[-1].readings) == str({"far.value": expected})
        put(tmp_path, {"far": "7"})
        watcher.wait(lambda: watcher.frames[-1].readings == {"far.value": 7.0})
        assert [status.online for status in watcher.statuses] == [True]


def test_pictures_without_numbers_are_dropped(tmp_path: Path, clip: PartConfig) -> None:
    """With drop there are none while a part is away, and after a while the reason is told."""
    put(tmp_path, {"far": "2"})
    source = _source({"eye": clip, "far": _file(tmp_path / "far")}, missing="drop", timeout=0.6)
    with reading(source) as (watcher, _):
        watcher.wait_online()
        assert watcher.frames[0].readings == {"far.value": 2.0}
        (tmp_path / "far").unlink()
        reason = watcher.wait_offline()
        assert "gate has no picture with all its numbers for 0.6 s: far: " in reason
        put(tmp_path, {"far": "6"})
        watcher.wait_online()
        watcher.wait(lambda: watcher.frames[-1].readings == {"far.value": 6.0})


@pytest.mark.parametrize("rule", ["hold", "nan"])
def test_numbers_that_never_come(tmp_path: Path, clip: PartConfig, rule: Rule) -> None:
    """A thermometer that was never there does not blind the camera."""
    source = _source({"eye": clip, "far": _file(tmp_path / "far")}, missing=rule)
    with reading(source) as (watcher, _):
        watcher.wait(lambda: len(watcher.frames) >= 3)
        assert watcher.frames[-1].readings == {}


def test_without_pictures_it_is_offline(tmp_path: Path) -> None:
    """As the source of pictures alone; what was held is still known when they are back."""
    put(tmp_path, {"far": "2"})
    shots = tmp_path / "shots"
    shots.mkdir()
    images = PartConfig("images", ImagesOptions((str(shots / "*.jpg"),), fps=50.0))
    source = _source({"eye": images, "far": _file(tmp_path / "far")})
    with reading(source) as (watcher, _):
        assert "no picture at" in watcher.wait_offline()
        for number in range(30):
            (shots / f"{number}.jpg").write_bytes(jpeg(number))
        watcher.wait(lambda: any(status.online for status in watcher.statuses))
        watcher.wait(lambda: any(each.readings for each in watcher.frames))
        watcher.wait(lambda: watcher.statuses[-1].finished)  # with the pictures it ends


def test_lines_of_a_pipe(tmp_path: Path, clip: PartConfig) -> None:
    """A picture has the distance that was last written, never one that came after it."""
    os.mkfifo(tmp_path / "radar")
    radar = PartConfig("lines", LinesOptions(fifo=tmp_path / "radar", channels=("distance",)))
    with reading(_source({"eye": clip, "radar": radar}, tolerance=5.0)) as (watcher, _):
        watcher.wait_online()
        writer = os.open(tmp_path / "radar", os.O_WRONLY)
        os.write(writer, b"3.25\n")
        watcher.wait(lambda: watcher.frames[-1].readings == {"radar.distance": 3.25})
        os.write(writer, b"1.5\n")
        watcher.wait(lambda: watcher.frames[-1].readings == {"radar.distance": 1.5})
        os.close(writer)
    found = [(each.readings or {}).get("radar.distance", 0.0) for each in watcher.frames]
    assert found == [0.0] * found.count(0.0) + [3.25] * found.count(3.25) + [1.5] * found.count(1.5)


def test_recorded_numbers_in_time(tmp_path: Path, clip: PartConfig) -> None:
    """A table that is played in time counts as measured while it is played."""
    table = tmp_path / "far.csv"
    rows = "".join(f"{place / 50},{place}\n" for place in range(500))
    table.write_text(f"t,x\n{rows}")
    played = PartConfig("csv", CsvOptions(table, time="t", pace="real"))
    with reading(_source({"eye": clip, "far": played}, missing="nan", tolerance=2.0)) as (
        watcher,
        _,
    ):
        watcher.wait(lambda: len(watcher.frames) >= 30)
    found = [each.readings["far.x"] for each in watcher.frames if each.readings]
    assert len(found) >= 20
    assert np.isfinite(found).all()
    assert (np.diff(found) >= 0).all()
    assert found[-1] > found[0]
    fast = PartConfig("csv", CsvOptions(table, time="t", pace="fast"))
    with pytest.raises(ValueError, match="part far is a recording at its fastest: set pace: real"):
        _source({"eye": clip, "far": fast})


def test_the_picture_is_not_touched(tmp_path: Path, clip: PartConfig) -> None:
    """The pixels are those of the source alone."""
    put(tmp_path, {"far": "2"})
    assert isinstance(clip.options, VideoOptions)
    device = cv2.VideoCapture(str(clip.options.file))
    expected = device.read()[1]
    device.release()
    source = _source({"eye": clip, "far": _file(tmp_path / "far")})
    source.start()
    frame = source.read()
    source.stop()
    assert frame is not None
    np.testing.assert_array_equal(frame.data, expected)


@pytest.mark.parametrize("rule", RULES)
def test_recordings_at_their_fastest(tmp_path: Path, clip: PartConfig, rule: Rule) -> None:
    """Pictures and numbers by their places in the recordings: the same each time, none is lost."""
    assert isinstance(clip.options, VideoOptions)
    table = tmp_path / "far.csv"
    times = [0.1 * place for place in range(10)]  # the clip is longer
    table.write_text("t,x\n" + "".join(f"{5000 + time},{time}\n" for time in times))
    parts = {
        "eye": PartConfig("video", VideoOptions(clip.options.file, "fast")),
        "far": PartConfig("csv", CsvOptions(table, time="t", pace="fast")),
    }
    source = _source(parts, tolerance=0.25, missing=rule)
    assert not source.live
    runs = [_run(source), _run(source)]
    assert str(runs[0]) == str(runs[1])
    places = [place / _FPS for place in range(_FRAMES)]  # of the clip's pictures
    expected = [_expected(place, times, rule) for place in places]
    assert [moment for moment, _ in runs[0]] == pytest.approx(
        [place for place, value in zip(places, expected, strict=True) if value is not None]
    )
    found = [readings["far.x"] for _, readings in runs[0]]
    wanted = [value for value in expected if value is not None]
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_pictures_of_now_and_recorded_numbers(tmp_path: Path) -> None:
    """What arrives in a folder has no place in a recording: told, with what to do."""
    (tmp_path / "a.jpg").write_bytes(jpeg())
    table = tmp_path / "far.csv"
    table.write_text("x\n1\n2\n")
    parts = {
        "eye": PartConfig("images", ImagesOptions(folder=tmp_path, after="keep")),
        "far": PartConfig("csv", CsvOptions(table, rate=10.0, pace="fast")),
    }
    with reading(_source(parts)) as (watcher, _):
        assert "pictures of gate have no place in a recording" in watcher.wait_offline()


def _expected(moment: float, times: list[float], rule: Rule) -> float | None:
    """The last of these times, which are the numbers too; None for a picture that is dropped."""
    last = max(time for time in times if time <= moment + 1e-6)
    if moment - last <= 0.25 or rule == "hold":
        return last
    return math.nan if rule == "nan" else None


def _run(source: FusionSource) -> list[tuple[float, dict[str, float]]]:
    """Moment and readings of each picture of one life."""
    source.start()
    found = []
    while (frame := source.read()) is not None:
        assert frame.media_time is not None
        found.append((frame.media_time, dict(frame.readings or {})))
    source.stop()
    return found
