"""Files of numbers, a row for each moment: CSV and its kin, and arrays of NumPy."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import tzinfo
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np

from edge_agent import options as words
from edge_agent.clock import Clock
from edge_agent.errors import SourceUnusable
from edge_agent.frame import Frame, Signal
from edge_agent.options import Doc, Duration, Positive
from edge_agent.sources.base import SYSTEM_CLOCK, Medium, Pace, Stamp
from edge_agent.sources.conditioning import Conditioner, Fill, Missing, Run
from edge_agent.sources.guard import Guard
from edge_agent.sources.resample import Method, Resampler
from edge_agent.sources.tablefile import TableFile, TableForm, is_array, open_table
from edge_agent.sources.timeline import Timeline
from edge_agent.sources.zone import zone_of

log = logging.getLogger(__name__)

_BLOCK_ROWS = 4096  # of a block at pace fast
_BLOCK_SECONDS = 0.05  # of a block at pace real: as late as its first row may be


@dataclass(frozen=True, slots=True)
class CsvOptions(words.Options):
    """Options of the source `csv`."""

    file: Annotated[Path, Doc("The file: text with separators, or a .npy or .npz array.")]
    pace: Annotated[
        Literal["real", "fast", "loop"],
        Doc(
            "real: as it was taken; fast: every row, as fast as they are taken; loop: real, again "
            "and again."
        ),
    ] = "real"
    columns: Annotated[
        tuple[str | int, ...],
        Doc("Columns that become channels, by name or number from 1; none: all with numbers."),
    ] = ()
    time: Annotated[
        str | int | tuple[str | int, ...] | None,
        Doc(
            "Column of the times, by name or number; [date, time] where two hold them; none: "
            "there is none. Default: one that holds dates, or that is named time, timestamp or "
            "the like and rises."
        ),
    ] = None
    time_format: Annotated[
        str,
        Doc(
            "How times are written: auto (ISO 8601 and its kin, day.month.year, seconds or parts "
            "of them since 1970 or since the start), s, ms, us, ns, or a pattern such as "
            "%m/%d/%Y %H:%M."
        ),
    ] = "auto"
    timezone: Annotated[str, Doc("Time zone of times without an offset.")] = "UTC"
    rate: Annotated[
        Positive | None,
        Doc(
            "Rows per second of a file without times, such as any .npy or .npz; a file with times "
            "is resampled to it."
        ),
    ] = None
    resample: Annotated[
        Method, Doc("linear: on the line between two rows; hold: the newest row so far.")
    ] = "linear"
    max_gap: Annotated[
        Duration | None,
        Doc(
            "Longest time between two rows that is no gap. Default: five times the usual; without "
            "times, that of one row."
        ),
    ] = None
    missing: Annotated[
        Missing,
        Doc(
            "What becomes of a row in which a number is missing: drop, hold (the channel's last "
            "number), zero, nan, or error (the source stops there)."
        ),
    ] = "drop"
    separator: Annotated[
        Literal[",", ";", "\t", "|", " "] | None,
        Doc("What stands between two cells. Default: seen from the file."),
    ] = None
    decimal: Annotated[
        Literal[".", ","] | None, Doc("The decimal point. Default: seen from the file.")
    ] = None
    header: Annotated[
        bool | None, Doc("Whether the first row holds names. Default: seen from the file.")
    ] = None
    array: Annotated[str | None, Doc("Which array of a .npz file that holds several.")] = None

    @property
    def zone(self) -> tzinfo:
        """The time zone; raises ValueError for an unknown one."""
        return zone_of(self.timezone)

    @property
    def form(self) -> TableForm:
        """How the file is to be read; raises ValueError where that cannot be told."""
        if self.rate is None and is_array(self.file):
            raise ValueError(
                f"{self.file.name} is an array, which has no times: set rate to how many of its "
                "rows make a second"
            )
        return TableForm(
            self.columns, self.time, self.time_format, self.zone, self.rate,
            self.separator, self.decimal, self.header, self.array,
        )  # fmt: skip


class CsvSource:
    """A file of rows, given in blocks.

    At pace `fast` it waits for its reader and no row is lost; at `real` and `loop` it plays in
    time (`live`), at most 50 ms of signal in a block. `media_time` is seconds since the first row
    of the file. Where the file tells the time since 1970, frames carry that as their wall time,
    but not in a loop.
    """

    medium: ClassVar[Medium] = "signal"
    Options: ClassVar[type[words.Options]] = CsvOptions
    patience = None

    def __init__(self, name: str, options: CsvOptions, clock: Clock = SYSTEM_CLOCK) -> None:
        self.name = name
        self.live = options.pace != "fast"
        self._options = options
        self._form = options.form
        self._clock = clock
        self._stamp = Stamp(name, clock)
        self._guard = Guard(self._release)
        self._guard.closing.set()
        self._table: TableFile | None = None
        self._blocks: Iterator[Frame] = iter(())

    def start(self) -> None:
        """Open the file and see how it is written; raises SourceUnusable."""
        self.stop()
        self._guard.reopen()
        self._table = open_table(self._options.file, self._form)
        self._pace = Pace(self._clock, self._guard.closing.wait)
        self._blocks = self._play(self._table)

    def read(self) -> Frame | None:
        """Next block, at `real` and `loop` when its time has come; None at the end."""
        with self._guard.use() as allowed:
            if not allowed:
                return None
            block = next(self._blocks, None)
            return None if self._guard.closing.is_set() else block

    def stop(self) -> None:
        """End a running wait and close the file."""
        self._guard.close()

    def _release(self) -> None:
        table, self._table = self._table, None
        self._blocks = iter(())
        if table is not None:
            table.close()

    def _play(self, table: TableFile) -> Iterator[Frame]:
        """All blocks of the file; of one pass after the other in a loop."""
        timeline = Timeline(self._max_gap(table))
        while True:
            yield from self._pass(table, timeline)
            if timeline.end is None:
                text = f"file {self._options.file} has no row that can be used"
                raise SourceUnusable(text, "see the lines above, or set missing: hold, zero or nan")
            if self._options.pace != "loop" or self._guard.closing.is_set():
                return
            table.close()
            timeline.begin_again()
            self._table = table = open_table(self._options.file, self._form)

    def _pass(self, table: TableFile, timeline: Timeline) -> Iterator[Frame]:
        fill = Fill(self._options.missing, table.channels)
        conditioner = Conditioner(fill, timeline, self._resampler(table))
        rate = self._options.rate
        begin: float | None = None
        for rows in table.rows():
            for run in conditioner.feed(rows):
                if begin is None:
                    begin = float(run.times[0])
                for part in _cut(run, self.live):
                    if self.live:
                        self._pace.until(float(part.times[-1]))
                    yield self._block(part, table, begin, rate)
        if fill.incomplete:
            log.warning(
                "source %s: %d of %d rows missed a number (missing: %s)",
                self.name, fill.incomplete, fill.rows, self._options.missing,
            )  # fmt: skip

    def _block(self, run: Run, table: TableFile, begin: float, rate: float | None) -> Frame:
        last = float(run.times[-1])
        knows = table.is_epoch and self._options.pace != "loop"
        wall = last + run.offset if knows else None
        signal = Signal(table.channels, run.times, rate, run.is_gap)
        return self._stamp.samples(run.values, signal, last - begin, wall)

    def _max_gap(self, table: TableFile) -> float | None:
        if self._options.max_gap is not None or table.has_times or self._options.rate is None:
            return self._options.max_gap
        return 1.5 / self._options.rate

    def _resampler(self, table: TableFile) -> Resampler | None:
        # Rows of made times are on the grid; only a gap that may be bridged needs more.
        on_grid = not table.has_times and self._options.max_gap is None
        if self._options.rate is None or on_grid:
            return None
        return Resampler(self._options.rate, self._options.resample)


def _cut(run: Run, short: bool) -> Iterator[Run]:
    """The run in blocks: of so many rows, or short in time."""
    first, count = 0, len(run.times)
    while first < count:
        last = min(first + _BLOCK_ROWS, count)
        if short:
            end = run.times[first] + _BLOCK_SECONDS
            last = min(last, int(np.searchsorted(run.times, end, side="right")))
        values, times = run.values[first:last], run.times[first:last]
        yield replace(run, values=values, times=times, is_gap=run.is_gap and first == 0)
        first = last
