"""The place on the timeline of rows that arrive: clocks that differ, kept rows, pauses."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from edge_agent.sources.arrival import LiveForm, LiveRows
from edge_agent.sources.conditioning import Rows, Run


def _feed(live: LiveRows, noted: Sequence[float], arrived: float) -> list[Run]:
    """Rows with these times beside them, all of which arrived at one moment."""
    rows = Rows(np.zeros((len(noted), 1)), np.array(noted, float))
    return list(live.feed(rows, np.full(len(noted), arrived)))


def _timed(**form: float) -> LiveRows:
    return LiveRows(LiveForm(**form), ("v",), has_times=True, after=None)  # type: ignore[arg-type]


def test_rows_that_a_sender_kept() -> None:
    """What was kept for an hour and comes in pieces has the distances of its times, no gap."""
    live = _timed()
    _feed(live, range(60), 1000.0)
    hour = np.arange(60, 3660)
    runs = [run for part in np.split(hour, 6) for run in _feed(live, part.tolist(), 4600.0)]
    assert not any(run.is_gap for run in runs)
    assert live.end == pytest.approx(4600.0)


def test_a_sender_that_slept() -> None:
    """A sender whose clock stood still is tied to ours anew once it stays behind."""
    live = _timed()
    _feed(live, range(60), 1000.0)
    gaps = [_feed(live, [60 + n], 4000.0 + n)[0].is_gap for n in range(20)]
    assert gaps.count(True) == 1
    assert live.end == pytest.approx(4019.0)


def test_a_clock_that_is_set_forward() -> None:
    """A sender's clock that leaps does not take our timeline with it."""
    live = _timed()
    _feed(live, range(60), 1000.0)
    (run,) = _feed(live, [100_000.0], 1001.0)
    assert run.is_gap
    assert run.times[-1] == pytest.approx(1001.0)


def test_a_drift() -> None:
    """A sender's clock that is slow by a thousandth makes no gap in half a day."""
    live = _timed()
    runs = [run for n in range(700) for run in _feed(live, [n * 59.94], 1000.0 + n * 60.0)]
    assert [run.is_gap for run in runs].count(True) <= 1
    assert live.end == pytest.approx(1000.0 + 699 * 60.0, abs=45.0)


def test_rows_after_a_new_start() -> None:
    """A source that was opened again goes on behind its last row, and says that there is a gap."""
    live = LiveRows(LiveForm(), ("v",), has_times=True, after=5000.0)
    (run,) = _feed(live, [0.0, 10.0], 4000.0)
    assert run.is_gap
    assert run.times.tolist() == [5000.0, 5010.0]


def test_a_pause_at_a_rate() -> None:
    """With a rate a pause of more than a few rows is a gap; what is handed on in bursts is none."""
    live = LiveRows(LiveForm(rate=500.0), ("v",), has_times=False, after=None)
    nothing = [np.nan] * 8
    runs = [run for n in range(50) for run in _feed(live, nothing, 10.0 + n * 0.016)]
    assert not any(run.is_gap for run in runs)
    assert sum(len(run.times) for run in runs) == pytest.approx(400, abs=10)
    assert _feed(live, nothing, 12.0)[0].is_gap
