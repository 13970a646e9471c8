"""An event of two pipelines, from the clip to the broker and to Home Assistant."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support.agent import BASE, AgentProcess, belt_config, events
from tests.support.broker import Mosquitto, Subscriber, wait_until

COUNT = f"{BASE}/both/counts/both"
DISCOVERY = "homeassistant/device/dev/config"
STATUS = f"{BASE}/both/status"


def two_belts(port: int) -> dict[str, Any]:
    """The bundled clip through two pipelines; "both" is a gear in one and a bolt in the other."""
    values = belt_config(port, pace="loop", labels=["gear"])
    values["pipelines"]["side"] = {"source": "clip", "model": "parts", "labels": ["bolt"]}
    conditions = {
        "gear": {"pipeline": "belt", "label": "gear"},
        "bolt": {"pipeline": "side", "label": "bolt"},
    }
    values["composites"] = {"both": {"all": conditions, "within": "1s"}}
    return values


def test_a_composite_comes_is_healed_and_goes(
    tmp_path: Path, broker: Mosquitto, subscriber: Subscriber
) -> None:
    """It is told and counted, after a kill it is put right, and without it its states are gone."""
    config = two_belts(broker.port)
    with AgentProcess(tmp_path, config) as agent:
        subscriber.expect(STATUS, b"online")
        wait_until(lambda: events(subscriber, "both") and subscriber.of(DISCOVERY))
        wait_until(lambda: subscriber.of(COUNT)[-1:] == [b"1"])
        agent.kill()
    new = events(subscriber, "both")[0]
    assert (new["type"], new["label"], new["pipeline"]) == ("new", "both", "both")
    found = json.loads(subscriber.of(DISCOVERY)[-1])["components"]
    assert found["both-holds"]["state_topic"] == COUNT
    assert {"topic": STATUS} in found["both-holds"]["availability"]
    seen = len(subscriber.of(COUNT))
    with AgentProcess(tmp_path, config) as agent:
        wait_until(lambda: subscriber.of(COUNT)[seen : seen + 1] == [b"0"])
        wait_until(lambda: subscriber.of(COUNT)[-1] == b"1")
        agent.kill()
    del config["composites"]
    with AgentProcess(tmp_path, config) as agent:
        subscriber.expect(COUNT, b"", 30.0)
        subscriber.expect(STATUS, b"", 30.0)
        assert agent.terminate() == 0
    assert "Traceback" not in agent.said


def test_sigterm_ends_it(tmp_path: Path, broker: Mosquitto, subscriber: Subscriber) -> None:
    """With its count at 0 and its status offline."""
    with AgentProcess(tmp_path, two_belts(broker.port)) as agent:
        subscriber.expect(COUNT, b"1")
        assert agent.terminate() == 0
    assert subscriber.of(COUNT)[-1] == b"0"
    assert subscriber.of(STATUS)[-1] == b"offline"
    assert events(subscriber, "both")[-1]["type"] == "end"
