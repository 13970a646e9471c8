"""Spectra have the units that they say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.preprocess.signal import sounds
from tests.preprocess.signal.test_stages import window_stage
from tests.support.data import data_file

SPEECH = sounds.speech_like()[:, None]
TIME = np.arange(2048) / 2048.0


def sine(hertz: float, amplitude: float = 1.0, mean: float = 0.0) -> NDArray[np.float32]:
    """One second at 2048 rows a second."""
    return (mean + amplitude * np.sin(2 * np.pi * hertz * TIME)).astype(np.float32)[:, None]


@pytest.mark.parametrize(("name", "options"), sounds.WELCH.items())
def test_welch_of_scipy(name: str, options: Mapping[str, Any]) -> None:
    """Welch's density is that which SciPy gave."""
    found = window_stage("welch", options, sounds.RATE, SPEECH.shape).apply(SPEECH)
    np.testing.assert_allclose(found[:, 0], sounds.goldens()[name], rtol=1e-4, atol=1e-12)


@pytest.mark.parametrize("window", ["rectangular", "hann", "hamming", "blackman"])
@pytest.mark.parametrize("length", [2048, 2047])
def test_amplitude_of_a_sine(window: str, length: int) -> None:
    """A sine is its amplitude on its bin, a mean is itself at 0 Hz."""
    turn = 2 * np.pi * 100 * np.arange(length) / length
    rows = np.stack((2.5 * np.sin(turn), 3.0 + 0 * turn), axis=1).astype(np.float32)
    found = window_stage("fft", {"window": window}, 1.0, rows.shape).apply(rows)
    assert found[:, 0].argmax() == 100
    assert found[100, 0] == pytest.approx(2.5, rel=1e-5)
    assert found[0, 1] == pytest.approx(3.0, rel=1e-5)


def test_fft_as_it_is() -> None:
    """Without scaling and window it is what numpy.fft.rfft gives a model's training script."""
    options = {"window": "rectangular", "scaling": "none"}
    found = window_stage("fft", options, 1.0, SPEECH.shape).apply(SPEECH)
    expected = np.abs(np.fft.rfft(SPEECH.astype(np.float64), axis=0))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_power_in_bands() -> None:
    """A sine of amplitude A has the power A^2 / 2, in its band alone."""
    rows = sine(100, 2.0, mean=7.0) + sine(300, 1.0)
    options = {"bands": [(50, 200), (200, 400), (400, 1025)]}
    found = window_stage("band_power", options, 2048.0, rows.shape).apply(rows)
    np.testing.assert_allclose(found[:, 0], [2.0, 0.5, 0.0], atol=1e-5)
    share = window_stage("band_power", options | {"relative": True}, 2048.0, rows.shape)
    np.testing.assert_allclose(share.apply(rows)[:, 0], [0.8, 0.2, 0.0], atol=1e-5)


def test_bands_do_not_share_bins() -> None:
    """A bin on the border of two bands counts in the upper one."""
    rows = sounds.as_samples(sounds.noise(100))
    options = {"bands": [(0, 20), (20, 51)]}
    found = window_stage("band_power", options, 100.0, rows.shape).apply(rows)
    whole = window_stage("band_power", {"bands": [(0, 51)]}, 100.0, rows.shape).apply(rows)
    assert found.sum() == pytest.approx(float(whole[0, 0]), rel=1e-5)


def test_envelope_of_a_ringing_tone() -> None:
    """A tone that swells 40 times a second shows 40 Hz and how much, whatever is beside it."""
    swell = 1.0 + 0.5 * np.cos(2 * np.pi * 40 * TIME)[:, None]
    rows = (sine(600) * swell + sine(50, 5.0)).astype(np.float32)
    options = {"band": (400, 800), "fmax": 200}
    found = window_stage("envelope_spectrum", options, 2048.0, rows.shape).apply(rows)
    assert found.shape == (201, 1)
    assert found[:, 0].argmax() == 40
    assert found[40, 0] == pytest.approx(0.5, abs=1e-3)
    assert np.delete(found[:, 0], [39, 40, 41]).max() < 1e-3


def test_knocks_show_their_rate() -> None:
    """Short knocks make harmonics of their rate; the spectrum itself shows the resonance."""
    knock = np.exp(-100 * (TIME % (1 / 32))) * np.sin(2 * np.pi * 700 * (TIME % (1 / 32)))
    rows = knock.astype(np.float32)[:, None]
    envelope = window_stage("envelope_spectrum", {}, 2048.0, rows.shape).apply(rows)[:, 0]
    assert envelope[1:].argmax() + 1 == 32
    assert (envelope[[32, 64, 96]] > 10 * envelope[[48, 80, 112]]).all()
    spectrum = window_stage("fft", {}, 2048.0, rows.shape).apply(rows)[:, 0]
    assert 640 < spectrum.argmax() < 760


@pytest.mark.data
@pytest.mark.parametrize(
    ("record", "per_turn"),
    [("inner_race_7", 5.4152), ("inner_race_21", 5.4152), ("outer_race_6_7", 3.5848)],
)
def test_faults_of_real_bearings(record: str, per_turn: float) -> None:
    """The envelope's largest line is the fault's own, as Case Western's page gives it.

    Bearing 6205 at 1797 turns a minute; balls slip, so 1 % less is right too.
    """
    with np.load(data_file("sensor/cwru/cwru_1797rpm_DE_60000.npz")) as stored:
        rows = stored[record][:24_000, None]
    options = {"band": (2000, 5000), "fmax": 500}
    found = window_stage("envelope_spectrum", options, 12_000.0, rows.shape).apply(rows)
    assert found.argmax() * 0.5 == pytest.approx(per_turn * 1797 / 60, rel=0.01)
