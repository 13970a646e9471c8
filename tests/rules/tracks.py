"""Tracks made by hand."""

from __future__ import annotations

from typing import Literal

from edge_agent.geometry import Point
from edge_agent.result import Track

Phase = Literal["new", "live", "ended"]


def track(
    foot: Point | None = (0.5, 0.5),
    track_id: int = 1,
    phase: Phase = "live",
    label: str = "cat",
    top: float = 0.5,
    seen: bool = True,
) -> Track:
    """A track by where it stands (the middle of the lower edge of its box); None has no box."""
    box = None if foot is None else (foot[0] - 0.125, foot[1] - 0.25, foot[0] + 0.125, foot[1])
    return Track(track_id, label, 0.5, top, box, 0.0, 0.0, phase, seen)
