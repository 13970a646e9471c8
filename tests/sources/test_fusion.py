"""Several sources of numbers joined to one."""

from __future__ import annotations

import math
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from edge_agent.backoff import Backoff
from edge_agent.clock import SystemClock
from edge_agent.errors import SourceUnavailable
from edge_agent.frame import Frame, Signal
from edge_agent.sources.audio import AudioOptions
from edge_agent.sources.base import Stamp
from edge_agent.sources.fusion import FusionOptions, FusionSource
from edge_agent.sources.images import ImagesOptions
from edge_agent.sources.parts import PartConfig
from edge_agent.sources.sysfs import SysfsOptions
from edge_agent.sources.text import TextOptions
from edge_agent.sources.track import Track
from tests.support.fake_sysfs import put
from tests.support.reading import Watcher, reading
from tests.support.sounds import noise, write_wav


def _file(path: Path, rate: float = 50.0, **more: str) -> PartConfig:
    return PartConfig("sysfs", SysfsOptions({"value": str(path), **more}, rate, timeout=0.2))


def _source(parts: dict[str, PartConfig], **options: Any) -> FusionSource:
    options = {"rate": 20.0, "tolerance": 0.3, "timeout": 10.0, **options}
    return FusionSource("all", FusionOptions(parts, **options), backoff=lambda: Backoff(0.02, 0.1))


@pytest.fixture(name="parts")
def _parts(tmp_path: Path) -> dict[str, PartConfig]:
    put(tmp_path, {"near": "1", "far": "2", "farther": "3"})
    return {
        "near": _file(tmp_path / "near"),
        "far": _file(tmp_path / "far", rate=10.0, other=str(tmp_path / "farther")),
    }


def _signals(watcher: Watcher) -> list[Signal]:
    return [frame.signal for frame in watcher.frames if frame.signal is not None]


def test_rows_of_all_parts(parts: dict[str, PartConfig]) -> None:
    """One row at each moment of the common clock, whatever the rates of the parts."""
    with reading(_source(parts)) as (watcher, reader):
        watcher.wait(lambda: len(watcher.frames) >= 10)
        assert reader.reopens == 0
    signal = _signals(watcher)[0]
    assert signal.channels == ("near.value", "far.value", "far.other")
    assert signal.rate == 20.0
    assert not any(each.is_gap for each in _signals(watcher))
    rows = np.concatenate([frame.data for frame in watcher.frames])
    np.testing.assert_array_equal(rows, np.tile([1.0, 2.0, 3.0], (len(rows), 1)))
    times = np.concatenate([each.times for each in _signals(watcher)])
    np.testing.assert_allclose(np.diff(times), 0.05, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("missing", "expected"), [("hold", [1.0, 2.0, 3.0]), ("nan", [1.0, math.nan, math.nan])]
)
def test_a_part_that_goes(
    tmp_path: Path, parts: dict[str, PartConfig], missing: str, expected: list[float]
) -> None:
    """Its last values go on, or are NaN; when it is back, so are they. The source is online."""
    with reading(_source(parts, missing=missing)) as (watcher, _):
        watcher.wait_online()
        (tmp_path / "far").unlink()
        watcher.wait(lambda: len(watcher.frames) > 1)
        before = watcher.frames[-1].seq
        watcher.wait(lambda: watcher.frames[-1].seq > before + 15)
        assert str(watcher.frames[-1].data[-1].tolist()) == str(expected)
        put(tmp_path, {"far": "7"})
        watcher.wait(lambda: watcher.frames[-1].data[-1, 1] == 7.0)
        assert watcher.statuses[-1].online
        assert len(watcher.statuses) == 1


def test_rows_are_dropped(tmp_path: Path, parts: dict[str, PartConfig]) -> None:
    """With drop there are rows of all parts alone, and a gap where there were none."""
    with reading(_source(parts, missing="drop")) as (watcher, _):
        watcher.wait_online()
        (tmp_path / "far").unlink()
        last = [watcher.frames[-1].seq]

        def stands_still() -> bool:
            before, last[0] = last[0], watcher.frames[-1].seq
            return before == last[0]

        for _ in range(100):
            if threading.Event().wait(0.3) or stands_still():
                break
        number = len(watcher.frames)
        put(tmp_path, {"far": "7"})
        watcher.wait(lambda: len(watcher.frames) > number)
        signal = watcher.frames[number].signal
        assert signal is not None
        assert signal.is_gap
        assert np.isfinite(watcher.frames[number].data).all()


