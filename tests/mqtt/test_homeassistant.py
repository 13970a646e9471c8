"""Home Assistant's discovery: what is announced, anew, and taken back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.message import Message
from edge_agent.mqtt.entities import DeviceEntities, PipelineEntities, components
from edge_agent.mqtt.homeassistant import Announcer, Retraction
from edge_agent.mqtt.listener import Received
from edge_agent.mqtt.options import HomeAssistantOptions
from edge_agent.mqtt.topics import Topics
from edge_agent.outbox.memory import MemoryOutbox
from tests.mqtt.conftest import Factory
from tests.support.broker import Mosquitto, wait_until

TOPICS = Topics("edge", "dev")
OPTIONS = HomeAssistantOptions()
CONFIG = "homeassistant/device/dev/config"
BIRTH = "homeassistant/status"
DOOR = PipelineEntities(("person", "old dog"), ("porch",), ("gate",), snapshots=True)
DEVICE = DeviceEntities(
    "1.0", "x86_64", 60.0, {"door": DOOR}, ("both",), temperature=True, throttling=True
)
LESS = replace(DEVICE, pipelines={"door": PipelineEntities(("person",))}, composites=())

GONE = set(components(TOPICS, DEVICE)) - set(components(TOPICS, LESS))

_STATE_TOPICS = ("state_topic", "image_topic")


class Speaker(Announcer):
    """An announcer that keeps what it publishes and counts the births of Home Assistant."""

    def __init__(self, publish: Callable[[Message], None] | None = None) -> None:
        self.messages: list[Message] = []
        self.births = 0
        super().__init__(TOPICS, OPTIONS, publish or self.messages.append, self._born)

    def _born(self) -> None:
        self.births += 1

    def says(self, device: DeviceEntities) -> Message | None:
        """What it publishes for a device."""
        before = len(self.messages)
        self.announce(device)
        return self.messages[-1] if len(self.messages) > before else None

    def reads(self, before: Message | None) -> Message | None:
        """What it publishes when it reads that an earlier run published this."""
        assert before is not None
        count = len(self.messages)
        assert list(self.receive(retained(before.payload))) == []
        return self.messages[-1] if len(self.messages) > count else None

    def hears(self, payload: bytes = b"online", kept: bool = False) -> list[Message]:
        """What it answers to news of Home Assistant."""
        return list(self.receive(Received(BIRTH, payload, kept)))


def content(message: Message | None) -> dict[str, Any]:
    """The payload of a discovery message."""
    assert message is not None
    assert (message.topic, message.qos) == (CONFIG, 1)
    decoded: dict[str, Any] = json.loads(message.payload)
    return decoded


def stubs(message: Message | None) -> set[str]:
    """Keys that a message removes: those with their platform alone."""
    found = content(message)["components"]
    return {key for key, component in found.items() if set(component) == {"platform"}}


def retained(payload: bytes) -> Received:
    """The discovery message that was at the broker before we came."""
    return Received(CONFIG, payload, retained=True)


def test_the_whole_device_in_one_message() -> None:
    """Every entity has an id of its own, a platform and a name; pipelines need their source too."""
    message = content(Speaker().says(DEVICE))
    assert message["device"]["identifiers"] == ["edge_dev"]
    assert message["availability"] == [{"topic": "edge/dev/status"}]
    found = message["components"]
    ids = [component["unique_id"] for component in found.values()]
    assert len(set(ids)) == len(ids)
    assert all(each["name"] and each["platform"] for each in found.values())
    both = [{"topic": "edge/dev/status"}, {"topic": "edge/dev/door/status"}]
    assert found["door-person-present"]["availability"] == both
    assert found["door-person-present"]["state_topic"] == "edge/dev/door/counts/person"
    assert found["door-old_dog-in-porch-count"]["state_topic"] == (
        "edge/dev/door/zones/porch/counts/old_dog"
    )
    assert found["door-person-over-gate-in"]["state_topic"] == (
        "edge/dev/door/lines/gate/counts/person/in"
    )
    assert found["door-enabled"]["command_topic"] == "edge/dev/door/enabled/set"
    assert found["door-threshold"]["state_topic"] == "edge/dev/door/threshold/state"
    assert json.loads(found["door-take-snapshot"]["payload_press"]) == {"pipeline": "door"}
    assert found["temperature"]["expire_after"] == 180


@pytest.mark.parametrize(
    ("unit", "shown"),
    [
        ("°C", {"unit_of_measurement": "°C", "device_class": "temperature"}),
        ("kPa", {"unit_of_measurement": "kPa", "device_class": "pressure"}),
        ("mm/s", {"unit_of_measurement": "mm/s", "icon": "mdi:gauge"}),
        ("", {"icon": "mdi:gauge"}),
    ],
)
def test_a_reading(unit: str, shown: dict[str, str]) -> None:
    """In its unit, of the class that the unit makes certain; what is too high is a problem."""
    pipeline = PipelineEntities(("high",), reading=unit)
    found = components(TOPICS, DeviceEntities("1", "", 60.0, {"oil": pipeline}))
    optional = ("unit_of_measurement", "device_class", "icon")
    reading = found["oil-reading"]
    assert {key: reading[key] for key in optional if key in reading} == shown
    assert (reading["platform"], reading["state_topic"]) == ("sensor", "edge/dev/oil/reading")
    assert found["oil-high-present"]["device_class"] == "problem"


def test_only_what_is_published_is_announced() -> None:
    """No counts, no events, no pictures, no thermometer: no entities for them."""
    bare = PipelineEntities(("person",), ("porch",), ("gate",), counts=False, events=False)
    found = components(TOPICS, DeviceEntities("1", "", 60.0, {"door": bare}))
    assert set(found) == {
        "outbox", "drops", "memory", "restart", "reload", "door-enabled", "door-threshold",
        "door-source", "door-fps-in", "door-fps-inferred", "door-fps-dropped", "door-latency",
        "door-latency-p99",
    }  # fmt: skip


@given(st.lists(st.text(max_size=8), max_size=4, unique=True), st.text(min_size=1, max_size=8))
def test_any_names_make_valid_topics(labels: list[str], pipeline: str) -> None:
    """Whatever labels and pipelines are called, no topic has wildcards or blanks in it."""
    entities = PipelineEntities(tuple(labels), ("z z",), ("l#",), snapshots=True)
    device = DeviceEntities("1", "", 60.0, {pipeline: entities})
    for component in components(TOPICS, device).values():
        for name in (*_STATE_TOPICS, "command_topic"):
            assert not set(component.get(name, "")) & set("+# \0")
    json.dumps(components(TOPICS, device)).encode()


def test_no_change_no_message() -> None:
    """The same again is not worth a message."""
    speaker = Speaker()
    assert speaker.says(DEVICE) is not None
    assert speaker.says(DEVICE) is None
    assert speaker.says(LESS) is not None


def test_what_left_is_removed() -> None:
    """Entities of an earlier run that are gone are named with their platform alone."""
    before = Speaker().says(DEVICE)
    speaker = Speaker()
    assert stubs(speaker.says(LESS)) == set()
    renewed = speaker.reads(before)
    assert stubs(renewed) == GONE
    # The other way round: what was there is known before anything is announced.
    speaker = Speaker()
    assert speaker.reads(before) is None
    assert stubs(speaker.says(LESS)) == GONE
    # Home Assistant may still be away: the next run names them again.
    speaker = Speaker()
    speaker.reads(renewed)
    assert stubs(speaker.says(LESS)) == GONE


def test_nothing_is_removed_while_a_model_is_not_open() -> None:
    """Its labels are not known yet, so what seems gone may come back."""
    speaker = Speaker()
    speaker.reads(Speaker().says(DEVICE))
    assert stubs(speaker.says(replace(LESS, complete=False))) == set()
    assert stubs(speaker.says(LESS)) == GONE


def test_home_assistant_starts() -> None:
    """It is told everything again; what is gone is shown once more, then removed and forgotten."""
    speaker = Speaker()
    assert speaker.hears() == []
    speaker.reads(Speaker().says(DEVICE))
    speaker.says(LESS)
    revived, removed, clean = speaker.hears()
    assert (revived.retain, removed.retain, clean.retain) == (False, True, True)
    assert set(content(revived)["components"]) == set(components(TOPICS, DEVICE))
    assert stubs(revived) == set()
    assert stubs(removed) == GONE
    assert set(content(clean)["components"]) == set(components(TOPICS, LESS))
    assert speaker.hears() == [clean]
    assert speaker.says(LESS) is None
    assert speaker.births == 3


def test_other_news_of_home_assistant() -> None:
    """Its death, and a birth that somebody retained, are no reason to speak."""
    speaker = Speaker()
    speaker.says(DEVICE)
    assert speaker.hears(b"offline") == speaker.hears(kept=True) == []
    assert speaker.births == 0


FOREIGN = [
    b"", b"{", b"[]", b"17", b'{"components": {}}', b'{"origin": {"name": "other"}}',
    b'{"origin": {"name": "edge-agent"}, "components": []}',
    b'{"origin": {"name": "edge-agent"}, "components": {"a": 1}}', b"[" * 100_000,
]  # fmt: skip


@pytest.mark.parametrize("payload", FOREIGN)
def test_what_is_not_ours_is_left_alone(payload: bytes) -> None:
    """A foreign or broken message under our topic is replaced, and nothing of it removed."""
    speaker = Speaker()
    speaker.says(DEVICE)
    assert list(speaker.receive(retained(payload))) == []
    assert len(speaker.messages) == 1
    assert list(Retraction(TOPICS, OPTIONS).receive(retained(payload))) == []


def test_discovery_turned_off_takes_the_device_back() -> None:
    """The message of an earlier run is removed, which removes the device."""
    before = Speaker().says(DEVICE)
    assert before is not None
    off = Retraction(TOPICS, OPTIONS)
    off.announce(DEVICE)
    (message,) = off.receive(retained(before.payload))
    assert (message.topic, message.payload, message.retain) == (CONFIG, b"", True)


def test_a_prefix_that_is_none() -> None:
    """A wildcard in the discovery prefix is refused with the option's name."""
    with pytest.raises(ValueError, match=r"mqtt\.homeassistant\.prefix"):
        Retraction(TOPICS, HomeAssistantOptions(prefix="a/#"))


