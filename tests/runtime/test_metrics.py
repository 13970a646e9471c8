"""Counters, latencies and rates."""

from __future__ import annotations

import pytest

from edge_agent.runtime.metrics import STAGES, PipelineMetrics, RateMeter, Samples
from tests.support.runtime import HandTime, hold_time


@pytest.fixture
def hand(monkeypatch: pytest.MonkeyPatch) -> HandTime:
    """The time of the metrics."""
    return hold_time(monkeypatch, "metrics")


def test_no_samples_no_percentiles() -> None:
    """Before the first sample there is nothing to say, rather than zero."""
    assert Samples().percentiles() == {}


def test_percentiles() -> None:
    """Half of the samples are below p50 and all but one in a hundred below p99."""
    samples = Samples()
    for number in range(101):
        samples.add(float(number))
    assert samples.percentiles() == {"p50": 50.0, "p99": 99.0}


def test_only_the_newest_samples_count() -> None:
    """A slow start is forgotten after enough frames."""
    samples = Samples()
    for milliseconds in [900.0] * 600 + [2.0] * 512:
        samples.add(milliseconds)
    assert samples.percentiles() == {"p50": 2.0, "p99": 2.0}


def test_pipeline_has_samples_of_every_stage() -> None:
    """Each stage has its own latencies."""
    metrics = PipelineMetrics()
    metrics.latency["infer"].add(7.0)
    measured = [stage for stage in metrics.latency if metrics.latency[stage].percentiles()]
    assert tuple(metrics.latency) == STAGES
    assert measured == ["infer"]


def test_fps_of_the_source(hand: HandTime) -> None:
    """The rate is that of the gaps between frames; one frame has none."""
    metrics = PipelineMetrics()
    rates = []
    for _ in range(5):
        metrics.took()
        rates.append(metrics.fps())
        hand.now += 0.25
    assert rates == [0.0, 4.0, 4.0, 4.0, 4.0]
    assert metrics.counts.taken == 5


def test_several_frames_at_once(hand: HandTime) -> None:
    """They are counted as so many, and those of the first time have no gap before them."""
    metrics, samples = PipelineMetrics(), Samples()
    rates = []
    for count in (100, 50, 50):
        metrics.took(count)
        rates.append(metrics.fps())
        samples.add(3.0, count)
        hand.now += 0.5
    assert rates == [0.0, 100.0, 100.0]
    assert metrics.counts.taken == 200
    counts, total = samples.histogram()
    assert (counts[-1], total) == (200, 600.0)
    samples.add(1.0, 1000)
    samples.add(2.0, 12)
    assert samples.percentiles() == {"p50": 1.0, "p99": 2.0}


def test_rates_are_since_the_last_time(hand: HandTime) -> None:
    """Each call tells the increase per second since the one before."""
    meter = RateMeter(hand.now)
    hand.now += 2.0
    assert meter.rates({"in": 10, "lost": 0}) == {"in": 5.0, "lost": 0.0}
    hand.now += 10.0
    assert meter.rates({"in": 30, "lost": 5}) == {"in": 2.0, "lost": 0.5}


def test_rates_at_the_same_moment(hand: HandTime) -> None:
    """Two calls without time between them do not fail."""
    meter = RateMeter(hand.now)
    meter.rates({"in": 10})
    assert meter.rates({"in": 10}) == {"in": 0.0}
