"""Windows that are stacked are judged as if each came by itself, to the last digit."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_agent.frame import Frame
from edge_agent.scoring.anomaly import AnomalyScorer
from edge_agent.scoring.base import StackScorer, Unscored
from edge_agent.scoring.calibration import make_calibration
from edge_agent.scoring.deviation import Deviation, Distance, RobustZ
from tests.scoring.frames import put

Windows = NDArray[np.float32]
NORMAL = np.random.default_rng(0).normal(0.0, 1.0, (30, 2)).astype(np.float32)


def stacked(windows: Windows, first: int = 0) -> Frame:
    """Windows of a block as they come stacked."""
    ends = np.arange(first, first + len(windows)) / 10.0
    return Frame("s", first, windows, 0.0, 0, float(ends[-1]), ends=ends)


@st.composite
def signals(draw: st.DrawFn) -> tuple[Windows, list[int]]:
    """Windows of two numbers, among them constant stretches, steps and spikes; where it is cut."""
    count = draw(st.integers(1, 120))
    dice = np.random.default_rng(draw(st.integers(0, 9999)))
    windows = dice.normal(0.0, draw(st.sampled_from([0.0, 1.0])), (count, 2))
    windows[dice.random(count) < 0.05] += 50.0
    windows[count // 2 :, 1] += draw(st.sampled_from([0.0, 5.0]))
    cuts = draw(st.sets(st.integers(1, count), max_size=6))
    return windows.astype(np.float32), sorted({0, count, *cuts})


def plain_scores(windows: Windows, history: int) -> list[float]:
    """Robust z-scores, of the windows so far and nothing else."""
    scores, every = list[float](), max(1, history // 25)
    median: NDArray[np.float64] | None = None
    spread = np.empty(0)
    real = windows.astype(np.float64)
    for count, window in enumerate(real):
        past = np.sort(real[max(0, count - history) : count], axis=0)
        if len(past) * 4 < history:
            scores.append(0.0)
            continue
        if median is None or count % every == 0:
            last = len(past) - 1
            low, median, high = (past[round(part * last)] for part in (0.025, 0.5, 0.975))
            mad = 1.4826 * np.sort(np.abs(past - median), axis=0)[round(0.5 * last)]
            widest = np.maximum((high - low) * (1 / 3.92), 1e-9 + 1e-6 * np.abs(median))
            spread = np.maximum(mad, widest)
        scores.append(float((np.abs(window - median) / spread).max()))
    return scores


@given(signals(), st.integers(16, 70))
def test_robust_z(signal: tuple[Windows, list[int]], history: int) -> None:
    """Its scores are those of its formula, one by one and however they are stacked."""
    windows, cuts = signal
    plain = plain_scores(windows, history)
    alone, together = RobustZ(history), RobustZ(history)
    assert [
        alone.of(stacked(windows[n : n + 1]), put(windows[n])) for n in range(len(windows))
    ] == (plain)
    found = [
        score
        for start, end in pairwise(cuts)
        for score in together.of_each(stacked(windows[start:end]), put(windows[start:end]))
    ]
    assert found == plain


@pytest.mark.parametrize(
    ("deviation", "limit"),
    [
        (partial(RobustZ, 40), 6.0),
        (partial(Distance, make_calibration("b", [1.0], NORMAL, 1.0)), 3.0),
    ],
)
@given(signal=signals(), average=st.integers(1, 3))
def test_verdicts(
    deviation: Callable[[], Deviation],
    limit: float,
    signal: tuple[Windows, list[int]],
    average: int,
) -> None:
    """Values, states and classes are the same, whatever the method; what is on stays on."""
    windows, cuts = signal
    alone, together = (AnomalyScorer(deviation, limit, 0.3, average) for _ in range(2))
    plain = [alone.apply(stacked(windows).window(n), put(windows[n])) for n in range(len(windows))]
    found = [
        scored
        for start, end in pairwise(cuts)
        for scored in together.apply_each(stacked(windows[start:end]), put(windows[start:end]))
    ]
    assert found == plain


def test_who_takes_stacks() -> None:
    """A scorer that knows nothing of them is told apart."""
    assert isinstance(AnomalyScorer(partial(RobustZ, 40), 6.0), StackScorer)
    assert not isinstance(Unscored(), StackScorer)
