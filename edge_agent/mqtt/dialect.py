"""How a device speaks on a connection: what frames it, and how each message goes out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from edge_agent.message import Message
from edge_agent.mqtt.messages import status_message
from edge_agent.mqtt.payloads import as_replayed
from edge_agent.mqtt.topics import Topics

Sent = tuple[Message, bytes]
"""A message with the payload that it goes out with."""


class Dialect(Protocol):
    """The outbox keeps messages as `Messages` makes them; a dialect says them its own way.

    All methods belong to the client's thread. `heals` tells whether states are
    retained, so that stuck ones must be looked for.
    """

    heals: bool

    def will(self) -> Message:
        """What the broker shall say of the next connection when it is lost."""

    def hello(self, states: Iterable[Message]) -> Sequence[Message]:
        """What is said first on a connection; `states` are those that the broker may have lost."""

    def goodbye(self) -> Sequence[Message]:
        """What is said last."""

    def outgoing(self, message: Message, replayed: bool) -> Sequence[Sent]:
        """What goes out for a message, in order; nothing where there is nothing to say.

        The one with the highest QoS, the last of them, stands for it when acknowledged.
        """


class JsonDialect:
    """Messages as they are; what was held back says so."""

    heals = True

    def __init__(self, topics: Topics) -> None:
        self._topics = topics

    def will(self) -> Message:
        """The device is offline."""
        return status_message(self._topics, online=False)

    def hello(self, states: Iterable[Message]) -> Sequence[Message]:
        """The device is online, and every known state again."""
        online = status_message(self._topics, online=True)
        return [online, *(state for state in states if state.topic != online.topic)]

    def goodbye(self) -> Sequence[Message]:
        """The device is offline."""
        return (self.will(),)

    def outgoing(self, message: Message, replayed: bool) -> Sequence[Sent]:
        """The message, with the mark of one that was held back."""
        return ((message, as_replayed(message.payload) if replayed else message.payload),)