def test_all_parts_gone(tmp_path: Path, parts: dict[str, PartConfig]) -> None:
    """When none is fresh the source is offline, with the reason of each; then it comes back."""
    with reading(_source(parts, timeout=0.5)) as (watcher, _):
        watcher.wait_online()
        for name in ("near", "far"):
            (tmp_path / name).unlink()
        reason = watcher.wait_offline()
        assert "all has no row for 0.5 s" in reason
        assert "near: " in reason
        assert "far: " in reason
        put(tmp_path, {"near": "5", "far": "6"})
        watcher.wait_online()


def test_a_part_that_was_never_there(tmp_path: Path, parts: dict[str, PartConfig]) -> None:
    """It is named when the source is opened; no thread of the others is left."""
    before = threading.active_count()
    parts["third"] = _file(tmp_path / "third")
    source = _source(parts, timeout=0.4)
    with pytest.raises(SourceUnavailable, match="third: there is no ") as error:
        source.start()
    assert "near" not in error.value.message
    source.stop()
    for thread in threading.enumerate():
        if thread.name.startswith("source-all."):
            thread.join(10)
    assert threading.active_count() <= before


def test_recordings_end(tmp_path: Path) -> None:
    """In time they can be joined; when all are over, so is the source. At their fastest: no."""
    file = write_wav(tmp_path / "x.wav", noise(8000))
    sound = PartConfig("audio", AudioOptions(file=file, pace="real"))
    with reading(_source({"a": sound, "b": sound})) as (watcher, _):
        watcher.wait(lambda: any(status.finished for status in watcher.statuses))
        assert len(watcher.frames) >= 3
    fast = PartConfig("audio", AudioOptions(file=file, pace="fast"))
    with pytest.raises(ValueError, match="part b is a recording at its fastest"):
        _source({"a": sound, "b": fast})


def test_parts_that_cannot_be_joined(tmp_path: Path, parts: dict[str, PartConfig]) -> None:
    """A part must give numbers or pictures; two that give pictures have no common clock."""
    door = PartConfig("images", ImagesOptions("x.jpg"))
    with pytest.raises(ValueError, match="parts door and yard give pictures"):
        _source({**parts, "door": door, "yard": door})
    with pytest.raises(ValueError, match="part log gives text"):
        _source({**parts, "log": PartConfig("text", TextOptions(file=Path("x.log")))})
    track = Track(1.0)
    track.put(Stamp("door", SystemClock()).live(np.zeros((2, 2, 3), np.uint8)))
    assert track.channels is None
    assert track.problem == "it gives pictures or text, not numbers"


def test_parts_are_read_as_sources_are() -> None:
    """With their types, units and mistakes, each at its place."""
    adapter = TypeAdapter(FusionOptions)
    good = {"type": "sysfs", "channels": {"x": "/x"}, "timeout": "3s"}
    options = adapter.validate_python({"parts": {"a": good, "b": good}})
    assert options.parts["a"] == PartConfig("sysfs", SysfsOptions({"x": "/x"}, timeout=3.0))
    for bad, place, message in (
        ({**good, "rate": -1}, ("parts", "b", "rate"), "greater than 0"),
        ({"type": "sysf"}, ("parts", "b"), "did you mean 'sysfs'"),
        ({"type": "fusion"}, ("parts", "b"), "cannot be a part"),
        (7, ("parts", "b"), "expected a mapping with a type"),
    ):
        with pytest.raises(ValidationError) as error:
            adapter.validate_python({"parts": {"a": good, "b": bad}})
        (mistake,) = error.value.errors()
        assert mistake["loc"] == place
        assert message in mistake["msg"]


def _block(stamp: Stamp, times: list[float], values: list[float]) -> Frame:
    moments: NDArray[np.float64] = np.array(times)
    rows = np.array([values], np.float32).T
    return stamp.samples(rows, Signal(("x",), moments))


def test_looking_up_by_time() -> None:
    """The last value at or before a moment, never a later one; old ones are forgotten."""
    track, stamp = Track(span=2.0), Stamp("x", SystemClock())
    assert track.at(np.array([1.0])) is None
    track.put(_block(stamp, [1.0, 2.0], [10.0, 20.0]))
    track.put(_block(stamp, [3.0], [30.0]))
    found = track.at(np.array([0.5, 1.0, 2.9, 3.0, 9.0]))
    assert found is not None
    rows, ages = found
    assert str(rows[:, 0].tolist()) == "[nan, 10.0, 20.0, 30.0, 30.0]"
    np.testing.assert_allclose(ages, [np.inf, 0.0, 0.9, 0.0, 6.0])
    track.put(_block(stamp, [9.0], [90.0]))
    track.put(_block(stamp, [9.5], [95.0]))
    found = track.at(np.array([2.0, 3.0]))
    assert found is not None
    assert found[1].tolist() == [math.inf, 0.0]
