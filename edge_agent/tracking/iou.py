"""Follows objects by the overlap of their boxes, with constant velocity between sightings."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from edge_agent.geometry import Box, iou
from edge_agent.result import Detection, Result, Track
from edge_agent.tracking.lifecycle import Life
from edge_agent.tracking.options import TrackOptions

_REACH = 1.0  # centres of an object that was out of sight may be this many box sizes apart
_LIKENESS = 0.4  # ... when its smaller width and height are at least this part of the larger
_DOUBLE = 0.7  # a box inside another one of the same label by this much is the same object
_SMOOTHING = 0.5  # weight of the newest displacement in the velocity


class _Object(Life):
    """A life with a place and a velocity (frame fractions per second)."""

    def __init__(self, detection: Detection, now: float, options: TrackOptions) -> None:
        super().__init__(detection.label, detection.score, detection.box, now, options)
        self.place: Box = detection.box
        self._velocity = (0.0, 0.0)

    def follow(self, detection: Detection, now: float) -> None:
        """Note a sighting and learn how fast it moves."""
        elapsed = now - self.last_seen
        if elapsed > 0.0:
            old, new = self.place, detection.box
            step = (
                (new[0] + new[2] - old[0] - old[2]) / 2,
                (new[1] + new[3] - old[1] - old[3]) / 2,
            )
            self._velocity = tuple(  # type: ignore[assignment]
                v + _SMOOTHING * (s / elapsed - v)
                for v, s in zip(self._velocity, step, strict=True)
            )
        self.place = detection.box
        self.saw(detection.score, detection.box, now)

    def predicted(self, now: float) -> Box:
        """Box it should have now; it is not believed to run on for more than half a second."""
        ahead = min(now - self.last_seen, 0.5)
        dx, dy = self._velocity[0] * ahead, self._velocity[1] * ahead
        x1, y1, x2, y2 = self.place
        return (x1 + dx, y1 + dy, x2 + dx, y2 + dy)


class IouTracker:
    """Greedy association by overlap, then by nearness for objects that were out of sight.

    Objects keep their label. `ids` gives the ids of confirmed objects and is shared by all
    pipelines of the agent, so that an id names one object of this run.
    """

    def __init__(self, options: TrackOptions, ids: Iterator[int]) -> None:
        if options.hits > options.of:
            raise ValueError(f"track: hits ({options.hits}) must not be above of ({options.of})")
        self._options = options
        self._ids = ids
        self._objects: list[_Object] = []

    @property
    def active(self) -> bool:
        """Whether any object is being followed, confirmed or not."""
        return bool(self._objects)

    def update(self, results: Sequence[Result], timeline: float) -> tuple[Track, ...]:
        """Take in the detections of the next frame; results of other kinds are ignored."""
        detections = [result for result in results if isinstance(result, Detection)]
        pairs = self._associate(detections, timeline)
        for number, tracked in enumerate(self._objects):
            if number in pairs:
                tracked.follow(detections[pairs[number]], timeline)
            else:
                tracked.missed()
        taken = set(pairs.values())
        free = [d for number, d in enumerate(detections) if number not in taken]
        self._objects += [_Object(d, timeline, self._options) for d in self._fresh(free)]
        return self._settle(timeline)

    def expire(self, timeline: float) -> tuple[Track, ...]:
        """End what was not seen for too long while no frame came."""
        ended = [tracked for tracked in self._objects if tracked.overdue(timeline)]
        self._objects = [tracked for tracked in self._objects if not tracked.overdue(timeline)]
        return tuple(t.snapshot(ended=True) for t in ended if t.id is not None)

    def flush(self) -> tuple[Track, ...]:
        """End everything."""
        ended, self._objects = self._objects, []
        return tuple(t.snapshot(ended=True) for t in ended if t.id is not None)

    def _settle(self, now: float) -> tuple[Track, ...]:
        """Confirm the ready, drop the hopeless, end the lost; the tracks to report."""
        ended = [t for t in self._objects if t.id is not None and t.over(now)]
        gone = {id(t) for t in ended}
        self._objects = [t for t in self._objects if id(t) not in gone and not t.hopeless]
        for tracked in self._objects:
            if tracked.ready:
                tracked.confirm(next(self._ids))
        return tuple(
            [t.snapshot() for t in self._objects if t.id is not None]
            + [t.snapshot(ended=True) for t in ended]
        )

    def _associate(self, detections: list[Detection], now: float) -> dict[int, int]:
        """Pairs of object number and detection number."""
        # Plain numbers: for the few pairs of a frame they are faster than arrays.
        costs: list[tuple[float, int, int]] = []
        for number, tracked in enumerate(self._objects):
            place = tracked.predicted(now)
            for index, detection in enumerate(detections):
                if detection.label == tracked.label:
                    cost = self._cost(place, detection.box)
                    if cost is not None:
                        costs.append((cost, number, index))
        return _greedy(costs)

    def _cost(self, place: Box, box: Box) -> float | None:
        """How unlikely two boxes are one object, None where they cannot be."""
        overlap = iou(place, box)
        if overlap >= self._options.iou:
            return 1.0 - overlap
        apart = _distance(place, box)
        return 1.0 + apart if apart <= _REACH else None  # nearness comes after any overlap

    def _fresh(self, detections: list[Detection]) -> list[Detection]:
        """Detections that begin an object: no second boxes of one, which detectors often give."""
        known = [(t.label, t.place) for t in self._objects]
        fresh: list[Detection] = []
        for detection in detections:
            if not any(
                label == detection.label and _inside(detection.box, box) for label, box in known
            ):
                fresh.append(detection)
                known.append((detection.label, detection.box))
        return fresh


def _greedy(costs: list[tuple[float, int, int]]) -> dict[int, int]:
    """Cheapest pairs first, each object and detection once; equal costs in index order."""
    costs.sort()
    pairs: dict[int, int] = {}
    taken: set[int] = set()
    for _, number, index in costs:
        if number not in pairs and index not in taken:
            pairs[number] = index
            taken.add(index)
    return pairs


def _distance(a: Box, b: Box) -> float:
    """Distance of centres in mean box sizes; infinite where the sizes are too unlike."""
    apart = []
    for low, high in ((0, 2), (1, 3)):
        smaller, larger = sorted((a[high] - a[low], b[high] - b[low]))
        if smaller < _LIKENESS * larger:
            return math.inf
        centres = (a[low] + a[high] - b[low] - b[high]) / 2
        apart.append(centres / max((smaller + larger) / 2, 1e-6))
    return math.hypot(*apart)


def _inside(a: Box, b: Box) -> bool:
    """Whether the smaller of two boxes lies for the most part in the other."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    areas = ((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return width > 0.0 and height > 0.0 and width * height >= _DOUBLE * min(areas)
