"""Numbers that tell the shape of a window: level, peaks, spikes, crossings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal, get_args

import numpy as np
from annotated_types import Len
from numpy.typing import NDArray

from edge_agent.options import Doc, Options
from edge_agent.preprocess.signal.base import Block
from edge_agent.preprocess.signal.checks import need

Array = NDArray[np.float64]
Statistic = Literal[
    "mean",
    "std",
    "min",
    "max",
    "peak_to_peak",
    "rms",
    "peak",
    "crest_factor",
    "skewness",
    "kurtosis",
    "zero_crossing_rate",
]


@dataclass(frozen=True, slots=True)
class StatisticsOptions(Options):
    """Options of `statistics`."""

    features: Annotated[
        list[Statistic],
        Len(1),
        Doc("Which, in the order that they come out: each for all channels, then the next."),
    ] = field(default_factory=lambda: list(get_args(Statistic)))


class Statistics:
    """Statistics x channels of a window.

    As ISO 13373-2 and scipy.stats have them: `rms` is the root of the mean square, `peak` the
    largest magnitude, `crest_factor` peak / rms, `skewness` and `kurtosis` the third and fourth
    central moment over the standard deviation to that power (3 for a normal distribution),
    `zero_crossing_rate` the share of steps from row to row that change the sign. What would
    divide by zero, on a channel that does not move, is 0.
    """

    Options: ClassVar[type[Options]] = StatisticsOptions

    def __init__(self, options: StatisticsOptions, rate: float, shape: tuple[int, int]) -> None:  # noqa: ARG002 - same for all
        for name in options.features:
            need(name in _STATISTICS, "features", f"{name!r}", f"known: {', '.join(_STATISTICS)}")
        self.shape: tuple[int, ...] = (len(options.features), shape[1])
        self._functions = [_STATISTICS[name] for name in options.features]

    def apply(self, window: Block) -> NDArray[np.float32]:
        """One row for each statistic."""
        moments = _Moments(window)
        return np.stack([function(moments) for function in self._functions]).astype(np.float32)


class _Moments:
    """What several statistics need of a window, worked out at most once."""

    def __init__(self, window: Block) -> None:
        self.x = window.astype(np.float64)
        self.mean: Array = self.x.mean(axis=0)
        self.centred = self.x - self.mean
        self.square = self.centred * self.centred
        self.variance: Array = self.square.mean(axis=0)
        self.rms: Array = np.sqrt(self.variance + self.mean * self.mean)
        self.peak: Array = np.abs(self.x).max(axis=0)


def _ratio(top: Array, bottom: Array) -> Array:
    """The quotient, 0 where there is none."""
    return np.divide(top, bottom, out=np.zeros_like(top), where=bottom > 0.0)


def _crossings(m: _Moments) -> Array:
    below = m.x < 0.0
    changes: Array = (below[1:] != below[:-1]).sum(axis=0) / max(len(below) - 1, 1)
    return changes


_STATISTICS: Mapping[str, Callable[[_Moments], Array]] = {
    "mean": lambda m: m.mean,
    "std": lambda m: np.sqrt(m.variance),
    "min": lambda m: m.x.min(axis=0),
    "max": lambda m: m.x.max(axis=0),
    "peak_to_peak": lambda m: np.ptp(m.x, axis=0),
    "rms": lambda m: m.rms,
    "peak": lambda m: m.peak,
    "crest_factor": lambda m: _ratio(m.peak, m.rms),
    "skewness": lambda m: _ratio((m.square * m.centred).mean(axis=0), m.variance**1.5),
    "kurtosis": lambda m: _ratio((m.square * m.square).mean(axis=0), m.variance**2),
    "zero_crossing_rate": _crossings,
}
