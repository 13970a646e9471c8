"""Retained states that nobody would correct any more."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from paho.mqtt.client import Client

from edge_agent.message import Message
from edge_agent.mqtt.healing import Healer
from edge_agent.mqtt.listener import Received
from edge_agent.mqtt.topics import Topics
from tests.mqtt.conftest import Factory
from tests.support.broker import Mosquitto, wait_until

_PLUGIN = "mosquitto_dynamic_security.so"


class Deaf:
    """Wants to hear commands."""

    filters = ("edge/dev/cmd/+",)

    def receive(self, received: Received) -> tuple[Message, ...]:
        """Do nothing."""
        return ()


def retain(client: Client, topic: str, payload: bytes) -> None:
    """Publish a retained message as some earlier run would have."""
    client.publish(topic, payload, qos=1, retain=True).wait_for_publish(5)


def test_pictures_that_nobody_allowed_are_removed(unknown: Callable[[str], bool]) -> None:
    """A picture of a pipeline that may publish none, or that left, does not stay at the broker."""
    healer = Healer(Topics("edge", "dev"), ["door", "hall"], pictures=["hall"])
    for pipeline, stays in (("door", False), ("hall", True), ("gone", False)):
        healed = healer.heal(f"edge/dev/{pipeline}/snapshot", b"\xff\xd8", unknown)
        assert (healed is None) is stays
        assert healed is None or healed.payload == b""


def test_settings_of_a_pipeline_that_left_are_removed(unknown: Callable[[str], bool]) -> None:
    """The states of its switch and threshold go with it."""
    healer = Healer(Topics("edge", "dev"), ["door"])
    assert healer.heal("edge/dev/door/enabled/state", b"ON", unknown) is None
    healed = healer.heal("edge/dev/gone/threshold/state", b"0.5", unknown)
    assert healed is not None
    assert healed.payload == b""


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_stuck_states_are_healed_after_a_crash(
    broker: Mosquitto, agents: Factory, subscribers: Factory, protocol: str
) -> None:
    """Counts of a present pipeline go to 0, a pipeline that left is removed, the rest stays."""
    old = subscribers(broker.port)
    for topic, payload in {
        "edge/dev/door/status": b"online",
        "edge/dev/door/counts/person": b"3",
        "edge/dev/door/zones/porch/counts/person": b"1",
        "edge/dev/door/lines/gate/counts/person/in": b"12",
        "edge/dev/door/counts/car": b"2",
        "edge/dev/gone/status": b"online",
        "edge/dev/gone/counts/person": b"1",
        "edge/other/door/counts/person": b"5",
        "edge/dev/door/reading": b"7",
    }.items():
        retain(old.paho, topic, payload)
    agent = agents(broker.port, protocol=protocol, client={"pipelines": ["door"]})
    agent.outbox.put(agent.messages.count("door", "car", 1))
    old.expect("edge/dev/door/counts/person", b"0")
    old.expect("edge/dev/door/zones/porch/counts/person", b"0")
    old.expect("edge/dev/door/lines/gate/counts/person/in", b"0")
    old.expect("edge/dev/gone/status", b"")
    old.expect("edge/dev/gone/counts/person", b"")
    late = subscribers(broker.port)
    late.expect("edge/dev/door/counts/car", b"1")
    late.expect("edge/dev/door/status", b"online")
    late.expect("edge/other/door/counts/person", b"5")
    late.expect("edge/dev/door/reading", b"7")
    assert late.of("edge/dev/gone/status") == late.of("edge/dev/gone/counts/person") == []


def test_looking_for_stuck_states_ends(
    broker: Mosquitto, agents: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When no more retained messages come, the subscription is given back."""
    monkeypatch.setattr("edge_agent.mqtt.session._QUIET", 0.1)
    agent = agents(broker.port)
    agent.wait_connected()
    wait_until(lambda: "Received UNSUBSCRIBE from edge-agent-dev" in broker.log)


def test_a_broker_that_refuses_the_subscription_is_told_of_once(
    brokers: Factory, agents: Factory, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Without the right to read, commands do not come in, but publishing goes on."""
    plugin = next(Path("/usr/lib").glob(f"*/{_PLUGIN}"), None)
    if plugin is None:
        pytest.skip(f"mosquitto comes without {_PLUGIN}")
    rules = {"publishClientSend": True, "publishClientReceive": True, "subscribe": False}
    config = tmp_path / "security.json"
    config.write_text(json.dumps({"defaultACLAccess": rules}))
    broker = brokers(lines=(f"plugin {plugin}", f"plugin_opt_config_file {config}"))
    agent = agents(broker.port, client={"listeners": [Deaf()]})
    wait_until(lambda: "cannot look for stuck states" in caplog.text)
    wait_until(lambda: "cannot subscribe to edge/dev/cmd/+: not authorised" in caplog.text)
    agent.events(3)
    agent.wait_empty()
    broker.kill()
    broker.start()
    wait_until(lambda: agent.client.state.connects == 2)
    agent.events(1)
    agent.wait_empty()
    assert caplog.text.count("cannot look for stuck states") == 1


@pytest.fixture
def unknown() -> Callable[[str], bool]:
    """A client that holds no states."""
    return lambda _topic: False


def test_only_so_many_are_healed(unknown: Callable[[str], bool]) -> None:
    """A broker full of retained rubbish cannot keep us busy for ever."""
    healer = Healer(Topics("edge", "dev"), ["door"])
    healed = [healer.heal(f"edge/dev/gone/counts/{n}", b"1", unknown) for n in range(1500)]
    assert sum(message is not None for message in healed) == 1000


def test_what_is_right_already_is_left_alone(unknown: Callable[[str], bool]) -> None:
    """No message for zeros, removed states, or what the client publishes itself."""
    healer = Healer(Topics("edge", "dev"), ["door"])
    assert healer.heal("edge/dev/door/counts/person", b"0", unknown) is None
    assert healer.heal("edge/dev/gone/counts/person", b"", unknown) is None
    assert healer.heal("edge/dev/door/counts/person", b"3", lambda _topic: True) is None
    assert healer.heal("edge/dev/doorway/status", b"online", unknown) is not None
