"""Events of what several pipelines see together: told and counted as those of a pipeline are."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from edge_agent.clock import Clock, SystemClock
from edge_agent.event import ClockStamp, Event
from edge_agent.mqtt.messages import Messages, removed
from edge_agent.outbox.base import Outbox
from edge_agent.rules.composite import Composite, CompositeOptions, Turn
from edge_agent.runtime.reporter import Identity

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Running:
    """A composite with what was told of it: its newest event while it holds, and its status."""

    options: CompositeOptions
    rules: Composite
    begun: Event | None = None
    online: bool | None = None

    @property
    def parts(self) -> frozenset[str]:
        """Names of the pipelines that it goes by."""
        return frozenset(each.pipeline for each in self.options.all.values())


class Composites:
    """All composites of an agent.

    `note` is called in the thread of whatever pipeline has something to tell, with that pipeline's
    lock held, so it asks nothing of pipelines; all else belongs to the agent's thread. `on_events`
    is shown each event; `clock` is that of the sources.
    """

    def __init__(
        self,
        identity: Identity,
        messages: Messages,
        outbox: Outbox,
        on_events: Callable[[Sequence[Event]], None] = lambda _: None,
        clock: Clock | None = None,
    ) -> None:
        self._identity = identity
        self._messages = messages
        self._outbox = outbox
        self._on_events = on_events
        self._clock = clock or SystemClock()
        self._running: dict[str, _Running] = {}
        self._open: dict[str, Event] = {}  # newest event of each story, by its id
        self._lock = threading.Lock()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all of them."""
        return tuple(self._running)

    def serve(self, wanted: Mapping[str, CompositeOptions]) -> None:
        """Have these from now on; those that stay the same go on.

        A new one knows what is there already, and its states at the broker are put right.
        """
        with self._lock:
            same = {n: e for n, e in self._running.items() if wanted.get(n) == e.options}
            for name, each in self._running.items():
                if name not in same:
                    self._stop(name, each)
                if name not in wanted:
                    self._retract(name)
            self._running = {
                name: same.get(name) or _Running(options, Composite(options))
                for name, options in wanted.items()
            }
            for name, each in self._running.items():
                if name not in same:
                    self._outbox.put(self._messages.pipeline_status(name, online=False))
                    self._count(name, 0)
                    known = sorted(self._open.values(), key=lambda event: event.clock.monotonic_ns)
                    for event in known:
                        self._tell(name, each, each.rules.note(event), event)

    def note(self, events: Sequence[Event]) -> None:
        """Take in what pipelines have told."""
        with self._lock:
            for event in events:
                if event.type == "end":
                    self._open.pop(event.id, None)
                else:
                    self._open[event.id] = event
                for name, each in self._running.items():
                    if event.pipeline in each.parts:
                        self._tell(name, each, each.rules.note(event), event)

    def look(self, online: Mapping[str, bool]) -> None:
        """End what is over, and tell which can be relied on; `online` is by pipeline."""
        now = self._clock.monotonic_ns()
        with self._lock:
            for name, each in self._running.items():
                self._tell(name, each, each.rules.advance(now))
                is_online = all(online.get(part, False) for part in each.parts)
                if is_online != bool(each.online):
                    each.online = is_online
                    self._outbox.put(self._messages.pipeline_status(name, is_online))

    def stop(self) -> None:
        """End all of them, so that no state stays on; safe twice."""
        with self._lock:
            for name, each in self._running.items():
                self._stop(name, each)
                if each.online:
                    each.online = False
                    self._outbox.put(self._messages.pipeline_status(name, online=False))

    # Shared; call with the lock held

    def _stop(self, name: str, each: _Running) -> None:
        self._tell(name, each, each.rules.stop(self._clock.monotonic_ns()))

    def _retract(self, name: str) -> None:
        for state in (
            self._messages.pipeline_status(name, online=False),
            self._messages.count(name, name, 0),
        ):
            self._outbox.put(removed(state))

    def _tell(
        self, name: str, each: _Running, turns: Sequence[Turn], by: Event | None = None
    ) -> None:
        """Tell what begins and ends; `by` is the event that brought it about, if any."""
        for turn in turns:
            if turn.type == "new" and by is not None:
                event = each.begun = self._new(name, turn, by)
            elif turn.type == "end" and each.begun is not None:
                event, each.begun = self._end(each.begun, turn, by), None
            else:
                continue
            _log.info("composite %s: %s", name, turn.type)
            self._outbox.put_events([partial(self._messages.event, event)])
            self._on_events([event])
            self._count(name, int(turn.type == "new"))

    def _count(self, name: str, count: int) -> None:
        self._outbox.put(self._messages.count(name, name, count))

    def _new(self, name: str, turn: Turn, by: Event) -> Event:
        return Event(
            id=self._identity.new_id(by.time),
            device=self._identity.device,
            pipeline=name,
            type="new",
            kind="class",
            track=None,
            label=name,
            score=turn.score,
            top_score=turn.score,
            box=None,
            zones=(),
            entered_zones=(),
            time=by.time,
            start_time=by.time,
            end_time=None,
            media_time=by.media_time,
            clock=self._stamp(turn),
            latency_ms={"total": by.latency_ms.get("total", 0.0)},
            model=by.model,
        )

    def _end(self, begun: Event, turn: Turn, by: Event | None) -> Event:
        """The end of an event, in the wall time of now: that may have been set meanwhile."""
        wall = self._clock.wall() - (self._clock.monotonic_ns() - turn.at) / 1e9
        return replace(
            begun,
            type="end",
            time=wall,
            end_time=wall,
            media_time=by.media_time if by is not None else None,
            clock=self._stamp(turn),
            latency_ms={},
        )

    def _stamp(self, turn: Turn) -> ClockStamp:
        identity = self._identity
        return ClockStamp(identity.boot_id, turn.at, identity.synchronized())
