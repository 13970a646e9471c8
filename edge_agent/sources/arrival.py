"""The place on the timeline of rows that arrive."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from edge_agent.sources.cells import Column
from edge_agent.sources.conditioning import Conditioner, Fill, Missing, Rows, Run
from edge_agent.sources.resample import Method, Resampler
from edge_agent.sources.timeline import Timeline

_USUAL_FROM = 20  # intervals between noted times from which on the usual one is known
_LEAST_MAX_GAP = 0.1  # seconds; systems hand lines on in bursts
_MAX_LAG = 30.0  # seconds that noted times may be away from ours before they begin anew
_MAX_CATCHING_UP = 10.0  # seconds for which they may be behind, as a sender hands on what it kept


@dataclass(frozen=True, slots=True)
class LiveForm:
    """What becomes of rows that arrive; None: `rate` none, `max_gap` as `LiveRows` says."""

    rate: float | None = None
    resample: Method = "linear"
    max_gap: float | None = None
    missing: Missing = "drop"


class LiveRows:
    """Rows of a live source, placed by when they arrived or by the times noted beside them.

    The timeline is the monotonic clock in seconds, never before `after`; noted times only say how
    far apart rows are, and begin anew, behind a gap, where they lead or lag for good. With a rate,
    the rows of one burst have come evenly since the last one. A gap is, with noted times, five
    times the usual interval; with a rate, five rows or 100 ms; else there is none.
    """

    def __init__(
        self, form: LiveForm, channels: tuple[str, ...], has_times: bool, after: float | None
    ) -> None:
        self._form = form
        self._has_times = has_times
        self._after = after
        self._arrived: float | None = None
        self._behind_since: float | None = None
        self._timeline: Timeline | None = None
        self._resampler = None if form.rate is None else Resampler(form.rate, form.resample)
        self._fill = Fill(form.missing, channels)

    @property
    def end(self) -> float | None:
        """Where the newest row is."""
        return self._after if self._timeline is None else self._timeline.end

    def feed(self, rows: Rows, arrived: Column) -> Iterator[Run]:
        """Runs of these rows (at least one), which arrived at these monotonic seconds."""
        noted = rows.noted if self._has_times else self._evenly(arrived)
        known = noted[~np.isnan(noted)]
        self._arrived = float(arrived[-1])
        if not len(known):
            return
        if self._timeline is None:
            self._begin(known)
        elif self._has_times:
            self._keep_up(self._timeline, known)
        yield from self._conditioner.feed(Rows(rows.values, noted))

    def _begin(self, noted: Column) -> None:
        limit = self._limit()
        start = self._start(noted)
        is_later = self._after is not None
        if is_later:
            start = max(start, self._after or 0.0)
        self._timeline = Timeline(limit, start, _USUAL_FROM, after_gap=is_later)
        self._conditioner = Conditioner(self._fill, self._timeline, self._resampler)

    def _start(self, noted: Column) -> float:
        """Where the first of these rows is when the last of them came now."""
        assert self._arrived is not None
        return self._arrived - max(0.0, float(noted[-1] - noted[0]))

    def _limit(self) -> float | None:
        rate = self._form.rate
        if self._form.max_gap is not None:
            return self._form.max_gap
        if self._has_times:
            return None
        return math.inf if rate is None else max(5.0 / rate, _LEAST_MAX_GAP)

    def _keep_up(self, timeline: Timeline, noted: Column) -> None:
        """Begin anew where the sender's clock has moved away from ours."""
        assert self._arrived is not None
        lag = self._arrived - (float(noted[-1]) + timeline.offset)
        if lag <= _MAX_LAG:
            self._behind_since = None
        elif self._behind_since is None:
            self._behind_since = self._arrived
        since = self._arrived if self._behind_since is None else self._behind_since
        if lag < -_MAX_LAG or self._arrived - since > _MAX_CATCHING_UP:
            self._behind_since = None
            timeline.begin_again(self._start(noted))

    def _evenly(self, arrived: Column) -> Column:
        rate = self._form.rate
        if rate is None or len(arrived) == 1:
            return arrived
        since = math.inf if self._arrived is None else float(arrived[-1]) - self._arrived
        step = min(1.0 / rate, since / len(arrived))
        before: Column = step * np.arange(len(arrived) - 1.0, -1.0, -1.0)
        return float(arrived[-1]) - before
