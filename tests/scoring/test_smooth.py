"""Scores over the windows of a stream."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge_agent.frame import Place
from edge_agent.result import ClassScore, Result
from edge_agent.scoring.options import SmoothOptions
from edge_agent.scoring.smooth import Smooth
from tests.scoring.frames import put, window

_PLACES = {"yes": 0, "no": 1}


def scores(smooth: Smooth, **now: float) -> dict[str, float]:
    """Smoothed scores by label after one more window."""
    found = [ClassScore(label, score, _PLACES[label]) for label, score in now.items()]
    results = smooth.apply(window(), found)
    return {each.label: each.score for each in results if isinstance(each, ClassScore)}


def test_the_mean_of_the_newest_windows() -> None:
    """Older ones do not count any more."""
    smooth = Smooth(SmoothOptions(2))
    scores(smooth, yes=1.0)
    assert scores(smooth, yes=0.5) == {"yes": 0.75}
    assert scores(smooth, yes=0.25) == {"yes": 0.375}


def test_one_window_is_not_yet_the_word() -> None:
    """At the beginning the windows that there are not count as zero."""
    assert scores(Smooth(SmoothOptions(4)), yes=1.0) == {"yes": 0.25}


def test_a_label_that_is_not_told_counts_as_zero() -> None:
    """Decoders tell only the best labels."""
    smooth = Smooth(SmoothOptions(2))
    scores(smooth, yes=0.8, no=0.2)
    assert scores(smooth, no=0.6) == pytest.approx({"yes": 0.4, "no": 0.4})


def test_a_new_stream() -> None:
    """Nothing of the stream before counts."""
    smooth = Smooth(SmoothOptions(2))
    scores(smooth, yes=1.0)
    smooth.reset()
    assert scores(smooth, yes=1.0) == {"yes": 0.5}


def test_best_first_and_other_results_as_they_are() -> None:
    """Results keep the order of decoders."""
    raw = put([1.0])
    found: list[Result] = [*raw, ClassScore("a", 0.1, 0), ClassScore("b", 0.9, 1)]
    results = Smooth(SmoothOptions(1)).apply(window(), found)
    assert results == [raw[0], ClassScore("b", 0.9, 1), ClassScore("a", 0.1, 0)]


def test_a_gap_in_the_signal() -> None:
    """No mean reaches over it."""
    smooth = Smooth(SmoothOptions(2))
    first, second = (replace(window(), place=Place(part, 0, 4, 4)) for part in (1, 2))
    smooth.apply(first, [ClassScore("yes", 1.0, 0)])
    assert smooth.apply(first, [ClassScore("yes", 1.0, 0)]) == [ClassScore("yes", 1.0, 0)]
    assert smooth.apply(second, [ClassScore("yes", 1.0, 0)]) == [ClassScore("yes", 0.5, 0)]
