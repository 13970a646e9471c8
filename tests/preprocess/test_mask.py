"""What is masked cannot be seen."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_agent.frame import Frame
from edge_agent.options import Polygon
from edge_agent.preprocess.mask import PrivacyMask

SIDE = st.integers(1, 60)
VERTEX = st.tuples(st.floats(0, 1), st.floats(0, 1))
TRIANGLE = st.lists(VERTEX, min_size=3, max_size=3)
# Subnormal weights would lose the point to rounding.
WEIGHTS = st.lists(st.floats(0, 1), min_size=3, max_size=3).filter(lambda parts: sum(parts) > 1e-6)


def white(width: int, height: int) -> Frame:
    """A white frame."""
    return Frame("door", 5, np.full((height, width, 3), 255, np.uint8), 1.5, 7, 2.5, 3.5)


def black(frame: Frame) -> NDArray[np.bool_]:
    """Which pixels are black; the others must be as they were."""
    dark = (frame.data == 0).all(axis=2)
    assert (frame.data[~dark] == 255).all()
    return np.asarray(dark)


@settings(deadline=None)
@given(TRIANGLE, st.lists(WEIGHTS, min_size=20, max_size=20), SIDE, SIDE)
def test_every_point_inside_is_black(
    polygon: Polygon, points: list[list[float]], width: int, height: int
) -> None:
    """The pixel under any point of the polygon is black, also where an edge only touches it."""
    dark = black(PrivacyMask([polygon]).apply(white(width, height)))
    for weights in points:
        x, y = np.average(np.array(polygon), axis=0, weights=weights)
        assert dark[min(int(y * height), height - 1), min(int(x * width), width - 1)]


@settings(deadline=None)
@given(TRIANGLE, SIDE, SIDE)
def test_little_more_is_black(polygon: Polygon, width: int, height: int) -> None:
    """No pixel is black whose centre is more than three pixels away from the polygon."""
    dark = black(PrivacyMask([polygon]).apply(white(width, height)))
    corners = (np.array(polygon) * (width, height)).astype(np.float32)[:, None]
    for y, x in zip(*np.nonzero(dark), strict=True):
        assert cv2.pointPolygonTest(corners, (float(x) + 0.5, float(y) + 0.5), True) >= -3.0


def test_whole_frame() -> None:
    """A polygon around the frame blackens all of it."""
    frame = PrivacyMask([[(0, 0), (1, 0), (1, 1), (0, 1)]]).apply(white(13, 7))
    assert black(frame).all()


def test_the_shared_frame_is_not_changed() -> None:
    """Other pipelines keep seeing the original; all but the picture stays the same."""
    frame = white(20, 10)
    masked = PrivacyMask([[(0, 0), (0.5, 0), (0.5, 1), (0, 1)]]).apply(frame)
    assert (frame.data == 255).all()
    assert black(masked).any()
    assert (masked.source, masked.seq, masked.wall) == ("door", 5, 1.5)
    assert (masked.monotonic_ns, masked.timeline, masked.media_time) == (7, 2.5, 3.5)


def test_without_polygons() -> None:
    """The very frame comes back, not a copy of it."""
    frame = white(4, 4)
    assert PrivacyMask([]).apply(frame) is frame


def test_overlapping_polygons() -> None:
    """Where two polygons overlap it is black as well."""
    left: Polygon = [(0, 0), (0.6, 0), (0.6, 1), (0, 1)]
    right: Polygon = [(0.4, 0), (1, 0), (1, 1), (0.4, 1)]
    assert black(PrivacyMask([left, right]).apply(white(40, 40))).all()


@pytest.mark.parametrize("view", [np.s_[::2, ::2], np.s_[:, ::-1], np.s_[10:30, 5:25]])
def test_views(view: tuple[slice, slice]) -> None:
    """A frame that is a view of a larger picture is masked, and the picture stays as it is."""
    whole = np.full((40, 40, 3), 255, np.uint8)
    frame = Frame("door", 0, whole[view], 0.0, 0, 0.0)
    assert black(PrivacyMask([[(0, 0), (1, 0), (1, 1), (0, 1)]]).apply(frame)).all()
    assert (whole == 255).all()
