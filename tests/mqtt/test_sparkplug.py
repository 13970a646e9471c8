"""Sparkplug B, read back by a decoder of the test's own."""

from __future__ import annotations

import json
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.message import Message
from edge_agent.mqtt.commands import Command, CommandListener
from edge_agent.mqtt.listener import Received
from edge_agent.mqtt.messages import Messages
from edge_agent.mqtt.topics import Topics
from edge_agent.runtime.wire import build_agent
from tests.support.agent import TRUTH, AgentProcess, belt_config
from tests.support.broker import Mosquitto, Subscriber, wait_until
from tests.support.configs import good
from tests.support.samples import HEALTH, INFO, event

pytest.importorskip("google.protobuf")
from edge_agent.mqtt.sparkplug import SparkplugDialect
from edge_agent.mqtt.sparkplug_pb import DataType, Payload, set_value

TOPICS = Topics("plant", "dev")
MESSAGES = Messages(TOPICS, "boot-1")
_METRIC = {
    1: "name", 2: "alias", 3: "timestamp", 4: "datatype", 5: "historical", 7: "null",
    11: "value", 13: "value", 14: "value", 15: "value",
}  # fmt: skip


def fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """Number and value of each field of a protobuf message."""
    at = 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        key = varint()
        match key & 7:
            case 0:
                yield key >> 3, varint()
            case 1:
                yield key >> 3, struct.unpack("<d", data[at : at + 8])[0]
                at += 8
            case 2:
                length = varint()
                yield key >> 3, data[at : at + length]
                at += length


def decoded(data: bytes) -> tuple[int | None, list[dict[str, Any]]]:
    """The `seq` and the metrics of a payload."""
    found = list(fields(data))
    metrics = [{_METRIC[n]: v for n, v in fields(value)} for n, value in found if n == 2]
    return next((value for number, value in found if number == 3), None), metrics


class Host:
    """A host application: follows births, aliases and numbers, and complains of what is wrong.

    With `ask` it may have missed something, and asks for a rebirth.
    """

    def __init__(self, ask: Callable[[], None] | None = None) -> None:
        self._ask = ask
        self.seq: int | None = None
        self.names: dict[str, dict[int, str]] = {}
        self.values: dict[tuple[str, str], Any] = {}
        self.historical: list[Any] = []
        self.events: list[int] = []
        self.bd_seqs: list[int] = []
        self.times: dict[tuple[str, str], int] = {}

    def hear(self, topic: str, data: bytes) -> None:
        """Take in one message."""
        _, group, kind, node, *rest = topic.split("/")
        assert (group, node) == ("plant", "dev")
        if kind in ("NCMD", "DCMD"):  # of a host, which hears its own by a wildcard
            return
        device = rest[0] if rest else ""
        seq, metrics = decoded(data)
        if kind == "NDEATH":
            assert seq is None
            self.bd_seqs.append(metrics[0]["value"])
            self.names.clear()
            return
        expected = 0 if kind == "NBIRTH" else (self.seq or 0) + 1 & 0xFF
        if seq != expected:
            assert self._ask is not None, (topic, seq, expected)
            self._ask()
            self.names.clear()
        self.seq = seq
        if kind in ("NBIRTH", "DBIRTH"):
            if kind == "NBIRTH":
                self.names.clear()
                self.bd_seqs += [m["value"] for m in metrics if m["name"] == b"bdSeq"]
            self.names[device] = {m["alias"]: m["name"].decode() for m in metrics if "alias" in m}
        elif kind == "DDEATH":
            self.names.pop(device, None)
            return
        is_birth = kind in ("NBIRTH", "DBIRTH")
        times = [metric["timestamp"] for metric in metrics]
        assert times == sorted(times)
        for metric in metrics:
            assert "datatype" in metric or not is_birth
            assert "alias" not in metric or is_birth or not {"name", "datatype"} & set(metric)
            alias = metric.get("alias")
            if alias is not None and alias not in self.names.get(device, {}):
                assert self._ask is not None, (topic, alias)
                continue
            name = metric["name"].decode() if alias is None else self.names[device][alias]
            self.values[device, name] = metric.get("value")
            self.times[device, name] = metric["timestamp"]
            if name == "event/seq" and metric.get("value") and kind == "DDATA":
                self.events.append(metric["value"])
                self.historical.append(metric.get("historical", 0))


