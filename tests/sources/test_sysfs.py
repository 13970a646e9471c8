"""Numbers of files: found, scaled, and what happens when they go away."""

from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np
import pytest
from pydantic import TypeAdapter

from edge_agent.errors import SourceUnavailable, SourceUnusable
from edge_agent.frame import Frame
from edge_agent.sources.sysfs import FileChannel, SysfsOptions, SysfsSource
from tests.support.fake_sysfs import put
from tests.support.reading import reading

HWMON = "sys/class/hwmon"
THERMAL = "sys/class/thermal"


@pytest.fixture(name="root")
def _root(tmp_path: Path) -> Path:
    put(
        tmp_path,
        {
            f"{HWMON}/hwmon0/name": "nct6775",
            f"{HWMON}/hwmon0/fan1_input": "1200",
            f"{HWMON}/hwmon3/name": "coretemp",
            f"{HWMON}/hwmon3/temp1_input": "48500",
            f"{HWMON}/hwmon3/power1_input": "7500000",
            f"{THERMAL}/thermal_zone0/type": "cpu-thermal",
            f"{THERMAL}/thermal_zone0/temp": "51123",
            f"{THERMAL}/thermal_zone10/type": "gpu-thermal",
            f"{THERMAL}/thermal_zone10/temp": "60000",
            f"{THERMAL}/thermal_zone2/type": "board",
            f"{THERMAL}/thermal_zone2/temp": "-5000",
            "run/meter": "17",
        },
    )
    return tmp_path


def _source(root: Path, rate: float = 50.0, timeout: float = 10.0, **channels: str) -> SysfsSource:
    options = SysfsOptions({**channels}, rate, timeout)
    return SysfsSource("board", options, root=root)


def _one(source: SysfsSource) -> Frame:
    source.start()
    frame = source.read()
    source.stop()
    assert frame is not None
    assert frame.signal is not None
    return frame


def test_numbers_in_their_units(root: Path) -> None:
    """Chips and zones are found by name, the kernel's milli and micro units undone."""
    source = _source(
        root,
        fan="hwmon:nct6775/fan1_input",
        core="hwmon:coretemp/temp1_input",
        power=f"/{HWMON}/hwmon3/power1_input",
        cpu="thermal:cpu-thermal",
        meter="/run/meter",
    )
    frame = _one(source)
    assert frame.signal is not None
    assert frame.signal.channels == ("fan", "core", "power", "cpu", "meter")
    assert frame.signal.rate == 50.0
    expected = np.array([1200, 48.5, 7.5, 51.123, 17], np.float32)
    np.testing.assert_array_equal(frame.data, np.tile(expected, (len(frame.data), 1)))


def test_a_pattern_gives_numbered_channels(root: Path) -> None:
    """In natural order, each with the scale that is given."""
    channel = FileChannel(f"/{THERMAL}/thermal_zone*/temp", scale=0.01, offset=1.0)
    frame = _one(SysfsSource("board", SysfsOptions({"zone": channel}), root=root))
    assert frame.signal is not None
    assert frame.signal.channels == ("zone_1", "zone_2", "zone_3")
    assert frame.data[0].tolist() == pytest.approx([512.23, -49.0, 601.0])


def test_options_take_a_path_or_a_mapping() -> None:
    """As they stand in the YAML."""
    options = TypeAdapter(SysfsOptions).validate_python(
        {"channels": {"a": "/x", "b": {"path": "/y", "scale": 2}}, "timeout": "3s"}
    )
    assert options == SysfsOptions({"a": "/x", "b": FileChannel("/y", 2.0)}, timeout=3.0)


def test_readings_come_at_their_rate(root: Path) -> None:
    """Above 20 a second several rows come at once; their times are those of the readings."""
    with reading(_source(root, 200.0, meter="/run/meter")) as (watcher, _):
        watcher.wait(lambda: len(watcher.frames) >= 10)
    times = np.concatenate([f.signal.times for f in watcher.frames if f.signal is not None])
    assert len(watcher.frames[0].data) == 10
    assert (np.diff(times) > 0).all()
    assert np.diff(times).mean() >= 0.8 / 200


