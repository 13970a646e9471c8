"""Commands over MQTT: what is let through, what is refused and with which words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge_agent.message import Message
from edge_agent.mqtt.commands import Command, CommandListener, Reply, TokenBucket
from edge_agent.mqtt.listener import Received
from edge_agent.mqtt.messages import Messages
from edge_agent.mqtt.payloads import load_schema
from edge_agent.mqtt.topics import Topics
from tests.mqtt.conftest import Factory
from tests.support.broker import Mosquitto, wait_until

TOPICS = Topics("edge", "dev")
MESSAGES = Messages(TOPICS, "boot")


class Desk:
    """Keeps what was handed over; has room for `room` commands."""

    def __init__(self, room: int = 1000, bucket: TokenBucket | None = None) -> None:
        self.commands: list[Command] = []
        self._room = room
        self.listener = CommandListener(
            TOPICS, MESSAGES, ["door", "back yard"], self.take, ["homeassistant"],
            bucket or TokenBucket(1000, 1000.0),
        )  # fmt: skip

    def take(self, command: Command) -> bool:
        """Keep a command while there is room."""
        if len(self.commands) >= self._room:
            return False
        self.commands.append(command)
        return True

    def send(self, topic: str, payload: bytes = b"", **more: Any) -> list[Message]:
        """Receive a message below the device's topics; the answers."""
        received = Received(f"edge/dev/{topic}", payload, more.pop("retained", False), **more)
        return list(self.listener.receive(received))


def why(messages: list[Message]) -> str:
    """The reason in the one answer, after its schema has accepted it."""
    (message,) = messages
    answer = json.loads(message.payload)
    Draft202012Validator(load_schema("answer")).validate(answer)
    assert answer["ok"] is False
    return str(answer["error"])


@pytest.mark.parametrize(
    ("topic", "payload", "expected"),
    [
        ("door/enabled/set", b"OFF", ("enabled", "door", False)),
        ("door/enabled/set", b" on\n", ("enabled", "door", True)),
        ("back_yard/threshold/set", b"0.25", ("threshold", "back yard", 0.25)),
        ("door/threshold/set", b"1", ("threshold", "door", 1.0)),
        ("cmd/ping", b"", ("ping", None, None)),
        ("cmd/reload", b"PRESS", ("reload", None, None)),
        ("cmd/restart", b"{}", ("restart", None, None)),
        ("cmd/snapshot", b'{"pipeline": "door"}', ("snapshot", "door", None)),
        ("cmd/snapshot", b"", ("snapshot", None, None)),
        ("cmd/model", b"", ("model", None, None)),
    ],
)
def test_what_makes_sense_is_handed_on(
    topic: str, payload: bytes, expected: tuple[object, ...]
) -> None:
    """Each command with its pipeline and value; the answer is left to whoever carries it out."""
    desk = Desk()
    assert desk.send(topic, payload) == []
    (command,) = desk.commands
    assert (command.name, command.pipeline, command.value) == expected


@pytest.mark.parametrize(
    ("topic", "payload", "reason"),
    [
        ("door/enabled/set", b"maybe", "must be ON or OFF"),
        ("door/threshold/set", b"1.01", "a number from 0 to 1"),
        ("door/threshold/set", b"nan", "a number from 0 to 1"),
        ("door/threshold/set", b"\xff", "a number from 0 to 1"),
        ("window/enabled/set", b"ON", "there is no pipeline window"),
        ("cmd/shell", b"rm -rf /", "unknown command; there are snapshot, reload"),
        ("cmd/ping", b'{"path": "/etc/passwd"}', "the payload must be empty"),
        ("cmd/ping", b'{"pipeline": "door"}', "the payload must be empty"),
        ("cmd/snapshot", b'{"pipeline": "../x"}', "there is no such pipeline"),
        ("cmd/snapshot", b'{"file": "x"}', "must be empty or"),
        ("cmd/snapshot", b"[]", "must be empty or a JSON object"),
        ("cmd/snapshot", b"[" * 1000, "must be empty or a JSON object"),
        ("cmd/ping", b"x" * 1025, "larger than 1024 bytes"),
    ],
)
def test_what_makes_no_sense_is_refused(topic: str, payload: bytes, reason: str) -> None:
    """Malformed, oversized and unknown commands are answered with the reason, and end there."""
    desk = Desk()
    assert reason in why(desk.send(topic, payload))
    assert desk.commands == []


def test_a_retained_command_is_refused() -> None:
    """It would be carried out again at every connection: a restart would never end."""
    desk = Desk()
    assert "retained" in why(desk.send("cmd/restart", retained=True))
    assert desk.commands == []


def test_answers_go_where_they_are_wanted() -> None:
    """To the response topic with its correlation data, else to the command's own response topic."""
    desk = Desk()
    desk.send("cmd/ping", response_topic="me/answers", correlation=b"7")
    desk.send("door/enabled/set", b"ON")
    assert [command.reply for command in desk.commands] == [
        Reply("me/answers", b"7"),
        Reply("edge/dev/cmd/enabled/response"),
    ]
    (refusal,) = desk.send("cmd/nonsense", response_topic="me/answers", correlation=b"8")
    assert (refusal.topic, refusal.correlation, refusal.retain) == ("me/answers", b"8", False)


