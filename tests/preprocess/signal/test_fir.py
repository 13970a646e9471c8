"""Resampling and filters along a stream: how many rows, what passes, what does not."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edge_agent.preprocess.signal.band_pass import BandPass, BandPassOptions
from edge_agent.preprocess.signal.resample import Resample, ResampleOptions

RATES = [
    (44100.0, 16000.0),
    (48000.0, 16000.0),
    (8000.0, 16000.0),
    (25600.0, 16000.0),
    (100.0, 64.0),
]


def level(rows: NDArray[np.float32]) -> float:
    """Amplitude of a sine in dB."""
    return 20 * math.log10(math.sqrt(2 * float((rows.astype(np.float64) ** 2).mean())) + 1e-12)


def sine(hertz: float, rate: float, count: int) -> NDArray[np.float32]:
    """A sine of amplitude 1."""
    turn = 2 * np.pi * hertz * np.arange(count) / rate
    rows: NDArray[np.float64] = np.sin(turn)[:, None]
    return rows.astype(np.float32)


@given(
    rates=st.sampled_from([*RATES, (3.0, 7.0), (7.0, 3.0), (5.0, 5.0), (1000.0, 1.0)]),
    sizes=st.lists(st.integers(0, 300), max_size=6),
)
def test_how_many_rows(rates: tuple[float, float], sizes: list[int]) -> None:
    """After n rows there are ceil(n * out / in), at any time."""
    stage = Resample(ResampleOptions(rates[1]), rates[0], 1)
    taken = given = 0
    for size in sizes:
        taken += size
        given += len(stage.push(np.zeros((size, 1), np.float32)))
        assert given == -(-taken * int(rates[1]) // int(rates[0]))


@pytest.mark.parametrize(("before", "after"), RATES)
def test_a_sine_stays_a_sine(before: float, after: float) -> None:
    """What is below 0.9 of the lower Nyquist frequency is there at its time, within 2e-4."""
    hertz = 0.85 * min(before, after) / 2
    stage = Resample(ResampleOptions(after), before, 1)
    count = int(before) if before > 1000 else 4000
    found = stage.push(sine(hertz, before, count))[:, 0]
    time = np.arange(len(found)) / after - stage.delay
    settled = time > stage.delay
    expected = np.sin(2 * np.pi * hertz * time)
    np.testing.assert_allclose(found[settled], expected[settled], atol=2e-4)


@pytest.mark.parametrize(
    ("before", "after", "place"),
    [(*pair, place) for pair in RATES for place in (1.001, 1.2, 1.9) if place * pair[1] < pair[0]],
)
def test_what_would_fold_back(before: float, after: float, place: float) -> None:
    """A tone above the new Nyquist frequency is 80 dB down at least."""
    hertz = place * after / 2
    stage = Resample(ResampleOptions(after), before, 1)
    found = stage.push(sine(hertz, before, 40000))
    assert level(found[len(found) // 2 :]) < -80


def test_the_same_rate() -> None:
    """Rows pass as they are, without a lag."""
    stage = Resample(ResampleOptions(10.0), 10.0, 1)
    rows = sine(1, 10, 20)
    assert stage.push(rows) is rows
    assert stage.delay == 0.0


@pytest.mark.parametrize(
    ("low", "high", "passed", "stopped"),
    [
        (50.0, 100.0, (56, 75, 94), (0.1, 40, 44, 106, 200, 499)),
        (50.0, None, (56, 200, 490), (0.1, 20, 44)),
        (None, 50.0, (0.1, 20, 44), (56, 200, 499)),
    ],
)
def test_bands(
    low: float | None, high: float | None, passed: list[float], stopped: list[float]
) -> None:
    """Tones inside pass within 0.01 dB, those outside are 80 dB down."""
    for tones, inside in ((passed, True), (stopped, False)):
        for hertz in tones:
            stage = BandPass(BandPassOptions(low, high), 1000.0, 1)
            found = stage.push(sine(hertz, 1000, 40000))[-20000:]
            assert abs(level(found)) < 0.01 if inside else level(found) < -80, hertz


def test_lag_of_a_filter() -> None:
    """A knock comes out `delay` later, and symmetric."""
    stage = BandPass(BandPassOptions(low=50.0), 1000.0, 2)
    knock = np.zeros((2000, 2), np.float32)
    knock[0, 1] = 1.0
    found = stage.push(knock)
    middle = round(stage.delay * 1000)
    assert not found[:, 0].any()
    assert found[:, 1].argmax() == middle
    np.testing.assert_allclose(found[: 2 * middle + 1, 1], found[2 * middle :: -1, 1], atol=1e-7)
