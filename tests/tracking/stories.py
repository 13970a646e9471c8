"""Short films for trackers: what is seen in each frame, and what comes out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import count

from edge_agent.geometry import Box
from edge_agent.result import Detection, Result, Track
from edge_agent.tracking.base import Tracker
from edge_agent.tracking.boxes import BoxTracker
from edge_agent.tracking.options import TrackOptions

FRAME = 0.1  # seconds between frames


def at(x: float, y: float = 0.5, size: float = 0.2, label: str = "cat") -> Detection:
    """A square object by its centre."""
    half = size / 2
    return Detection(label, 0.9, (x - half, y - half, x + half, y + half), 0)


def box_tracker(hits: int = 1, of: int = 1, lost: float = 1.0, overlap: float = 0.2) -> BoxTracker:
    """A tracker that by default believes an object at once."""
    return BoxTracker(TrackOptions(overlap, hits, of, lost), count(1))


def play(
    tracker: Tracker, frames: Iterable[Sequence[Result]], start: float = 0.0, step: float = FRAME
) -> list[tuple[Track, ...]]:
    """What the tracker says after each frame."""
    return [tracker.update(results, start + number * step) for number, results in enumerate(frames)]


def phases(told: Iterable[Sequence[Track]]) -> dict[int, str]:
    """The phases of each id in the order they were told, by their first letters."""
    letters: dict[int, str] = {}
    for tracks in told:
        for track in tracks:
            letters[track.id] = letters.get(track.id, "") + track.phase[0]
    return letters


def boxes(tracks: Sequence[Track]) -> list[Box | None]:
    """Where the tracks are."""
    return [track.box for track in tracks]
