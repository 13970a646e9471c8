"""What the client needs of the queue that it empties; the outboxes offer it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from edge_agent.message import Message


class Taken(Protocol):
    """A message on loan from the queue."""

    @property
    def id(self) -> int:
        """Its number in the queue."""

    @property
    def message(self) -> Message:
        """The message."""

    @property
    def replayed(self) -> bool:
        """Whether it is an event that was held back."""


class Feed(Protocol):
    """A queue from which messages are taken and settled by `ack`, `reject` or `release`."""

    def take(self, limit: int) -> Sequence[Taken]:
        """At most `limit` messages to send now."""

    def ack(self, ids: Iterable[int]) -> None:
        """The broker has these."""

    def reject(self, ids: Iterable[int], reason: str) -> None:
        """The broker will never take these."""

    def release(self, ids: Iterable[int]) -> None:
        """These were not delivered and go back to the front."""

    def set_online(self, online: bool) -> None:
        """Tell whether the broker is there."""

    def set_listener(self, listener: Callable[[], None] | None) -> None:
        """Whom to call when there is something to take."""

    @property
    def depth(self) -> int:
        """Messages that are not settled yet."""
