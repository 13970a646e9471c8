"""When the sun rises and sets, against almanacs and a second way to work it out."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from edge_agent.gates.sun import sun_times

LONDON, NEW_YORK, SYDNEY = (51.5074, -0.1278), (40.7128, -74.006), (-33.8688, 151.2093)
TROMSO, SOUTH_POLE = (69.6492, 18.9553), (-90.0, 0.0)
_HOUR = 3600.0


def _times(day: str, place: tuple[float, float], hours_east: float) -> tuple[float, float]:
    """Hours after midnight of that zone at which the sun rises and sets."""
    zone = timezone(timedelta(hours=hours_east))
    midnight = datetime.fromisoformat(day).replace(tzinfo=zone).timestamp()
    rise, set_ = sun_times(midnight + 12 * _HOUR, *place)
    return (rise - midnight) / _HOUR, (set_ - midnight) / _HOUR


@pytest.mark.parametrize(
    ("day", "place", "zone", "rise", "set_"),
    [
        ("2024-06-20", LONDON, 1, (4, 43), (21, 21)),
        ("2024-12-21", LONDON, 0, (8, 4), (15, 53)),
        ("2024-03-20", NEW_YORK, -4, (6, 58), (19, 9)),
        ("2024-06-21", SYDNEY, 10, (7, 0), (16, 54)),
    ],
)
def test_almanac(
    day: str,
    place: tuple[float, float],
    zone: int,
    rise: tuple[int, int],
    set_: tuple[int, int],
) -> None:
    """Within the minute of published tables."""
    found = _times(day, place, zone)
    for mine, (hours, minutes) in zip(found, (rise, set_), strict=True):
        assert abs(mine - hours - minutes / 60) <= 1.0 / 60


@pytest.mark.parametrize(
    ("day", "place", "hours"),
    [
        ("2024-06-21", TROMSO, 24.0),
        ("2024-12-21", TROMSO, 0.0),
        ("2024-12-21", SOUTH_POLE, 24.0),
        ("2024-06-21", SOUTH_POLE, 0.0),
    ],
)
def test_polar_day_and_night(day: str, place: tuple[float, float], hours: float) -> None:
    """The sun stays up from solar midnight to midnight, or rises and sets at once at noon."""
    rise, set_ = _times(day, place, 1)
    assert set_ - rise == pytest.approx(hours, abs=0.02)
    assert abs((rise + set_) / 2 - 12) < 1.5


def test_polar_day_has_no_seam() -> None:
    """Where the sun stays up one day ends when the next begins, to a second."""
    noon = datetime(2026, 6, 21, 12, tzinfo=UTC).timestamp()
    _, ends = sun_times(noon, *TROMSO)
    begins, _ = sun_times(noon + 24 * _HOUR, *TROMSO)
    assert abs(begins - ends) < 1.0


_MOMENTS = st.floats(946684800.0, 2524608000.0)  # 2000 to 2050
_PLACES = st.tuples(st.floats(-65.0, 65.0), st.floats(-180.0, 180.0))


@settings(deadline=None)
@given(near=_MOMENTS, place=_PLACES)
def test_the_sun_is_at_the_horizon(near: float, place: tuple[float, float]) -> None:
    """At both times its middle stands 0.833 degrees below, and its noon lies near and between."""
    rise, set_ = sun_times(near, *place)
    assume(_HOUR < set_ - rise < 23 * _HOUR)
    assert _height(rise, *place) == pytest.approx(-0.833, abs=0.1)
    assert _height(set_, *place) == pytest.approx(-0.833, abs=0.1)
    assert _height((rise + set_) / 2, *place) > 0.0
    assert abs((rise + set_) / 2 - near) <= 12.1 * _HOUR


def _height(moment: float, latitude: float, longitude: float) -> float:
    """Height of the sun in degrees by the low-precision formulas of the Astronomical Almanac."""
    n = moment / 86400.0 - 10957.5  # days since J2000.0
    mean = 280.460 + 0.9856474 * n
    anomaly = math.radians(357.528 + 0.9856003 * n)
    ecliptic = math.radians(mean + 1.915 * math.sin(anomaly) + 0.020 * math.sin(2 * anomaly))
    tilt = math.radians(23.439 - 0.0000004 * n)
    right = math.atan2(math.cos(tilt) * math.sin(ecliptic), math.cos(ecliptic))
    up = math.asin(math.sin(tilt) * math.sin(ecliptic))
    sidereal = math.radians(15.0 * (18.697374558 + 24.06570982441908 * n) + longitude)
    north, turned = math.radians(latitude), sidereal - right
    return math.degrees(
        math.asin(
            math.sin(north) * math.sin(up) + math.cos(north) * math.cos(up) * math.cos(turned)
        )
    )
