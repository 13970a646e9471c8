"""When the sun rises and sets, by the equations of NOAA's solar calculator.

They are those of its spreadsheet (https://gml.noaa.gov/grad/solcalc/calcdetails.html), after Meeus,
Astronomical Algorithms (1991): within a minute below 72 degrees of latitude.
"""

from __future__ import annotations

import math

_DAY = 86400.0  # seconds
_ZENITH = 90.833  # degrees: the upper edge of the sun at the horizon, seen through the air
_PER_DEGREE = 240.0  # seconds in which the sun turns by a degree
_STEPS = 4  # of an iteration that gains more than two digits a step


def sun_times(near: float, latitude: float, longitude: float) -> tuple[float, float]:
    """Sunrise and sunset of the day whose solar noon is nearest to a time; epoch seconds.

    Degrees north and east are positive. Where the sun does not set they are the solar midnights
    before and after; where it does not rise, both are that noon.
    """
    noon = _noon(_noon(near, longitude), longitude)
    return _crossing(noon, latitude, -1.0), _crossing(noon, latitude, 1.0)


def _noon(near: float, longitude: float) -> float:
    """Solar noon, as exact as the equation of time at a time close to it."""
    _, equation = _sun(near)
    after_midnight = near + longitude * _PER_DEGREE + equation
    return near + _DAY / 2 - after_midnight % _DAY


def _crossing(noon: float, latitude: float, side: float) -> float:
    """When the sun crosses the horizon before (-1) or after (1) a noon."""
    _, at_noon = _sun(noon)
    moment = noon
    for _ in range(_STEPS):
        declination, equation = _sun(moment)
        angle = _hour_angle(declination, latitude)
        moment = noon + side * angle * _PER_DEGREE + at_noon - equation
    return moment


def _hour_angle(declination: float, latitude: float) -> float:
    """Degrees from noon to the horizon; 180 where the sun stays up, 0 where it stays down."""
    north, up = math.radians(latitude), math.radians(declination)
    # At a pole the cosine is 1e-17, which serves: the result is cut off far beyond 1 and -1.
    cosine = math.cos(math.radians(_ZENITH)) / (math.cos(north) * math.cos(up))
    cosine -= math.tan(north) * math.tan(up)
    return math.degrees(math.acos(min(max(cosine, -1.0), 1.0)))


def _sun(moment: float) -> tuple[float, float]:
    """Declination in degrees and equation of time in seconds."""
    t = (moment / _DAY + 2440587.5 - 2451545.0) / 36525.0  # Julian centuries since J2000.0
    mean = math.radians(280.46646 + t * (36000.76983 + t * 0.0003032))
    anomaly = math.radians(357.52911 + t * (35999.05029 - 0.0001537 * t))
    eccentricity = 0.016708634 - t * (0.000042037 + 0.0000001267 * t)
    centre = (
        math.sin(anomaly) * (1.914602 - t * (0.004817 + 0.000014 * t))
        + math.sin(2 * anomaly) * (0.019993 - 0.000101 * t)
        + math.sin(3 * anomaly) * 0.000289
    )
    node = math.radians(125.04 - 1934.136 * t)
    apparent = mean + math.radians(centre - 0.00569 - 0.00478 * math.sin(node))
    tilt = 23.0 + (26.0 + (21.448 - t * (46.815 + t * (0.00059 - t * 0.001813))) / 60.0) / 60.0
    tilt = math.radians(tilt + 0.00256 * math.cos(node))
    declination = math.degrees(math.asin(math.sin(tilt) * math.sin(apparent)))
    y = math.tan(tilt / 2) ** 2
    equation = math.degrees(
        y * math.sin(2 * mean)
        - 2 * eccentricity * math.sin(anomaly)
        + 4 * eccentricity * y * math.sin(anomaly) * math.cos(2 * mean)
        - 0.5 * y * y * math.sin(4 * mean)
        - 1.25 * eccentricity * eccentricity * math.sin(2 * anomaly)
    )
    return declination, equation * _PER_DEGREE
