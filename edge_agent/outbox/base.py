"""What every outbox does, in memory or on disk.

A message is put, taken by the client, then settled: `ack` (the broker has it), `reject` (it will
never be accepted: it leaves and is counted) or `release` (the connection was lost: it goes back
to the front). What is never settled stays taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from edge_agent.message import Message


class Entry(NamedTuple):  # made for every message: a dataclass takes three times as long
    """A message as it was taken; ids rise with the order of putting, `put_time` is epoch s.

    `replayed` marks an event that was held back: put before this process or while the broker was
    away, or taken before and released.
    """

    id: int
    message: Message
    put_time: float
    replayed: bool = False


class Outbox(Protocol):
    """Queue between the rules and the client; every method may be called from any thread.

    By `Message.delivery`: events are kept in order until acknowledged; of states only the newest
    of each topic is kept; telemetry is kept only while online. Each kind has its own share of the
    room, so none crowds out another. When a share is full its oldest waiting message goes.
    """

    def put(self, message: Message) -> None:
        """Queue a message; never blocks on the broker and never raises for being full."""

    def put_event(self, make: Callable[[int], Message]) -> int:
        """Queue the message made with the device's next `seq` and return that seq.

        `make` runs under the lock: it must be quick and must not call the outbox. If it raises,
        the number is not used up. Where there is a disk the event is on it when this returns.
        """

    def put_events(self, makes: Sequence[Callable[[int], Message]]) -> list[int]:
        """The same for several at once, all or none of them: they share the cost of the disk."""

    def take(self, limit: int) -> list[Entry]:
        """At most `limit` messages to send now, kinds in turn, each kind in its own order."""

    def ack(self, ids: Iterable[int]) -> None:
        """The broker has these: forget them."""

    def reject(self, ids: Iterable[int], reason: str) -> None:
        """The broker will never accept these: forget them and count them under `reason`."""

    def release(self, ids: Iterable[int]) -> None:
        """These were not delivered: put them back at the front, in their order."""

    def set_online(self, online: bool) -> None:
        """Tell whether the broker is there; telemetry is dropped while it is not."""

    def set_listener(self, listener: Callable[[], None] | None) -> None:
        """Call `listener` after each put or release; it must be quick and must not raise."""

    @property
    def depth(self) -> int:
        """Messages that are not settled yet, waiting or taken."""

    @property
    def drops(self) -> Mapping[str, int]:
        """Messages lost so far by kind and reason: `event_full`, `event_age`, ..."""

    def close(self) -> None:
        """Let go of everything; what is put afterwards is dropped and counted as `closed`."""
