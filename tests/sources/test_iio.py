"""Industrial I/O: a tree like the kernel's, and a FIFO in place of the character device."""

from __future__ import annotations

import math
import os
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_agent.errors import SourceError, SourceUnavailable, SourceUnusable
from edge_agent.frame import Frame, Signal
from edge_agent.sources.iio import IioOptions, IioSource
from edge_agent.sources.iio_buffer import Element, layout
from tests.support.fake_sysfs import put
from tests.support.reading import reading

BME = "sys/bus/iio/devices/iio:device0"
IMU = "sys/bus/iio/devices/iio:device1"


@pytest.fixture(name="root")
def _root(tmp_path: Path) -> Path:
    """A climate sensor that is polled and an accelerometer with a buffer."""
    put(
        tmp_path,
        {
            f"{BME}/name": "bme280",
            f"{BME}/in_temp_input": "21340",
            f"{BME}/in_voltage0_raw": "1000",
            f"{BME}/in_voltage0_scale": "0.5",
            f"{BME}/in_voltage1_raw": "-3",
            f"{BME}/in_voltage_scale": "2.0",
            f"{BME}/in_voltage_offset": "10",
            f"{IMU}/name": "lsm6dsl_accel",
            f"{IMU}/sampling_frequency": "104",
            f"{IMU}/current_timestamp_clock": "realtime",
            f"{IMU}/in_accel_scale": "0.001",
            f"{IMU}/in_accel_x_raw": "1",
            f"{IMU}/in_accel_y_raw": "2",
            f"{IMU}/in_accel_z_raw": "3",
            f"{IMU}/trigger/current_trigger": "",
            f"{IMU}/buffer/enable": "0",
            f"{IMU}/buffer/length": "2",
            f"{IMU}/buffer/watermark": "1",
            **{
                f"{IMU}/scan_elements/in_{name}_{key}": value
                for name, index, kind in (
                    ("accel_x", "0", "le:s12/16>>4"),
                    ("accel_y", "1", "be:s16/16>>0"),
                    ("accel_z", "2", "le:s16/16>>0"),
                    ("timestamp", "3", "le:s64/64>>0"),
                )
                for key, value in (("index", index), ("type", kind), ("en", "1"))
            },
        },
    )
    (tmp_path / "dev").mkdir()
    os.mkfifo(tmp_path / "dev" / "iio:device1")
    return tmp_path


@pytest.fixture(name="device")
def _device(root: Path) -> Iterator[int]:
    """The kernel's end of the accelerometer's buffer."""
    end = os.open(root / "dev" / "iio:device1", os.O_RDWR | os.O_NONBLOCK)
    yield end
    os.close(end)


def _sample(x: int, z: int, moment: float) -> bytes:
    """Of x the upper 12 of 16 bits with rubbish below, z, padding to 8, and the time stamp."""
    return struct.pack("<Hh4xq", (x << 4 & 0xFFFF) | 0xA, z, round(moment * 1e9))


def _source(root: Path, device: str | int = "bme280", **options: Any) -> IioSource:
    return IioSource("sensor", IioOptions(device, **options), root=root)


def _signal(frame: Frame | None) -> tuple[Frame, Signal]:
    assert frame is not None
    assert frame.signal is not None
    return frame, frame.signal


def _fails(source: IioSource) -> SourceError:
    source.start()
    with pytest.raises(SourceError) as error:
        source.read()
    source.stop()
    return error.value


@pytest.mark.parametrize("device", ["bme280", 0, "0", "iio:device0"])
def test_polled(root: Path, device: str | int) -> None:
    """Whatever it is called by; the scale of a channel goes before that of its kind."""
    source = _source(root, device)
    source.start()
    frame, signal = _signal(source.read())
    source.stop()
    assert signal.channels == ("temp", "voltage0", "voltage1")
    assert frame.data.tolist() == [[21340.0, (1000 + 10) * 0.5, (-3 + 10) * 2.0]]


def test_chosen_channels(root: Path) -> None:
    """In the order in which they are asked for; for one that is missing, those that are there."""
    source = _source(root, channels=("voltage1", "temp"))
    source.start()
    _, signal = _signal(source.read())
    source.stop()
    assert signal.channels == ("voltage1", "temp")
    with pytest.raises(SourceUnusable, match="it has: temp, voltage0, voltage1"):
        _source(root, channels=("light",)).start()


def test_a_device_that_is_missing(root: Path) -> None:
    """It is told with the devices that are there."""
    with pytest.raises(SourceUnavailable, match=r"devices here: iio:device0 \(bme280\)"):
        _source(root, "mpu6050").start()


def test_failed_readings_are_nan(root: Path) -> None:
    """A value that cannot be read now is no number; the others count. All failed: offline."""
    source = _source(root, timeout=0.2)
    put(root, {f"{BME}/in_temp_input": "cheese"})
    with reading(source) as (watcher, _):
        watcher.wait_online()
        assert math.isnan(watcher.frames[0].data[0, 0])
        put(root, {f"{BME}/in_voltage0_raw": "", f"{BME}/in_voltage1_raw": ""})
        watcher.wait_reason("gives no number for 0.2 s")
        put(root, {f"{BME}/in_temp_input": "20000"})
        watcher.wait_online()
        (root / BME / "in_temp_input").unlink()
        watcher.wait_reason("in_temp_input is gone")