@pytest.mark.parametrize(
    "topic",
    ["edge/dev/status", "homeassistant/device/x/config", "$SYS/x", "a/#", "a/+/b", "x" * 257],
)
def test_no_answer_is_given_in_foreign_rooms(topic: str) -> None:
    """Nobody makes the agent write its own states, discovery, or what is no topic."""
    desk = Desk()
    (answer,) = desk.send("cmd/ping", response_topic=topic)
    assert answer.topic == "edge/dev/cmd/ping/response"
    assert "response topic" in why([answer])
    assert desk.commands == []


def test_a_flood_is_answered_once() -> None:
    """After a burst only so many a second pass; the rest costs one answer, not thousands."""
    now = [0.0]
    desk = Desk(bucket=TokenBucket(3, 2.0, lambda: now[0]))
    answers = [answer for _ in range(100) for answer in desk.send("cmd/ping")]
    assert len(desk.commands) == 3
    assert why(answers) == "too many commands"
    now[0] += 1.0
    desk.send("cmd/ping")
    desk.send("cmd/ping")
    assert len(desk.commands) == 5
    assert why(desk.send("cmd/ping")) == "too many commands"


def test_no_room_is_a_refusal() -> None:
    """While earlier commands are not done yet, a new one is told so."""
    desk = Desk(room=0)
    assert "busy" in why(desk.send("cmd/ping"))


def test_refusals_are_logged_now_and_then(caplog: pytest.LogCaptureFixture) -> None:
    """A sender of nonsense does not fill the log."""
    desk = Desk()
    for _ in range(50):
        desk.send("cmd/nonsense")
    assert sum("refused" in message for message in caplog.messages) == 1


@given(
    topic=st.sampled_from(
        ["cmd/snapshot", "cmd/x", "door/enabled/set", "door/threshold/set", "?/enabled/set"]
    ),
    payload=st.binary(max_size=1100),
    response_topic=st.text(max_size=20),
    correlation=st.binary(max_size=20),
)
def test_any_bytes_are_a_command_or_an_answer(
    topic: str, payload: bytes, response_topic: str, correlation: bytes
) -> None:
    """Whatever comes in is handed on or refused, exactly one of both, and never raises."""
    desk = Desk()
    answers = desk.send(topic, payload, response_topic=response_topic, correlation=correlation)
    assert len(answers) + len(desk.commands) == 1


def test_commands_through_a_real_broker(
    broker: Mosquitto, agents: Factory, subscribers: Factory
) -> None:
    """MQTT 5: a refusal comes back on the response topic with the correlation data."""
    desk = Desk()
    agent = agents(broker.port, client={"listeners": [desk.listener]})
    agent.wait_connected()
    asker = subscribers(broker.port, "me/#")
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    properties.ResponseTopic = "me/answers"
    properties.CorrelationData = b"\x00\x01"
    asker.paho.publish("edge/dev/cmd/nonsense", b"", 1, properties=properties)
    wait_until(lambda: asker.messages, what="no answer")
    (answer,) = asker.messages
    assert answer.properties.CorrelationData == b"\x00\x01"
    assert json.loads(answer.payload)["command"] == "nonsense"
    asker.paho.publish("edge/dev/door/enabled/set", b"OFF", 1)
    wait_until(lambda: desk.commands, what="no command")


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_retained_command_at_a_real_broker(
    broker: Mosquitto, agents: Factory, subscribers: Factory, protocol: str
) -> None:
    """What was retained before we came is not carried out; what comes later is."""
    desk = Desk()
    other = subscribers(broker.port)
    other.paho.publish("edge/dev/cmd/restart", b"", 1, retain=True).wait_for_publish(5)
    other.paho.publish("edge/dev/cmd/reload", b"PRESS", 1, retain=True).wait_for_publish(5)
    agent = agents(broker.port, protocol=protocol, client={"listeners": [desk.listener]})
    agent.wait_connected()
    other.paho.publish("edge/dev/cmd/ping", b"", 1).wait_for_publish(5)
    wait_until(lambda: desk.commands, what="no command")
    assert [command.name for command in desk.commands] == ["ping"]


def test_a_model_with_and_without_a_version() -> None:
    """Names alone; which there are is known elsewhere."""
    desk = Desk()
    assert desk.send("cmd/model", b'{"model": "coco"}') == []
    assert desk.send("cmd/model", b'{"model": "coco", "version": "2"}') == []
    found = [(each.name, each.model, each.version) for each in desk.commands]
    assert found == [("model", "coco", None), ("model", "coco", "2")]


@pytest.mark.parametrize(
    "payload",
    [
        b'{"model": 1}',
        b'{"version": "2"}',
        b'{"model": "a", "version": 2}',
        b'{"model": "a", "x": 1}',
    ],
)
def test_a_model_that_is_not_named(payload: bytes) -> None:
    """The answer shows the form."""
    assert 'must be {"model": NAME}' in why(Desk().send("cmd/model", payload))
