"""Sparkplug B through the client: what is acknowledged, and the last goodbye."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any, cast

import pytest

from edge_agent.backoff import Backoff
from edge_agent.mqtt.connection import Answer, Connection, Grant
from edge_agent.mqtt.healing import NoHealer
from edge_agent.mqtt.messages import Messages
from edge_agent.mqtt.session import Memory, Session
from edge_agent.mqtt.topics import Topics
from edge_agent.outbox.memory import MemoryOutbox
from tests.support.broker import wait_until
from tests.support.samples import event

pytest.importorskip("google.protobuf")
from edge_agent.mqtt.sparkplug import SparkplugDialect
from edge_agent.mqtt.sparkplug_pb import Payload, get_value

TOPICS = Topics("edge", "dev")
MESSAGES = Messages(TOPICS, "boot-1")
NODE = "spBv1.0/edge/{}/dev"


def bd_seq(payload: bytes) -> int:
    """The `bdSeq` of a birth or a death."""
    metrics = Payload.FromString(payload).metrics
    return next(int(get_value(each)) for each in metrics if each.name == "bdSeq")


class Broker:
    """Stands for a connection: QoS 0 is done at once, QoS 1 when the test says so."""

    congested = False
    grant = Grant(20)

    def __init__(self) -> None:
        self.sent: list[tuple[str, int]] = []
        self.answers: list[Answer] = []

    def publish(self, message: Any, _payload: bytes) -> int:
        """Take a message."""
        self.sent.append((message.topic.split("/")[2], message.qos))
        if not message.qos:
            self.answers.append(Answer(len(self.sent), (0,)))
        return len(self.sent)

    def acknowledge(self) -> None:
        """Every message of QoS 1 has arrived."""
        mids = [mid for mid, (_, qos) in enumerate(self.sent, 1) if qos]
        self.answers += [Answer(mid, (0,)) for mid in mids]

    def step(self, _timeout: float) -> None:
        """Nothing to wait for."""

    def subscribe(self, _filters: Any) -> int:
        """Nothing comes in."""
        return 0

    def take_published(self) -> list[Answer]:
        """Answers since the last call."""
        answers, self.answers = self.answers, []
        return answers

    def take_subscribed(self) -> list[Answer]:
        """None."""
        return []

    def take_received(self) -> list[Any]:
        """None."""
        return []


def test_an_event_leaves_the_outbox_when_it_was_acknowledged_itself() -> None:
    """Not with the birth before it or the death after it, which nobody acknowledges."""
    dialect = SparkplugDialect(TOPICS, lambda _: ())
    dialect.will()
    broker, outbox = Broker(), MemoryOutbox()
    session = Session(cast("Connection", broker), outbox, Memory(), NoHealer(), dialect, (dialect,))
    outbox.set_online(True)
    session.begin()
    outbox.put(MESSAGES.pipeline_status("door", False))
    session.turn(0)
    outbox.put_event(lambda seq: MESSAGES.event(event(), seq))
    session.turn(0)
    session.turn(0)
    assert broker.sent == [("NBIRTH", 0), ("DBIRTH", 0), ("DDATA", 1), ("DDEATH", 0)]
    assert outbox.depth == 1
    broker.acknowledge()
    session.turn(0)
    assert outbox.depth == 0


class Longest(Random):
    """Draws the end of a range."""

    def uniform(self, _a: float, b: float) -> float:
        """The longest wait."""
        return b


def test_a_last_try_dies_as_it_was_born(
    brokers: Callable[..., Any], agents: Callable[..., Any], subscribers: Callable[..., Any]
) -> None:
    """Stopped while it waits to connect again, it connects once more: the death is of that one."""
    broker = brokers()
    broker.kill()
    dialect = SparkplugDialect(TOPICS, lambda _: ())
    agent = agents(
        broker.port, client={"dialect": dialect, "backoff": Backoff(30.0, 30.0, Longest())}
    )
    agent.outbox.put_event(lambda seq: MESSAGES.event(event(), seq))
    agent.wait_reason("refused")
    broker.start()
    subscriber = subscribers(broker.port, "spBv1.0/#")
    assert agent.client.stop(5.0) is True
    death = NODE.format("NDEATH")
    wait_until(lambda: subscriber.of(death), what="no NDEATH")
    births, deaths = subscriber.of(NODE.format("NBIRTH")), subscriber.of(death)
    assert [bd_seq(each) for each in births] == [bd_seq(each) for each in deaths]
