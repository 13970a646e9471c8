"""At most so many frames a second."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.gates.rate import RateGate, RateOptions
from tests.gates.scenes import frame

PICTURE = np.zeros((2, 2, 3), np.uint8)


def passed(gate: RateGate, times: list[float], active: bool = False) -> list[float]:
    """The times of the frames that pass."""
    return [time for time in times if gate.check(frame(PICTURE, time), active).passed]


@pytest.mark.parametrize(
    ("source", "fps", "count"),
    [(10, 5, 50), (30, 20, 200), (30, 30, 300), (25, 30, 250), (30, 7, 70), (30, 0.5, 5)],
)
@pytest.mark.parametrize("start", [0.0, 1.0e6 / 7])
def test_rates(source: float, fps: float, count: int, start: float) -> None:
    """In 10 s so many frames pass, without drift, and never more than the source has."""
    times = [round(start + number / source, 6) for number in range(10 * int(source))]
    assert len(passed(RateGate(RateOptions(fps=fps)), times)) == count


@pytest.mark.parametrize("active", [False, True])
def test_every_second_frame(active: bool) -> None:
    """A 10 fps source at 5 fps gives every second frame from the first on, active or not."""
    times = [number / 10 for number in range(100)]
    assert passed(RateGate(RateOptions(fps=5)), times, active) == times[::2]


TIMES = st.lists(st.floats(0, 3), max_size=150).map(sorted)


@settings(deadline=None)
@given(TIMES, st.floats(0.5, 40))
def test_never_more(times: list[float], fps: float) -> None:
    """However unevenly frames come, in n periods at most n + 2 pass: the grid may catch up once."""
    gone = passed(RateGate(RateOptions(fps=fps)), times)
    for first in range(len(gone)):
        for last in range(first + 1, len(gone)):
            assert (gone[last] - gone[first]) * fps >= last - first - 1 - 0.01


@given(TIMES, st.floats(0.5, 40))
def test_never_fewer(times: list[float], fps: float) -> None:
    """A frame that comes a whole period after the last one that passed does pass."""
    gone = set(passed(RateGate(RateOptions(fps=fps)), times))
    last = -1e9
    for time in times:
        assert time in gone or time - last < 1 / fps
        last = time if time in gone else last


def test_no_burst_after_a_gap() -> None:
    """After a pause the grid starts anew instead of making up for what was missed."""
    gate = RateGate(RateOptions(fps=1))
    passed(gate, [0.0, 1.0])
    assert passed(gate, [20.25, 20.5, 21.0, 21.2, 21.25]) == [20.25, 21.25]


def test_times_rounded_to_microseconds() -> None:
    """A frame that is early by rounding alone passes."""
    assert passed(RateGate(RateOptions(fps=3)), [0.0, 0.333333, 0.666666, 0.999999]) == [
        0.0,
        0.333333,
        0.666666,
        0.999999,
    ]


def test_reset() -> None:
    """After a reset the next frame passes, whatever its time."""
    gate = RateGate(RateOptions(fps=1))
    assert passed(gate, [100.0, 100.5]) == [100.0]
    gate.reset()
    assert passed(gate, [3.0, 3.5, 4.0]) == [3.0, 4.0]


def test_reason() -> None:
    """Both verdicts name the rate, and no region."""
    gate = RateGate(RateOptions())
    verdicts = [gate.check(frame(PICTURE, time), False) for time in (0.0, 0.1)]
    assert [(each.passed, each.reason, each.regions) for each in verdicts] == [
        (True, "rate", ()),
        (False, "rate", ()),
    ]
