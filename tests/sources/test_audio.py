"""Sound from WAVE files: every sample, in time, with little memory."""

from __future__ import annotations

import io
import struct
import threading
import tracemalloc
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_agent.errors import SourceUnusable
from edge_agent.frame import Frame, Signal
from edge_agent.options import Secret
from edge_agent.sources.arrays import load_sound
from edge_agent.sources.audio import AudioOptions, AudioSource
from edge_agent.sources.sound import SampleClock
from tests.support.data import data_file
from tests.support.reading import reading
from tests.support.sounds import noise, write_wav


def _source(file: Path, pace: Any = "fast", **options: Any) -> AudioSource:
    return AudioSource("mic", AudioOptions(file=file, pace=pace, **options))


def _blocks(source: AudioSource, limit: int = 1000) -> list[Frame]:
    source.start()
    frames: list[Frame] = []
    while len(frames) < limit and (frame := source.read()) is not None:
        frames.append(frame)
    source.stop()
    return frames


def _signal(frame: Frame) -> Signal:
    assert frame.signal is not None
    return frame.signal


def test_every_sample_of_a_file_survives(tmp_path: Path) -> None:
    """Each 16 bit value comes out as itself / 32768, at its time, in order."""
    samples = noise(20001)
    frames = _blocks(_source(write_wav(tmp_path / "x.wav", samples)))
    assert [len(frame.data) for frame in frames] == [8000, 8000, 4001]
    data = np.concatenate([frame.data for frame in frames])
    assert data.dtype == np.float32
    np.testing.assert_array_equal((data * 32768).astype(np.int64), samples)
    times = np.concatenate([_signal(frame).times for frame in frames])
    np.testing.assert_allclose(times, np.arange(20001) / 16000, rtol=0, atol=1e-12)
    assert [frame.media_time for frame in frames] == [_signal(f).times[-1] for f in frames]
    assert [frame.timeline for frame in frames] == [_signal(f).times[-1] for f in frames]
    assert [_signal(f).is_gap for f in frames] == [False] * 3
    assert (_signal(frames[0]).channels, _signal(frames[0]).rate) == (("audio",), 16000.0)


def test_channels(tmp_path: Path) -> None:
    """With mono it is their mean; with all each is kept, at the file's own rate."""
    samples = noise(100, 2)
    file = write_wav(tmp_path / "x.wav", samples, 44100)
    (all_of_it,) = _blocks(_source(file, channels="all"))
    np.testing.assert_array_equal(all_of_it.data, samples / np.float32(32768))
    assert _signal(all_of_it).channels == ("audio_1", "audio_2")
    assert _signal(all_of_it).rate == 44100
    (mixed,) = _blocks(_source(file))
    np.testing.assert_array_equal(mixed.data[:, 0], load_sound(file).samples)


