"""From the texts of a time column to seconds."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo

import numpy as np

from edge_agent.sources.cells import Column, number, numbers

_UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
# From which size a number can only be the epoch in this unit (from 1973 on for seconds).
_EPOCHS = ((1e17, "ns"), (1e14, "us"), (1e11, "ms"))
_EPOCH_SECONDS = 1e8
_DOTTED = re.compile(r"(\d\d?)\.(\d\d?)\.(\d{4})\b[ T,]*(.*)")
_PLAIN = re.compile(r"0000-00-00[ T]00:00:00(?:\.0+)?Z?")
_ZEROS = str.maketrans("123456789", "0" * 9)


class Timestamps:
    """Reads the times of one column, all written in the way that `sample` is.

    `form` is auto, a unit (s, ms, us, ns) or a pattern of strptime. Times without an offset are
    of `zone`. `is_epoch` tells whether they are seconds since 1970, not since some start. Raises
    ValueError where `sample` is no time.
    """

    def __init__(self, sample: str, form: str = "auto", zone: tzinfo = UTC) -> None:
        self._form = form
        self._zone = zone
        self._factor: float | None = None
        if form in _UNITS or (form == "auto" and not math.isnan(number(sample))):
            self._read_number(number(sample))
        first = self.one(sample)
        if math.isnan(first):
            raise ValueError(f"{sample[:40]!r} is no time")
        self.is_epoch = first >= _EPOCH_SECONDS

    def _read_number(self, value: float) -> None:
        unit = self._form
        if unit == "auto":
            unit = next((unit for limit, unit in _EPOCHS if abs(value) >= limit), "s")
        self._factor = _UNITS[unit]

    @property
    def is_number(self) -> bool:
        """Whether the column holds numbers."""
        return self._factor is not None

    def seconds(self, values: Column) -> Column:
        """Seconds of times that are numbers."""
        assert self._factor is not None
        return values * self._factor

    def one(self, cell: str) -> float:
        """Seconds of one cell, NaN where it holds no time."""
        if self._factor is not None:
            return number(cell) * self._factor
        try:
            return self._moment(cell.strip()).timestamp()
        except (ValueError, OverflowError):
            return math.nan

    def many(self, cells: Sequence[str]) -> Column:
        """Seconds of many cells, NaN where one holds no time."""
        if self._factor is not None:
            return self.seconds(numbers(cells))
        plain = self._form == "auto" and self._zone is UTC and _are_plain(cells)
        found = _from_plain(cells) if plain else None
        return np.fromiter(map(self.one, cells), np.float64, len(cells)) if found is None else found

    def _moment(self, cell: str) -> datetime:
        auto = self._form == "auto"
        # Its zone follows.
        moment = _from_text(cell) if auto else datetime.strptime(cell, self._form)  # noqa: DTZ007
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=self._zone)


def _from_text(cell: str) -> datetime:
    """ISO 8601, the same with a space or slashes, or day.month.year."""
    if dotted := _DOTTED.fullmatch(cell):
        day, month, year, rest = dotted.groups()
        cell = f"{year}-{month:0>2}-{day:0>2} {rest}".strip()
    elif cell[4:5] == "/":
        cell = cell.replace("/", "-", 2)
    return datetime.fromisoformat(cell.replace(" UTC", "Z"))


def _are_plain(cells: Sequence[str]) -> bool:
    """Whether all cells are written like 2024-05-01 12:00:00.25 in UTC, equally long."""
    shape = cells[0].translate(_ZEROS) if cells else ""
    if _PLAIN.fullmatch(shape) is None:
        return False
    return "".join(cells).translate(_ZEROS) == shape * len(cells)


def _from_plain(cells: Sequence[str]) -> Column | None:
    """Seconds of plain cells, ten times faster than one by one; None where one is no time."""
    try:
        moments = np.array([cell.rstrip("Z") for cell in cells], "datetime64[us]")
    except ValueError:
        return None
    return moments.astype(np.int64) / 1e6
