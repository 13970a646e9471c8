"""From rows as they were read to runs of samples without a hole in them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import SourceUnusable
from edge_agent.sources.cells import Column
from edge_agent.sources.resample import Resampler
from edge_agent.sources.timeline import Timeline

log = logging.getLogger(__name__)

Missing = Literal["drop", "hold", "zero", "nan", "error"]


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows as they were read: `values` is float64 rows x channels, NaN where a cell is missing.

    `noted` are the times that were written beside them or made for them, in seconds; NaN where
    one is missing.
    """

    values: NDArray[np.float64]
    noted: Column


@dataclass(frozen=True, slots=True)
class Run:
    """Rows with nothing missing between them; `offset` is noted time less timeline time."""

    values: NDArray[np.float32]
    times: Column
    is_gap: bool
    offset: float


class Fill:
    """Does with missing values as configured.

    drop leaves the whole row out, hold repeats the channel's last value (a row before the first
    value is left out), zero and nan put that in, error gives up.
    """

    def __init__(self, how: Missing, channels: tuple[str, ...]) -> None:
        self._how = how
        self._channels = channels
        self._last = np.full(len(channels), np.nan, np.float32)
        self.rows = 0
        """Rows so far."""
        self.incomplete = 0
        """Rows so far that missed a value."""

    def apply(self, values: NDArray[np.float64]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """The values with what stands for the missing ones, and which rows remain."""
        with np.errstate(over="ignore"):
            out = values.astype(np.float32)
        missing = ~np.isfinite(out)
        self.rows += len(out)
        if missing.any():
            self.incomplete += int(np.count_nonzero(missing.any(axis=1)))
            return out, self._fill(out, missing)
        if len(out):
            self._last = out[-1].copy()
        return out, np.ones(len(out), np.bool_)

    def _fill(self, out: NDArray[np.float32], missing: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Fill `out` in place; which of its rows remain."""
        whole: NDArray[np.bool_] = ~np.logical_or.reduce(missing, axis=1)
        if self._how == "error":
            self._give_up(missing)
        if self._how == "drop":
            return whole
        if self._how == "hold":
            return self._hold(out, missing)
        out[missing] = 0.0 if self._how == "zero" else np.nan
        return np.ones_like(whole)

    def _hold(self, out: NDArray[np.float32], missing: NDArray[np.bool_]) -> NDArray[np.bool_]:
        places = np.where(missing, 0, np.arange(1, len(out) + 1)[:, None])
        np.maximum.accumulate(places, axis=0, out=places)
        known = np.concatenate((self._last[None], out))
        out[:] = np.take_along_axis(known, places, axis=0)
        self._last = out[-1].copy()
        keep: NDArray[np.bool_] = ~np.logical_or.reduce(np.isnan(out), axis=1)
        return keep

    def _give_up(self, missing: NDArray[np.bool_]) -> None:
        row, channel = np.argwhere(missing)[0]
        number = self.rows - len(missing) + int(row) + 1
        raise SourceUnusable(
            f"row {number} has no number for {self._channels[channel]}",
            "mend it, or set missing: drop, hold, zero or nan",
        )


class Conditioner:
    """Fills or leaves out what is missing, gives rows their times, finds gaps, resamples."""

    def __init__(self, fill: Fill, timeline: Timeline, resampler: Resampler | None) -> None:
        self._fill = fill
        self._timeline = timeline
        self._resampler = resampler
        self._gap_waits = False

    def feed(self, rows: Rows) -> Iterator[Run]:
        """Runs of these rows, each without a gap."""
        values, keep = self._fill.apply(rows.values)
        keep &= ~np.isnan(rows.noted)
        if not keep.all():
            values, noted = values[keep], rows.noted[keep]
        else:
            noted = rows.noted
        if not len(noted):
            return
        times, breaks = self._timeline.place(noted)
        gaps = set(breaks.tolist())
        edges = [*sorted({0, *gaps}), len(noted)]
        for first, last in pairwise(edges):
            offset = float(noted[first] - times[first])
            yield from self._run(values[first:last], times[first:last], first in gaps, offset)

    def _run(
        self, values: NDArray[np.float32], times: Column, is_gap: bool, offset: float
    ) -> Iterator[Run]:
        if self._resampler is not None:
            if is_gap:
                self._resampler.begin()
            times, values = self._resampler.feed(times, values)
        self._gap_waits |= is_gap
        if len(times):
            yield Run(values, times, self._gap_waits, offset)
            self._gap_waits = False