def test_a_long_file_is_not_loaded(tmp_path: Path) -> None:
    """Ten minutes of sound need the memory of a block."""
    file = write_wav(tmp_path / "x.wav", np.zeros(16000 * 600, np.int16))
    source = _source(file)
    source.start()
    tracemalloc.start()
    count = 0
    while (frame := source.read()) is not None:
        count += len(frame.data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    source.stop()
    assert count == 16000 * 600
    assert peak < 2**20


def test_a_loop_goes_on_in_time(tmp_path: Path) -> None:
    """Its timeline rises through the seam, which is marked as a gap; media time begins anew."""
    frames = _blocks(_source(write_wav(tmp_path / "x.wav", noise(1000)), "loop"), 4)
    assert [len(frame.data) for frame in frames] == [960, 40, 960, 40]
    assert [_signal(frame).is_gap for frame in frames] == [False, False, True, False]
    times = np.concatenate([_signal(frame).times for frame in frames])
    np.testing.assert_allclose(times, np.arange(2000) / 16000, rtol=0, atol=1e-12)
    assert frames[2].media_time == pytest.approx(959 / 16000)


def test_real_pace(tmp_path: Path) -> None:
    """Blocks of 60 ms come when their sound has been; then the file is over."""
    source = _source(write_wav(tmp_path / "x.wav", noise(4800)), "real")
    with reading(source) as (watcher, _):
        watcher.wait(lambda: any(status.finished for status in watcher.statuses))
    frames = watcher.frames
    assert source.live
    assert [len(frame.data) for frame in frames] == [960] * 5
    took = (frames[-1].monotonic_ns - frames[0].monotonic_ns) / 1e9
    assert took >= 0.9 * (frames[-1].timeline - frames[0].timeline)


def test_stop_ends_a_wait(tmp_path: Path) -> None:
    """A block whose time has not come is not waited for after a stop."""
    file = write_wav(tmp_path / "x.wav", noise(80), rate=1)  # a block of one second
    source = _source(file, "real")
    source.start()
    assert source.read() is not None
    results: list[Frame | None] = []
    thread = threading.Thread(target=lambda: results.append(source.read()))
    thread.start()
    source.stop()
    thread.join(10)
    assert results == [None]
    assert source.read() is None


def _streamed(length: int, samples: np.ndarray[Any, np.dtype[np.int16]]) -> bytes:
    """A WAVE file as a program writes it into a pipe, with `length` in its header."""
    memory = io.BytesIO()
    with wave.open(memory, "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(samples.tobytes())
    data = bytearray(memory.getvalue())
    data[40:44] = struct.pack("<I", length)
    return bytes(data)


@pytest.mark.parametrize("length", [0, 0xFFFFFFFF, 0xFFFFFFF0])
def test_a_length_that_is_not_known(tmp_path: Path, length: int) -> None:
    """A file of a pipe or a crash has all that is there."""
    samples = noise(1000)
    (tmp_path / "x.wav").write_bytes(_streamed(length, samples))
    (frame,) = _blocks(_source(tmp_path / "x.wav"))
    np.testing.assert_array_equal(frame.data * 32768, samples)


def test_a_file_above_4_gib(tmp_path: Path) -> None:
    """RF64 tells the length of the samples in a chunk of its own; what follows is no sound."""
    samples = noise(1000)
    plain = _streamed(0xFFFFFFFF, samples)
    ds64 = struct.pack("<4sI3Q4x", b"ds64", 28, 0, 2000, 1000)
    (tmp_path / "x.wav").write_bytes(b"RF64" + plain[4:12] + ds64 + plain[12:] + b"LIST" * 100)
    (frame,) = _blocks(_source(tmp_path / "x.wav"))
    np.testing.assert_array_equal(frame.data * 32768, samples)


def test_a_file_that_was_cut_off(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What there is of it is played, and the log says that something is missing."""
    file = write_wav(tmp_path / "x.wav", noise(1000))
    file.write_bytes(file.read_bytes()[:-501])
    (frame,) = _blocks(_source(file))
    assert len(frame.data) == 749
    assert "ends early: 749 of 1000 samples" in caplog.text


def test_bad_files(tmp_path: Path) -> None:
    """A missing file, no sound, a folder and a file without samples are told with a cure."""
    (tmp_path / "text.wav").write_text("hello " * 1000)
    (tmp_path / "empty.wav").touch()
    write_wav(tmp_path / "silent.wav", np.zeros(0, np.int16))
    for name in ("missing.wav", "text.wav", "empty.wav", "silent.wav", "."):
        with pytest.raises(SourceUnusable) as error:
            _source(tmp_path / name).start()
        assert error.value.cure


def test_where_sound_comes_from() -> None:
    """Exactly one of file, device and url is given, and the url must be one of a stream."""
    with pytest.raises(ValueError, match="one of file, device and url"):
        AudioSource("mic", AudioOptions())
    with pytest.raises(ValueError, match="one of file, device and url"):
        AudioSource("mic", AudioOptions(device="default", url=Secret("http://radio.local/")))
    with pytest.raises(ValueError, match="http:// or https://"):
        AudioSource("mic", AudioOptions(url=Secret("file:///etc/passwd")))


def test_clock_of_a_device() -> None:
    """Blocks that come unevenly get even times, and a device that runs fast is followed."""
    rng = np.random.default_rng(3)
    clock = SampleClock(16000.0)
    rate = 16000 * 1.0002  # by the monotonic clock
    times = []
    for n in range(1, 4000):
        late = 0.02 * rng.random()
        given, lost = clock.stamp(480, 480 * n / rate + late, caught_up=True, lost=False)
        assert not lost
        times.append(given)
    spacing = np.diff(np.concatenate(times)) * 16000
    assert spacing.min() > 0.99
    assert spacing.max() < 1.01
    assert times[-1][-1] == pytest.approx(480 * 3999 / rate, abs=0.03)


def test_clock_when_sound_is_lost() -> None:
    """What the device tells, and what is late without waiting in a pipe, leaves a hole."""
    clock = SampleClock(1000.0)
    clock.stamp(30, 5.0, caught_up=True, lost=False)
    behind, lost = clock.stamp(500, 7.0, caught_up=False, lost=False)  # it waits in the pipe
    assert not lost
    assert behind[0] == pytest.approx(5.001, abs=2e-3)
    told, lost = clock.stamp(30, 7.0, caught_up=True, lost=True)
    assert lost
    assert told == pytest.approx(np.arange(6.971, 7.0005, 0.001), abs=1e-9)
    late, lost = clock.stamp(30, 9.0, caught_up=True, lost=False)
    assert lost
    assert late[-1] == pytest.approx(9.0)
    assert late[0] > told[-1]


@pytest.mark.data
def test_real_recordings() -> None:
    """A real wav comes block by block as it comes in one piece."""
    file = data_file("audio/tflm_yes_1000ms.wav")
    whole = load_sound(file)
    frames = _blocks(_source(file))
    np.testing.assert_array_equal(np.concatenate([f.data for f in frames])[:, 0], whole.samples)
    assert _signal(frames[0]).rate == whole.rate
