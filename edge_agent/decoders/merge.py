"""Detections of several crops of a frame as one list: each object once, also where it is cut."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from edge_agent.decoders.outlines import outlines
from edge_agent.geometry import Box, BoxMapping, Point, iou
from edge_agent.result import Detection, Keypoint

_SAME = 0.5  # overlap of two boxes of one object that different crops show whole
_COVERED = 0.5  # part of a cut box that a box of the same object covers
_IN_LINE = 0.6  # overlap across the cut of the two halves of one object
_AT_BORDER = 0.03  # of the crop: a box that ends so near to its border may be cut by it
_FINEST = 512  # px of the longer side on which two halves of a mask are joined

Cuts = tuple[bool, bool, bool, bool]
Polygons = tuple[tuple[Point, ...], ...]


@dataclass(frozen=True, slots=True)
class _Seen:
    """An object in the frame, the crops that show it, and which of its sides a crop cuts off."""

    object: Detection
    crops: frozenset[int]
    cuts: Cuts

    @property
    def is_cut(self) -> bool:
        return any(self.cuts)


def merged(parts: Sequence[tuple[Sequence[Detection], Box]]) -> tuple[Detection, ...]:
    """Detections of crops (with boxes 0..1 of the crop) on the frame, best first.

    Each part goes with the box of its crop, 0..1 of the frame. Of boxes of one class in different
    crops that cover each other the best stays. A box that a crop cuts off goes where another one
    covers most of it, and two halves of one object that meet at a border become one box.
    """
    seen = [
        _on_frame(detection, number, crop)
        for number, (detections, crop) in enumerate(parts)
        for detection in detections
    ]
    seen.sort(key=lambda each: (each.is_cut, -each.object.score))
    kept: list[_Seen] = []
    for each in seen:
        kept = _taken_in(kept, each)
    best = sorted(kept, key=lambda each: -each.object.score)
    return tuple(each.object for each in best)


def _taken_in(kept: list[_Seen], new: _Seen) -> list[_Seen]:
    """With one more; as it grows where two halves become one, it may meet others."""
    index = 0
    while index < len(kept):
        if _is_same(kept[index], new):
            new = _joined(kept.pop(index), new)
            index = 0
        else:
            index += 1
    return [*kept, new]


def _is_same(a: _Seen, b: _Seen) -> bool:
    one, other = a.object.box, b.object.box
    if a.object.index != b.object.index or not _touch(one, other):
        return False
    if not a.is_cut and not b.is_cut:
        return not (a.crops & b.crops) and iou(one, other) > _SAME
    cut = min(_area(seen.object.box) for seen in (a, b) if seen.is_cut)
    return _common(one, other) > _COVERED * cut or _are_halves(a, b) or _are_halves(b, a)


def _are_halves(first: _Seen, second: _Seen) -> bool:
    """Whether the first is cut where the second goes on, to the right of it or below."""
    one, other = first.object.box, second.object.box
    for low in (0, 1):
        across = 1 - low
        if first.cuts[low + 2] and second.cuts[low] and one[low] <= other[low]:
            common = min(one[across + 2], other[across + 2]) - max(one[across], other[across])
            union = max(one[across + 2], other[across + 2]) - min(one[across], other[across])
            if common > _IN_LINE * union:
                return True
    return False


def _joined(a: _Seen, b: _Seen) -> _Seen:
    """One of two that are the same object: the whole one, the better one, or both halves."""
    better, worse = (a, b) if a.object.score >= b.object.score else (b, a)
    crops = a.crops | b.crops
    if a.is_cut and b.is_cut:
        return _Seen(_both(better.object, worse.object), crops, _left_cuts(a, b))
    whole = b if a.is_cut else a if b.is_cut else better
    score = better.object.score
    return _Seen(dataclasses.replace(whole.object, score=score), crops, whole.cuts)


def _both(better: Detection, worse: Detection) -> Detection:
    a, b = better.box, worse.box
    box = (min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3]))
    points = _surer(better.keypoints, worse.keypoints)
    polygons = better.polygons
    if worse.polygons and worse.polygons != polygons:
        polygons = _united(better.polygons, worse.polygons, box)
    return dataclasses.replace(better, box=box, keypoints=points, polygons=polygons)


def _surer(points: Sequence[Keypoint], others: Sequence[Keypoint]) -> tuple[Keypoint, ...]:
    if len(points) != len(others):
        return tuple(points or others)
    pairs = zip(points, others, strict=True)
    return tuple(a if a.score >= b.score else b for a, b in pairs)


def _united(polygons: Polygons, others: Polygons, box: Box) -> Polygons:
    """Outlines around what is inside either."""
    size = np.array([box[2] - box[0], box[3] - box[1]], np.float32)
    scale = _FINEST / max(float(size.max()), 1e-6)
    columns, rows = (max(1, round(float(side) * scale)) for side in size)
    masks = []
    for lines in (polygons, others):
        mask = np.zeros((rows, columns), np.uint8)
        corners = [np.floor((np.array(line) - box[:2]) * scale).astype(np.int32) for line in lines]
        if corners:
            cv2.fillPoly(mask, corners, 1)
        masks.append(mask.astype(np.bool_))
    found = (line / scale + box[:2] for line in outlines(masks[0] | masks[1], 1.0))
    return tuple(tuple((float(x), float(y)) for x, y in line) for line in found)


def _left_cuts(a: _Seen, b: _Seen) -> Cuts:
    """Sides of the union that are still cut: those whose outermost box is."""
    left, top = (_outer(a, b, side, -1.0) for side in (0, 1))
    right, bottom = (_outer(a, b, side, 1.0) for side in (2, 3))
    return left, top, right, bottom


def _outer(a: _Seen, b: _Seen, side: int, sign: float) -> bool:
    reach_a, reach_b = sign * a.object.box[side], sign * b.object.box[side]
    if reach_a == reach_b:
        return a.cuts[side] and b.cuts[side]
    return a.cuts[side] if reach_a > reach_b else b.cuts[side]


def _on_frame(detection: Detection, number: int, crop: Box) -> _Seen:
    x1, y1, x2, y2 = detection.box
    at_border = (
        x1 <= _AT_BORDER, y1 <= _AT_BORDER, x2 >= 1 - _AT_BORDER, y2 >= 1 - _AT_BORDER,
    )  # fmt: skip
    is_inside = (crop[0] > 0.0, crop[1] > 0.0, crop[2] < 1.0, crop[3] < 1.0)
    left, top, right, bottom = (
        near and inner for near, inner in zip(at_border, is_inside, strict=True)
    )
    mapping = BoxMapping(crop[2] - crop[0], crop[3] - crop[1], crop[0], crop[1])
    placed = dataclasses.replace(
        detection,
        box=mapping.box(detection.box),
        keypoints=tuple(_moved(point, mapping) for point in detection.keypoints),
        polygons=tuple(_points(line, mapping) for line in detection.polygons),
    )
    return _Seen(placed, frozenset((number,)), (left, top, right, bottom))


def _moved(point: Keypoint, mapping: BoxMapping) -> Keypoint:
    ((x, y),) = _points([(point.x, point.y)], mapping)
    return dataclasses.replace(point, x=x, y=y)


def _points(points: Iterable[Point], mapping: BoxMapping) -> tuple[Point, ...]:
    return tuple(mapping.box((x, y, x, y))[:2] for x, y in points)


def _touch(a: Box, b: Box) -> bool:
    return a[0] <= b[2] and b[0] <= a[2] and a[1] <= b[3] and b[1] <= a[3]


def _common(a: Box, b: Box) -> float:
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return max(0.0, width) * max(0.0, height)


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
