"""A camera, a distance and a temperature in one frame, through the agent to a real broker."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.support.agent import BASE, DEVICE, AgentProcess, events, wait_for_events
from tests.support.broker import Mosquitto, Subscriber, wait_until
from tests.support.classifiers import NOTES, write_colour_classifier
from tests.support.two_inputs import LABELS, write_two_inputs

_SIDE = 64


def _write_clip(path: Path) -> Path:
    """Two seconds of red, with something small that moves; it is played again and again."""
    target = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25.0, (_SIDE, _SIDE))
    for number in range(50):
        image = np.full((_SIDE, _SIDE, 3), (0, 0, 255), np.uint8)
        image[8:16, number : number + 8] = 255
        image[-8:] = (255, 0, 0)  # what the privacy mask hides
        target.write(image)
    target.release()
    return path


def _config(folder: Path, port: int, engine: str) -> dict[str, Any]:
    model = write_two_inputs(folder / "two.tflite", numbers_first=engine == "numpy")
    colour = write_colour_classifier(folder / "colour.tflite")
    return {
        "agent": {"name": DEVICE},
        "mqtt": {"host": "127.0.0.1", "port": port},
        "models": {
            "two": {
                "file": str(model),
                "engine": engine,
                "task": "classification",
                "labels": list(LABELS),
            },
            "colour": {
                "file": str(colour),
                "engine": engine,
                "task": "classification",
                "labels": ["red", "green", "blue"],
                "preprocess": NOTES,
            },
        },
        "sources": {
            "gate": {
                "type": "fusion",
                "parts": {
                    "eye": {
                        "type": "video",
                        "file": str(_write_clip(folder / "eye.avi")),
                        "pace": "loop",
                    },
                    "radar": {
                        "type": "lines",
                        "fifo": str(folder / "radar"),
                        "channels": ["distance"],
                    },
                    "cabinet": {
                        "type": "mqtt",
                        "host": "127.0.0.1",
                        "port": port,
                        "channels": {"temp": {"topic": "cabinet/temp"}},
                    },
                },
                "tolerance": "60s",
                "missing": "nan",
            }
        },
        "pipelines": {
            "state": {
                "source": "gate",
                "model": "two",
                "inputs": ["radar.distance", "cabinet.temp"],
                "features": {"z_score": {"mean": [5, 20], "std": [2.5, 30]}},
                "threshold": 0.6,
            },
            "red": {
                "source": "gate",
                "model": "colour",
                "filters": {"red": {"readings": {"radar.distance": {"max": 5}}}},
                "gate": {"motion": {}},
                "privacy": {"mask": [[[0, 0.8], [1, 0.8], [1, 1], [0, 1]]]},
                "publish": {"snapshots": "full", "detections": True},
            },
        },
    }


@pytest.fixture(params=["tflite", "numpy"])
def agent(
    request: pytest.FixtureRequest, tmp_path: Path, broker: Mosquitto, subscriber: Subscriber
) -> Iterator[AgentProcess]:
    """An agent that is online."""
    os.mkfifo(tmp_path / "radar")
    with AgentProcess(tmp_path, _config(tmp_path, broker.port, request.param)) as running:
        subscriber.expect(f"{BASE}/state/status", b"online")
        yield running
        assert running.terminate() == 0, running.said
        assert "Traceback" not in running.said


def _told(subscriber: Subscriber, pipeline: str, label: str) -> list[dict[str, Any]]:
    """Beginnings of that label so far."""
    found = events(subscriber, pipeline)
    return [each for each in found if (each["type"], each["label"]) == ("new", label)]


def test_what_is_seen_and_measured_at_once(
    agent: AgentProcess, tmp_path: Path, subscriber: Subscriber
) -> None:
    """The model weighs picture and numbers; events carry them, and a filter goes by them."""
    writer = os.open(tmp_path / "radar", os.O_WRONLY)

    def measured(pipeline: str, label: str, distance: float, temp: float) -> dict[str, Any]:
        """Write these numbers and wait for a new event of that label."""
        before = len(_told(subscriber, pipeline, label))
        os.write(writer, f"{distance}\n".encode())
        subscriber.paho.publish("cabinet/temp", str(temp), qos=1)
        wait_until(
            lambda: len(_told(subscriber, pipeline, label)) > before, 20.0, lambda: agent.said
        )
        return _told(subscriber, pipeline, label)[before]

    far = measured("state", "far", 9.5, 20.0)
    assert far["readings"] == {"radar.distance": 9.5, "cabinet.temp": 20.0}
    assert _told(subscriber, "red", "red") == []
    near = measured("state", "near", 1.5, 20.0)
    assert near["readings"] == {"radar.distance": 1.5, "cabinet.temp": 20.0}
    wait_until(lambda: _told(subscriber, "red", "red"), 20.0, lambda: agent.said)
    assert _told(subscriber, "red", "red")[0]["readings"]["radar.distance"] == 1.5
    hot = measured("state", "hot", 8.0, 110.0)
    assert hot["readings"] == {"radar.distance": 8.0, "cabinet.temp": 110.0}
    assert hot["model"]["name"] == "two"
    os.close(writer)
    _check_picture(subscriber.of(f"{BASE}/red/snapshot")[-1])
    detections = [json.loads(each) for each in subscriber.of(f"{BASE}/red/detections")]
    assert detections[-1]["size"] == [_SIDE, _SIDE]
    assert {9.5, 1.5} <= {each["readings"].get("radar.distance") for each in detections}


def test_recordings_tell_the_same_each_time(
    tmp_path: Path, broker: Mosquitto, subscriber: Subscriber
) -> None:
    """A clip and a table at their fastest: each state where the numbers say so, twice alike."""
    rows = [f"{place / 10},{1.5 if place < 10 else 9.5},20\n" for place in range(20)]
    (tmp_path / "measured.csv").write_text("t,distance,temp\n" + "".join(rows))
    config = _config(tmp_path, broker.port, "numpy")
    parts = config["sources"]["gate"]["parts"]
    parts["eye"]["pace"] = "fast"
    table = {"type": "csv", "file": str(tmp_path / "measured.csv"), "time": "t", "pace": "fast"}
    config["sources"]["gate"]["parts"] = {"eye": parts["eye"], "m": table}
    config["pipelines"]["state"]["inputs"] = ["m.distance", "m.temp"]
    del config["pipelines"]["red"], config["models"]["colour"]
    told: list[list[tuple[str, str, float, dict[str, float]]]] = []
    for _ in range(2):
        before = sum(map(len, told))
        agent = AgentProcess(tmp_path, config).start()
        assert agent.wait() == 0, agent.said
        wait_for_events(subscriber, before + 4, "state")
        told.append([_what(each) for each in events(subscriber, "state")[before:]])
    assert told[0] == told[1]
    begun = [each for each in told[0] if each[0] == "new"]
    assert [each[1] for each in begun] == ["near", "far"]
    assert [each[3]["m.distance"] for each in begun] == [1.5, 9.5]
    assert 1.0 <= begun[1][2] <= 1.3  # three of five frames after the change


def _what(event: dict[str, Any]) -> tuple[str, str, float, dict[str, float]]:
    return event["type"], event["label"], event["media_time"], event["readings"]


def _check_picture(jpeg: bytes) -> None:
    """It is the camera's, red, and black where the mask is."""
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    assert image.shape == (_SIDE, _SIDE, 3)
    assert image[40, 32, 2] > 200
    assert image[60, 32].max() < 40
