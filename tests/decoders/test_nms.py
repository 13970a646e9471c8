"""Non-maximum suppression against a naive version, and what it promises beyond that."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_agent.decoders import nms as room
from edge_agent.decoders.nms import nms, soft_nms
from edge_agent.geometry import iou

# Whole corners and overlaps of eighths: exact in float32, so nothing hangs on rounding.
_SIDES = st.integers(0, 12)
_ROWS = st.lists(
    st.tuples(_SIDES, _SIDES, _SIDES, _SIDES, st.integers(1, 6), st.integers(0, 2)), max_size=40
)
_OVERLAPS = st.sampled_from([0.0, 0.25, 0.5, 0.625, 1.0])


def _arrays(rows: list[tuple[int, ...]]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Boxes with their corners in order, scores in quarters (many ties), classes."""
    table = np.array(rows, np.float32).reshape(-1, 6)
    boxes = np.hstack(
        [np.minimum(table[:, :2], table[:, 2:4]), table[:, :4].reshape(-1, 2, 2).max(1)]
    )
    return boxes, table[:, 4] / 8, table[:, 5].astype(np.intp)


def _naive(boxes: Any, scores: Any, classes: Any, most: float) -> list[int]:
    """One box after the other, as the textbook has it."""
    kept: list[int] = []
    for i in sorted(range(len(scores)), key=lambda i: -scores[i]):
        rivals = [j for j in kept if classes is None or classes[i] == classes[j]]
        if all(iou(tuple(boxes[i]), tuple(boxes[j])) <= most for j in rivals):
            kept.append(i)
    return kept


@pytest.mark.parametrize("many", [2, 1000])
@pytest.mark.parametrize("block", [1, 3, 128])
@given(rows=_ROWS, most=_OVERLAPS, by_class=st.booleans())
@settings(max_examples=60, deadline=None)
def test_same_as_naive(
    block: int, many: int, rows: list[tuple[int, ...]], most: float, by_class: bool
) -> None:
    """The same boxes in the same order as the naive version, however the work is cut up."""
    boxes, scores, classes = _arrays(rows)
    wanted = classes if by_class else None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "_BLOCK", block)
        patch.setattr(room, "_MANY", many)
        found = nms(boxes, scores, wanted, most)
    assert found.tolist() == _naive(boxes, scores, wanted, most)


def _naive_soft(
    boxes: Any, scores: Any, classes: Any, sigma: float, least: float
) -> list[tuple[int, float]]:
    left = {i: float(s) for i, s in enumerate(scores) if s >= least}
    found = []
    while left:
        best = max(left, key=lambda i: (left[i], -i))
        found.append((best, left.pop(best)))
        for i in list(left):
            if classes is None or classes[i] == classes[best]:
                overlap = iou(tuple(boxes[i]), tuple(boxes[best]))
                left[i] *= math.exp(-(overlap**2) / sigma)
            if left[i] < least:
                del left[i]
    return found


@given(rows=_ROWS, sigma=st.sampled_from([0.3, 0.5]), by_class=st.booleans())
@settings(max_examples=100, deadline=None)
def test_soft_same_as_naive(rows: list[tuple[int, ...]], sigma: float, by_class: bool) -> None:
    """The same boxes as the naive version, with the same lowered scores."""
    boxes, scores, classes = _arrays(rows)
    scores = scores + np.arange(len(scores), dtype=np.float32) / 997  # rounding breaks ties
    wanted = classes if by_class else None
    # A limit that no product of penalties meets by chance.
    found, final = soft_nms(boxes, scores, wanted, sigma, 0.0431)
    expected = _naive_soft(boxes, scores, wanted, sigma, 0.0431)
    assert dict(zip(found.tolist(), final.tolist(), strict=True)) == pytest.approx(dict(expected))
    assert (np.diff(final) <= 0.0).all()


@given(rows=_ROWS, most=_OVERLAPS)
@settings(max_examples=50, deadline=None)
def test_twice_is_once(rows: list[tuple[int, ...]], most: float) -> None:
    """What stays once stays when asked again."""
    boxes, scores, _ = _arrays(rows)
    found = nms(boxes, scores, None, most)
    again = nms(boxes[found], scores[found], None, most)
    assert again.tolist() == list(range(len(found)))


def test_ties_keep_the_earlier() -> None:
    """Of equal scores the earlier box stays, whatever the number of boxes."""
    boxes = np.tile(np.array([[0, 0, 1, 1]], np.float32), (300, 1))
    boxes[150:] += 5
    found = nms(boxes, np.full(300, 0.5, np.float32), None, 0.5)
    assert found.tolist() == [0, 150]
    soft, _ = soft_nms(boxes, np.full(300, 0.5, np.float32), None, 0.5, 0.4)
    assert soft.tolist() == [0, 150]


def test_no_cap() -> None:
    """Boxes that do not touch all stay, however many there are."""
    corner = np.arange(3000, dtype=np.float32)[:, None] * 2
    boxes = np.hstack([corner, corner, corner + 1, corner + 1])
    scores = np.linspace(0.1, 0.9, 3000, dtype=np.float32)
    assert nms(boxes, scores, None, 0.5).tolist() == list(range(2999, -1, -1))


def test_nothing() -> None:
    """No boxes, no result."""
    boxes, scores, classes = _arrays([])
    assert nms(boxes, scores, classes, 0.5).size == 0
    assert soft_nms(boxes, scores, classes, 0.5, 0.1)[0].size == 0
