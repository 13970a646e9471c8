"""Follows objects by their boxes: where each should be by now, and which box fits best."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edge_agent.geometry import Box
from edge_agent.result import Detection, Result, Track
from edge_agent.tracking.association import associate, linger
from edge_agent.tracking.lifecycle import Life
from edge_agent.tracking.motion import Motion
from edge_agent.tracking.options import TrackOptions
from edge_agent.tracking.sightings import Sightings

_WEAK = 0.8  # a score below this part of `sure` must fit an object better
_DOUBLE = 0.7  # a box inside another one of the same label by this much is the same object


class BoxTracker:
    """Assigns the boxes of a frame to the objects whose predicted boxes they overlap best.

    `ids` gives the ids of confirmed objects and is shared by all pipelines of the agent, so that an
    id names one object of this run. Raises ValueError for options that contradict each other.
    """

    def __init__(self, options: TrackOptions, ids: Iterator[int]) -> None:
        if options.hits > options.of:
            raise ValueError(f"track: hits ({options.hits}) must not be above of ({options.of})")
        self.faint = options.faint
        self._options = options
        self._weak = _WEAK * options.sure if options.sure < 1.0 else 0.0
        self._ids = ids
        self._lives: list[Life] = []  # in the order of the rows of `_motion`
        self._motion = Motion()
        self._now = 0.0

    @property
    def active(self) -> bool:
        """Whether any object is being followed, confirmed or not."""
        return bool(self._lives)

    def update(
        self, results: Sequence[Result], timeline: float, faint: Sequence[Result] = ()
    ) -> tuple[Track, ...]:
        """Take in the detections of the next frame; results of other kinds are ignored."""
        detections = _sorted(results)
        seen = Sightings.of(detections)
        self._motion.predict(timeline - self._now)
        self._now = timeline
        pairs = associate(self._motion, self._lives, seen, self._options.iou, self._weak)
        self._follow(pairs, seen, detections)
        self._go_on([row for row in range(len(self._lives)) if row not in pairs], _sorted(faint))
        ended = self._clear(timeline)
        self._begin(set(pairs.values()), seen, detections)
        return (*self._confirmed(), *ended)

    def expire(self, timeline: float) -> tuple[Track, ...]:
        """End what was not seen for too long while no frame came."""
        return self._end([life.overdue(timeline) for life in self._lives])

    def flush(self) -> tuple[Track, ...]:
        """End everything."""
        return self._end([True] * len(self._lives))

    def _follow(
        self, pairs: dict[int, int], seen: Sightings, detections: Sequence[Detection]
    ) -> None:
        """Note for all objects whether they were seen, and where."""
        self._move(pairs, seen)
        for row, life in enumerate(self._lives):
            if row in pairs:
                each = detections[pairs[row]]
                life.saw(each.score, each.box, self._now, each.label)
            else:
                life.missed()

    def _move(self, pairs: dict[int, int], seen: Sightings) -> None:
        if pairs:
            chosen = list(pairs.values())
            self._motion.saw(list(pairs), seen.boxes[chosen], seen.errors[chosen])

    def _go_on(self, missed: list[int], detections: Sequence[Detection]) -> None:
        """Let faint detections stand for objects that were missed, but seen just before."""
        rows = [row for row in missed if self._lives[row].may_fade(self._now)]
        if not rows or not detections:
            return
        seen = Sightings.of(detections)
        pairs = linger(self._motion, self._lives, rows, seen)
        self._move(pairs, seen)
        for row, column in pairs.items():
            self._lives[row].faded(detections[column].score, detections[column].box, self._now)

    def _clear(self, now: float) -> tuple[Track, ...]:
        """Drop the hopeless and end the lost."""
        return self._end(
            [each.hopeless if each.id is None else each.over(now) for each in self._lives]
        )

    def _end(self, over: list[bool]) -> tuple[Track, ...]:
        if not any(over):
            return ()
        gone = [life for life, is_over in zip(self._lives, over, strict=True) if is_over]
        self._motion.keep([row for row, is_over in enumerate(over) if not is_over])
        self._lives = [life for life, is_over in zip(self._lives, over, strict=True) if not is_over]
        return tuple(life.snapshot(ended=True) for life in gone if life.id is not None)

    def _begin(self, taken: set[int], seen: Sightings, detections: Sequence[Detection]) -> None:
        """Let detections that are of no object begin one; second boxes of an object do not."""
        known = [(life.label, life.box) for life in self._lives if life.box is not None]
        fresh = []
        for number, each in enumerate(detections):
            if number not in taken and not any(
                label == each.label and _inside(each.box, box) for label, box in known
            ):
                fresh.append(number)
                known.append((each.label, each.box))
        if fresh:
            self._motion.add(seen.boxes[fresh], seen.errors[fresh])
            for number in fresh:
                each = detections[number]
                life = Life(each.label, each.score, each.box, self._now, self._options)
                self._lives.append(life)

    def _confirmed(self) -> list[Track]:
        for life in self._lives:
            if life.ready:
                life.confirm(next(self._ids))
        return [life.snapshot() for life in self._lives if life.id is not None]


def _sorted(results: Sequence[Result]) -> list[Detection]:
    return sorted((each for each in results if isinstance(each, Detection)), key=_surest_first)


def _surest_first(detection: Detection) -> tuple[float, Box, str]:
    """Key of an order that does not depend on that in which a decoder gives its detections."""
    return -detection.score, detection.box, detection.label


def _inside(a: Box, b: Box) -> bool:
    """Whether the smaller of two boxes lies for the most part in the other."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    areas = ((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return width > 0.0 and height > 0.0 and width * height >= _DOUBLE * min(areas)
