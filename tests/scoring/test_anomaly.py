"""When a value is an anomaly, and how far from normal a window is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from edge_agent.errors import SignalMismatch
from edge_agent.frame import Frame, Place
from edge_agent.result import ClassScore, Reading, Result
from edge_agent.scoring.anomaly import AnomalyScorer
from edge_agent.scoring.calibration import make_calibration
from edge_agent.scoring.deviation import Deviation, Distance, Reconstruction, RobustZ
from tests.scoring.frames import put, window


class Given(Deviation):
    """The value is the window's first number."""

    def of(self, frame: Frame, results: Sequence[Result]) -> float | None:
        """That number; nothing can be said of NaN."""
        del results
        return None if np.isnan(frame.data[0]) else float(frame.data[0])

    def reset(self) -> None:
        """Do nothing."""


ANY = window()


def states(scorer: AnomalyScorer, *values: float) -> list[str]:
    """State of the reading after each value; the class must be there in the anomaly alone."""
    told = []
    for value in values:
        reading, *others = scorer.apply(window(value), ())
        assert isinstance(reading, Reading)
        assert bool(others) == (reading.state == "anomaly")
        told.append(reading.state)
    return told


def test_hysteresis() -> None:
    """It begins above the limit and ends below the limit less its part."""
    found = states(AnomalyScorer(Given, 10.0, 0.2), 9.9, 10.1, 8.1, 7.9, 8.1)
    assert found == ["normal", "anomaly", "anomaly", "normal", "normal"]


def test_the_score_does_not_depend_on_the_unit() -> None:
    """Half at the limit; in the hysteresis it is not below that, so that the event goes on."""
    scorer = AnomalyScorer(Given, 1e-6, 0.5)
    reading, anomaly = scorer.apply(window(3e-6), ())
    assert isinstance(reading, Reading)
    assert (reading.state, reading.limit) == ("anomaly", 1e-6)
    assert (reading.value, reading.score) == pytest.approx((3e-6, 0.75))
    assert isinstance(anomaly, ClassScore)
    assert (anomaly.label, anomaly.score) == ("anomaly", reading.score)
    _, anomaly = scorer.apply(window(0.8e-6), ())
    assert isinstance(anomaly, ClassScore)
    assert anomaly.score == 0.5


def test_the_mean_of_windows() -> None:
    """One window alone does not make it."""
    assert states(AnomalyScorer(Given, 10.0, 0.0, 2), 0.0, 18.0, 12.0) == [
        "normal", "normal", "anomaly",
    ]  # fmt: skip


def test_a_window_of_which_nothing_can_be_said() -> None:
    """It is neither told nor part of a mean, and what is on stays on behind it."""
    scorer = AnomalyScorer(Given, 10.0, 0.5, 2)
    states(scorer, 8.0, 16.0)
    assert list(scorer.apply(window(np.nan), ())) == []
    assert states(scorer, 0.0) == ["anomaly"]


def test_a_new_stream_is_normal() -> None:
    """An anomaly does not outlast its stream."""
    scorer = AnomalyScorer(Given, 10.0, 0.5, 3)
    states(scorer, 30.0)
    scorer.reset()
    assert states(scorer, 8.0) == ["normal"]


def test_reconstruction() -> None:
    """The mean squared difference."""
    value = Reconstruction().of(window(1.0, 2.0, 3.0, 4.0), put([[1, 2, 3, 0]]))
    assert value == 4.0


def test_what_is_no_reconstruction() -> None:
    """A model with another number of outputs is refused with the cure."""
    with pytest.raises(SignalMismatch, match=r"2 numbers for a window of 3.*autoencoder"):
        Reconstruction().of(window(0, 0, 0), put([1, 2]))


def test_outputs_that_are_no_numbers() -> None:
    """Classes cannot be compared with a window."""
    with pytest.raises(SignalMismatch, match="task: raw"):
        Reconstruction().of(window(0), [ClassScore("cat", 0.5, 0)])


def test_distance() -> None:
    """From the nearest normal window, in standard deviations of normal; the units are gone."""
    normal = np.array([[0, 0], [2, 2000], [4, 0], [2, 1000]], np.float32)
    known = make_calibration("b", [1.0], normal, 1.0)
    distance = Distance(known)
    assert distance.of(ANY, put([2, 1000])) == pytest.approx(0.0, abs=1e-6)
    step = np.array([2.0, 1000.0]) + 10 * normal.std(axis=0)
    assert distance.of(ANY, put(step)) > 8.0


def test_distance_of_another_size() -> None:
    """A calibration with other windows is refused with the cure."""
    known = make_calibration("b", [1.0], np.eye(3, dtype=np.float32), 1.0)
    with pytest.raises(SignalMismatch, match=r"2 numbers.*have 3.*calibrate again"):
        Distance(known).of(ANY, put([1, 2]))


def test_robust_z_of_noise_and_a_spike() -> None:
    """Noise is a few deviations, a spike many; spikes before it do not widen normal."""
    dice = np.random.default_rng(1)
    judge = RobustZ(100)
    noise = [judge.of(ANY, put([x])) for x in dice.normal(5.0, 2.0, 400)]
    assert noise[:25] == [0.0] * 25
    assert 2.0 < max(noise) < 6.0
    for _ in range(2):
        judge.of(ANY, put([500.0]))
    assert judge.of(ANY, put([45.0])) > 15.0


def test_robust_z_of_two_levels() -> None:
    """Day and night are both usual, though most of the time is night."""
    dice = np.random.default_rng(2)
    judge = RobustZ(200)
    levels = np.where(np.arange(1000) % 100 < 30, 80.0, 20.0) + dice.normal(0, 1, 1000)
    values = [judge.of(ANY, put([x])) for x in levels]
    assert max(values[200:]) < 6.0


def test_robust_z_of_what_stands_still() -> None:
    """A constant has no spread; it is normal, and a step is not."""
    judge = RobustZ(40)
    assert max(judge.of(ANY, put([7.0, 0.0])) for _ in range(100)) == 0.0
    assert judge.of(ANY, put([7.1, 0.0])) > 100.0


def test_no_mean_reaches_over_a_gap() -> None:
    """The first window behind it is judged by itself."""
    scorer = AnomalyScorer(Given, 10.0, average=2)
    told = []
    for part, value in ((1, 8.0), (1, 4.0), (2, 9.0)):
        reading, *_ = scorer.apply(replace(window(value), place=Place(part, 0, 1, 1)), ())
        assert isinstance(reading, Reading)
        told.append(reading.value)
    assert told == [8.0, 6.0, 9.0]
