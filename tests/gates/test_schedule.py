"""Frames pass at certain hours only."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.gates.hours import around, parse_span
from edge_agent.gates.schedule import ScheduleGate, ScheduleOptions
from tests.gates.scenes import frame

PICTURE = np.zeros((2, 2, 3), np.uint8)
BERLIN, TROMSO = (52.52, 13.40), (69.6492, 18.9553)


def _open(gate: ScheduleGate, when: str, zone: str = "Europe/Berlin", fold: int = 0) -> bool:
    """Whether a frame passes that was taken at that time of a zone."""
    moment = datetime.fromisoformat(when).replace(tzinfo=ZoneInfo(zone), fold=fold)
    return _at(gate, moment.timestamp())


def _at(gate: ScheduleGate, wall: float) -> bool:
    return gate.check(replace(frame(PICTURE, 0.0), wall=wall), False).passed


def _gate(zone: str | None = "Europe/Berlin", **options: Any) -> ScheduleGate:
    return ScheduleGate(ScheduleOptions(timezone=zone, **options))


def _open_hours(gate: ScheduleGate, day: str, zone: str = "Europe/Berlin") -> list[int]:
    """The full hours of a day at whose half it is open."""
    return [hour for hour in range(24) if _open(gate, f"{day}T{hour:02}:30", zone)]


@pytest.mark.parametrize(
    ("options", "hours"),
    [
        ({}, range(24)),
        ({"quiet": ["22:00-06:00"]}, range(6, 22)),
        ({"active": ["08:00-18:00"]}, range(8, 18)),
        ({"active": ["8:00-12:00", "13:00-18:00"]}, [8, 9, 10, 11, 13, 14, 15, 16, 17]),
        ({"active": ["08:00-18:00"], "quiet": ["12:00-13:00"]}, [8, 9, 10, 11, *range(13, 18)]),
        ({"active": ["22:00-02:00"], "quiet": ["23:00-00:00"]}, [0, 1, 22]),
        ({"active": ["00:00-24:00"]}, range(24)),
        ({"quiet": ["00:00-24:00"]}, []),
        ({"active": ["20:00-24:00"]}, range(20, 24)),
        ({"active": ["08:00-08:00"]}, range(24)),
    ],
)
def test_hours_of_the_clock(options: dict[str, Any], hours: Any) -> None:
    """Active hours less the quiet ones, also over midnight."""
    assert _open_hours(_gate(**options), "2026-05-04") == list(hours)


def test_begin_belongs_to_the_hours_and_end_does_not() -> None:
    """To the microsecond."""
    gate = _gate(quiet=["22:00-06:00"])
    assert _open(gate, "2026-05-04T21:59:59.999999")
    assert not _open(gate, "2026-05-04T22:00:00")
    assert not _open(gate, "2026-05-05T05:59:59.999999")
    assert _open(gate, "2026-05-05T06:00:00")


def test_closed_says_so() -> None:
    """What is followed cannot be seen to its end, so it is to end now."""
    gate = _gate(quiet=["00:00-24:00"])
    verdict = gate.check(replace(frame(PICTURE, 0.0), wall=1.78e9), True)
    assert (verdict.passed, verdict.closed, verdict.reason) == (False, True, "schedule")
    assert not _gate().check(frame(PICTURE, 0.0), True).closed


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-28", 8.0), ("2026-03-29", 7.0), ("2026-10-25", 9.0)]
)
def test_nights_in_which_the_clock_changes(day: str, hours: float) -> None:
    """From 22:00 to 6:00 by the clock it is quiet, for seven, eight or nine hours."""
    gate, zone = _gate(quiet=["22:00-06:00"]), ZoneInfo("Europe/Berlin")
    noon = datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=zone).timestamp()
    minutes = [noon - 24 * 3600 + 60 * n for n in range(24 * 60)]
    assert sum(not _at(gate, minute) for minute in minutes) == 60 * hours


def test_hour_that_comes_twice() -> None:
    """An end in the hour that is repeated is its first one; after it the hours are over."""
    gate = _gate(active=["22:00-02:30"])
    assert _open(gate, "2026-10-25T02:15")
    assert not _open(gate, "2026-10-25T02:15", fold=1)


def test_time_zones() -> None:
    """The same moment is night in one zone and day in another."""
    moment = datetime(2026, 5, 4, 3, 0, tzinfo=ZoneInfo("Europe/Berlin")).timestamp()
    passed = [
        _at(_gate(zone, active=["08:00-20:00"]), moment)
        for zone in ("Europe/Berlin", "Asia/Tokyo", "Pacific/Auckland", "America/New_York")
    ]
    assert passed == [False, True, True, False]


@pytest.fixture
def in_kolkata(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine five hours and a half east of Greenwich."""
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("in_kolkata")
def test_without_a_zone_it_is_that_of_the_machine() -> None:
    """Hours are those of the clock on the wall where the machine stands."""
    gate = _gate(None, active=["08:00-18:00"])
    assert _open_hours(gate, "2026-05-04", "Asia/Kolkata") == list(range(8, 18))


