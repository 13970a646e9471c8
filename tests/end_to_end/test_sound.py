"""Words from raw sound: wake words in a stream, each by its own model."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support import data
from tests.support.agent import DEVICE, AgentProcess, events
from tests.support.broker import Mosquitto, Subscriber

RATE = 16_000
WORDS = {
    "alexa": ("mww_alexa_1", "mww_alexa_2"),
    "okay_nabu": ("mww_okay_nabu_1", "mww_okay_nabu_2"),
}
CUT_OFFS = {"alexa": 0.9, "okay_nabu": 0.97}
OTHERS = ("tflm_yes_1000ms", "mww_computer", "tflm_no_1000ms")


def sound_of(path: Path) -> np.ndarray[Any, np.dtype[np.int16]]:
    """Samples of a WAVE file of 16 kHz."""
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels()) == (RATE, 1)
        return np.frombuffer(file.readframes(file.getnframes()), np.int16)


def stream(folder: Path, target: Path) -> dict[str, list[tuple[float, float]]]:
    """All recordings one after another in quiet noise; when each word is said, in seconds."""
    dice = np.random.default_rng(3)
    said: dict[str, list[tuple[float, float]]] = {}
    parts: list[np.ndarray[Any, Any]] = [dice.normal(0, 30, RATE)]
    for name in (*WORDS["alexa"], *OTHERS, *WORDS["okay_nabu"]):
        begins = sum(map(len, parts)) / RATE
        parts += [sound_of(folder / f"{name}.wav"), dice.normal(0, 30, RATE // 2)]
        word = next((word for word, names in WORDS.items() if name in names), None)
        if word:
            said.setdefault(word, []).append((begins, sum(map(len, parts)) / RATE))
    with wave.open(str(target), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(np.concatenate(parts).clip(-32768, 32767).astype(np.int16).tobytes())
    return said


@pytest.mark.data
@pytest.mark.parametrize("engine", ["auto", "numpy"])
def test_each_word_is_heard_once_by_its_own_model(
    tmp_path: Path, broker: Mosquitto, subscriber: Subscriber, engine: str
) -> None:
    """In one stream of words, other words and noise, from raw sound to events."""
    folder = data.test_data()
    assert folder is not None
    said = stream(folder / "audio", tmp_path / "stream.wav")
    values = {
        "agent": {"name": DEVICE},
        "mqtt": {"host": "127.0.0.1", "port": broker.port},
        "models": {
            word: {
                "file": str(folder / "models" / f"mww_{word}.tflite"),
                "engine": engine,
                "labels": [word],
            }
            for word in WORDS
        },
        "sources": {"mic": {"type": "audio", "file": str(tmp_path / "stream.wav"), "pace": "fast"}},
        "pipelines": {
            word: {
                "source": "mic",
                "stream": {"micro_frontend": {}},
                "window": {"length": 3},
                "model": word,
                "threshold": CUT_OFFS[word],
                "smooth": {"average": 5},
                "track": {"hits": 1, "of": 1, "lost": "1s"},
            }
            for word in WORDS
        },
    }
    with AgentProcess(tmp_path, values) as agent:
        assert agent.wait() == 0, agent.said
    for word, spans in said.items():
        begun = [e for e in events(subscriber, word) if e["type"] == "new"]
        assert [(e["kind"], e["label"]) for e in begun] == [("keyword", word)] * len(spans)
        for event, (start, end) in zip(begun, spans, strict=True):
            assert start < event["media_time"] < end