def test_buffered(root: Path, device: int) -> None:
    """Samples of odd sizes are unpacked, at the kernel's stamps; the device is set up and freed."""
    source = _source(
        root, "lsm6dsl_accel", channels=("accel_z", "accel_x"), rate=100.0, buffer=64, trigger="t0"
    )
    source.start()
    state = {
        key: (root / IMU / key).read_text().strip()
        for key in (
            "sampling_frequency", "trigger/current_trigger", "current_timestamp_clock",
            "buffer/length", "buffer/enable", "buffer/watermark", "scan_elements/in_accel_x_en",
            "scan_elements/in_accel_y_en", "scan_elements/in_timestamp_en",
        )
    }  # fmt: skip
    assert list(state.values()) == ["100", "t0", "monotonic", "64", "1", "3", "1", "0", "1"]
    now = time.monotonic()
    samples = [_sample(n - 5, -1000 * n, now + n / 100) for n in range(10)]
    os.write(device, b"".join(samples)[:-7])  # the last one breaks off
    frame, signal = _signal(source.read())
    assert signal.channels == ("accel_z", "accel_x")
    np.testing.assert_allclose(
        frame.data, [[-1.0 * n, (n - 5) * 0.001] for n in range(9)], rtol=1e-6
    )
    np.testing.assert_allclose(signal.times, now + np.arange(9) / 100, atol=1e-6)
    assert (signal.rate, signal.is_gap) == (100.0, False)
    os.write(
        device,
        samples[-1][-7:] + b"".join(_sample(0, 0, now + n / 100) for n in (10, *range(20, 24))),
    )
    before, signal = _signal(source.read())
    assert (len(before.data), signal.is_gap) == (2, False)
    after, signal = _signal(source.read())  # ten samples are missing before it
    assert (len(after.data), signal.is_gap) == (4, True)
    source.stop()
    assert (root / IMU / "buffer/enable").read_text().strip() == "0"


def test_stamps_of_another_clock(root: Path, device: int) -> None:
    """Where the kernel stamps by a clock that may be set, samples are counted instead."""
    (root / IMU / "current_timestamp_clock").unlink()
    source = _source(root, 1, channels=("accel_x", "accel_z"), rate=100.0, buffer=64)
    source.start()
    for moment in (1e9, 5.0):  # the clock is set back
        os.write(device, b"".join(_sample(0, 0, moment + n / 100) for n in range(10)))
        frame, signal = _signal(source.read())
        assert len(frame.data) == 10
        assert abs(signal.times[-1] - time.monotonic()) < 5.0
        np.testing.assert_allclose(np.diff(signal.times), 0.01, rtol=0.01)
    source.stop()


def test_silence(root: Path, device: int) -> None:
    """A buffer that stays empty is told."""
    source = _source(root, 1, channels=("accel_x",), buffer=64, timeout=0.3)
    assert "is silent: no sample for 0.3 s" in str(_fails(source))


def test_unplugging(root: Path) -> None:
    """A device that ends is offline; when it is back, so are its samples."""
    source = _source(root, 1, channels=("accel_x", "accel_z"), buffer=64)
    node = root / "dev" / "iio:device1"
    for _ in range(2):
        end = os.open(node, os.O_RDWR | os.O_NONBLOCK)
        with reading(source) as (watcher, _):
            os.write(end, b"".join(_sample(n, n, time.monotonic()) for n in range(10)))
            watcher.wait_online()
            os.close(end)
            watcher.wait_reason("has ended")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "bme280", "buffer": 8}, "has no buffer"),
        ({"device": 1, "buffer": 8, "channels": ("accel_y",)}, "is no type that can be read"),
    ],
)
def test_buffers_that_cannot_be(root: Path, options: dict[str, Any], message: str) -> None:
    """A device without a buffer, and a type of another world."""
    put(root, {f"{IMU}/scan_elements/in_accel_y_type": "le:f32/32>>0"})
    with pytest.raises(SourceUnusable, match=message):
        IioSource("sensor", IioOptions(**options), root=root).start()


def test_options_that_do_not_fit() -> None:
    """A trigger without a buffer, and a rate that cannot be polled."""
    with pytest.raises(ValueError, match="a trigger needs a buffer"):
        IioSource("sensor", IioOptions(0, trigger="t0"))
    with pytest.raises(ValueError, match="need a buffer"):
        IioSource("sensor", IioOptions(0, rate=5000.0))


@pytest.mark.parametrize(
    ("text", "stored", "number"),
    [
        ("le:s12/16>>4", b"\xf0\xff", -1),
        ("le:s12/16>>4", b"\xff\x7f", 2047),
        ("be:u10/16>>6", b"\xff\xc0", 1023),
        ("be:s24/32>>8", b"\x80\x00\x00\xff", -(2**23)),
        ("le:s64/64>>0", b"\xfe" + b"\xff" * 7, -2),
        ("le:u8/8>>0", b"\xff", 255),
    ],
)
def test_types(text: str, stored: bytes, number: int) -> None:
    """As the kernel writes them in scan_elements."""
    element = Element.parse("x", text)
    assert element.numbers(np.frombuffer(stored, element.storage)).tolist() == [number]


@pytest.mark.parametrize("text", ["", "le:s12/16", "le:s16/16X2>>0", "le:s16/16>>4", "le:s0/16>>0"])
def test_types_that_are_none(text: str) -> None:
    """They are refused."""
    with pytest.raises(ValueError, match="no type"):
        Element.parse("x", text)


def test_layout_of_a_sample() -> None:
    """Each element is aligned to its own size, and the sample to its largest."""
    kinds = ("le:u8/8>>0", "le:s16/16>>0", "le:s32/32>>0", "le:u8/8>>0")
    dtype = layout([Element.parse(f"c{n}", kind) for n, kind in enumerate(kinds)])
    assert dtype.fields is not None
    assert [dtype.fields[f"c{n}"][1] for n in range(4)] == [0, 2, 4, 8]
    assert dtype.itemsize == 12