class Wire:
    """A dialect whose messages a host hears at once."""

    def __init__(self) -> None:
        self.commands: list[Command] = []
        listener = CommandListener(TOPICS, MESSAGES, ["door", "old door"], self.take)
        self.dialect = SparkplugDialect(TOPICS, listener.receive)
        self.host = Host()
        self.connect()

    def take(self, command: Command) -> bool:
        """Keep a command."""
        self.commands.append(command)
        return True

    def connect(self) -> None:
        """Begin a connection."""
        self.will = self.dialect.will()
        for message in self.dialect.hello(()):
            self.say(message)

    def say(self, message: Message, replayed: bool = False) -> list[str]:
        """Send a message; kinds of what went out."""
        kinds = []
        for said, payload in self.dialect.outgoing(message, replayed):
            if said.topic.startswith("spBv1.0/"):
                self.host.hear(said.topic, payload)
            kinds.append(said.topic.split("/")[2])
        return kinds

    def receive(
        self,
        kind: str,
        name: str,
        type_: DataType,
        value: Any,
        device: str = "",
        retained: bool = False,
        times: int = 1,
    ) -> list[str]:
        """A command of the host, so many times in one payload; kinds of what went out."""
        payload = Payload()
        for _ in range(times):
            set_value(payload.metrics.add(name=name), type_, value)
        topic = f"spBv1.0/plant/{kind}/dev" + (f"/{device}" if device else "")
        received = Received(topic, payload.SerializeToString(), retained)
        return [said for message in self.dialect.receive(received) for said in self.say(message)]


def test_births_data_and_deaths() -> None:
    """A device is born when it comes online, with all its metrics; data has aliases only."""
    wire = Wire()
    assert wire.say(MESSAGES.count("door", "person", 1)) == []
    assert wire.say(MESSAGES.pipeline_status("door", True)) == ["DBIRTH"]
    assert wire.say(MESSAGES.count("door", "person", 2)) == ["DDATA"]
    assert wire.host.values["door", "counts/person"] == 2
    assert wire.say(MESSAGES.count("door", "car", 1)) == ["DBIRTH"]  # a metric that is new
    assert wire.say(MESSAGES.enabled("door", False)) == ["DDATA"]
    assert wire.host.values["door", "enabled"] == 0
    assert wire.say(MESSAGES.threshold("door", 0.25)) == ["DDATA"]
    assert wire.host.values["door", "threshold"] == 0.25
    assert wire.say(MESSAGES.health(HEALTH)) == ["NDATA"]
    assert json.loads(wire.host.values["", "health"])["device"] == "dev"
    assert wire.say(MESSAGES.pipeline_status("door", False)) == ["DDEATH"]
    assert wire.say(MESSAGES.pipeline_status("door", False)) == []


def test_an_event() -> None:
    """Its fields and its whole JSON, historical when it was held back; QoS 1, to be kept."""
    wire = Wire()
    message = MESSAGES.event(event(), 7)
    assert wire.say(message, replayed=True) == ["DBIRTH", "DDATA"]
    assert wire.say(MESSAGES.event(event(), 8)) == ["DDATA"]
    assert wire.host.historical == [1, 0]
    assert wire.host.events == [7, 8]
    assert wire.host.values["door", "event/label"] == b"person"
    assert json.loads(wire.host.values["door", "event/json"])["seq"] == 8
    (_, (data, _)) = (None, wire.dialect.outgoing(message, False)[-1])
    assert data.qos == 1


def test_the_death_fits_the_birth() -> None:
    """BdSeq is that of the will, and another one at the next connection; devices are born again."""
    wire = Wire()
    wire.say(MESSAGES.pipeline_status("door", True))
    wire.host.hear(wire.will.topic, wire.will.payload)
    wire.connect()
    assert wire.host.values["door", "online"] == 1
    (bye,) = wire.dialect.goodbye()
    wire.host.hear(bye.topic, bye.payload)
    first, first_death, second, second_death = wire.host.bd_seqs
    assert (first_death, second_death) == (first, second)
    assert second == (first + 1) % 256
    assert (wire.will.qos, wire.will.retain) == (1, False)


def test_commands() -> None:
    """Rebirth; a switch and a threshold by name; what makes no sense is refused."""
    wire = Wire()
    wire.say(MESSAGES.pipeline_status("door", True))
    wire.say(MESSAGES.count("door", "person", 3))
    wire.host.values.clear()
    wire.receive("NCMD", "Node Control/Rebirth", DataType.BOOLEAN, True)
    assert wire.host.values["door", "counts/person"] == 3
    wire.receive("DCMD", "enabled", DataType.BOOLEAN, False, "door")
    wire.receive("DCMD", "threshold", DataType.DOUBLE, 0.7, "door")
    wire.receive("DCMD", "threshold", DataType.DOUBLE, 1.7, "door")
    wire.receive("DCMD", "threshold", DataType.STRING, "0.7", "door")
    wire.receive("DCMD", "counts/person", DataType.INT64, 0, "door")
    wire.receive("DCMD", "enabled", DataType.BOOLEAN, True, "window")
    found = [(each.name, each.pipeline, each.value) for each in wire.commands]
    assert found == [("enabled", "door", False), ("threshold", "door", 0.7)]
    rubbish = Received("spBv1.0/plant/NCMD/dev", b"\xff\xff", retained=False)
    assert list(wire.dialect.receive(rubbish)) == []


