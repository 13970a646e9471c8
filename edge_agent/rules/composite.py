"""Conditions over several pipelines: whether all hold at once, or one soon after another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import MaxLen, MinLen

from edge_agent.event import Event
from edge_agent.options import Doc, Duration, Options


@dataclass(frozen=True, slots=True)
class ConditionOptions(Options):
    """What events must say for a condition to hold."""

    pipeline: Annotated[str, Doc("Name of the pipeline that tells it.")]
    label: Annotated[str | None, Doc("Label of what is there; default: any.")] = None
    sublabel: Annotated[
        str | None, Doc("What a second model names it (`refine`); default: anything.")
    ] = None
    zone: Annotated[str | None, Doc("Zone that it is in; default: anywhere.")] = None
    type: Annotated[
        Literal["present", "new", "update", "end"],
        Doc(
            "present: from its beginning to its end. Otherwise the moment of such an event, for"
            " which `within` must leave time."
        ),
    ] = "present"


@dataclass(frozen=True, slots=True)
class CompositeOptions(Options):
    """An event of its own while all conditions hold."""

    all: Annotated[
        Annotated[dict[str, ConditionOptions], MinLen(1), MaxLen(16)],
        Doc("The conditions, by names of your own."),
    ]
    within: Annotated[
        Duration, Doc("A condition still counts for this long after it has held; 0: not at all.")
    ] = 0.0


@dataclass(frozen=True, slots=True)
class Turn:
    """The beginning or the end of a composite, in ns of the monotonic clock.

    `score` is the least of those of what its conditions go by.
    """

    type: Literal["new", "end"]
    at: int
    score: float


class _Condition:
    """Which stories fulfil it now, and when it held last (ns), None before it ever did."""

    def __init__(self, options: ConditionOptions) -> None:
        self.score = 0.0
        self.last: int | None = None
        self.open: set[str] = set()
        self._options = options

    def note(self, event: Event) -> None:
        """Take in an event of its pipeline."""
        options, at = self._options, event.clock.monotonic_ns
        fits = self._fits(event)
        if options.type != "present":
            if fits and event.type == options.type:
                self._held(at)
                self.score = event.score
        elif fits and event.type != "end":
            self.open.add(event.id)
            self.score = event.score
        elif event.id in self.open:
            self.open.remove(event.id)
            self._held(at)

    def _held(self, at: int) -> None:
        self.last = at if self.last is None else max(self.last, at)

    def _fits(self, event: Event) -> bool:
        options = self._options
        zones = event.entered_zones if event.type == "end" else event.zones
        return (
            event.pipeline == options.pipeline
            and options.label in (None, event.label)
            and options.sublabel in (None, event.sublabel)
            and (options.zone is None or options.zone in zones)
        )

    def over(self, within: int) -> int | None:
        """When it ceases to count; None while a story fulfils it."""
        if self.open:
            return None
        return 0 if self.last is None else self.last + within


class Composite:
    """Whether all conditions hold, by what the events of this device say.

    A condition counts while a story fulfils it and for `within` after, to the nanosecond: it does
    not matter how late an event arrives, or when `advance` is called. Events count at the time of
    their frame. All times are ns of the monotonic clock; the wall clock may be set at will.
    """

    def __init__(self, options: CompositeOptions) -> None:
        self.holds = False
        self._within = round(options.within * 1e9)
        self._conditions = [_Condition(each) for each in options.all.values()]
        self._since = 0
        self._score = 0.0

    def note(self, event: Event) -> Sequence[Turn]:
        """Take in an event of any pipeline; what begins or ends by it, or has ended before it."""
        at = event.clock.monotonic_ns
        turns = [*self._end(at - 1)]
        for condition in self._conditions:
            condition.note(event)
        turns += self._end(at)
        if not self.holds and self._all_at(at):
            self.holds, self._since = True, at
            self._score = min(each.score for each in self._conditions)
            turns.append(Turn("new", at, self._score))
        return turns

    def advance(self, now: int) -> Sequence[Turn]:
        """End it once its time is up."""
        return [*self._end(now)]

    def stop(self, now: int) -> Sequence[Turn]:
        """End it at once: nobody looks after it any more."""
        if not self.holds:
            return []
        self.holds = False
        return [Turn("end", max(now, self._since), self._score)]

    def _end(self, now: int) -> Iterator[Turn]:
        """Its end, if that is not later than `now`."""
        end = _first(each.over(self._within) for each in self._conditions)
        if self.holds and end is not None and end <= now:
            self.holds = False
            yield Turn("end", max(end, self._since), self._score)

    def _all_at(self, at: int) -> bool:
        end = _first(each.over(self._within) for each in self._conditions)
        return end is None or end > at


def _first(ends: Iterable[int | None]) -> int | None:
    """The earliest of those that are known."""
    return min((end for end in ends if end is not None), default=None)
