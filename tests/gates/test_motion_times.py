"""How long the motion gate stays open, by the frames' own time."""

from __future__ import annotations

import numpy as np
import pytest

from edge_agent.gates.motion import MotionGate, MotionOptions
from tests.gates.scenes import frame, lighter, play, reasons, room, still, with_square

ROOM = room()
SQUARE = with_square(ROOM, 100, 60)


def passed(gate: MotionGate, seconds: float, start: float, active: bool = False) -> list[float]:
    """Times after `start` at which frames of a still scene at 10 fps pass."""
    verdicts = play(gate, still(ROOM, round(10 * seconds)), start, active=active)
    return [round(number / 10, 1) for number, verdict in enumerate(verdicts) if verdict.passed]


def test_the_first_frame() -> None:
    """The first frame passes without a region."""
    verdict = MotionGate(MotionOptions()).check(frame(ROOM, 50.0), False)
    assert (verdict.passed, verdict.reason, verdict.regions) == (True, "first", ())


@pytest.mark.parametrize("hold", [0.0, 0.35, 1.0, 3.0])
def test_hold(hold: float) -> None:
    """After motion, frames pass for the hold time and no longer."""
    gate = MotionGate(MotionOptions(hold=hold))
    play(gate, still(ROOM, 100), start=-10.0)
    motion = gate.check(frame(SQUARE, 0.0), False)
    assert motion.reason == "motion"
    verdicts = [gate.check(frame(ROOM, 0.05 + number / 10), False) for number in range(60)]
    held = [number for number, verdict in enumerate(verdicts) if verdict.passed]
    assert set(reasons(verdicts[: len(held)])) <= {"hold"}
    assert held == [number for number in range(60) if 0.05 + number / 10 <= hold]


def test_the_hold_starts_with_the_last_motion() -> None:
    """Motion during the hold makes it longer."""
    gate = MotionGate(MotionOptions(hold=1.0))
    play(gate, still(ROOM, 50), start=-5.0)
    play(gate, [SQUARE], start=0.0)
    assert passed(gate, 0.6, start=0.1) == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]
    play(gate, [with_square(ROOM, 200, 60)], start=0.65)
    assert passed(gate, 2.0, start=0.7) == [round(n / 10, 1) for n in range(10)]


@pytest.mark.parametrize("refresh", [2.0, 5.0])
def test_refresh(refresh: float) -> None:
    """In a still scene a frame passes this long after the last one that passed."""
    gate = MotionGate(MotionOptions(hold=0.0, refresh=refresh))
    assert passed(gate, 10.05 + refresh, start=0.0) == list(np.arange(0.0, 10.1, refresh))


def test_refresh_counts_from_the_end_of_the_hold() -> None:
    """What passed during the hold is not due again before its time."""
    gate = MotionGate(MotionOptions(hold=1.05, refresh=3.0))
    assert passed(gate, 8.0, start=0.0) == [*(n / 10 for n in range(11)), 4.0, 7.0]


def test_refresh_while_objects_are_followed() -> None:
    """Then the shorter time counts, from the same last frame."""
    gate = MotionGate(MotionOptions(hold=0.0, refresh=10.0, refresh_active=0.5))
    assert passed(gate, 2.0, start=0.0) == [0.0]
    assert passed(gate, 2.0, start=2.0, active=True) == [0.0, 0.5, 1.0, 1.5]
    assert passed(gate, 12.0, start=4.0) == [9.5]


def test_refresh_says_so() -> None:
    """The verdict names the refresh, and no region."""
    gate = MotionGate(MotionOptions(hold=0.0, refresh=1.0))
    verdicts = play(gate, still(ROOM, 11))
    assert reasons(verdicts) == ["first", *["still"] * 9, "refresh"]
    assert verdicts[-1].regions == ()


@pytest.mark.parametrize("fps", [2, 10, 30])
def test_what_stays_becomes_background(fps: float) -> None:
    """Something put down is motion for 2 to 4 s, at any frame rate."""
    gate = MotionGate(MotionOptions())
    play(gate, still(ROOM, round(5 * fps)), start=-5.0, fps=fps)
    said = reasons(play(gate, still(SQUARE, round(10 * fps)), fps=fps))
    count = said.count("motion")
    assert said[:count] == ["motion"] * count
    assert 2.0 <= count / fps <= 4.0


@pytest.mark.parametrize("size", [(160, 90), (321, 180), (180, 320)])
def test_another_frame_size(size: tuple[int, int]) -> None:
    """The first frame of another size passes, and starts a background of its own."""
    gate = MotionGate(MotionOptions())
    play(gate, still(ROOM, 50), start=-5.0)
    verdicts = play(gate, still(lighter(room(size), 60), 20))
    assert reasons(verdicts)[:11] == ["first", *["hold"] * 10]
    assert reasons(verdicts)[11:] == ["still"] * 9
    assert play(gate, [with_square(room(size), 60, 30)], start=2.0)[0].reason == "motion"


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (400, 1), (3, 5), (4000, 2)])
def test_odd_frame_sizes(size: tuple[int, int]) -> None:
    """Frames of few pixels are judged like any other: still while they stay the same."""
    gate = MotionGate(MotionOptions())
    said = reasons(play(gate, still(room(size), 30)))
    assert said == ["first", *["hold"] * 10, *["still"] * 19]


def test_reset_forgets_the_scene() -> None:
    """After the source was away another scene is no motion."""
    gate = MotionGate(MotionOptions())
    play(gate, still(ROOM, 50))
    gate.reset()
    assert reasons(play(gate, still(SQUARE, 5), start=60.0)) == ["first", *["hold"] * 4]


def test_two_frames_at_the_same_time() -> None:
    """Frames with one and the same time are judged, and motion in the second is seen."""
    gate = MotionGate(MotionOptions())
    assert reasons([gate.check(frame(p, 0.0), False) for p in (ROOM, ROOM, SQUARE)]) == [
        "first",
        "hold",
        "motion",
    ]


def test_the_frame_is_not_changed() -> None:
    """The gate only looks."""
    gate, picture = MotionGate(MotionOptions()), SQUARE.copy()
    for number in range(3):
        gate.check(frame(picture, number / 10), False)
    assert np.array_equal(picture, SQUARE)
