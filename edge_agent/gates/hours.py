"""Hours of the day such as 22:00-06:00 or sunset-sunrise+30m, as people write them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from typing import TYPE_CHECKING, Any

from edge_agent.gates.sun import sun_times

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic_core import CoreSchema

Place = tuple[float, float]
"""Latitude and longitude in degrees, north and east positive."""

_MINUTES = {"m": 1.0, "h": 60.0}
_TIME = r"(\d\d?:\d\d|sunrise|sunset)(?:\s*([+-]\s*\d+(?:\.\d+)?)([mh]))?"
_SPAN = re.compile(rf"\s*{_TIME}\s*-\s*{_TIME}\s*")
_USUAL = {"sunrise": 6 * 60.0, "sunset": 18 * 60.0}
_DAY = 24 * 60.0
_SEAM = 2.0  # seconds between two spans, or the length of one, that are rounding and no more


@dataclass(frozen=True, slots=True)
class DayTime:
    """A time of the day: minutes after midnight, or after the sun's rising or setting."""

    minutes: float
    sun: str = ""

    @property
    def usual(self) -> float:
        """Minutes after midnight, where the sun rises at six and sets at eighteen."""
        return self.minutes + _USUAL.get(self.sun, 0.0)

    def on(self, day: date, zone: tzinfo | None, place: Place | None) -> float:
        """Epoch seconds of it on a day in a time zone; None is that of this machine."""
        midnight = datetime.combine(day, time(), zone)
        if not self.sun:  # on the clock of that day, also where it is put forward or back
            return (midnight + timedelta(minutes=self.minutes)).timestamp()
        assert place is not None
        rise, set_ = sun_times((midnight + timedelta(hours=12)).timestamp(), *place)
        return (rise if self.sun == "sunrise" else set_) + 60.0 * self.minutes


@dataclass(frozen=True, slots=True)
class Span:
    """From one time of the day to another, which is the next day's where it comes earlier."""

    start: DayTime
    end: DayTime

    @property
    def needs_sun(self) -> bool:
        """Whether a place is needed to tell it."""
        return bool(self.start.sun or self.end.sun)

    def on(self, day: date, zone: tzinfo | None, place: Place | None) -> tuple[float, float]:
        """Epoch seconds of begin and end of the one that begins on a day."""
        over_midnight = self.end.usual <= self.start.usual
        last = day + timedelta(days=1) if over_midnight else day
        return self.start.on(day, zone, place), self.end.on(last, zone, place)


def parse_span(text: str) -> Span:
    """Read hours; raises ValueError that says what they look like."""
    match = _SPAN.fullmatch(text)
    if match is None:
        raise ValueError(
            f"{text!r} are no hours such as 22:00-06:00, sunset-sunrise or sunset+30m-23:00"
        )
    return Span(_day_time(*match.groups()[:3]), _day_time(*match.groups()[3:]))


def _day_time(text: str, shift: str | None, unit: str | None) -> DayTime:
    after = 0.0 if shift is None else float(shift.replace(" ", "")) * _MINUTES[unit or "m"]
    if abs(after) > _DAY / 2:
        raise ValueError(f"{shift}{unit} is more than 12 hours")
    if text in _USUAL:
        return DayTime(after, text)
    hours, minutes = map(int, text.split(":"))
    if minutes > 59 or 60 * hours + minutes > _DAY:
        raise ValueError(f"{text} is no time of the day")
    return DayTime(60 * hours + minutes + after)


def around(
    spans: Sequence[Span], day: date, zone: tzinfo | None, place: Place | None
) -> list[tuple[float, float]]:
    """Begins and ends in epoch seconds of all that may touch a day, joined where they meet."""
    days = [day + timedelta(days=n) for n in (-1, 0, 1)]
    found = sorted(span.on(each, zone, place) for span in spans for each in days)
    joined: list[tuple[float, float]] = []
    for start, end in found:
        if joined and start - joined[-1][1] < _SEAM:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return [(start, end) for start, end in joined if end - start >= _SEAM]


@dataclass(frozen=True, slots=True)
class SpanText:
    """Marks a list of hours, for which YAML also takes a single one."""

    words: str = "hours such as 22:00-06:00, or a list of them"

    def __get_pydantic_core_schema__(
        self, source: type[Any], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Accept a single text beside the list, and complain of what are no hours."""
        from pydantic_core import core_schema  # noqa: PLC0415 - heavy, only for schemas

        return core_schema.no_info_before_validator_function(self.read, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Say that a single text is accepted too."""
        return {"anyOf": [handler(schema), {"type": "string"}], "examples": ["22:00-06:00"]}

    @staticmethod
    def read(value: Any) -> Any:
        """The list of texts; anything else is returned as it is."""
        texts = [value] if isinstance(value, str) else value
        for text in texts if isinstance(texts, list) else ():
            if isinstance(text, str):
                parse_span(text)
        return texts
