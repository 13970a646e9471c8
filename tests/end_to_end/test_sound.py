"""Words from raw sound: wake words in a stream, each by its own model."""

from __future__ import annotations

import json
import subprocess
import time
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support import data
from tests.support.agent import BASE, DEVICE, AgentProcess, events
from tests.support.broker import Mosquitto, Subscriber, wait_until
from tests.support.recorder import sound_server

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


def config(port: int, folder: Path, source: dict[str, Any], engine: str) -> dict[str, Any]:
    """Each wake word listens to the same source."""
    return {
        "agent": {"name": DEVICE},
        "mqtt": {"host": "127.0.0.1", "port": port},
        "models": {
            word: {
                "file": str(folder / "models" / f"mww_{word}.tflite"),
                "engine": engine,
                "labels": [word],
            }
            for word in WORDS
        },
        "sources": {"mic": source},
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


@pytest.mark.data
@pytest.mark.parametrize("engine", ["auto", "numpy"])
def test_each_word_is_heard_once_by_its_own_model(
    tmp_path: Path, broker: Mosquitto, subscriber: Subscriber, engine: str
) -> None:
    """In one stream of words, other words and noise, from raw sound to events."""
    folder = data.test_data()
    assert folder is not None
    said = stream(folder / "audio", tmp_path / "stream.wav")
    source = {"type": "audio", "file": str(tmp_path / "stream.wav"), "pace": "fast"}
    with AgentProcess(tmp_path, config(broker.port, folder, source, engine)) as agent:
        assert agent.wait() == 0, agent.said
    subscriber.expect(f"{BASE}/status", b"offline")  # the last that is sent
    for word, spans in said.items():
        begun = [e for e in events(subscriber, word) if e["type"] == "new"]
        assert [(e["kind"], e["label"]) for e in begun] == [("keyword", word)] * len(spans)
        for event, (start, end) in zip(begun, spans, strict=True):
            assert start < event["media_time"] < end


@pytest.mark.data
def test_a_word_that_is_played_is_an_event_at_once(
    tmp_path: Path, broker: Mosquitto, subscriber: Subscriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through a real sound server, in real time; how late it is is printed (pytest -s)."""
    folder = data.test_data()
    assert folder is not None
    source = {"type": "audio", "device": "pulse:lab.monitor"}
    with (
        sound_server(tmp_path, monkeypatch),
        AgentProcess(tmp_path, config(broker.port, folder, source, "auto")) as agent,
    ):
        subscriber.expect(f"{BASE}/alexa/status", b"online")
        recording = str(folder / "audio" / "mww_alexa_1.wav")
        with subprocess.Popen(["paplay", "--device=lab", recording]):
            wait_until(lambda: events(subscriber, "alexa"), 10.0, lambda: agent.said)
            arrived = time.time()
        assert agent.terminate() == 0
    first = json.loads(subscriber.of(f"{BASE}/alexa/events")[0])
    late = arrived - first["time"]
    print(f"\nfrom the sound to the subscriber {1e3 * late:.0f} ms, of it in the agent "
          f"{first['latency_ms']['total']:.1f} ms")  # fmt: skip
    assert (first["kind"], first["label"], first["media_time"]) == ("keyword", "alexa", None)
    assert late < 2.0
    assert [event["type"] for event in events(subscriber, "alexa")].count("new") == 1
    assert events(subscriber, "okay_nabu") == []
