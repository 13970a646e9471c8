"""What comes in from the broker, and who reads it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, Self

from paho.mqtt.client import MQTTMessage

from edge_agent.message import Message


@dataclass(frozen=True, slots=True)
class Received:
    """A message as it came; `retained` ones were there before we subscribed.

    On MQTT 5 whoever sent it may name a topic for the answer and what must stand in it. `packet` is
    the number of the connection and its packet id, for `Subscriber.done`.
    """

    topic: str
    payload: bytes
    retained: bool
    response_topic: str = ""
    correlation: bytes = b""
    packet: tuple[int, int] = (0, 0)

    @classmethod
    def of(cls, message: MQTTMessage, connection: int = 0) -> Self:
        """The same as paho hands it over, on the connection of that number."""
        return cls(
            message.topic,
            bytes(message.payload),
            message.retain,
            getattr(message.properties, "ResponseTopic", ""),
            getattr(message.properties, "CorrelationData", b""),
            (connection, message.mid),
        )


class Listener(Protocol):
    """Reads some topics for as long as there is a connection."""

    @property
    def filters(self) -> tuple[str, ...]:
        """What to subscribe to; no two listeners share a topic."""

    def receive(self, received: Received) -> Iterable[Message]:
        """What to publish in answer; called in the client's thread, so it must be quick."""
