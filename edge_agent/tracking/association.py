"""Which detection belongs to which object."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.tracking.assignment import assign
from edge_agent.tracking.lifecycle import Life
from edge_agent.tracking.motion import Motion
from edge_agent.tracking.sightings import Sightings

Array = NDArray[Any]

_MARGIN = 0.1  # boxes are widened by this part of their size to each side ...
_WIDEST = 0.8  # ... and by what the object may have moved unseen, up to this part in all
_WEAK_FITS = 0.5  # a weak detection is of an object when it overlaps by this much ...
_WEAK_REACH = 1.0  # ... and the object's place is known to this many of its sizes
_LIKENESS = 0.4  # the smaller width and height are at least this part of the larger
_RENAMED = 0.6  # boxes that overlap by this much are one object, though they are named otherwise


def associate(
    motion: Motion, lives: Sequence[Life], seen: Sightings, least: float, weak: float
) -> dict[int, int]:
    """Pairs of object (row of `motion`, place in `lives`) and detection with the best fit in all.

    Boxes of one object overlap by `least` or more, those with a score below `weak` by half or
    more. A claim counts by the overlap, the likeness of the sizes, the score of the detection (a
    weak one goes to an object that no sure one is for), how often the object was seen, and how
    well its place is known. Real objects choose first, tentative ones among what they leave.
    Labels are kept apart; at last those left over that lie on each other are paired, whatever they
    are called.
    """
    if not lives or not len(seen.boxes):
        return {}
    boxes = motion.boxes
    unsure = motion.uncertainty
    margins = np.minimum(_MARGIN + unsure, _WIDEST)
    is_weak = seen.scores < weak
    enough = np.where(is_weak, max(least, _WEAK_FITS), least)
    claims = np.array([life.claim for life in lives])
    claims /= np.sqrt(1.0 + 2.0 * margins)  # wide boxes overlap sooner, which says less
    gains = _fit(boxes, seen.boxes, margins, enough) * claims[:, None] * seen.scores
    gains[(unsure > _WEAK_REACH)[:, None] & is_weak] = 0.0
    names = {life.label for life in lives} | set(seen.labels)
    real = np.array([life.id is not None for life in lives])
    if len(names) == 1:
        return _real_first(gains, real)
    mine, theirs = np.array([life.label for life in lives]), np.array(seen.labels)
    pairs = _real_first(np.where(mine[:, None] == theirs, gains, 0.0), real)
    return pairs | _renamed(boxes, seen.boxes, pairs)


def _real_first(gains: Array, real: Array) -> dict[int, int]:
    """Pairs of the real objects, then of the others with the detections that are left."""
    if real.all() or not real.any():
        return assign(gains)
    pairs = assign(np.where(real[:, None], gains, 0.0))
    gains[list(pairs)] = gains[:, list(pairs.values())] = 0.0
    gains[real] = 0.0
    return pairs | assign(gains)


def linger(
    motion: Motion, lives: Sequence[Life], rows: Sequence[int], seen: Sightings
) -> dict[int, int]:
    """Pairs of object, one of `rows`, and faint detection of its label that lies on it by half."""
    boxes, labels = motion.boxes[rows], np.array([lives[row].label for row in rows])
    enough = np.full(len(seen.boxes), _WEAK_FITS)
    fits = _fit(boxes, seen.boxes, np.zeros(len(rows)), enough)
    fits[motion.uncertainty[rows] > _WEAK_REACH] = 0.0
    pairs = assign(np.where(labels[:, None] == np.array(seen.labels), fits, 0.0))
    return {rows[row]: column for row, column in pairs.items()}


def _renamed(boxes: Array, seen: Array, pairs: dict[int, int]) -> dict[int, int]:
    """Pairs of those left over that lie so well on each other that only the name is wrong."""
    taken = set(pairs.values())
    rows = [row for row in range(len(boxes)) if row not in pairs]
    columns = [column for column in range(len(seen)) if column not in taken]
    if not rows or not columns:
        return {}
    enough = np.full(len(columns), _RENAMED)
    fits = _fit(boxes[rows], seen[columns], np.zeros(len(rows)), enough)
    return {rows[row]: columns[column] for row, column in assign(fits).items()}


def _fit(boxes: Array, seen: Array, margins: Array, enough: Array) -> Array:
    """How well N objects and M detections fit (N x M, 0..1); 0 where they cannot be the same.

    Both boxes are widened by the margin of the object, in parts of their own width and height.
    """
    margin = margins[:, None, None]
    size, seen_size = boxes[:, 2:] - boxes[:, :2], seen[:, 2:] - seen[:, :2]
    edge, seen_edge = margin * size[:, None], margin * seen_size
    shared = np.minimum(boxes[:, None, 2:] + edge, seen[:, 2:] + seen_edge)
    shared -= np.maximum(boxes[:, None, :2] - edge, seen[:, :2] - seen_edge)
    np.maximum(shared, 0.0, out=shared)
    both = shared[..., 0] * shared[..., 1]
    areas = (size[:, 0] * size[:, 1])[:, None] + seen_size[:, 0] * seen_size[:, 1]
    union = areas * (1.0 + 2.0 * margins[:, None]) ** 2 - both
    overlap = both / np.maximum(union, 1e-12)
    larger = np.maximum(size[:, None], seen_size)
    like = np.minimum(size[:, None], seen_size) / np.maximum(larger, 1e-12)
    possible = (overlap >= enough) & (like[..., 0] >= _LIKENESS) & (like[..., 1] >= _LIKENESS)
    return np.where(possible, overlap * (1.0 + like[..., 0] * like[..., 1]) / 2.0, 0.0)