def test_commands_are_bounded_as_those_of_topics() -> None:
    """Retained, of a pipeline that is gone, or too many: refused; a name with a space is found."""
    wire = Wire()
    for device in ("door", "old door", "gone"):
        wire.say(MESSAGES.pipeline_status(device, True))
    wire.receive("DCMD", "enabled", DataType.BOOLEAN, False, "door", retained=True)
    wire.receive("DCMD", "enabled", DataType.BOOLEAN, False, "gone")
    assert wire.commands == []
    wire.receive("DCMD", "enabled", DataType.BOOLEAN, False, "old_door")
    assert [each.pipeline for each in wire.commands] == ["old door"]
    wire.receive("DCMD", "enabled", DataType.BOOLEAN, False, "door", times=100)
    assert len(wire.commands) < 30


def test_rebirths_are_bounded() -> None:
    """One for each request that says true, however often it says so; a flood of them is cut."""
    wire = Wire()
    name = "Node Control/Rebirth"
    assert wire.receive("NCMD", name, DataType.BOOLEAN, False) == []
    assert wire.receive("NCMD", name, DataType.BOOLEAN, True, retained=True) == []
    assert wire.receive("NCMD", name, DataType.BOOLEAN, True, times=50) == ["NBIRTH"]
    assert wire.receive("NCMD", name, DataType.BOOLEAN, True, times=10_000) == []
    born = [wire.receive("NCMD", name, DataType.BOOLEAN, True) for _ in range(100)]
    assert 0 < born.count(["NBIRTH"]) < 20


def test_a_device_stays_dead_after_its_last_events() -> None:
    """Objects end after their source failed; the event is what the broker must acknowledge."""
    wire = Wire()
    wire.say(MESSAGES.pipeline_status("door", True))
    wire.say(MESSAGES.pipeline_status("door", False))
    assert wire.say(MESSAGES.event(event(), 9)) == ["DBIRTH", "DDATA", "DDEATH"]
    assert wire.host.events == [9]
    wire.connect()
    assert "door" not in wire.host.names
    qos = [said.qos for said, _ in wire.dialect.outgoing(MESSAGES.event(event(), 10), False)]
    assert qos == [0, 1, 0]


def test_a_birth_does_not_make_an_event_new() -> None:
    """Its metrics keep the time at which it happened, and none comes before its own message."""
    wire = Wire()
    wire.say(MESSAGES.event(event(), 7), replayed=True)
    wire.receive("NCMD", "Node Control/Rebirth", DataType.BOOLEAN, True)
    assert wire.host.values["door", "event/seq"] == 7
    assert wire.host.times["door", "event/seq"] == round(event().time * 1000)
    other = Wire()
    (_, birth), _ = other.dialect.outgoing(MESSAGES.event(event(), 7), True)
    metrics = decoded(birth)[1]
    assert [each.get("null") for each in metrics if each["name"] == b"event/seq"] == [1]


def test_numbers_of_the_node() -> None:
    """Version, boot id and the numbers of the health are metrics, known from the first birth on."""
    wire = Wire()
    unknown = wire.host.values["", "health/outbox/depth"]
    assert unknown is None
    assert wire.say(MESSAGES.info(INFO)) == ["NDATA"]
    assert wire.host.values["", "properties/boot_id"] == INFO.boot_id.encode()
    assert wire.host.values["", "properties/version"] == INFO.version.encode()
    assert wire.say(MESSAGES.health(HEALTH)) == ["NDATA"]
    assert wire.host.values["", "health/outbox/depth"] == HEALTH.outbox_depth
    assert wire.host.values["", "health/outbox/drops"] == sum(HEALTH.drops.values())
    assert wire.host.values["", "health/rss_bytes"] == HEALTH.rss_bytes


_MESSAGES = st.sampled_from(
    [
        MESSAGES.pipeline_status("door", True),
        MESSAGES.pipeline_status("door", False),
        MESSAGES.pipeline_status("yard", True),
        MESSAGES.count("door", "person", 1),
        MESSAGES.count("yard", "old dog", 0),
        MESSAGES.zone_count("door", "porch", "person", 2),
        MESSAGES.line_count("yard", "gate", "car", "in", 5),
        MESSAGES.enabled("door", True),
        MESSAGES.health(HEALTH),
        MESSAGES.event(event(), 1),
        MESSAGES.snapshot("door", b"\xff\xd8"),
        None,
    ]
)


@given(st.lists(_MESSAGES, max_size=600))
def test_a_host_can_follow_any_story(story: list[Message | None]) -> None:
    """Numbers without a gap from 0 to 255 and on, births before data, over reconnections."""
    wire = Wire()
    for message in story:
        if message is None:
            wire.host.hear(wire.will.topic, wire.will.payload)
            wire.connect()
        else:
            wire.say(message)


