"""Statistics, scaling and trends are what their formulas say."""

from __future__ import annotations

import math
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edge_agent.preprocess.signal.statistics import Statistic
from tests.preprocess.signal.test_stages import window_stage

ROWS = np.array([[1, 10], [-2, 10], [3, 10], [-6, 14]], np.float32)
WINDOWS = arrays(np.float32, (12, 1), elements=st.floats(-100, 100, width=32))


def statistic(name: str, rows: np.ndarray[tuple[int, int], np.dtype[np.float32]]) -> list[float]:
    """One statistic of each channel."""
    stage = window_stage("statistics", {"features": [name]}, 1.0, (len(rows), rows.shape[1]))
    return [float(value) for value in stage.apply(rows)[0]]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mean", [-1, 11]),
        ("std", [math.sqrt(11.5), math.sqrt(3)]),
        ("min", [-6, 10]),
        ("max", [3, 14]),
        ("peak_to_peak", [9, 4]),
        ("rms", [math.sqrt(12.5), math.sqrt(124)]),
        ("peak", [6, 14]),
        ("crest_factor", [6 / math.sqrt(12.5), 14 / math.sqrt(124)]),
        ("skewness", [-13.5 / 11.5**1.5, 6 / 3**1.5]),
        ("kurtosis", [224.5 / 11.5**2, 21 / 9]),
        ("zero_crossing_rate", [1, 0]),
    ],
)
def test_by_hand(name: str, expected: list[float]) -> None:
    """Each statistic of a window that one can work out on paper."""
    assert statistic(name, ROWS) == pytest.approx(expected, rel=1e-6)


def test_in_the_order_asked_for() -> None:
    """A row for each statistic, a column for each channel."""
    names = ["max", "mean"]
    found = window_stage("statistics", {"features": names}, 1.0, (4, 2)).apply(ROWS)
    assert found.tolist() == [[3, 14], [-1, 11]]
    assert window_stage("statistics", {}, 1.0, (4, 2)).shape == (len(get_args(Statistic)), 2)


@given(rows=WINDOWS)
def test_bounds(rows: np.ndarray[tuple[int, int], np.dtype[np.float32]]) -> None:
    """No window breaks them: rms is at most the peak, kurtosis at least skewness^2 + 1."""
    (rms,), (peak,), (crest,) = (statistic(n, rows) for n in ("rms", "peak", "crest_factor"))
    assert rms <= peak * (1 + 1e-6)
    assert crest == 0.0 if peak == 0.0 else 1 - 1e-6 <= crest <= math.sqrt(12) * (1 + 1e-6)
    (kurtosis,), (skewness,) = statistic("kurtosis", rows), statistic("skewness", rows)
    assert kurtosis == 0.0 or kurtosis >= skewness**2 + 1 - 1e-3


def test_z_score_and_min_max() -> None:
    """The stored numbers of each channel, or one for all."""
    found = window_stage("z_score", {"mean": [1.0, 10.0], "std": [2.0, 4.0]}, 1.0, (4, 2))
    assert found.apply(ROWS).tolist() == [[0, 0], [-1.5, 0], [1, 0], [-3.5, 1]]
    found = window_stage("min_max", {"min": -6.0, "max": 14.0, "range": (-1, 1)}, 1.0, (4, 2))
    np.testing.assert_allclose(found.apply(ROWS)[3], [-1, 1])
    assert found.apply(ROWS)[0, 1] == pytest.approx(0.6)


def test_z_score_of_small_movements_on_a_large_level() -> None:
    """Nothing is lost where the mean is far above the deviation."""
    rows = (101325.0 + np.array([[0.0], [0.25], [-0.25]])).astype(np.float32)
    stage = window_stage("z_score", {"mean": 101325.0, "std": 0.25}, 1.0, (3, 1))
    assert stage.apply(rows)[:, 0].tolist() == [0, 1, -1]


@given(
    rows=WINDOWS,
    level=st.floats(-1e3, 1e3, width=32),
    slope=st.floats(-10, 10, width=32),
)
def test_a_line_is_taken_away(
    rows: np.ndarray[tuple[int, int], np.dtype[np.float32]], level: float, slope: float
) -> None:
    """A window is the same with a straight line added, and has no trend of its own left."""
    stage = window_stage("detrend", {}, 1.0, (12, 1))
    line = (level + slope * np.arange(12)).astype(np.float32)[:, None]
    without = stage.apply(rows)
    np.testing.assert_allclose(stage.apply(rows + line), without, atol=2e-3)
    fit = np.polyfit(np.arange(12), without[:, 0].astype(np.float64), 1)
    np.testing.assert_allclose(fit, 0, atol=1e-4)


def test_the_mean_alone_is_taken_away() -> None:
    """With type constant the slope stays."""
    found = window_stage("detrend", {"type": "constant"}, 1.0, (4, 2)).apply(ROWS)
    assert found[:, 1].tolist() == [-1, -1, -1, 3]


def test_differences() -> None:
    """From row to row, and of those again."""
    found = window_stage("difference", {}, 1.0, (4, 2)).apply(ROWS)
    assert found.tolist() == [[-3, 0], [5, 0], [-9, 4]]
    found = window_stage("difference", {"order": 2}, 1.0, (4, 2)).apply(ROWS)
    assert found.tolist() == [[8, 0], [-14, 4]]


def test_standardize_forgets_strength_and_level() -> None:
    """A window, and the same one louder and higher, are the same; a channel at rest is 0."""
    window = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32)
    window[:, 1] = 7.0
    stage = window_stage("standardize", {}, 1.0, (50, 2))
    found = stage.apply(window)
    np.testing.assert_allclose(found[:, 0].mean(), 0.0, atol=1e-6)
    np.testing.assert_allclose(found[:, 0].std(), 1.0, rtol=1e-6)
    assert (found[:, 1] == 0.0).all()
    np.testing.assert_allclose(stage.apply(40.0 * window + 3.0), found, atol=1e-4)
