"""An event: what happened to one object, as subscribers read it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from edge_agent.geometry import Box

EventType = Literal["new", "update", "end"]
Change = Literal[
    "label",
    "sublabel",
    "entered",
    "left",
    "loitering",
    "stationary",
    "moving",
    "moved",
    "surer",
]
EventKind = Literal["object", "class", "keyword", "anomaly", "reading", "text", "line", "zone"]
SwapStage = Literal["trying", "refused", "swapped", "kept", "rolled_back"]


@dataclass(frozen=True, slots=True)
class ClockStamp:
    """How far the event's times can be trusted: this boot, its monotonic clock, and NTP."""

    boot_id: str
    monotonic_ns: int
    synchronized: bool


@dataclass(frozen=True, slots=True)
class ModelRef:
    """The model that made the event."""

    name: str
    sha256: str
    engine: str


@dataclass(frozen=True, slots=True)
class Event:
    """One event of the device; `id` stays the same from "new" through "update" to "end".

    `changes` is what is new since the story's event before. It is in `zones`, has been in
    `entered_zones`, and stays in those of `loitering` for longer than it should; `stationary` says
    that it has not moved for a while. `sublabel` is what a second model named it, `sublabel_score`
    the mean of its scores. `readings` is what other sources measured at the time of the picture, by
    PART.CHANNEL, None for what is missing; None where nobody measures. Fields with a default came
    later: agents of before do not send them.

    Times are epoch seconds (UTC), `media_time` seconds into a recording. `latency_ms` has one
    entry per stage and `total`, from capture to hand-over to the outbox.
    """

    id: str
    device: str
    pipeline: str
    type: EventType
    kind: EventKind
    track: int | None
    label: str
    score: float
    top_score: float
    box: Box | None
    zones: tuple[str, ...]
    entered_zones: tuple[str, ...]
    time: float
    start_time: float
    end_time: float | None
    media_time: float | None
    clock: ClockStamp
    latency_ms: dict[str, float]
    model: ModelRef
    changes: tuple[str, ...] = field(default=(), kw_only=True)
    loitering: tuple[str, ...] = field(default=(), kw_only=True)
    stationary: bool = field(default=False, kw_only=True)
    sublabel: str | None = field(default=None, kw_only=True)
    sublabel_score: float | None = field(default=None, kw_only=True)
    readings: dict[str, float | None] | None = field(default=None, kw_only=True)


@dataclass(frozen=True, slots=True)
class ModelStep:
    """One step of a model that is to take another's place in a running agent.

    `trying`: a child process has it on trial; `refused`: it never came into use; `swapped`: it is
    in use and watched; `kept`: it did well; `rolled_back`: the one before is in use again.

    `model` is the name in the configuration, `version` that in the store, None for a file outside
    of it; `before` is the SHA-256 of the model in use until then, empty where there was none.
    `reason` is empty where all is well, `time` epoch seconds.
    """

    model: str
    stage: SwapStage
    sha256: str
    version: str | None
    before: str
    reason: str
    time: float