def test_garbage_is_nan_and_then_offline(root: Path) -> None:
    """A number that is none for a while is NaN beside the others; when all fail, it is told."""
    source = _source(root, timeout=0.2, meter="/run/meter", cpu="thermal:cpu-thermal")
    put(root, {"run/meter": "cheese"})
    row = _one(source).data[0]
    assert math.isnan(row[0])
    assert row[1] == np.float32(51.123)
    with reading(source) as (watcher, _):
        watcher.wait_online()
        put(root, {f"{THERMAL}/thermal_zone0/temp": ""})
        watcher.wait_reason("gives no number for 0.2 s")
        before = len(watcher.statuses)
        time.sleep(0.5)  # it is opened again and again, and stays offline
        assert len(watcher.statuses) == before
        put(root, {f"{THERMAL}/thermal_zone0/temp": "20000"})
        watcher.wait_online()
        watcher.wait(lambda: bool(watcher.frames[-1].data[0, 1] == 20.0))


def test_unplugged_and_back(root: Path) -> None:
    """A chip that goes away is offline; it is found again under another number."""
    with reading(_source(root, core="hwmon:coretemp/temp1_input")) as (watcher, _):
        watcher.wait_online()
        (root / HWMON / "hwmon3").rename(root / "away")
        watcher.wait_reason("is gone")
        watcher.wait(lambda: "there is no hwmon:coretemp" in watcher.statuses[-1].reason)
        before = len(watcher.frames)
        (root / "away").rename(root / HWMON / "hwmon7")
        watcher.wait_online()
        watcher.wait(lambda: len(watcher.frames) > before)
    signal = watcher.frames[before].signal
    assert signal is not None
    assert signal.is_gap


def test_no_permission(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is shut is told with its cure (a user who may all is stood in for)."""

    def shut(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    source = _source(root, meter="/run/meter")
    source.start()
    monkeypatch.setattr(Path, "open", shut)
    with pytest.raises(SourceUnusable, match="no permission to read"):
        source.read()
    source.stop()


def test_missing(root: Path) -> None:
    """What is not there is told with a way to look."""
    with pytest.raises(SourceUnavailable) as error:
        _source(root, x="hwmon:none/temp1_input").start()
    assert "there is no hwmon:none/temp1_input" in error.value.message
    assert "hwmon*/name" in error.value.cure


def test_a_clock_that_is_set(root: Path) -> None:
    """When the wall clock jumps, the times of the rows go on evenly and nothing is a gap."""

    class Clock:
        walls = iter((1e9, 1e9 + 3600, 5.0))

        def wall(self) -> float:
            return next(self.walls)

        def monotonic_ns(self) -> int:
            return time.monotonic_ns()

    source = SysfsSource("board", SysfsOptions({"meter": "/run/meter"}, rate=10.0), Clock(), root)
    source.start()
    frames = [source.read() for _ in range(3)]
    source.stop()
    assert [frame.wall for frame in frames if frame] == [1e9, 1e9 + 3600, 5.0]
    signals = [frame.signal for frame in frames if frame and frame.signal]
    assert not any(signal.is_gap for signal in signals)
    assert (np.diff([signal.times[-1] for signal in signals]) > 0.05).all()


def test_a_sleep_is_a_gap(root: Path) -> None:
    """Readings that were missed while the machine slept are not made up."""

    class Clock:
        asleep = 0

        def wall(self) -> float:
            return 0.0

        def monotonic_ns(self) -> int:
            return time.monotonic_ns() + self.asleep

    clock = Clock()
    options = SysfsOptions({"meter": "/run/meter"}, rate=5.0)
    source = SysfsSource("board", options, clock, root)
    gaps = []
    source.start()
    for asleep in (0, 0, 3, 3):
        clock.asleep = asleep * 10**9
        frame = source.read()
        assert frame is not None
        assert frame.signal is not None
        gaps.append(frame.signal.is_gap)
    source.stop()
    assert gaps == [False, False, True, False]
