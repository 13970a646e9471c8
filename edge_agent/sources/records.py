"""Lines with numbers in them: rows of cells, JSON objects, or names with values."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Any, Literal

from edge_agent.sources.cells import number
from edge_agent.sources.choice import choose
from edge_agent.sources.layout import split
from edge_agent.sources.timestamps import Timestamps

Format = Literal["auto", "csv", "json", "keyvalue"]

_PAIR = re.compile(r"""([^\s=:,;|"']+)\s*[=:]\s*("[^"]*"|[^\s,;|]*)""")
_BEGINS_WITH_PAIR = re.compile(r"\s*[^\W\d][\w./ -]*\s*[=:]")
_SEPARATORS = (";", "\t", ",", "|")
_NAME = re.compile(r"\s*[^\W\d][^\n]{0,60}")
_MAX_DEPTH = 8
_MAX_FIELDS = 1024


class BadLine(ValueError):
    """This line holds nothing that can be used; the text says why."""


def fields_of(line: str, form: Format) -> dict[str, float | str] | None:
    """Values by name of a line that names them, None for a row of cells; raises BadLine."""
    text = line.strip()
    if form == "json" or (form == "auto" and text[:1] in "{["):
        return dict(_flat(_json(text), "", 0))
    named = form == "auto" and ("=" in text or _BEGINS_WITH_PAIR.match(text) is not None)
    if form == "keyvalue" or named:
        found: dict[str, float | str] = {
            name: value.strip('"') for name, value in _PAIR.findall(text)
        }
        if not found:
            raise BadLine("it holds no name=value")
        return found
    return None


def _json(text: str) -> Any:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise BadLine("it is no valid JSON") from None
    if not isinstance(value, dict | list):
        raise BadLine("it is no JSON object")
    return value


def _flat(value: Any, name: str, depth: int) -> Iterator[tuple[str, float | str]]:
    """Every number and text below a value, under its path such as room.temperature or axes.0."""
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        if depth < _MAX_DEPTH and len(value) <= _MAX_FIELDS:
            for key, item in items:
                yield from _flat(item, f"{name}.{key}" if name else str(key), depth + 1)
    elif isinstance(value, str):
        yield name, value
    elif value is not None:
        yield name, _as_number(value)


def _as_number(value: float) -> float:
    try:
        found = float(value)
    except OverflowError:
        return math.nan
    return found if math.isfinite(found) else math.nan


def _value(cell: float | str | None) -> float:
    if cell is None:
        return math.nan
    return number(cell) if isinstance(cell, str) else cell


@dataclass(frozen=True, slots=True)
class Record:
    """One line: a number for each channel, NaN where one is missing, and the time beside them."""

    values: list[float]
    noted: float


@dataclass(frozen=True, slots=True)
class RecordForm:
    """How lines are to be read. `channels` empty: those of the first line that has numbers.

    `time` is the field of the times, None where there is none; `time_form` and `zone` are for
    `Timestamps`.
    """

    format: Format = "auto"
    channels: tuple[str | int, ...] = ()
    time: str | int | None = None
    time_form: str = "auto"
    zone: tzinfo = UTC


class RecordReader:
    """Turns lines into records; what the first good line is like is expected of all others."""

    def __init__(self, form: RecordForm) -> None:
        self._form = form
        self._header: list[str] = []
        self._separator = ""
        self._width = 0
        self._places: list[int] = []
        self._time_place: int | str | None = None
        self._stamps: Timestamps | None = None
        self.channels: tuple[str, ...] = ()
        """Names of the channels, none before the first good line."""

    @property
    def is_epoch(self) -> bool:
        """Whether the times beside the values are since 1970."""
        return self._stamps is not None and self._stamps.is_epoch

    def read(self, line: str) -> Record | None:
        """The record of a line, None for a line of names; raises BadLine and SourceUnusable."""
        fields = fields_of(line, self._form.format)
        if fields is None:
            return self._from_cells(line)
        return self._from_fields(fields)

    def _from_fields(self, fields: Mapping[str, float | str]) -> Record:
        if self._width:
            raise BadLine("the lines before it were rows of cells")
        if not self.channels:
            self._learn_fields(fields)
        values = [_value(fields.get(name)) for name in self.channels]
        if all(name not in fields for name in self.channels):
            raise BadLine("it holds none of the channels")
        time = None if self._time_place is None else fields.get(str(self._time_place))
        return Record(values, self._noted(time))

    def _learn_fields(self, fields: Mapping[str, float | str]) -> None:
        names = list(fields)
        time = self._form.time
        self._time_place = names[choose(time, names, "field")] if isinstance(time, int) else time
        wanted = [
            names[choose(each, names, "field")] if isinstance(each, int) else each
            for each in self._form.channels
        ] or [name for name in names if not math.isnan(_value(fields[name]))]
        if not self._form.channels:
            wanted = [name for name in wanted if name != self._time_place]
        if not wanted:
            raise BadLine("it holds no number")
        self.channels = tuple(wanted)

    def _from_cells(self, line: str) -> Record | None:
        separator = self._separator or _separator(line)
        cells = split(line.strip(), separator)
        if self.channels and not self._width:
            raise BadLine("the lines before it had names")
        if not self._width:
            if _is_header(cells, separator):
                self._header = [cell.strip() for cell in cells]
                return None
            self._learn_cells(cells, separator)
        if len(cells) != self._width:
            raise BadLine(f"it has {len(cells)} cells, those before it had {self._width}")
        if separator != ",":
            cells = [cell.replace(",", ".") for cell in cells]
        values = [number(cells[place]) for place in self._places]
        time = None if self._time_place is None else cells[int(self._time_place)]
        if all(map(math.isnan, values)) and [cell.strip() for cell in cells] == self._header:
            return None
        return Record(values, self._noted(time))

    def _learn_cells(self, cells: Sequence[str], separator: str) -> None:
        comma = separator != ","
        values = [number(cell.replace(",", ".") if comma else cell) for cell in cells]
        if all(map(math.isnan, values)):
            raise BadLine("it holds no number")
        width, wanted = len(cells), self._form.channels
        names = self._header if len(self._header) == width else []
        given = [each for each in wanted if isinstance(each, str)]
        if not names and len(given) == width:
            names = given
        names = names or [f"column{n + 1}" for n in range(width)]
        time = self._form.time
        self._time_place = None if time is None else choose(time, names, "field")
        self._places = [choose(each, names, "field") for each in wanted] or [
            n for n in range(width) if n != self._time_place and not math.isnan(values[n])
        ]
        if not self._places:
            raise BadLine("it holds no number")
        self._separator, self._width = separator, width
        self.channels = tuple(names[place] for place in self._places)

    def _noted(self, cell: float | str | None) -> float:
        """Seconds of the time beside the values, NaN where there is none."""
        if cell is None:
            return math.nan
        if self._stamps is None:
            try:
                self._stamps = Timestamps(str(cell), self._form.time_form, self._form.zone)
            except ValueError:
                return math.nan
        return self._stamps.one(str(cell))


def _separator(line: str) -> str:
    return next((mark for mark in _SEPARATORS if mark in line), " ")


def _is_header(cells: Sequence[str], separator: str) -> bool:
    """Whether cells are names; words of a message with spaces between them are not taken so."""
    return separator != " " and len(cells) > 1 and all(map(_NAME.fullmatch, cells))
