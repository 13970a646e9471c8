"""Tells repeats and gaps by `(device, seq)`, in bounded memory.

A device numbers its events from 1 on and sends them in that order, more than once where an
acknowledgement was lost. So a higher number is fresh, and what it leaps over is missing. A lower
one is nearly always a repeat, but not always:

- A broker keeps the order of each topic only, so an event of one pipeline may overtake one of
  another. Which of the newest 1024 numbers have come is remembered (agents have at most 1000 under
  way), and one that has not is late, not repeated.
- A device that lost its state folder begins again at 1. A real repeat is no newer than what came
  before, by the monotonic clock of the boot that it names; an event that is newer, or of a boot
  never heard of, therefore begins a new numbering.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from edge_agent.client.bookmark import Bookmark
from edge_agent.client.messages import ReceivedEvent

_log = logging.getLogger(__name__)

_WINDOW = 1024
_MASK = (1 << _WINDOW) - 1
_BOOTS = 8
_IMPLAUSIBLE = 10**9  # without a folder agents count from the milliseconds since 1970
_MOST_DEVICES = 10_000


class Order(Enum):
    """Where an event stands among those that came before."""

    NEXT = "next"  # the first of its device, or the one after the last
    GAP = "gap"  # numbers before it are missing
    LATE = "late"  # overtaken by a later one
    RESTART = "restart"  # the device has begun a new numbering
    REPEAT = "repeat"  # it was here before


@dataclass(frozen=True, slots=True)
class Gap:
    """Numbers `first` to `last` of a device have not come, but a later one has.

    They were dropped at a bound of the agent or the broker, or nobody was there to receive them.
    After a power cut of the device up to 10,000 numbers may never have been used.
    """

    device: str
    first: int
    last: int

    @property
    def missed(self) -> int:
        """How many."""
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to make of an event; `gap` is what is missing before it."""

    order: Order
    gap: Gap | None = None

    @property
    def fresh(self) -> bool:
        """False for a repeat."""
        return self.order is not Order.REPEAT


@dataclass(slots=True)
class _Place:
    """How far one device has come: bit n of `seen` stands for the number `last` - n.

    `boots` is the newest monotonic time seen of each of its last boots, in ns.
    """

    last: int = 0
    seen: int = 0
    boots: dict[str, int] = field(default_factory=dict)

    def feed(self, event: ReceivedEvent) -> Verdict:
        """Note an event and judge it."""
        verdict = self._judge(event)
        if verdict.fresh:
            newest = self.boots.pop(event.clock.boot_id, 0)
            self.boots[event.clock.boot_id] = max(newest, event.clock.monotonic_ns)
            if len(self.boots) > _BOOTS:
                del self.boots[next(iter(self.boots))]
        return verdict

    def _judge(self, event: ReceivedEvent) -> Verdict:
        ahead = event.seq - self.last
        if self.last == 0:
            return self._begin(event.seq, Order.NEXT)
        if ahead > _IMPLAUSIBLE:
            return self._begin(event.seq, Order.RESTART)
        if ahead > 0:
            self.seen = ((self.seen << min(ahead, _WINDOW)) | 1) & _MASK
            first, self.last = self.last + 1, event.seq
            gap = Gap(event.device, first, event.seq - 1) if ahead > 1 else None
            return Verdict(Order.GAP if gap else Order.NEXT, gap)
        bit = 1 << -ahead if -ahead < _WINDOW else 0
        if bit & ~self.seen:
            self.seen |= bit
            return Verdict(Order.LATE)
        if self._is_newer(event):
            return self._begin(event.seq, Order.RESTART)
        return Verdict(Order.REPEAT)

    def _begin(self, seq: int, order: Order) -> Verdict:
        self.last, self.seen = seq, 1
        return Verdict(order)

    def _is_newer(self, event: ReceivedEvent) -> bool:
        newest = self.boots.get(event.clock.boot_id)
        return newest is None or event.clock.monotonic_ns > newest

    def to_text(self) -> str:
        """For a bookmark."""
        return json.dumps({"last": self.last, "seen": f"{self.seen:x}", "boots": self.boots})

    @classmethod
    def from_text(cls, text: str) -> _Place:
        """Raises ValueError, LookupError, TypeError or AttributeError for no such text."""
        values: dict[str, Any] = json.loads(text)
        boots = {str(boot): int(newest) for boot, newest in values["boots"].items()}
        return cls(int(values["last"]), int(values["seen"], 16) & _MASK, boots)


class SequenceTracker:
    """Judges the events of any number of devices; those heard of longest ago are forgotten first.

    With a bookmark it goes on where an earlier process was: call `keep` once an event is dealt
    with. It needs every event of a device, of all its pipelines, else it sees gaps.
    """

    def __init__(self, bookmark: Bookmark | None = None, most_devices: int = _MOST_DEVICES) -> None:
        self._bookmark = bookmark
        self._most_devices = most_devices
        self._places: dict[str, _Place] = {}

    def feed(self, event: ReceivedEvent) -> Verdict:
        """Note an event and tell where it stands."""
        place = self._places.pop(event.device, None) or self._load(event.device)
        self._places[event.device] = place
        if len(self._places) > self._most_devices:
            del self._places[next(iter(self._places))]
        return place.feed(event)

    def keep(self, device: str) -> None:
        """Put into the bookmark how far a device has come; without one this does nothing."""
        place = self._places.get(device)
        if self._bookmark is not None and place is not None:
            self._bookmark.save(device, place.to_text())

    def _load(self, device: str) -> _Place:
        text = self._bookmark.load(device) if self._bookmark else None
        if text is None:
            return _Place()
        try:
            return _Place.from_text(text)
        except (ValueError, LookupError, TypeError, AttributeError):
            _log.error("the bookmark of %s cannot be read; its events begin anew", device)
            return _Place()
