"""Lines of logs come in over MQTT, and go out as events that tell how bad they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.log_lines import FOREIGN, LABELS, lines
from scripts.train_log_model import accuracy, make
from tests.support.agent import BASE, DEVICE, ROOT, AgentProcess, events, wait_for_events
from tests.support.broker import Mosquitto, Subscriber


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that was trained just now."""
    path = tmp_path_factory.mktemp("models") / "severity.npz"
    made = make()
    made.save(path)
    assert accuracy(made, lines(300, 9, unseen=True)) >= 0.95
    assert path.stat().st_size <= 50_000
    return path


def config(model: Path, port: int) -> dict[str, Any]:
    """That of config/log-severity.yaml, with this model and broker."""
    values: dict[str, Any] = yaml.safe_load((ROOT / "config" / "log-severity.yaml").read_text())
    values["agent"] = {"name": DEVICE}
    values["mqtt"] = {"host": "127.0.0.1", "port": port}
    values["models"]["severity"]["file"] = str(model)
    values["sources"]["logs"] |= {"host": "127.0.0.1", "port": port}
    return values


def told(subscriber: Subscriber) -> list[dict[str, Any]]:
    """Beginnings of events so far."""
    return [event for event in events(subscriber, "trouble") if event["type"] == "new"]


def test_each_line_is_judged(
    model: Path, tmp_path: Path, broker: Mosquitto, subscriber: Subscriber
) -> None:
    """One event of kind text for each line, in order, with the right label nearly always."""
    values = config(model, broker.port)
    values["models"]["severity"]["task"] = {"name": "classification", "top": 1}
    values["pipelines"]["trouble"] |= {"labels": list(LABELS), "threshold": 0}
    published = lines(60, 4, unseen=True)
    with AgentProcess(tmp_path, values) as agent:
        subscriber.expect(f"{BASE}/trouble/status", b"online")
        for text, _ in published:
            subscriber.paho.publish("logs/machine", text, qos=1)
        wait_for_events(subscriber, 2 * len(published), "trouble")  # it begins and it ends
        assert agent.terminate() == 0, agent.said
    begun = told(subscriber)
    assert {event["kind"] for event in begun} == {"text"}
    pairs = zip(begun, published, strict=True)
    assert sum(event["label"] == label for event, (_, label) in pairs) >= 57


def test_the_example_tells_of_trouble_only(
    model: Path, tmp_path: Path, broker: Mosquitto, subscriber: Subscriber
) -> None:
    """As config/log-severity.yaml stands: nothing for what is in order, an event for a failure."""
    with AgentProcess(tmp_path, config(model, broker.port)) as agent:
        subscriber.expect(f"{BASE}/trouble/status", b"online")
        for text in ("pump 3 started", "backup of sda1 failed with code 7", "fan 2 is ready"):
            subscriber.paho.publish("logs/machine", text, qos=1)
        wait_for_events(subscriber, 2, "trouble")
        assert agent.terminate() == 0, agent.said
    assert [event["label"] for event in told(subscriber)] == ["error"]


def test_lines_that_are_tried_are_not_those_that_were_trained() -> None:
    """No line is in both, each label is as frequent, and those of others name each label."""
    trained, tried = lines(600, 1, unseen=False), lines(600, 2, unseen=True)
    assert not {text for text, _ in trained} & {text for text, _ in tried}
    assert [sum(label == each for _, label in tried) for each in LABELS] == [200, 200, 200]
    assert not any("{" in text for text, _ in (*trained, *tried))
    assert {label for _, label in FOREIGN} == set(LABELS)
