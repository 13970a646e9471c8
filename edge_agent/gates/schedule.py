"""Lets frames through at certain hours only."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, time, timedelta, tzinfo
from typing import TYPE_CHECKING, Annotated, Any, ClassVar
from zoneinfo import ZoneInfo

from annotated_types import Ge, Le

from edge_agent.frame import Frame
from edge_agent.gates.base import Verdict
from edge_agent.gates.hours import SpanText, around, parse_span
from edge_agent.options import Doc, Options

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema

_OPEN = Verdict(True, "schedule")
_CLOSED = Verdict(False, "schedule", closed=True)
_NEVER = (0.0, 0.0)


class _ZoneText:
    """Marks the name of a time zone."""

    def __get_pydantic_core_schema__(
        self, source: type[Any], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Complain of a name that this machine does not know."""
        from pydantic_core import core_schema  # noqa: PLC0415 - heavy, only for schemas

        return core_schema.no_info_after_validator_function(self.check, handler(source))

    @staticmethod
    def check(name: str) -> str:
        """The name itself; raises ValueError where there is no such zone."""
        _zone(name)
        return name


@dataclass(frozen=True, slots=True)
class ScheduleOptions(Options):
    """Options of `gate: schedule`."""

    active: Annotated[
        list[str],
        SpanText(),
        Doc("Hours in which frames are inferred; none: always. Also sunset-sunrise, sunset+30m."),
    ] = field(default_factory=list)
    quiet: Annotated[
        list[str], SpanText(), Doc("Hours in which none are, whatever `active` says.")
    ] = field(default_factory=list)
    timezone: Annotated[
        Annotated[str, _ZoneText()] | None,
        Doc("Time zone of the hours, such as Europe/Berlin; default: that of this machine."),
    ] = None
    location: Annotated[
        tuple[Annotated[float, Ge(-90), Le(90)], Annotated[float, Ge(-180), Le(180)]] | None,
        Doc("Latitude and longitude for the sun, in degrees; default: agent.location."),
    ] = None


class ScheduleGate:
    """Passes frames by their wall-clock time. Outside its hours the pipeline sees nothing at all.

    The hours of a day are worked out once; a clock that jumps is noticed. Raises ValueError for
    hours of the sun without a location.
    """

    Options: ClassVar[type[Options]] = ScheduleOptions

    def __init__(self, options: ScheduleOptions) -> None:
        self._active = [parse_span(text) for text in options.active]
        self._quiet = [parse_span(text) for text in options.quiet]
        self._place = options.location
        self._zone = None if options.timezone is None else _zone(options.timezone)
        if self._place is None and any(s.needs_sun for s in (*self._active, *self._quiet)):
            raise ValueError("gate schedule: sunrise and sunset need a location (agent.location)")
        self._today = _NEVER
        self._on: list[tuple[float, float]] = []
        self._off: list[tuple[float, float]] = []

    def check(self, frame: Frame, active: bool) -> Verdict:  # noqa: ARG002 - same for all
        """Pass the frame if it was taken at a time of work."""
        now = frame.wall
        if not self._today[0] <= now < self._today[1]:
            self._plan(now)
        is_open = any(start <= now < end for start, end in self._on)
        return _OPEN if is_open and not any(a <= now < b for a, b in self._off) else _CLOSED

    def _plan(self, now: float) -> None:
        """Work out the hours of the day."""
        day = datetime.fromtimestamp(now, self._zone).date()
        midnights = (datetime.combine(day + timedelta(days=n), time(), self._zone) for n in (0, 1))
        begin, end = (midnight.timestamp() for midnight in midnights)
        self._today = (min(begin, now), max(end, now + 1.0))
        self._on = around(self._active, day, self._zone, self._place)
        if not self._active:
            self._on = [self._today]
        self._off = around(self._quiet, day, self._zone, self._place)

    def reset(self) -> None:
        """Work out the hours anew with the next frame."""
        self._today = _NEVER


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"this machine knows no time zone {name!r}") from error
