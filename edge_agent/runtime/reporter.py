"""Turns what happened into messages in the outbox, for one pipeline."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from edge_agent.clock import clock_synchronized
from edge_agent.event import ClockStamp, Event, EventKind, ModelRef
from edge_agent.frame import Frame
from edge_agent.geometry import Box
from edge_agent.message import Message
from edge_agent.mqtt.messages import Messages, removed
from edge_agent.mqtt.payloads import FrameResults
from edge_agent.outbox.base import Outbox
from edge_agent.result import ClassArea, ClassScore, Detection, Reading, Result, Track
from edge_agent.rules.base import CountKey, Happening
from edge_agent.rules.options import PublishOptions
from edge_agent.runtime.ulid import new_ulid


@dataclass(frozen=True, slots=True)
class Moment:
    """When and by what something was seen.

    `wall` is epoch seconds, `media_time` seconds into a recording, `frame` the frame's number and
    `size` its width and height in pixels; both are zero between frames. `readings` are the frame's.
    """

    wall: float
    monotonic_ns: int
    media_time: float | None
    latency_ms: Mapping[str, float]
    model: ModelRef
    frame: int = 0
    size: tuple[int, int] = (0, 0)
    readings: Mapping[str, float] | None = None

    @classmethod
    def of_frame(cls, frame: Frame, latency_ms: Mapping[str, float], model: ModelRef) -> Moment:
        """The moment of a frame's capture."""
        return cls(
            frame.wall,
            frame.monotonic_ns,
            frame.media_time,
            latency_ms,
            model,
            frame.seq,
            frame.size,
            frame.readings,
        )

    @classmethod
    def between_frames(cls, model: ModelRef) -> Moment:
        """Now, without a frame: a timeout or the end of a source."""
        return cls(time.time(), time.monotonic_ns(), None, {}, model)


@dataclass(frozen=True, slots=True)
class Identity:
    """What every event of the device carries, and where it has it from.

    `new_id` makes the id of an event of that wall time, `synchronized` tells whether that can be
    trusted: a replay brings its own.
    """

    device: str
    boot_id: str
    new_id: Callable[[float], str] = new_ulid
    synchronized: Callable[[], bool] = clock_synchronized


