"""How a text file of rows is written: its separator, its names, its columns of numbers."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from edge_agent.errors import SourceUnusable
from edge_agent.sources.cells import is_missing, number
from edge_agent.sources.choice import choose

Column = str | int
"""A column by its name, or by its number from 1 on."""

_SEPARATORS = (";", "\t", ",", "|", " ")
_SAMPLE = 100  # rows
_COMMA_NUMBER = re.compile(r"\s*[-+]?\d*,\d+\s*")
_DATE = re.compile(r"\s*\d{1,4}([-/.])\d{1,2}\1\d")
_HOUR = re.compile(r"\s*\d{1,2}:\d\d")
_RISING = 0.7  # of the steps of a column of times, at least
_TIME_NAMES = frozenset(
    {"time", "timestamp", "datetime", "date", "ts", "date_time", "_time", "epoch", "zeit"}
)


@dataclass(frozen=True, slots=True)
class Layout:
    """How the rows of a file are written.

    `names` are those of all columns, `width` of them; `start` is the index of the first row of
    numbers among the lines from which it was found, `sample` are the cells of some rows.
    """

    separator: str
    decimal_comma: bool
    names: tuple[str, ...]
    start: int
    sample: tuple[tuple[str, ...], ...]

    @property
    def width(self) -> int:
        """Cells of a row."""
        return len(self.names)

    def time_columns(self, wanted: Column | Sequence[Column] | None) -> tuple[int, ...]:
        """Indices of the column of times, or of those of date and time; none where there is none.

        None wanted: one with such a name whose numbers rise, or with dates in it.
        """
        if wanted == "none":
            return ()
        if wanted is not None:
            each = (wanted,) if isinstance(wanted, str | int) else wanted
            return tuple(choose(column, self.names, "column") for column in each)
        named = [n for n, name in enumerate(self.names) if name.lower() in _TIME_NAMES]
        named = [n for n in named if self._may_be_times(n)]
        dates = [n for n, cell in enumerate(self._first) if _DATE.match(cell)]
        found = [*dates, *named][:1]
        # A date alone is half of it where the time of day has its own column.
        if dates and ":" not in self._first[dates[0]]:
            hours = (n for n, cell in enumerate(self._first) if _HOUR.match(cell))
            found += list(hours)[:1]
        return tuple(found)

    @property
    def _first(self) -> tuple[str, ...]:
        return self.sample[0] if self.sample else ()

    def _may_be_times(self, column: int) -> bool:
        """Whether numbers rise, as times do and other things under such a name do not."""
        values = [number(row[column]) for row in self.sample]
        steps = [after - before for before, after in pairwise(values)]
        return sum(step >= 0.0 for step in steps) >= _RISING * len(steps)

    def numeric(self, besides: Sequence[int]) -> list[int]:
        """Indices of the columns that hold numbers, but those; raises SourceUnusable."""
        found = [n for n in range(self.width) if n not in besides and self._is_numeric(n)]
        if not found:
            raise SourceUnusable("no column holds numbers", "name them in columns, or see the file")
        return found

    def _is_numeric(self, column: int) -> bool:
        cells = [row[column] for row in self.sample]
        good = sum(not math.isnan(number(cell)) for cell in cells)
        words = sum(math.isnan(number(cell)) and not is_missing(cell) for cell in cells)
        return good > words or not (good or words)


def is_row(line: str) -> bool:
    """Whether a line is a row, not empty and not a comment."""
    return bool(line) and line[0] != "#" and not line.isspace()


def split(line: str, separator: str) -> list[str]:
    """The cells of one line, without quotes."""
    if '"' in line:
        return _split_quoted(line, separator)
    return line.split() if separator == " " else line.split(separator)


def _split_quoted(line: str, separator: str) -> list[str]:
    """The cells of one line with quotes; a quote that stays open ends with the line."""
    cells, cell, quoted = [], "", False
    for part in re.split(r'(")', line):
        if part == '"':
            quoted = not quoted
        elif quoted:
            cell += part
        else:
            head, *more = part.split(separator)
            cell += head
            for each in more:
                cells.append(cell)
                cell = each
    return [*cells, cell]


def find_layout(
    lines: Sequence[str], separator: str | None, decimal: str | None, header: bool | None
) -> Layout:
    """The layout of a file that begins with these lines; None: it is seen from them.

    Raises SourceUnusable where there is no row.
    """
    rows = [n for n, line in enumerate(lines) if is_row(line)][: _SAMPLE + 10]
    if not rows:
        raise SourceUnusable("the file holds no rows", "it must hold rows of numbers")
    texts = [lines[n] for n in rows]
    mark = separator or _separator(texts)
    cells = [tuple(split(text, mark)) for text in texts]
    width = _usual_width(cells)
    good = [(n, row) for n, row in zip(rows, cells, strict=True) if len(row) == width]
    comma = decimal == "," if decimal else mark != "," and _has_decimal_comma(good)
    if comma:
        good = [(n, tuple(cell.replace(",", ".") for cell in row)) for n, row in good]
    start, first = good[0]
    named = header if header is not None else not any(_is_value(cell) for cell in first)
    if named:
        start = good[1][0] if len(good) > 1 else len(lines)
    names = _names(first if named else (), width)
    sample = tuple(row for _, row in good[1 if named else 0 :])
    return Layout(mark, comma, names, start, sample)


def _separator(texts: Sequence[str]) -> str:
    """The separator that cuts most lines into the same number of cells, more than one."""
    for mark in _SEPARATORS:
        widths = Counter(len(split(text.strip(), mark)) for text in texts)
        width, count = widths.most_common(1)[0]
        if width > 1 and count >= 0.8 * len(texts):
            return mark
    best = max(_SEPARATORS, key=lambda mark: sum(text.count(mark) for text in texts))
    return best if any(best in text for text in texts) else ","


def _usual_width(cells: Sequence[tuple[str, ...]]) -> int:
    return Counter(map(len, cells)).most_common(1)[0][0]


def _has_decimal_comma(rows: Sequence[tuple[int, tuple[str, ...]]]) -> bool:
    return any(_COMMA_NUMBER.fullmatch(cell) for _, row in rows for cell in row)


def _is_value(cell: str) -> bool:
    """Whether a cell belongs to a row of data: a number, or something that begins like a date."""
    return not math.isnan(number(cell)) or _DATE.match(cell) is not None


def _names(first: Sequence[str], width: int) -> tuple[str, ...]:
    names: list[str] = []
    for n in range(width):
        name = first[n].strip() if first else ""
        name = f"column{n + 1}" if is_missing(name) else name
        names.append(name if name not in names else f"{name}_{n + 1}")
    return tuple(names)
