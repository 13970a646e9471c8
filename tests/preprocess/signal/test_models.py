"""Real models name the right words from raw sound through our features."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_agent.engines import open_engine
from edge_agent.model import dequantize
from edge_agent.preprocess.signal import Windows
from tests.preprocess.signal.test_stages import stream_stage, window_stage
from tests.support.data import data_file
from tests.support.sound import read_wav

pytestmark = pytest.mark.data

# The order of mlcommons/tiny, benchmark/training/keyword_spotting/get_dataset.py.
WORDS = (
    *("down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes"),
    *("silence", "unknown"),
)
WAKE_WORDS = {
    "alexa": ("mww_alexa_1", "mww_alexa_2"),
    "okay_nabu": ("mww_okay_nabu_1", "mww_okay_nabu_2"),
}
OTHERS = (
    *("mww_computer", "marvin_617de221_0", "nxp_kws_down_example", "sww_short_wav_easy10s"),
    *("tflm_yes_1000ms", "tflm_no_1000ms", "tflm_noise_1000ms", "tflm_silence_1000ms"),
)


class Model:
    """A model of one input and one output that takes and gives real numbers."""

    def __init__(self, name: str) -> None:
        self._engine = open_engine(data_file(f"models/{name}.tflite"), kind="numpy", threads=1)

    def run(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """The outputs for one input, flat."""
        spec = self._engine.inputs[0]
        assert spec.scale is not None
        steps = np.rint(values / spec.scale) + np.asarray(spec.zero_point)
        given = np.clip(steps, -128, 127).astype(np.int8).reshape(spec.shape)
        (found,) = self._engine.run(given)
        return dequantize(found.reshape(-1), self._engine.outputs[0])

    def close(self) -> None:
        """Let the engine go."""
        self._engine.close()


def wav(name: str) -> NDArray[np.float32]:
    """A recording of the test data at 16 kHz."""
    samples, rate = read_wav(data_file(f"audio/{name}.wav"))
    assert rate == 16000
    return samples


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("tflm_yes_1000ms", "yes"),
        ("nxp_kws_down_example", "down"),
        ("tflm_silence_1000ms", "silence"),
        ("tflm_noise_1000ms", "unknown"),
        ("marvin_617de221_0", "unknown"),
    ],
)
def test_keywords(name: str, word: str) -> None:
    """MLPerf's keyword model names the words that it knows, and knows what it does not.

    It takes the "no" of the test data for "go", on MLPerf's own features of it too (they are equal
    to ours: see `test_mfcc_of_mlperf`).
    """
    model = Model("mlperf_kws_ref_int8")
    stage = window_stage("mfcc", {"preset": "mlperf_kws"}, 16000, (16000, 1))
    scores = model.run(stage.apply(wav(name)[:16000]))
    assert WORDS[scores.argmax()] == word


def test_yes_and_no() -> None:
    """micro_speech names both on features every 20 ms, with noise and silence beside them."""
    model = Model("micro_speech_quantized")
    stage = window_stage("micro_frontend", {"step": 0.02}, 16000, (16000, 1))
    assert stage.shape == (49, 40)
    labels = ("silence", "unknown", "yes", "no")
    for name in ("yes", "no", "silence"):
        scores = model.run(stage.apply(wav(f"tflm_{name}_1000ms")))
        assert labels[scores.argmax()] == name


def test_wake_word_in_a_stream() -> None:
    """MLPerf's streaming model hears "marvin" three times in 10 s: after 1, 4 and 7 s."""
    model = Model("mlperf_sww_ref_int8")
    features = stream_stage("log_mel", {"preset": "mlperf_sww"}, 16000, 1)
    windows = Windows(30, 1, 40)
    samples = wav("sww_short_wav_easy10s")
    heard = []
    for at in range(0, len(samples), 1600):
        for first, window in windows.push(features.push(samples[at : at + 1600])):
            if model.run(window)[0] > 0.9:
                heard.append((first + 30) * 0.032)
    groups = np.split(heard, np.flatnonzero(np.diff(heard) > 1.0) + 1)
    assert [int(group[0]) for group in groups] == [1, 4, 7]


@pytest.mark.parametrize("word", WAKE_WORDS)
def test_micro_wake_words(word: str) -> None:
    """Each model fires on its own recordings, with the cut-off of its maker, and on no other."""
    settings = json.loads(Path(data_file(f"models/mww_{word}.json")).read_text())["micro"]
    fired = []
    for name in (*WAKE_WORDS["alexa"], *WAKE_WORDS["okay_nabu"], *OTHERS):
        model = Model(f"mww_{word}")  # a fresh one: it remembers what it heard
        stage = stream_stage("micro_frontend", {}, 16000, 1)
        rows = stage.push(wav(name))
        scores = [model.run(rows[at : at + 3])[0] for at in range(0, len(rows) - 2, 3)]
        means = np.convolve(scores, np.full(settings["sliding_window_size"], 0.2), "valid")
        if means.max() > settings["probability_cutoff"]:
            fired.append(name)
        model.close()
    assert tuple(fired) == WAKE_WORDS[word]


def test_anomaly_of_a_toy_car() -> None:
    """The stored log-mel of a ToyADMOS clip: reconstruction error within 0.5 % of MLPerf's."""
    path = data_file("audio/toyadmos_normal_id_01_00000000_logmel_f32_200x128.bin")
    model = Model("mlperf_ad01_int8")
    windows = Windows(5, 1, 128)
    errors = []
    for _, window in windows.push(np.fromfile(path, "<f4").reshape(200, 128)):
        vector = window.reshape(-1)
        errors.append(float(((vector - model.run(vector)) ** 2).mean()))
    assert len(errors) == 196
    assert np.mean(errors) == pytest.approx(10.2653, rel=0.005)