class Reporter:
    """Writes a pipeline's events, counts and detections; remembers what it has begun.

    `on_events` is shown each event. `whole_frame` is the kind of what has no box. Only the thread
    that holds the pipeline's lock calls it.
    """

    def __init__(
        self,
        identity: Identity,
        pipeline: str,
        publish: PublishOptions,
        messages: Messages,
        outbox: Outbox,
        on_events: Callable[[Sequence[Event]], None] = lambda _: None,
    ) -> None:
        self._identity = identity
        self._pipeline = pipeline
        self._publish = publish
        self._messages = messages
        self._outbox = outbox
        self._on_events = on_events
        self.whole_frame: EventKind = "class"
        self._reading: tuple[Reading, Moment] | None = None  # the newest, not told yet
        self._told: tuple[float, str] = (float("-inf"), "")  # when, and its state
        self._open: dict[int, Event] = {}
        self._counts: dict[CountKey, int] = {}
        self._left_over: set[CountKey] = set()

    def take_over(self, before: Reporter) -> None:
        """Go on with the counts that another left at the broker: nothing that stays blinks."""
        if self._publish.counts:
            self._counts = dict(before._counts)
            self._left_over = set(self._counts)
        else:
            before.retract_counts(before._counts)

    def events(self, happenings: Sequence[Happening], timeline: float, moment: Moment) -> None:
        """Publish what happened; `timeline` is the now of the tracks' times."""
        events = []
        for happening in happenings:
            event = self._event(happening, timeline, moment)
            if happening.type == "end":
                self._open.pop(happening.track.id, None)
            else:
                self._open[happening.track.id] = event
            events.append(event)
        self._send(events)

    def end_open(self, moment: Moment) -> None:
        """End whatever was begun and set the counts to zero: the pipeline has failed."""
        self._send(
            replace(
                event,
                type="end",
                changes=("left",) if event.zones else (),
                zones=(),
                loitering=(),
                stationary=False,
                time=moment.wall,
                end_time=moment.wall,
                media_time=moment.media_time,
                clock=self._clock(moment),
                latency_ms={},
                readings=None,
            )
            for event in self._open.values()
        )
        self._open.clear()
        self.counts({key: 0 for key in self._counts if key.line is None})

    def counts(self, counts: Mapping[CountKey, int]) -> None:
        """Publish the counts that changed."""
        if not self._publish.counts:
            return
        if self._left_over:
            self.retract_counts(self._left_over - set(counts))
            self._left_over.clear()
        for key, count in counts.items():
            if self._counts.get(key) != count:
                self._counts[key] = count
                self._outbox.put(self._count_message(key, count))

    def detections(self, moment: Moment, results: Sequence[Result], regions: Sequence[Box]) -> None:
        """Publish everything found in one frame, and where the gate saw motion."""
        found = [r for r in results if isinstance(r, Detection | ClassScore | ClassArea)]
        self._outbox.put(
            self._messages.detections(
                FrameResults(
                    device=self._identity.device,
                    pipeline=self._pipeline,
                    frame=moment.frame,
                    time=moment.wall,
                    media_time=moment.media_time,
                    size=moment.size,
                    results=found,
                    regions=regions,
                    latency_ms=moment.latency_ms,
                    model=moment.model,
                    readings=_known(moment.readings),
                )
            )
        )

    def reading(self, reading: Reading, timeline: float, moment: Moment) -> None:
        """Publish a number: at once where its state is another, else after `reading_every` s."""
        self._reading = reading, moment
        if self.is_due(reading, timeline):
            self._told = timeline, reading.state
            self.newest_reading()

    def is_due(self, reading: Reading, timeline: float) -> bool:
        """Whether a reading is published as it comes, even if another follows."""
        since, state = self._told
        return reading.state != state or timeline - since >= self._publish.reading_every

    def newest_reading(self) -> None:
        """Publish the newest number, if it was held back."""
        if self._reading is not None and self._publish.readings:
            reading, moment = self._reading
            self._outbox.put(self._messages.reading(self._pipeline, reading, moment.wall))
        self._reading = None

    def snapshot(self, jpeg: bytes) -> None:
        """Publish a picture."""
        self._outbox.put(self._messages.snapshot(self._pipeline, jpeg))

    def retract(self) -> None:
        """Remove every retained state of the pipeline: it leaves the configuration."""
        for message in self._messages.states_of(self._pipeline):
            self._outbox.put(removed(message))
        self.retract_counts(self._counts)

    def retract_snapshot(self) -> None:
        """Remove the picture: the configuration allows none any more."""
        self._outbox.put(removed(self._messages.snapshot(self._pipeline, b"")))

    def retract_counts(self, keys: Iterable[CountKey]) -> None:
        """Remove these counts."""
        for key in list(keys):
            self._counts.pop(key, None)
            self._outbox.put(removed(self._count_message(key, 0)))

    def _send(self, events: Iterable[Event]) -> None:
        """Put all that happened at once in one go: that costs the disk no more than one event."""
        told = list(events)
        makes = [partial(self._messages.event, event) for event in told]
        if makes and self._publish.events:
            self._outbox.put_events(makes)
        self._on_events(told)  # last: what comes of them is told after them

    def _count_message(self, key: CountKey, count: int) -> Message:
        if key.line is not None:
            direction: Literal["in", "out"] = "in" if key.direction == "in" else "out"
            return self._messages.line_count(self._pipeline, key.line, key.label, direction, count)
        if key.zone is not None:
            return self._messages.zone_count(self._pipeline, key.zone, key.label, count)
        return self._messages.count(self._pipeline, key.label, count)

    def _clock(self, moment: Moment) -> ClockStamp:
        identity = self._identity
        return ClockStamp(identity.boot_id, moment.monotonic_ns, identity.synchronized())

    def _event(self, happening: Happening, timeline: float, moment: Moment) -> Event:
        track = happening.track
        begun = self._open.get(track.id)
        kind: EventKind = "object" if track.box is not None else self.whole_frame
        return Event(
            id=begun.id if begun else self._identity.new_id(moment.wall),
            device=self._identity.device,
            pipeline=self._pipeline,
            type=happening.type,
            kind=kind,
            track=track.id,
            label=track.label,
            score=track.score,
            top_score=track.top_score,
            box=track.box,
            zones=happening.zones,
            entered_zones=happening.entered_zones,
            time=moment.wall,
            start_time=begun.start_time if begun else _wall_of(track.start, timeline, moment),
            end_time=_end_time(track, timeline, moment),
            media_time=moment.media_time,
            clock=self._clock(moment),
            latency_ms=dict(moment.latency_ms),
            model=moment.model,
            changes=happening.changes,
            loitering=happening.loitering,
            stationary=happening.stationary,
            sublabel=track.sublabel,
            sublabel_score=track.sublabel_score,
            readings=_known(moment.readings),
        )


def _known(readings: Mapping[str, float] | None) -> dict[str, float | None] | None:
    """With None for what is missing."""
    if readings is None:
        return None
    return {name: value if math.isfinite(value) else None for name, value in readings.items()}


def _wall_of(then: float, timeline: float, moment: Moment) -> float:
    """Epoch seconds of an earlier moment on the time line.

    A recording's time line is not this machine's: there it is the moment itself.
    """
    return moment.wall if moment.media_time is not None else moment.wall - (timeline - then)


def _end_time(track: Track, timeline: float, moment: Moment) -> float | None:
    """When an ended object was last seen; None while it is there."""
    return _wall_of(track.last_seen, timeline, moment) if track.phase == "ended" else None
