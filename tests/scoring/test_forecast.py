"""What came, against what was predicted of it."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray

from edge_agent.errors import SignalMismatch
from edge_agent.frame import Frame, Place, Signal
from edge_agent.preprocess.framing import SignalFraming, WindowOptions
from edge_agent.preprocess.signal.scaling import ZScoreOptions
from edge_agent.scoring.forecast import Forecast
from tests.scoring.frames import put

Rows = NDArray[np.float32]


def rows(numbers: ArrayLike, first: int = 0, hop: int = 2, part: int = 0) -> Frame:
    """A window of rows of one channel, or of as many as they have."""
    data = np.asarray(numbers, np.float32)
    data = data.reshape(len(data), -1)
    return Frame("s", 0, data, 0.0, 0, 0.0, place=Place(part, first, len(data), hop))


def test_windows_one_behind_the_other() -> None:
    """Each is compared with what was predicted from the one before; of the first nothing is."""
    judge = Forecast()
    assert judge.of(rows([0, 0]), put([1, 2])) is None
    assert judge.of(rows([4, 6], 2), put([9, 9])) == 3.5355339059327378  # sqrt((3 * 3 + 4 * 4) / 2)
    assert judge.of(rows([9, 9], 4), put([0, 0])) == 0.0


def test_what_is_no_longer_new_is_not_judged_again() -> None:
    """Of a window that overlaps the one before only the last rows count."""
    judge = Forecast()
    judge.of(rows([0, 0, 0, 0]), put([1, 2]))
    assert judge.of(rows([7, 7, 1, 5], 2), put([0, 0])) == pytest.approx((9 / 2) ** 0.5)


def test_more_is_predicted_than_a_hop() -> None:
    """A row is compared with each prediction of it, from near and from far."""
    judge = Forecast()
    judge.of(rows([0, 0], 0, hop=1), put([1, 2, 3]))
    assert judge.of(rows([0, 2], 1, hop=1), put([5, 0, 0])) == 1.0  # 2 - 1
    value = judge.of(rows([2, 4], 2, hop=1), put([0, 0, 0]))
    assert value == pytest.approx((((4 - 2) ** 2 + (4 - 5) ** 2) / 2) ** 0.5)
    value = judge.of(rows([4, 6], 3, hop=1), put([0, 0, 0]))
    assert value == pytest.approx((((6 - 3) ** 2 + (6 - 0) ** 2 + (6 - 0) ** 2) / 3) ** 0.5)


def test_a_horizon_that_is_no_number_of_hops() -> None:
    """Of a prediction that reaches into a hop, the rows that it has count."""
    judge = Forecast()
    judge.of(rows([0, 0]), put([1, 1, 1]))
    judge.of(rows([1, 1], 2), put([5, 5, 5]))
    value = judge.of(rows([2, 9], 4), put([0, 0, 0]))
    assert value == pytest.approx((((2 - 1) ** 2 + (2 - 5) ** 2 + (9 - 5) ** 2) / 3) ** 0.5)


def test_channels() -> None:
    """A prediction is row by row, all channels of each."""
    judge = Forecast()
    judge.of(rows([[0, 0], [0, 0]]), put([[1, 10, 2, 20]]))
    assert judge.of(rows([[1, 10], [2, 16]], 2), put([0, 0, 0, 0])) == 2.0  # sqrt(16 / 4)


@pytest.mark.parametrize(
    "after",
    [
        pytest.param(rows([3, 3], 2, part=1), id="a gap"),
        pytest.param(rows([3, 3], 4), id="windows that were left out"),
        pytest.param(rows([3, 3], 0), id="the same rows again"),
    ],
)
def test_nothing_is_predicted_over_a_hole(after: Frame) -> None:
    """What was predicted before rows that nobody saw is forgotten."""
    judge = Forecast()
    judge.of(rows([0, 0]), put([1, 1]))
    assert judge.of(after, put([5, 5])) is None
    assert after.place is not None
    goes_on = rows([4, 4], after.place.first + 2, part=after.place.part)
    assert judge.of(goes_on, put([0, 0])) == 1.0


def test_a_window_that_was_left_out_but_overlapped() -> None:
    """Where the next one shows all rows, nothing is lost but a prediction."""
    judge = Forecast()
    judge.of(rows([0, 0, 0, 0], 0, hop=1), put([1, 1, 1, 1]))
    assert judge.of(rows([0, 0, 2, 2], 2, hop=1), put([0, 0, 0, 0])) == 1.0


def test_a_new_stream() -> None:
    """What was predicted in the stream before is forgotten."""
    judge = Forecast()
    judge.of(rows([0, 0]), put([1, 1]))
    judge.reset()
    assert judge.of(rows([9, 9], 2), put([1, 1])) is None


@pytest.mark.parametrize(
    ("window", "numbers", "words"),
    [
        (rows([[0, 0, 0]] * 2), range(4), r"4 numbers for a signal of 3 channels.*rows that come"),
        (rows([0, 0]), (), r"0 numbers for a signal of 1 channels"),
        (rows([0, 0]), (1, np.inf), r"not finite"),
        (rows([0] * 8, hop=8), range(2), r"8 rows apart.*predicts 2.*window.hop to 2 or less"),
        (rows([0] * 2, hop=3), range(9), r"2 rows begin 3 rows apart.*window.hop to 2 or less"),
        (Frame("s", 0, np.zeros(5), 0, 0, 0), (0,), r"5 numbers.*in stream"),
        (Frame("s", 0, np.zeros((3, 1)), 0, 0, 0, place=Place(0, 0, 4, 1)), (0,), "3x1 .*stream"),
    ],
)
def test_what_cannot_be_compared(window: Frame, numbers: Iterable[float], words: str) -> None:
    """It is refused with the cure."""
    with pytest.raises(SignalMismatch, match=words):
        Forecast().of(window, put(list(numbers)))


def plainly(
    signal: Rows, predictions: dict[int, Rows], end: int, hop: int, horizon: int
) -> float | None:
    """The value of the window that ends at a row, of all signal and predictions at once."""
    apart = [
        float(signal[row, channel]) - float(predictions[start][row - start, channel])
        for row in range(end - hop, end)
        for start in predictions
        if start <= row < start + horizon and start < end
        for channel in range(signal.shape[1])
    ]
    return float(np.sqrt(np.mean(np.square(apart)))) if apart else None


@given(st.data(), st.integers(1, 6), st.integers(1, 12), st.integers(1, 2))
def test_it_is_what_its_formula_says(
    data: st.DataObject, length: int, horizon: int, channels: int
) -> None:
    """However a signal comes, each row is compared with all predictions of it, scaled as it is."""
    hop = data.draw(st.integers(1, min(length, horizon)))
    dice = np.random.default_rng(data.draw(st.integers(0, 999)))
    signal = dice.normal(5.0, 2.0, (40, channels)).astype(np.float32)
    framing = SignalFraming(WindowOptions(length, hop), {}, {"z_score": ZScoreOptions(5.0, 2.0)})
    scaled = (signal - np.float32(5.0)) * np.float32(0.5)
    judge, predictions, start = Forecast(), dict[int, Rows](), 0
    while start < len(signal):
        count = data.draw(st.integers(1, 40))
        part = signal[start : start + count]
        names = tuple("xy"[:channels])
        times = np.arange(start, start + len(part)) / 10.0
        start += count
        for window in framing.cut(
            Frame("s", 0, part, 0.0, 0, float(times[-1]), signal=Signal(names, times, 10.0))
        ):
            assert window.place is not None
            end = window.place.first + length
            expected = plainly(scaled, predictions, end, hop, horizon)
            predictions[end] = dice.normal(0.0, 1.0, (horizon, channels)).astype(np.float32)
            value = judge.of(window, put(predictions[end]))
            assert value == (None if expected is None else pytest.approx(expected))
            assert window.timeline == pytest.approx((end - 1) / 10.0)
    assert len(predictions) == max(0, (len(signal) - length) // hop + 1)