def discovery(messages: Iterable[Any]) -> list[dict[str, Any]]:
    """What a subscriber received under the discovery topic."""
    return [json.loads(m.payload) for m in list(messages) if m.topic == CONFIG]


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_at_a_real_broker(
    broker: Mosquitto, agents: Factory, subscribers: Factory, protocol: str
) -> None:
    """Announced, announced again at a birth, and what an earlier run had is removed."""
    before = Speaker().says(DEVICE)
    assert before is not None
    hass = subscribers(broker.port)
    hass.paho.publish(CONFIG, before.payload, 1, retain=True).wait_for_publish(5)
    ways: list[MemoryOutbox] = []

    def publish(message: Message) -> None:
        for way in ways:
            way.put(message)

    speaker = Speaker(publish)
    agent = agents(broker.port, protocol=protocol, client={"listeners": [speaker]})
    ways.append(agent.outbox)
    speaker.announce(LESS)

    def removed() -> bool:
        newest = discovery(hass.messages)[-1]["components"]
        return {key for key, each in newest.items() if len(each) == 1} == GONE

    wait_until(removed, what="nothing was removed")
    count = len(discovery(hass.messages))
    hass.paho.publish(BIRTH, b"online").wait_for_publish(5)
    wait_until(lambda: len(discovery(hass.messages)) == count + 3, what="no answer to the birth")
    late = subscribers(broker.port)
    wait_until(lambda: discovery(late.messages), what="nothing was retained")
    assert set(discovery(late.messages)[-1]["components"]) == set(components(TOPICS, LESS))
