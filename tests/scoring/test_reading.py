"""Numbers with a unit and their bounds."""

from __future__ import annotations

import pytest

from edge_agent.errors import SignalMismatch
from edge_agent.result import ClassScore, Reading
from edge_agent.scoring.options import ReadingOptions
from edge_agent.scoring.reading import ReadingScorer
from tests.scoring.frames import put, window


def states(options: ReadingOptions, *numbers: float) -> list[str]:
    """State after each number."""
    scorer = ReadingScorer(options)
    told = []
    for number in numbers:
        reading, *_ = scorer.apply(window(), put([number]))
        assert isinstance(reading, Reading)
        told.append(reading.state)
    return told


def test_a_number_in_its_unit() -> None:
    """The chosen output, scaled and moved."""
    scorer = ReadingScorer(ReadingOptions("°C", 1, 0.5, -10.0))
    assert scorer.apply(window(), put([1, 80])) == [Reading(30.0, 1.0, "normal", "°C")]


def test_bounds_with_hysteresis() -> None:
    """Beyond a bound it begins, and it ends once it is back by the hysteresis."""
    options = ReadingOptions(above=30.0, below=10.0, hysteresis=2.0)
    found = states(options, 29, 31, 29, 27, 9, 11, 13)
    assert found == ["normal", "high", "high", "normal", "low", "low", "normal"]


def test_the_class_of_a_bound() -> None:
    """What is too high is a class of the frame for the tracker."""
    scorer = ReadingScorer(ReadingOptions(above=1.0))
    assert scorer.apply(window(), put([2]))[1:] == [ClassScore("high", 1.0, 0)]


def test_bounds_the_wrong_way_round() -> None:
    """They are refused when it is built."""
    with pytest.raises(ValueError, match=r"above \(1\) must be higher than below \(2\)"):
        ReadingScorer(ReadingOptions(above=1.0, below=2.0))


def test_an_output_that_is_not_there() -> None:
    """The error names the range."""
    with pytest.raises(SignalMismatch, match=r"set reading.output to 0..1"):
        ReadingScorer(ReadingOptions(output=2)).apply(window(), put([1, 2]))
