"""A real broker and a real agent's publishing side for the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_agent.backoff import Backoff
from edge_agent.mqtt.client import MqttClient
from edge_agent.mqtt.messages import Messages
from edge_agent.mqtt.options import MqttOptions
from edge_agent.mqtt.topics import Topics
from edge_agent.outbox.base import Outbox
from edge_agent.outbox.options import OutboxOptions
from edge_agent.outbox.sqlite import SqliteOutbox
from tests.mqtt.conftest import broker, brokers  # noqa: F401 - fixtures
from tests.support.broker import wait_until
from tests.support.samples import event


class Publisher:
    """The publishing side of the device "dev": the outbox on disk and the client."""

    def __init__(self, port: int, outbox: Outbox, **options: Any) -> None:
        topics = Topics("edge", "dev")
        settings = MqttOptions("127.0.0.1", port, **options)
        self.outbox = outbox
        self._messages = Messages(topics, "boot-1")
        self._client = MqttClient(settings, topics, outbox, backoff=Backoff(0.05, 0.1))
        self._client.start()

    def publish(self, count: int, pipeline: str = "door", **changes: Any) -> None:
        """Events, and wait until the broker has them."""
        made = event(pipeline=pipeline, **changes)
        makes = [lambda seq: self._messages.event(made, seq)] * count
        self.outbox.put_events(makes)
        wait_until(lambda: self.outbox.depth == 0, what="the broker does not take the events")

    def skip(self, count: int) -> None:
        """Events that are too large for this outbox: dropped, but numbered."""
        for _ in range(count):
            self.outbox.put_event(lambda seq: self._messages.event(event(label="x" * 2**20), seq))

    def stop(self) -> None:
        """A clean end."""
        self._client.stop(2.0)
        self.outbox.close()


@pytest.fixture
def publishers(tmp_path: Path) -> Iterator[Callable[..., Publisher]]:
    """Starts publishers with the state of the one before, or with `state` of their own."""
    started: list[Publisher] = []

    def start(port: int, state: str = "state", **options: Any) -> Publisher:
        outbox = SqliteOutbox(tmp_path / state / "dev.outbox", OutboxOptions(max_bytes=2**20))
        started.append(Publisher(port, outbox, **options))
        return started[-1]

    yield start
    for publisher in started:
        publisher.stop()
