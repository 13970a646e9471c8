"""From the numbers that a tensor holds to the range that eight bits stand for.

Three observers: "minmax" takes all that was seen; "percentile" leaves out the rarest numbers at
both ends; "mse" takes the range with the least mean squared error of what is rounded and clipped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

BINS = 2048
_TAIL = 5e-5  # of the numbers, beyond each end, that "percentile" leaves out
_SHRINKING = np.linspace(0.2, 1.0, 65)  # parts of an end that "mse" tries
_ROUNDS = 2


class Range(NamedTuple):
    """Lowest and highest real number; zero lies within once it is a scale."""

    low: float
    high: float

    def joined(self, other: Range) -> Range:
        """The range that holds both."""
        return Range(min(self.low, other.low), max(self.high, other.high))


class Parameters(NamedTuple):
    """`real = scale * (stored - zero_point)`, stored from -128 to 127."""

    scale: np.float32
    zero_point: int

    @classmethod
    def of(cls, span: Range) -> Parameters:
        """Those that hold a range, widened to take in zero, which is exact."""
        low, high = min(span.low, 0.0), max(span.high, 0.0)
        scale = np.float32((high - low) / 255.0)
        if scale < np.finfo(np.float32).tiny:
            return cls(np.float32(1.0), 0)
        zero = int(np.clip(np.rint(-128.0 - low / np.float64(scale)), -128, 127))
        return cls(scale, zero)

    def rounded(self, real: Array) -> Array:
        """What real numbers become, still as real numbers."""
        whole = np.clip(np.rint(real / np.float64(self.scale)) + self.zero_point, -128, 127)
        back: Array = (whole - self.zero_point) * np.float64(self.scale)
        return back

    def stored(self, real: Array) -> Array:
        """Real numbers as int8."""
        whole = np.rint(np.asarray(real, np.float64) / np.float64(self.scale)) + self.zero_point
        stored: Array = np.clip(whole, -128, 127).astype(np.int8)
        return stored


class Histogram:
    """How often numbers came up in each of `BINS` equal parts of a range."""

    def __init__(self, span: Range) -> None:
        self.span = span
        self.counts = np.zeros(BINS, np.int64)

    def add(self, values: Array) -> None:
        """Count the numbers of one run."""
        width = self.span.high - self.span.low
        if width <= 0.0:
            self.counts[0] += values.size
            return
        scaled = (values.reshape(-1) - np.float32(self.span.low)) * np.float32(BINS / width)
        places = np.clip(scaled, 0, BINS - 1).astype(np.intp)
        self.counts += np.bincount(places, minlength=BINS)

    @property
    def centres(self) -> Array:
        """The real number in the middle of each part."""
        edges = np.linspace(self.span.low, self.span.high, BINS + 1)
        centres: Array = (edges[:-1] + edges[1:]) / 2
        return centres


def by_percentile(seen: Histogram) -> Range:
    """Without the rarest numbers at each end."""
    total = seen.counts.sum()
    below = np.cumsum(seen.counts) > _TAIL * total
    above = np.cumsum(seen.counts[::-1]) > _TAIL * total
    width = (seen.span.high - seen.span.low) / BINS
    low = seen.span.low + width * int(np.argmax(below))
    high = seen.span.high - width * int(np.argmax(above))
    return Range(low, high)


def by_mse(seen: Histogram) -> Range:
    """The least mean squared error: one end after the other is drawn in."""
    used = np.flatnonzero(seen.counts)
    if not used.size or seen.span.high <= seen.span.low:
        return seen.span
    centres, counts = seen.centres[used], seen.counts[used]

    def error(span: Range) -> float:
        return float((counts * (Parameters.of(span).rounded(centres) - centres) ** 2).sum())

    best = seen.span
    for _ in range(_ROUNDS):
        highs = [Range(best.low, seen.span.high * part) for part in _SHRINKING]
        best = min((*highs, best), key=error) if seen.span.high > 0 else best
        lows = [Range(seen.span.low * part, best.high) for part in _SHRINKING]
        best = min((*lows, best), key=error) if seen.span.low < 0 else best
    return best


OBSERVERS: Mapping[str, Callable[[Histogram], Range] | None] = {
    "minmax": None,
    "percentile": by_percentile,
    "mse": by_mse,
}
"""How a range is taken from what was seen; None takes all of it."""
