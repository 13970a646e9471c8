"""Log-mel spectrograms and MFCC are those of the programs that models are trained with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from edge_agent.preprocess.signal.log_mel import LogMelStream, LogMelWindow
from edge_agent.preprocess.signal.mel_settings import LogMelOptions
from edge_agent.preprocess.signal.mfcc import MfccOptions, MfccWindow
from tests.preprocess.signal import sounds
from tests.preprocess.signal.test_stages import stream_stage, window_stage
from tests.support.data import data_file
from tests.support.sound import read_wav

SPEECH = sounds.speech_like()[:, None]


@pytest.mark.parametrize(("name", "options"), sounds.LOG_MEL.items())
def test_log_mel_of_librosa(name: str, options: Mapping[str, Any]) -> None:
    """All bands of all frames within 1e-4 dB of what librosa gave."""
    found = window_stage("log_mel", options, sounds.RATE, (8000, 1)).apply(SPEECH)
    np.testing.assert_allclose(found, sounds.goldens()[name], rtol=0, atol=1e-4)


def test_mfcc_of_librosa() -> None:
    """Coefficients, which are hundreds, within 1e-3."""
    stage = window_stage("mfcc", {"n_mfcc": 13}, sounds.RATE, (8000, 1))
    np.testing.assert_allclose(
        stage.apply(SPEECH), sounds.goldens()["mfcc_default"], rtol=0, atol=1e-3
    )


@pytest.mark.parametrize("preset", ["tensorflow", "mlperf_kws"])
def test_mfcc_of_tensorflow(preset: str) -> None:
    """What tf.signal gives with the guide's settings, and with MLPerf's on a second by its peak."""
    samples = SPEECH if preset == "tensorflow" else np.pad(-SPEECH, ((0, 8000), (0, 0)))
    found = window_stage("mfcc", {"preset": preset}, sounds.RATE, samples.shape).apply(samples)
    np.testing.assert_allclose(found, sounds.goldens()[preset], rtol=0, atol=3e-4)


@pytest.mark.parametrize(
    ("preset", "frames", "within"), [("mlperf_sww", 14, 1e-5), ("mlperf_ad", 15, 1e-4)]
)
def test_log_mel_of_mlperf(preset: str, frames: int, within: float) -> None:
    """Wake word: emphasis, Hamming, decibels between two ends. Anomaly: no floor but epsilon."""
    found = stream_stage("log_mel", {"preset": preset}, sounds.RATE, 1).push(SPEECH)
    expected = sounds.goldens()[preset][: len(found)]
    assert len(found) == frames
    np.testing.assert_allclose(found, expected, rtol=0, atol=within)


def test_log_mel_of_librosa_installed() -> None:
    """Where librosa is installed: other settings than those of the goldens too."""
    librosa = pytest.importorskip("librosa", reason="librosa is not installed")
    for htk in (False, True):
        for n_fft, win_length, n_mels in ((2048, 1200, 128), (600, 600, 64), (400, 320, 20)):
            options = {"n_fft": n_fft, "win_length": win_length, "n_mels": n_mels, "htk": htk}
            mel = librosa.feature.melspectrogram(y=SPEECH[:, 0], sr=sounds.RATE, **options)
            found = window_stage("log_mel", options, sounds.RATE, (8000, 1)).apply(SPEECH)
            np.testing.assert_allclose(found, librosa.power_to_db(mel).T, rtol=0, atol=1e-4)


@pytest.mark.parametrize("center", [False, True])
def test_stream_and_window_agree(center: bool) -> None:
    """The frames of a stream are the first ones of the window, before top_db."""
    options = LogMelOptions(n_fft=512, hop_length=160, n_mels=40, center=center)
    stream = LogMelStream(options, sounds.RATE, 1).push(SPEECH)
    window = LogMelWindow(options, sounds.RATE, (8000, 1)).apply(SPEECH)
    assert len(stream) == len(window) - (2 if center else 0)  # they reach beyond the end
    limited = np.maximum(stream, window.max() - 80.0)
    np.testing.assert_allclose(limited, window[: len(limited)], rtol=0, atol=1e-4)


def test_loudness_does_not_matter_for_keywords() -> None:
    """MLPerf's MFCC divide by the peak."""
    stage = window_stage("mfcc", {"preset": "mlperf_kws"}, sounds.RATE, (16000, 1))
    samples = np.tile(SPEECH, (2, 1))
    assert stage.shape == (49, 10)
    np.testing.assert_allclose(
        stage.apply(samples), stage.apply(samples * 0.25), rtol=1e-5, atol=1e-4
    )


def test_wake_word_features_are_between_0_and_1() -> None:
    """MLPerf's streaming wake word clips its energies, silence is 0."""
    stage = stream_stage("log_mel", {"preset": "mlperf_sww"}, sounds.RATE, 1)
    found = stage.push(SPEECH)
    assert found.shape == (14, 40)
    assert found.min() == 0.0
    assert 0.3 < found.max() <= 1.0


@pytest.mark.data
def test_mfcc_of_mlperf() -> None:
    """The word is one of MLPerf's own 1000 inputs: all 490 numbers are equal.

    They were made of the recording by TensorFlow, and quantised by cutting the fraction off.
    """
    samples, rate = read_wav(data_file("audio/tflm_no_1000ms.wav"))
    with np.load(data_file("audio/mlperf_kws01_mfcc_int8_1000.npz")) as stored:
        expected, label = stored["x"][195], stored["y"][195]
    assert label == 3  # "no"
    mfcc = MfccWindow(MfccOptions(preset="mlperf_kws"), rate, samples.shape).apply(samples)
    scale, zero_point = 0.5847029089927673, 83  # of the model's input
    steps = np.clip(np.trunc(mfcc / scale + zero_point), -128, 127)
    np.testing.assert_array_equal(steps, expected)
