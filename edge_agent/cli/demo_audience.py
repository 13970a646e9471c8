"""What the demos have in common: a private broker, an agent, and a subscriber who listens."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from edge_agent.cli.options import from_values
from edge_agent.config.schema import Config
from edge_agent.drawing import Picture, save_picture
from edge_agent.errors import EdgeAgentError, OutputError
from edge_agent.mqtt.broker import PrivateBroker
from edge_agent.mqtt.listener import Received
from edge_agent.mqtt.subscriber import Subscriber
from edge_agent.mqtt.topics import Topics
from edge_agent.runtime.agent import Agent
from edge_agent.runtime.wire import build_agent

DEVICE = "demo"

_LAST_WORDS = 5.0  # seconds for the last messages to arrive


def perform(
    values: Mapping[str, Any],
    receive: Callable[[Received, Topics], None],
    stop: threading.Event,
) -> tuple[int, Agent]:
    """Run an agent of that configuration to its end; give its exit code, and itself.

    `receive` is called, in a thread of its own, with each message that the agent published.
    """
    broker = PrivateBroker()
    broker.start()
    try:
        config = from_values(
            {
                "agent": {"name": DEVICE},
                "mqtt": {"host": broker.host, "port": broker.port, "protocol": broker.protocol},
                **values,
            }
        )
        audience = _Audience(config, receive)
        audience.start()
        print(f"a private MQTT {broker.protocol} broker runs at {broker.host}:{broker.port}")
        print("what a subscriber receives, by the recording's own time:\n", flush=True)
        agent = build_agent(config)
        code = agent.run(stop)
        audience.wait()
    finally:
        broker.stop()
    return code, agent


def keep_picture(folder: Path, name: str, image: Picture) -> Path:
    """Write it into the folder, or a temporary one where that cannot be written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        save_picture(folder / name, image)
    except (OSError, OutputError):
        folder = Path(tempfile.mkdtemp(prefix="edge-agent-demo-"))
        save_picture(folder / name, image)
    return folder / name


class _Audience:
    """A subscriber like any other, who stays until the agent says good-bye."""

    def __init__(self, config: Config, receive: Callable[[Received, Topics], None]) -> None:
        self._topics = Topics(config.mqtt.topic_prefix, config.agent.name)
        self._receive = receive
        self._over = threading.Event()
        self._subscriber = Subscriber(config.mqtt, [f"{self._topics.base}/#"], self._hear)

    def start(self) -> None:
        """Subscribe before anything is published."""
        self._subscriber.start()
        if not self._subscriber.subscribed.wait(_LAST_WORDS):
            raise EdgeAgentError("the private broker does not accept a subscription")

    def wait(self) -> None:
        """Wait for the agent's last message."""
        self._over.wait(_LAST_WORDS)
        self._subscriber.stop()

    def _hear(self, message: Received) -> None:
        if message.topic == self._topics.status and message.payload == b"offline":
            self._over.set()
        else:
            self._receive(message, self._topics)
