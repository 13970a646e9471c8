"""What the rules hand on."""

from __future__ import annotations

from dataclasses import dataclass

from edge_agent.event import Change, EventType
from edge_agent.result import Track


@dataclass(frozen=True, slots=True)
class Happening:
    """Something worth an event: what happened to a track, and the zones it is in.

    `changes` is what is different from what was told before; `stationary` says that it rests.
    """

    type: EventType
    track: Track
    zones: tuple[str, ...] = ()
    entered_zones: tuple[str, ...] = ()
    loitering: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    stationary: bool = False


@dataclass(frozen=True, slots=True)
class CountKey:
    """Names one count: of a label in the whole frame, in a zone, or over a line."""

    label: str
    zone: str | None = None
    line: str | None = None
    direction: str | None = None
