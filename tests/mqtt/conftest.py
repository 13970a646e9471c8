"""A real broker and real clients for the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from edge_agent.backoff import Backoff
from edge_agent.message import Delivery, Message
from edge_agent.mqtt.client import MqttClient
from edge_agent.mqtt.messages import Messages
from edge_agent.mqtt.options import MqttOptions
from edge_agent.mqtt.topics import Topics
from edge_agent.outbox.memory import MemoryOutbox
from tests.support.broker import Mosquitto, Subscriber, wait_until

Factory = Callable[..., Any]


@dataclass
class Agent:
    """The publishing part of an agent called "dev": topics, outbox and client."""

    client: MqttClient
    outbox: MemoryOutbox
    messages: Messages

    def events(self, count: int) -> None:
        """Queue numbered events."""
        for _ in range(count):
            self.outbox.put_event(
                lambda seq: Message("edge/dev/door/events", b"%d" % seq, Delivery.EVENT, qos=1)
            )

    def wait_connected(self, timeout: float = 10.0) -> None:
        """Wait until the broker has accepted us."""
        wait_until(lambda: self.client.state.connected, timeout, lambda: self.client.state.reason)

    def wait_empty(self, timeout: float = 10.0) -> None:
        """Wait until the broker has everything."""
        wait_until(lambda: self.outbox.depth == 0, timeout, lambda: f"left: {self.outbox.depth}")

    def wait_reason(self, part: str, timeout: float = 10.0) -> None:
        """Wait until the reason for being offline contains a text."""
        wait_until(
            lambda: part in self.client.state.reason,
            timeout,
            lambda: f"the reason is {self.client.state.reason!r}, not {part!r}",
        )


@pytest.fixture
def brokers(tmp_path: Path) -> Iterator[Factory]:
    """Starts brokers, each in its own folder, and kills them after the test."""
    started: list[Mosquitto] = []

    def start(**options: Any) -> Mosquitto:
        folder = tmp_path / f"broker{len(started)}"
        folder.mkdir()
        started.append(Mosquitto(folder, **options).start())
        return started[-1]

    yield start
    for broker in started:
        broker.kill()


@pytest.fixture
def broker(brokers: Factory) -> Mosquitto:
    """A broker that lets everybody in."""
    started: Mosquitto = brokers()
    return started


@pytest.fixture
def agents() -> Iterator[Factory]:
    """Makes and starts agents that retry quickly, and stops them after the test."""
    started: list[Agent] = []

    def start(port: int, *, client: dict[str, Any] | None = None, **options: Any) -> Agent:
        settings = MqttOptions(**{"host": "127.0.0.1", "port": port, **options})
        topics = Topics("edge", "dev")
        outbox = MemoryOutbox()
        extra = {"backoff": Backoff(0.05, 0.1), "connect_timeout": 1.0, **(client or {})}
        agent = Agent(
            MqttClient(settings, topics, outbox, **extra), outbox, Messages(topics, "boot-1")
        )
        started.append(agent)
        agent.client.start()
        return agent

    yield start
    for agent in started:
        agent.client.stop(timeout=0.5)


@pytest.fixture
def subscribers() -> Iterator[Factory]:
    """Makes subscribers and closes them after the test."""
    started: list[Subscriber] = []

    def start(*args: Any, **options: Any) -> Subscriber:
        started.append(Subscriber(*args, **options))
        return started[-1]

    yield start
    for subscriber in started:
        subscriber.close()
