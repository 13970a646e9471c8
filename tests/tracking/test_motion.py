"""Where boxes will be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.result import Detection
from edge_agent.tracking.motion import Motion
from edge_agent.tracking.sightings import Sightings

BOX = np.array([[0.2, 0.2, 0.3, 0.5]])
SURE = np.ones(1)


def _walk(step: float, until: float = 2.0, pace: float = 0.1) -> Motion:
    """A box that moves to the right and is seen every `step` seconds."""
    motion = Motion()
    motion.add(BOX, SURE)
    for number in range(1, round(until / step) + 1):
        motion.predict(step)
        motion.saw([0], BOX + pace * step * number * np.array([1.0, 0.0, 1.0, 0.0]), SURE)
    return motion


@settings(deadline=None)
@given(parts=st.lists(st.floats(0.001, 0.5), min_size=1, max_size=20))
def test_many_short_steps_are_one_long_step(parts: list[float]) -> None:
    """However the time until a box is seen again is cut, it is expected at the same place."""
    cut, whole = _walk(0.1), _walk(0.1)
    for part in parts:
        cut.predict(part)
    whole.predict(sum(parts))
    np.testing.assert_allclose(cut.boxes, whole.boxes)
    np.testing.assert_allclose(cut.uncertainty, whole.uncertainty)


@pytest.mark.parametrize("step", [1 / 30, 0.1, 0.2])
def test_pace_is_learnt_at_any_rate(step: float) -> None:
    """A box that moves steadily is expected where it will be half a second later."""
    motion = _walk(step)
    motion.predict(0.5)
    assert motion.boxes[0] == pytest.approx([0.45, 0.2, 0.55, 0.5], abs=0.01)


def test_nobody_runs_on_for_ever() -> None:
    """What is out of sight slows down, and nobody knows where it is."""
    motion = _walk(0.1)
    known = motion.uncertainty[0]
    motion.predict(600.0)
    assert motion.boxes[0, 0] == pytest.approx(0.4 + 0.1 * 4.0, abs=0.02)
    assert known < 0.1 < 10.0 < motion.uncertainty[0]


def test_shape_of_the_frame_does_not_matter() -> None:
    """In a frame twice as wide, everything is half as wide and else the same."""
    wide, narrow = Motion(), Motion()
    half = np.array([0.5, 1.0, 0.5, 1.0])
    for motion, scale in ((wide, half), (narrow, np.ones(4))):
        motion.add(BOX * scale, SURE)
        for shift in (0.02, 0.05):
            motion.predict(0.1)
            motion.saw([0], (BOX + shift) * scale, SURE)
        motion.predict(0.3)
    np.testing.assert_allclose(wide.boxes, narrow.boxes * half)
    np.testing.assert_allclose(wide.uncertainty, narrow.uncertainty)


def test_rows_are_apart() -> None:
    """What one row sees changes no other, and those who are kept stay as they were."""
    motion = _walk(0.1)
    alone = motion.boxes[0]
    motion.add(BOX, SURE)
    motion.saw([1], BOX + 0.01, SURE)
    assert motion.boxes[0] == pytest.approx(alone)
    moved = motion.boxes[1]
    motion.keep([1])
    assert len(motion) == 1
    assert motion.boxes[0] == pytest.approx(moved)


def test_size_stays_above_zero() -> None:
    """A box that shrinks fast before it is out of sight does not turn inside out."""
    motion = Motion()
    motion.add(BOX, SURE)
    for size in (0.05, 0.01, 0.0):
        motion.predict(0.1)
        motion.saw([0], np.array([[0.2, 0.2, 0.2 + size, 0.2 + size]]), SURE)
    motion.predict(5.0)
    low, high = motion.boxes[0, :2], motion.boxes[0, 2:]
    assert (high > low).all()


def _errors(*seen: tuple[float, tuple[float, float, float, float]]) -> list[float]:
    detections = [Detection("cat", score, box, 0) for score, box in seen]
    return [float(error) for error in Sightings.of(detections).errors]


def test_what_is_trusted_less() -> None:
    """A weak detection errs further than a sure one, and one that overlaps another further yet."""
    left, right, far = (0.1, 0.1, 0.3, 0.5), (0.2, 0.1, 0.4, 0.5), (0.7, 0.1, 0.9, 0.5)
    sure, weak = _errors((1.0, left), (0.5, far))
    assert (sure, weak) == (1.0, 2.0)
    beside, other = _errors((1.0, left), (1.0, right))
    assert beside == pytest.approx(other)
    assert beside > weak
    (within, _) = _errors((1.0, (0.2, 0.2, 0.3, 0.3)), (1.0, (0.1, 0.1, 0.5, 0.5)))
    assert within > beside
