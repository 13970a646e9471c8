"""Files of rows: text with a separator, and arrays of NumPy."""

from __future__ import annotations

import contextlib
import logging
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import SourceUnusable
from edge_agent.sources.arrays import BadNumbers, load_arrays
from edge_agent.sources.cells import Column, numbers
from edge_agent.sources.choice import choose
from edge_agent.sources.conditioning import Rows
from edge_agent.sources.layout import find_layout, is_row, split
from edge_agent.sources.textfile import TextFile
from edge_agent.sources.timestamps import Timestamps

log = logging.getLogger(__name__)

_ARRAY_ROWS = 8192  # rows of an array given at once


class TableFile(Protocol):
    """A file of rows: its channels, whether it has times, and whether those are since 1970."""

    channels: tuple[str, ...]
    has_times: bool
    is_epoch: bool

    def rows(self) -> Iterator[Rows]:
        """All rows, some thousand at a time."""

    def close(self) -> None:
        """Close the file."""


class Grid:
    """Times that are made: row n of a file is n / rate seconds after its first."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._rows = 0

    def next(self, count: int) -> Column:
        """Times of the next rows."""
        first, self._rows = self._rows, self._rows + count
        return np.arange(first, first + count) / self._rate


@dataclass(frozen=True, slots=True)
class TableForm:
    """How a file is to be read; what is None or empty is seen from the file.

    `time` is the time column, those of date and time, or "none"; `time_form` and `zone` are for
    `Timestamps`; `rate` makes the times where there is no time column. `array` is the one of a
    .npz that holds several.
    """

    columns: tuple[str | int, ...] = ()
    time: str | int | tuple[str | int, ...] | None = None
    time_form: str = "auto"
    zone: tzinfo = UTC
    rate: float | None = None
    separator: str | None = None
    decimal: str | None = None
    header: bool | None = None
    array: str | None = None


class TextTable:
    """A text file of rows. Raises SourceUnusable, also from `rows`."""

    def __init__(self, path: Path, form: TableForm) -> None:
        self._path = path
        self._form = form
        self._file = TextFile(path)
        try:
            self._head = self._file.lines() or []
            self._layout = find_layout(self._head, form.separator, form.decimal, form.header)
            self._time = self._layout.time_columns(form.time)
            self._stamps = self._find_stamps() if self._time else None
            self._grid = None if self._stamps else _made_times(form.rate)
            self._wanted = self._find_columns()
        except SourceUnusable as error:
            self._file.close()
            raise SourceUnusable(f"file {path}: {error.message}", error.cure) from None
        self.channels = tuple(self._layout.names[n] for n in self._wanted)
        self.has_times = self._stamps is not None
        self.is_epoch = self._stamps is not None and self._stamps.is_epoch
        self.bad_rows = 0
        """Rows so far that had a wrong number of cells."""

    def _find_columns(self) -> list[int]:
        if not self._form.columns:
            return self._layout.numeric(self._time)
        return [choose(each, self._layout.names, "column") for each in self._form.columns]

    def _find_stamps(self) -> Timestamps:
        cells = [" ".join(row[n] for n in self._time) for row in self._layout.sample]
        for cell in cells:
            with contextlib.suppress(ValueError):
                return Timestamps(cell, self._form.time_form, self._form.zone)
        names = " and ".join(repr(self._layout.names[n]) for n in self._time)
        shown = f", such as {cells[0][:40]!r}" if cells else ""
        raise SourceUnusable(
            f"column {names} holds no times{shown}",
            "set time to the column that does or to none, or time_format to how they are written",
        )

    def rows(self) -> Iterator[Rows]:
        """All rows, some thousand at a time."""
        lines: list[str] | None = self._head[self._layout.start :]
        self._head = []
        while lines is not None:
            texts = [line for line in lines if is_row(line)]
            if texts:
                yield self._parse(texts)
            lines = self._file.lines()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _parse(self, texts: list[str]) -> Rows:
        if self._layout.decimal_comma:
            texts = [text.replace(",", ".") for text in texts]
        return self._parse_numbers(texts) or self._parse_timed(texts) or self._parse_cells(texts)

    def _parse_numbers(self, texts: Sequence[str]) -> Rows | None:
        """Rows of nothing but numbers, None where there is something else."""
        if self._stamps is not None and not self._stamps.is_number:
            return None
        table = _plain_numbers(texts, self._layout.separator, self._layout.width)
        return None if table is None else Rows(table[:, self._wanted], self._noted(table))

    def _parse_timed(self, texts: Sequence[str]) -> Rows | None:
        """Rows of a time and then nothing but numbers, None where there is something else."""
        mark, width = self._layout.separator, self._layout.width
        if self._stamps is None or self._time != (0,) or width < 2 or mark == " ":
            return None
        parts = [text.partition(mark) for text in texts]
        table = _plain_numbers([rest for _, _, rest in parts], mark, width - 1)
        if table is None or 0 in self._wanted:
            return None
        noted = self._stamps.many([time for time, _, _ in parts])
        return Rows(table[:, [column - 1 for column in self._wanted]], noted)

    def _noted(self, table: NDArray[np.float64]) -> Column:
        if self._stamps is None:
            return self._made(len(table))
        return self._stamps.seconds(table[:, self._time[0]])

    def _made(self, count: int) -> Column:
        assert self._grid is not None
        return self._grid.next(count)

    def _parse_cells(self, texts: Sequence[str]) -> Rows:
        """Cell by cell; a row with a wrong number of cells counts as one that misses them all."""
        mark, width = self._layout.separator, self._layout.width
        rows = [split(text, mark) for text in texts]
        good = [n for n, row in enumerate(rows) if len(row) == width]
        if len(good) < len(rows):
            self._tell_bad(rows, len(rows) - len(good))
            rows = [rows[n] for n in good]
        cells = list(zip(*rows, strict=True)) if rows else [()] * width
        values = np.full((len(texts), len(self._wanted)), math.nan)
        for place, column in enumerate(self._wanted):
            values[good, place] = numbers(cells[column])
        if self._stamps is None:
            return Rows(values, self._made(len(texts)))
        noted = np.full(len(texts), math.nan)
        times = [cells[n] for n in self._time]
        noted[good] = self._stamps.many([" ".join(parts) for parts in zip(*times, strict=True)])
        return Rows(values, noted)

    def _tell_bad(self, rows: Sequence[Sequence[str]], count: int) -> None:
        if not self.bad_rows:
            example = next(row for row in rows if len(row) != self._layout.width)
            log.warning(
                "file %s: a row has %d cells where the others have %d; it misses all numbers",
                self._path, len(example), self._layout.width,
            )  # fmt: skip
        self.bad_rows += count


def _made_times(rate: float | None) -> Grid:
    if rate is None:
        raise SourceUnusable(
            "no column of times is known",
            "set time to its name or number, or rate to how many rows make a second",
        )
    return Grid(rate)


def _plain_numbers(texts: Sequence[str], mark: str, width: int) -> NDArray[np.float64] | None:
    """All cells of rows that hold nothing but numbers, None where one holds something else."""
    delimiter = None if mark == " " else mark
    if not any(texts):  # of which NumPy would warn
        return None
    try:
        table = np.loadtxt(texts, np.float64, None, delimiter, ndmin=2)
    except ValueError:
        return None
    if table.shape != (len(texts), width):
        return None
    table[~np.isfinite(table)] = math.nan
    return table


class ArrayTable:
    """A .npy or .npz file with one array of rows x channels. Raises SourceUnusable."""

    has_times = False
    is_epoch = False

    def __init__(self, path: Path, form: TableForm) -> None:
        self._grid = _made_times(form.rate)
        self._array = _rows_of(path, form.array)
        width = self._array.shape[1]
        names = tuple(f"column{n + 1}" for n in range(width))
        self._wanted = [choose(each, names, "column") for each in form.columns] or [*range(width)]
        self.channels = tuple(names[n] for n in self._wanted)

    def rows(self) -> Iterator[Rows]:
        """All rows, some thousand at a time."""
        for first in range(0, len(self._array), _ARRAY_ROWS):
            part = self._array[first : first + _ARRAY_ROWS, self._wanted]
            yield Rows(part.astype(np.float64), self._grid.next(len(part)))

    def close(self) -> None:
        """Nothing is open."""


def _rows_of(path: Path, name: str | None) -> NDArray[np.generic]:
    """The array of that name, or the only one."""
    try:
        arrays = load_arrays(path)
    except BadNumbers as error:
        raise SourceUnusable(f"file {path}: {error}", "check source.file") from None
    names = list(arrays)
    if name is None and len(names) != 1:
        text = f"file {path} holds {len(names)} arrays"
        raise SourceUnusable(text, f"set array to one of {', '.join(names[:20])}")
    array = arrays[names[0 if name is None else choose(name, names, "array")]]
    if array.ndim not in (1, 2) or not array.size or array.dtype.kind not in "iufb":
        text = f"file {path} holds an array of {array.shape} {array.dtype}"
        raise SourceUnusable(text, "it must be rows x channels of numbers")
    return array if array.ndim == 2 else array[:, None]


def is_array(path: Path) -> bool:
    """Whether the file's ending says that it is NumPy's."""
    return path.suffix.lower() in (".npy", ".npz")


def open_table(path: Path, form: TableForm) -> TableFile:
    """The file, read as its ending says; raises SourceUnusable."""
    if is_array(path):
        return ArrayTable(path, form)
    return TextTable(path, form)
