"""A running agent obeys over MQTT: switch, threshold, picture, reload, restart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml

from tests.support.agent import BASE, AgentProcess, belt_config, events
from tests.support.broker import Mosquitto, Subscriber, wait_until
from tests.support.commander import Commander


@pytest.fixture
def ask(subscriber: Subscriber) -> Commander:
    """Sends commands."""
    return Commander(subscriber)


@pytest.fixture
def agent(tmp_path: Path, broker: Mosquitto, subscriber: Subscriber) -> Iterator[AgentProcess]:
    """An agent at work, which takes pictures."""
    config = belt_config(broker.port, pace="loop", publish={"snapshots": "full"})
    with AgentProcess(tmp_path, config) as running:
        wait_until(lambda: events(subscriber), 30.0, lambda: running.said)
        yield running
        if running.alive:
            assert running.terminate() == 0
    assert "Traceback" not in running.said


def configured(agent: AgentProcess, **changes: Any) -> None:
    """Change the pipeline in the agent's file."""
    config = yaml.safe_load(agent.file.read_text())
    config["pipelines"]["belt"] |= changes
    agent.file.write_text(yaml.safe_dump(config))


def test_a_pipeline_is_switched_off_over_a_restart_of_the_agent(
    agent: AgentProcess, subscriber: Subscriber, ask: Commander
) -> None:
    """Off ends what was there and stays off after SIGKILL, until it is switched on again."""
    assert ask("belt/enabled/set", "OFF")["ok"]
    subscriber.expect(f"{BASE}/belt/enabled/state", b"OFF")
    agent.kill()
    subscriber.expect(f"{BASE}/status", b"offline")
    agent.start()
    subscriber.expect(f"{BASE}/status", b"online", 30.0)
    subscriber.expect(f"{BASE}/belt/status", b"online", 30.0)
    settings = ask("cmd/inspect")["result"]["settings"]
    assert settings == {"belt": {"enabled": False, "threshold": 0.5}}
    count = len(events(subscriber))
    assert ask("cmd/ping")["result"]["uptime"] > 0.0
    assert len(events(subscriber)) == count
    ask("belt/enabled/set", "ON")
    wait_until(lambda: len(events(subscriber)) > count, 30.0, "nothing is inferred")


def test_a_threshold_that_nothing_reaches(
    agent: AgentProcess, subscriber: Subscriber, ask: Commander
) -> None:
    """With 1 nothing new is seen; the state says 1."""
    assert ask("belt/threshold/set", "1")["result"] == {"pipeline": "belt", "threshold": 1.0}
    subscriber.expect(f"{BASE}/belt/threshold/state", b"1")
    assert "number from 0 to 1" in ask("belt/threshold/set", "2")["error"]


def test_a_picture_on_request(agent: AgentProcess, subscriber: Subscriber, ask: Commander) -> None:
    """The next frame comes as a retained JPEG, as large as the frame."""
    before = len(subscriber.of(f"{BASE}/belt/snapshot"))
    assert ask("cmd/snapshot", '{"pipeline": "belt"}')["result"] == {"pipelines": ["belt"]}
    wait_until(lambda: len(subscriber.of(f"{BASE}/belt/snapshot")) > before)
    newest = subscriber.of(f"{BASE}/belt/snapshot")[-1]
    image = cv2.imdecode(np.frombuffer(newest, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    assert image.std() > 5.0


def test_reload(agent: AgentProcess, subscriber: Subscriber, ask: Commander) -> None:
    """The same file does nothing, one with a mistake is refused, a changed one is applied."""
    assert ask("cmd/reload")["result"] == {"changed": False}
    configured(agent, threshold=7)
    assert "threshold" in ask("cmd/reload")["error"]
    configured(agent, threshold=0.25, publish={"snapshots": "off"})
    assert ask("cmd/reload")["result"] == {"changed": True}
    subscriber.expect(f"{BASE}/belt/threshold/state", b"0.25", 30.0)
    subscriber.expect(f"{BASE}/belt/snapshot", b"", 30.0)
    wait_until(lambda: events(subscriber)[-1]["type"] == "new", 30.0)
    numbers = [event["seq"] for event in events(subscriber)]
    assert sorted(set(numbers)) == list(range(1, max(numbers) + 1))


def test_restart(agent: AgentProcess, subscriber: Subscriber, ask: Commander) -> None:
    """The agent begins anew under the same process id; no event is lost."""
    first = ask("cmd/inspect")["result"]["info"]["started"]
    pid = agent.process.pid
    assert ask("cmd/restart")["ok"]
    subscriber.expect(f"{BASE}/status", b"offline", 30.0)
    subscriber.expect(f"{BASE}/status", b"online", 30.0)
    assert ask("cmd/inspect")["result"]["info"]["started"] > first
    assert agent.process.pid == pid
    assert agent.alive
    count = len(events(subscriber))
    wait_until(lambda: len(events(subscriber)) > count, 30.0)
    numbers = [event["seq"] for event in events(subscriber)]
    assert sorted(set(numbers)) == list(range(1, max(numbers) + 1))