def test_hours_of_the_sun() -> None:
    """In Berlin in June it rises before five and sets after half past nine; with shifts."""
    night = _gate(active=["sunset-sunrise"], location=BERLIN)
    assert _open_hours(night, "2026-06-21") == [0, 1, 2, 3, 4, 22, 23]
    assert _open_hours(night, "2026-12-21") == [*range(8), *range(16, 24)]
    late = _gate(active=["sunset+2h-sunrise -30m"], location=BERLIN)
    assert _open_hours(late, "2026-12-21") == [*range(8), *range(18, 24)]


def test_an_evening_that_is_over_before_it_begins() -> None:
    """Where the sun sets after the end there is nothing, not a day and a night."""
    evening = _gate(active=["sunset-21:00"], location=BERLIN)
    assert _open_hours(evening, "2026-06-21") == []
    assert _open_hours(evening, "2026-12-21") == [16, 17, 18, 19, 20]


@pytest.mark.parametrize(("day", "by_day"), [("2026-06-21", True), ("2026-12-21", False)])
def test_polar_day_and_night(day: str, by_day: bool) -> None:
    """Where the sun stays up it is day for all of the 24 hours, else night."""
    gates = {
        by_day: _gate(active=["sunrise-sunset"], location=TROMSO),
        not by_day: _gate(active=["sunset-sunrise"], location=TROMSO),
    }
    midnight = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo("Europe/Oslo")).timestamp()
    minutes = [midnight + 60 * n for n in range(24 * 60)]
    assert all(_at(gates[True], minute) for minute in minutes)
    assert not any(_at(gates[False], minute) for minute in minutes)


def test_spans_that_meet_are_one() -> None:
    """No moment falls between one and the next, and none is made of rounding alone."""
    day, zone = date(2026, 6, 21), ZoneInfo("Europe/Oslo")
    (light,) = around([parse_span("sunrise-sunset")], day, zone, TROMSO)
    assert light[1] - light[0] == pytest.approx(72 * 3600, abs=120)
    assert around([parse_span("sunset-sunrise")], day, zone, TROMSO) == []
    assert around([parse_span("sunrise-sunset")], date(2026, 12, 21), zone, TROMSO) == []
    halves = [parse_span(text) for text in ("13:00-18:00", "08:00-13:00", "09:00-12:00")]
    assert [end - start for start, end in around(halves, day, zone, None)] == [36000.0] * 3


def test_a_clock_that_jumps() -> None:
    """A machine without a battery for its clock wakes up in 1970; once set, it is right at once."""
    gate = _gate(active=["08:00-18:00"])
    assert not _at(gate, 10.0)
    assert _open(gate, "2026-05-04T12:00")
    assert not _open(gate, "2026-05-04T20:00")
    assert _open(gate, "2026-05-03T12:00")
    assert _open(gate, "2026-04-03T12:00")


_CLOCK = st.integers(0, 24 * 12 - 1).map(lambda n: f"{n // 12:02}:{n % 12 * 5:02}")


@settings(deadline=None)
@given(start=_CLOCK, end=_CLOCK, minute=st.integers(0, 400 * 24 * 60))
def test_clock_hours_as_read_off_the_clock(start: str, end: str, minute: int) -> None:
    """Where the clock does not change, the time of day alone decides."""
    moment = datetime(2026, 1, 1, tzinfo=ZoneInfo("Asia/Tokyo")) + timedelta(minutes=minute)
    now = f"{moment:%H:%M}"
    expected = start <= now < end if start < end else now >= start or now < end
    assert _at(_gate("Asia/Tokyo", active=[f"{start}-{end}"]), moment.timestamp()) == expected


@pytest.mark.parametrize(
    "text", ["", "22:00", "22-6", "25:00-06:00", "22:60-06:00", "dusk-dawn", "sunset+5-06:00",
             "sunset+13h-06:00", "24:01-06:00", "22:00 to 06:00"],
)  # fmt: skip
def test_what_are_no_hours(text: str) -> None:
    """It is said with an example of what would be."""
    with pytest.raises(ValueError, match=r"hours|time of the day"):
        parse_span(text)


@pytest.mark.parametrize("text", ["sunset-23:00", "22:00-sunrise+30m"])
def test_the_sun_needs_a_place(text: str) -> None:
    """Without a location it is refused when it is built."""
    with pytest.raises(ValueError, match="need a location"):
        ScheduleGate(ScheduleOptions(quiet=[text]))


def test_unknown_time_zone() -> None:
    """It is refused when it is built."""
    for name in ("Europe/Berln", "../etc/passwd", "Europe"):
        with pytest.raises(ValueError, match="knows no time zone"):
            ScheduleGate(ScheduleOptions(timezone=name))