def test_the_numbers_begin_again_after_255() -> None:
    """And a birth of the node begins them at 0, wherever they are; the host checks each."""
    wire = Wire()
    wire.say(MESSAGES.pipeline_status("door", True))
    for number in range(600):
        wire.say(MESSAGES.count("door", "person", number))
    assert wire.host.seq == 601 % 256
    wire.connect()
    assert wire.host.seq == 1


def test_what_is_of_another_make_is_not_lost() -> None:
    """An event that is no JSON goes out as it is, on its own topic."""
    wire = Wire()
    odd = MESSAGES.event(event(), 1)
    ((said, payload),) = wire.dialect.outgoing(
        Message(odd.topic, b"17", odd.delivery, 1), replayed=False
    )
    assert (said.topic, payload) == (odd.topic, b"17")


def test_what_is_of_another_make_spoils_no_birth() -> None:
    """An event with a field of another type goes out as it is, and the next connection begins."""
    wire = Wire()
    odd = MESSAGES.event(event(), 1)
    fields = json.loads(odd.payload) | {"id": 5}
    other = Message(odd.topic, json.dumps(fields).encode(), odd.delivery, 1)
    assert [said.topic for said, _ in wire.dialect.outgoing(other, False)] == [odd.topic]
    assert wire.say(MESSAGES.event(event(), 2)) == ["DBIRTH", "DDATA"]
    wire.connect()
    assert wire.host.values["door", "event/seq"] == 2


def test_the_group_is_one_word() -> None:
    """A prefix with a slash cannot be a group."""
    with pytest.raises(ValueError, match="one word"):
        SparkplugDialect(Topics("a/b", "dev"), lambda _: ())


def test_without_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A configuration that asks for it gets one line that says what to install."""
    monkeypatch.delitem(sys.modules, "edge_agent.mqtt.sparkplug")
    monkeypatch.delitem(sys.modules, "edge_agent.mqtt.sparkplug_pb")
    monkeypatch.setitem(sys.modules, "google.protobuf", None)
    config = belt_config(1)
    config["mqtt"]["encoding"] = "sparkplug_b"
    with pytest.raises(Exception, match="pip install protobuf"):
        build_agent(good(tmp_path, json.dumps(config)))


def test_the_whole_agent(brokers: Any, tmp_path: Path) -> None:
    """The clip as Sparkplug B: killed and started again, without the broker for a while."""
    folder = tmp_path / "broker"
    folder.mkdir()
    broker = Mosquitto(folder, persistent=True).start()
    subscriber = Subscriber(broker.port, "spBv1.0/#", session="host")
    config = belt_config(broker.port, pace="loop")
    config["mqtt"] |= {"encoding": "sparkplug_b", "topic_prefix": "plant"}
    rebirth = Payload()
    set_value(rebirth.metrics.add(name="Node Control/Rebirth"), DataType.BOOLEAN, True)

    def ask() -> None:
        subscriber.paho.publish("spBv1.0/plant/NCMD/dev", rebirth.SerializeToString(), 0)

    # A broker that comes back knows the agent before the host: births of QoS 0 pass it by.
    host, heard = Host(ask), 0

    def listen() -> Host:
        nonlocal heard
        messages = list(subscriber.messages)
        for number, message in enumerate(messages[heard:], heard):
            # A broker that was stopped may deliver again what it had delivered.
            seen = {(each.topic, bytes(each.payload)) for each in messages[:number]}
            if (message.topic, bytes(message.payload)) not in seen:
                host.hear(message.topic, bytes(message.payload))
        heard = len(messages)
        return host

    try:
        with AgentProcess(tmp_path, config) as agent:
            wait_until(lambda: len(listen().events) >= 10, 30.0, lambda: agent.said)
            agent.kill()
            wait_until(lambda: len(listen().bd_seqs) == 2, 10.0, "no NDEATH")
            assert host.bd_seqs[0] == host.bd_seqs[1]
            agent.start()
            count = len(host.events)
            wait_until(lambda: len(listen().events) > count + 5, 30.0, lambda: agent.said)
            broker.stop()
            wait_until(lambda: "no connection to the broker" in agent.said, 10.0)
            broker.start()
            count = len(listen().events)
            wait_until(lambda: len(listen().events) > count + 20, 30.0, lambda: agent.said)
            assert agent.terminate() == 0
        assert any(host.historical)
        first = list(dict.fromkeys(host.events))
        assert first == list(range(1, len(first) + 1))
        labels = {name for device, name in host.values if name.startswith("counts/")}
        assert labels == {f"counts/{label}" for label in TRUTH}
        assert "Traceback" not in agent.said
    finally:
        subscriber.close()
        broker.kill()
