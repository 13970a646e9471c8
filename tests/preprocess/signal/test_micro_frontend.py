"""The micro front end equals the original to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_agent.preprocess.signal import fixed_fft
from edge_agent.preprocess.signal.micro_frontend import (
    MicroFrontendOptions,
    MicroFrontendStream,
    MicroFrontendWindow,
)
from tests.preprocess.signal import sounds
from tests.support.data import data_file
from tests.support.sound import read_wav

SOUNDS = sounds.sounds_of_16_bits()


def features(samples: NDArray[np.float32], step: float = 0.01) -> NDArray[np.float32]:
    """Features of a whole sound."""
    stream = MicroFrontendStream(MicroFrontendOptions(step), sounds.RATE, 1)
    return np.asarray(stream.push(samples))


def steps(found: NDArray[np.float32]) -> NDArray[np.uint16]:
    """The integers that features stand for, as the goldens have them."""
    whole: NDArray[np.float32] = np.rint(found * 25.6)
    return whole.astype(np.uint16)


@pytest.mark.parametrize("name", SOUNDS)
def test_equal_to_the_original(name: str) -> None:
    """All 40 features of all frames, on sounds that are loud, faint, silent and square."""
    found = steps(features(sounds.as_samples(SOUNDS[name])))
    np.testing.assert_array_equal(found, sounds.goldens()[name])


def test_overflow_matters(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sound that is made to overflow does so: without the wrap it is not equal."""
    monkeypatch.setattr(fixed_fft, "_wrap", lambda numbers: None)
    found = steps(features(sounds.as_samples(SOUNDS["micro_overflowing"])))
    assert (found != sounds.goldens()["micro_overflowing"]).any()


@pytest.mark.parametrize("block", [1, 159, 160, 480, 1000])
def test_blocks_make_no_difference(block: int) -> None:
    """Neither in what comes out nor in how many rows."""
    samples = sounds.as_samples(SOUNDS["micro_falling"])
    stream = MicroFrontendStream(MicroFrontendOptions(), sounds.RATE, 1)
    parts = [stream.push(samples[at : at + block]) for at in range(0, len(samples), block)]
    np.testing.assert_array_equal(np.concatenate(parts), features(samples))


def test_many_frames_at_once() -> None:
    """More frames than are worked on at once give what single ones give."""
    samples = sounds.as_samples(np.tile(SOUNDS["micro_falling"], 5))
    stream = MicroFrontendStream(MicroFrontendOptions(), sounds.RATE, 1)
    parts = [stream.push(samples[at : at + 160]) for at in range(0, len(samples), 160)]
    assert len(features(samples)) == (len(samples) - 480) // 160 + 1
    np.testing.assert_array_equal(np.concatenate(parts), features(samples))


def test_reset_forgets_the_noise() -> None:
    """After a reset a sound has the features that it has at first; without, it has not."""
    samples = sounds.as_samples(SOUNDS["micro_loud"])[:2000]
    stream = MicroFrontendStream(MicroFrontendOptions(), sounds.RATE, 1)
    first = stream.push(samples)
    assert not np.array_equal(stream.push(samples)[2:][: len(first)], first)
    stream.reset()
    np.testing.assert_array_equal(stream.push(samples), first)


def test_window_begins_anew() -> None:
    """A window is as a stream of its own, each time; with 20 ms steps as for micro_speech."""
    samples = sounds.as_samples(SOUNDS["micro_loud"])
    window = MicroFrontendWindow(MicroFrontendOptions(0.02), sounds.RATE, samples.shape)
    assert window.shape == (12, 40)
    for _ in range(2):
        np.testing.assert_array_equal(window.apply(samples), features(samples, 0.02))


def test_rate_of_the_rows() -> None:
    """A row each step."""
    assert MicroFrontendStream(MicroFrontendOptions(), 16000, 1).rate == 100
    assert MicroFrontendStream(MicroFrontendOptions(0.02), 16000, 1).rate == 50


@pytest.mark.data
@pytest.mark.parametrize(
    "name",
    [
        *("mww_alexa_1", "mww_alexa_2", "mww_computer", "mww_okay_nabu_1", "mww_okay_nabu_2"),
        *("tflm_no_1000ms", "tflm_noise_1000ms", "tflm_silence_1000ms", "tflm_yes_1000ms"),
    ],
)
def test_recordings(name: str) -> None:
    """Speech, noise and silence: every feature equals the stored one of pymicro-features."""
    with np.load(data_file("audio/micro_frontend_features.npz")) as stored:
        expected = stored[f"{name}.wav"]
    samples, rate = read_wav(data_file(f"audio/{name}.wav"))
    assert rate == sounds.RATE
    np.testing.assert_array_equal(features(samples), expected)


def test_against_the_original_itself() -> None:
    """Where pymicro-features is installed: noise of many levels."""
    original = pytest.importorskip("pymicro_features", reason="pymicro-features is not installed")
    for seed in range(2, 12):
        sound = (sounds.noise(3200, seed) >> seed).astype(np.int16)
        frontend = original.MicroFrontend()
        rows = [frontend.process_samples(part.tobytes()).features for part in np.split(sound, 20)]
        expected = np.array([row for row in rows if row], np.float32)
        np.testing.assert_array_equal(features(sounds.as_samples(sound)), expected)
