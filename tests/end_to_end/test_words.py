"""Words, wake words, voices and the sound of a machine: real models through the whole agent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.agent import BASE, DEVICE, AgentProcess, events
from tests.support.broker import Mosquitto, Subscriber
from tests.support.data import data_file

pytestmark = pytest.mark.data

# The order of mlcommons/tiny, benchmark/training/keyword_spotting/get_dataset.py.
WORDS = [
    "down",
    "go",
    "left",
    "no",
    "off",
    "on",
    "right",
    "stop",
    "up",
    "yes",
    "silence",
    "unknown",
]
ONE_WINDOW = {"track": {"hits": 1, "of": 1, "lost": "1s"}}


def config(port: int, **sections: Any) -> dict[str, Any]:
    """An agent at the broker at that port."""
    mqtt = {"host": "127.0.0.1", "port": port}
    return {"agent": {"name": DEVICE}, "mqtt": mqtt, **sections}


def wav(name: str) -> dict[str, Any]:
    """A recording of the test data as a source."""
    return {"type": "audio", "file": str(data_file(f"audio/{name}.wav")), "pace": "fast"}


def model(name: str, labels: list[str], task: str = "keyword") -> dict[str, Any]:
    """A model of the test data."""
    return {"file": str(data_file(f"models/{name}.tflite")), "labels": labels, "task": task}


def test_spoken_words(tmp_path: Path, broker: Mosquitto, subscriber: Subscriber) -> None:
    """From raw sound each word is named by a model that knows it, and nothing else is.

    MLPerf's keyword model takes this "no" for "go", also on MLPerf's own features of it, so
    micro_speech is asked for that.
    """
    a_second = {"window": {"length": "1s"}, **ONE_WINDOW}
    mlperf = {**a_second, "features": {"mfcc": {"preset": "mlperf_kws"}}, "model": "kws"}
    tflm = {**a_second, "features": {"micro_frontend": {"step": "20ms"}}, "model": "micro"}
    sources = {"yes": "tflm_yes_1000ms", "down": "nxp_kws_down_example", "no": "tflm_no_1000ms"}
    values = config(
        broker.port,
        models={
            "kws": model("mlperf_kws_ref_int8", WORDS),
            "micro": model("micro_speech_quantized", ["silence", "unknown", "yes", "no"]),
        },
        sources={word: wav(file) for word, file in sources.items()},
        pipelines={
            "yes": {"source": "yes", **mlperf},
            "down": {"source": "down", **mlperf},
            "no": {"source": "no", **tflm},
            "also-yes": {"source": "yes", **tflm},
        },
    )
    with AgentProcess(tmp_path, values) as agent:
        assert agent.wait() == 0, agent.said
    subscriber.expect(f"{BASE}/status", b"offline")  # the last that is sent
    for pipeline in values["pipelines"]:
        told = {(event["kind"], event["label"]) for event in events(subscriber, pipeline)}
        assert told == {("keyword", pipeline.removeprefix("also-"))}


def test_marvin_in_a_stream(tmp_path: Path, broker: Mosquitto, subscriber: Subscriber) -> None:
    """MLPerf's streaming model hears its word three times in 10 s, and in a recording of it alone.

    It looks back for 0.96 s, so the word has just been said when it is told.
    """
    heard = {
        "stream": {"log_mel": {"preset": "mlperf_sww"}},
        "window": {"length": 30, "hop": 1, "pad": "edge"},
        "model": "sww",
        "labels": ["marvin"],
        **ONE_WINDOW,
    }
    values = config(
        broker.port,
        models={"sww": model("mlperf_sww_ref_int8", ["marvin", "silence", "unknown"])},
        sources={"long": wav("sww_short_wav_easy10s"), "short": wav("marvin_617de221_0")},
        pipelines={name: {"source": name, **heard} for name in ("long", "short")},
    )
    with AgentProcess(tmp_path, values) as agent:
        assert agent.wait() == 0, agent.said
    subscriber.expect(f"{BASE}/status", b"offline")  # the last that is sent
    begun = {
        name: [e for e in events(subscriber, name) if e["type"] == "new"]
        for name in values["pipelines"]
    }
    assert {e["kind"] for each in begun.values() for e in each} == {"keyword"}
    assert [int(event["media_time"]) for event in begun["long"]] == [1, 4, 7]
    assert len(begun["short"]) == 1


def test_voices(tmp_path: Path, broker: Mosquitto, subscriber: Subscriber) -> None:
    """A voice is heard where somebody speaks, and not in noise.

    The recording of silence is left out: the model itself is at 0.65 there, over its own cut-off.
    """
    names = {"said": "mww_computer", "noise": "tflm_noise_1000ms"}
    heard = {
        "stream": {"micro_frontend": {}},
        "window": {"length": 3},
        "model": "vad",
        "smooth": {"average": 5},
        **ONE_WINDOW,
    }
    values = config(
        broker.port,
        models={"vad": model("mww_vad", ["voice"], "classification")},
        sources={name: wav(file) for name, file in names.items()},
        pipelines={name: {"source": name, **heard} for name in names},
    )
    with AgentProcess(tmp_path, values) as agent:
        assert agent.wait() == 0, agent.said
    subscriber.expect(f"{BASE}/status", b"offline")  # the last that is sent
    told = {name: [(e["type"], e["kind"]) for e in events(subscriber, name)] for name in names}
    assert told["said"][0] == ("new", "class")
    assert told["said"][-1][0] == "end"
    assert told["noise"] == []


def test_microphones_share_a_wake_word(
    tmp_path: Path, broker: Mosquitto, subscriber: Subscriber
) -> None:
    """One model for three streams, in turn: each word is heard once, where it was said."""
    names = {"hall": "mww_alexa_1", "room": "mww_alexa_2", "yard": "mww_okay_nabu_1"}
    heard = {
        "stream": {"micro_frontend": {}},
        "window": {"length": 3},
        "model": "alexa",
        "threshold": 0.9,
        "smooth": {"average": 5},
        **ONE_WINDOW,
    }
    values = config(
        broker.port,
        models={"alexa": model("mww_alexa", ["alexa"])},
        sources={name: wav(file) for name, file in names.items()},
        pipelines={name: {"source": name, **heard} for name in names},
    )
    with AgentProcess(tmp_path, values) as agent:
        assert agent.wait() == 0, agent.said
    subscriber.expect(f"{BASE}/status", b"offline")  # the last that is sent
    told = {name: [e["type"] for e in events(subscriber, name)].count("new") for name in names}
    assert told == {"hall": 1, "room": 1, "yard": 0}


def test_sound_of_a_toy_car(tmp_path: Path, broker: Mosquitto, subscriber: Subscriber) -> None:
    """MLPerf's autoencoder over a clip: the mean of the readings is the reference's error."""
    clip = data_file("audio/toyadmos_normal_id_01_00000000_logmel_f32_200x128.bin")
    np.save(tmp_path / "car.npy", np.fromfile(clip, "<f4").reshape(200, 128))
    values = config(
        broker.port,
        models={"car": {"file": str(data_file("models/mlperf_ad01_int8.tflite"))}},
        sources={
            "car": {
                "type": "csv",
                "file": str(tmp_path / "car.npy"),
                "rate": 31.25,
                "pace": "fast",
            }
        },
        pipelines={
            "car": {
                "source": "car",
                "window": {"length": 5, "hop": 1},
                "model": "car",
                "anomaly": {"method": "reconstruction", "limit": 20, "average": 196},
                "publish": {"reading_every": 0},
            }
        },
    )
    with AgentProcess(tmp_path, values) as agent:
        assert agent.wait() == 0, agent.said
    subscriber.expect(f"{BASE}/status", b"offline")  # the last that is sent
    newest = json.loads(subscriber.of(f"{BASE}/car/reading")[-1])
    assert newest["value"] == pytest.approx(10.2653, rel=0.005)
    assert newest["state"] == "normal"
    assert events(subscriber, "car") == []
