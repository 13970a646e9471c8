"""Overlap of boxes, and the map from the tensor to the frame."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_agent.geometry import Box, BoxMapping, iou

# Multiples of 1/1024 have an exact area in float32 too. Corners may be in any order, sides empty.
COORDINATE = st.integers(-100, 1124).map(lambda number: number / 1024)
ANY_BOX = st.tuples(COORDINATE, COORDINATE, COORDINATE, COORDINATE)
BOX = ANY_BOX.map(
    lambda b: (min(b[0], b[2]), min(b[1], b[3]), max(b[0], b[2]), max(b[1], b[3])),
)
ROUGH = st.floats(0, 1, width=32)


def rows(boxes: list[Box]) -> NDArray[np.float32]:
    """Boxes as an array, also where there are none."""
    return np.array(boxes, np.float32).reshape(-1, 4)


def exact(a: Box, b: Box) -> float:
    """Intersection over union by fractions."""
    ax1, ay1, ax2, ay2 = map(Fraction, a)
    bx1, by1, bx2, by2 = map(Fraction, b)
    width, height = min(ax2, bx2) - max(ax1, bx1), min(ay2, by2) - max(ay1, by1)
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return float(shared / ((ax2 - ax1) * (ay2 - ay1) + (bx2 - bx1) * (by2 - by1) - shared))


@given(ANY_BOX, ANY_BOX)
def test_iou(a: Box, b: Box) -> None:
    """The overlap is what fractions give, the same from both sides; turned boxes have none."""
    assert iou(a, b) == pytest.approx(exact(a, b), abs=1e-12)
    assert iou(a, b) == iou(b, a)


@given(st.tuples(ROUGH, ROUGH, ROUGH, ROUGH), st.tuples(ROUGH, ROUGH, ROUGH, ROUGH))
def test_bounds(a: Box, b: Box) -> None:
    """No rounding brings the overlap of any two boxes below 0 or above 1."""
    assert 0.0 <= iou(a, b) <= 1.0


@given(BOX)
def test_with_itself(box: Box) -> None:
    """A box covers itself wholly; one without an area covers nothing."""
    has_area = box[0] < box[2] and box[1] < box[3]
    assert iou(box, box) == float(has_area)


def test_touching_boxes() -> None:
    """Boxes that share an edge only do not overlap."""
    left, right = (0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0)
    assert iou(left, right) == 0.0


def test_half() -> None:
    """A box in one of twice its area overlaps by a half."""
    assert iou((0.0, 0.0, 1.0, 1.0), (0.0, 0.0, 0.5, 1.0)) == 0.5


NUMBERS = st.floats(-2, 2, width=32)
BOXES = st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS), max_size=5)


@given(BOXES, st.booleans())
def test_identity(boxes: list[Box], clip: bool) -> None:
    """Without a placement boxes stay as they are; clipped, they end at the frame's edges."""
    mapped = BoxMapping().boxes(rows(boxes), clip)
    assert np.array_equal(mapped, np.clip(rows(boxes), 0, 1) if clip else rows(boxes))


@given(BOXES)
def test_one_box_or_many(boxes: list[Box]) -> None:
    """A box alone is mapped as it is among others."""
    mapping = BoxMapping(1.5, 0.75, -0.25, 0.125)
    alone = [mapping.box(box) for box in boxes]
    assert mapping.boxes(rows(boxes)) == pytest.approx(rows(alone), abs=1e-6)


@given(BOXES)
def test_boxes_of_the_caller(boxes: list[Box]) -> None:
    """The boxes that are handed in are not changed, and float32 comes back."""
    given_boxes = rows(boxes)
    mapped = BoxMapping(2.0, 3.0, -0.5, -1.0).boxes(given_boxes)
    assert np.array_equal(given_boxes, rows(boxes))
    assert mapped.dtype == np.float32
    assert ((mapped >= 0) & (mapped <= 1)).all()


def test_placement() -> None:
    """The corners of the place where the frame was drawn are the corners of the frame."""
    mapping = BoxMapping.for_placement((320, 200), (40.0, 20.0, 240.0, 160.0))
    corners = rows([(40 / 320, 20 / 200, 280 / 320, 180 / 200)])
    assert mapping.boxes(corners, clip=False)[0] == pytest.approx([0, 0, 1, 1], abs=1e-6)
    centre = rows([(0.5, 0.5, 0.5, 0.5)])
    assert mapping.boxes(centre)[0] == pytest.approx([0.5] * 4)
