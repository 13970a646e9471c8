"""A second model that names what the first one finds, from the clip to the broker."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support.agent import BASE, AgentProcess, belt_config, events, wait_for_events
from tests.support.broker import Mosquitto, Subscriber, wait_until
from tests.support.classifiers import NOTES, write_colour_classifier


def cascade(folder: Path, port: int) -> dict[str, Any]:
    """The bundled detector, and behind it a classifier of colours that is not there yet."""
    refine = {"colour": {"min_size": 8, "threshold": 0.3}}
    values = belt_config(port, pace="loop", refine=refine)
    values["models"]["colour"] = {
        "file": str(folder / "colour.tflite"),
        "labels": ["red", "green", "blue"],
        "preprocess": NOTES,
    }
    return values


def test_names_come_once_the_second_model_is_there(
    tmp_path: Path, broker: Mosquitto, subscriber: Subscriber
) -> None:
    """Objects are told without it, the pipeline is online, the health tells; then names come."""

    def state() -> str:
        health = json.loads(subscriber.of(f"{BASE}/health")[-1])
        return str(health["pipelines"]["belt"]["refine"]["colour"]["state"])

    with AgentProcess(tmp_path, cascade(tmp_path, broker.port)) as agent:
        wait_for_events(subscriber, 5)
        wait_until(lambda: subscriber.of(f"{BASE}/health") and state() == "offline")
        assert subscriber.of(f"{BASE}/belt/status")[-1] == b"online"
        assert {event["sublabel"] for event in events(subscriber)} == {None}
        write_colour_classifier(tmp_path / "part").rename(tmp_path / "colour.tflite")
        wait_until(lambda: any(event["sublabel"] for event in events(subscriber)), 30.0)
        wait_until(lambda: state() == "online")
        assert agent.terminate() == 0
    (first,) = [event for event in events(subscriber) if event["sublabel"]][:1]
    assert first["sublabel"] in ("red", "green", "blue")
    assert 0.3 <= first["sublabel_score"] <= 1.0
    assert subscriber.of(f"{BASE}/belt/status") == [b"offline", b"online", b"offline"]
    assert "Traceback" not in agent.said
