"""Follows objects by the overlap of their boxes, with constant velocity between sightings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from edge_agent.geometry import Box, iou_matrix
from edge_agent.result import Detection, Result, Track
from edge_agent.tracking.lifecycle import Life
from edge_agent.tracking.options import TrackOptions

_REACH = 1.0  # centres of an object that was out of sight may be this many box sizes apart
_LIKENESS = 0.4  # ... when its smaller width and height are at least this part of the larger
_DOUBLE = 0.7  # a box inside another one of the same label by this much is the same object
_SMOOTHING = 0.5  # weight of the newest displacement in the velocity
_TOP = 1e3  # above any cost: "no match"


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
        if not detections or not self._objects:
            return {}
        places = np.array([t.predicted(now) for t in self._objects], np.float32)
        boxes = np.array([d.box for d in detections], np.float32)
        differ = np.array([[t.label != d.label for d in detections] for t in self._objects])
        overlap = iou_matrix(places, boxes)
        cost = np.where(overlap >= self._options.iou, 1.0 - overlap, _TOP)
        far = _distance(places, boxes)
        # Nearness comes after any overlap, hence the 1 on top.
        cost = np.where((cost == _TOP) & (far <= _REACH), 1.0 + far, cost)
        cost[differ] = _TOP
        return _greedy(cost)

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


def _greedy(cost: NDArray[np.float32]) -> dict[int, int]:
    """Cheapest pairs first, each row and column once; equal costs in index order."""
    order = np.argsort(cost, axis=None, kind="stable")
    rows, columns = np.unravel_index(order, cost.shape)
    pairs: dict[int, int] = {}
    taken: set[int] = set()
    for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
        if cost[row, column] >= _TOP:
            break
        if row not in pairs and column not in taken:
            pairs[row] = column
            taken.add(column)
    return pairs


def _distance(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """Distance of centres in mean box sizes, N x M; infinite where the sizes are too unlike."""
    size_a, size_b = a[:, 2:] - a[:, :2], b[:, 2:] - b[:, :2]
    smaller = np.minimum(size_a[:, None], size_b[None])
    larger = np.maximum(size_a[:, None], size_b[None])
    centres = (a[:, None, :2] + a[:, None, 2:] - b[None, :, :2] - b[None, :, 2:]) / 2
    apart = np.linalg.norm(centres / np.maximum((smaller + larger) / 2, 1e-6), axis=2)
    alike = (smaller >= _LIKENESS * larger).all(axis=2)
    distance: NDArray[np.float32] = np.where(alike, apart, np.inf).astype(np.float32)
    return distance


def _inside(a: Box, b: Box) -> bool:
    """Whether the smaller of two boxes lies for the most part in the other."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    areas = ((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return width > 0.0 and height > 0.0 and width * height >= _DOUBLE * min(areas)
