"""Channels brought to the range that a model was trained on, with stored parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray

from edge_agent.options import Doc, Options
from edge_agent.preprocess.signal.base import Block
from edge_agent.preprocess.signal.checks import need

Numbers = float | list[float]
"""One number for all channels, or one for each."""


@dataclass(frozen=True, slots=True)
class ZScoreOptions(Options):
    """Options of `z_score`: (x - mean) / std."""

    mean: Annotated[Numbers, Doc("Mean of the training data: a number, or one a channel.")]
    std: Annotated[Numbers, Doc("Its standard deviation: a number, or one a channel.")]


@dataclass(frozen=True, slots=True)
class MinMaxOptions(Options):
    """Options of `min_max`: `min` becomes 0 and `max` becomes 1, or the ends of `range`."""

    min: Annotated[Numbers, Doc("Least of the training data: a number, or one a channel.")]
    max: Annotated[Numbers, Doc("Greatest of the training data: a number, or one a channel.")]
    range: Annotated[tuple[float, float], Doc("What they become.")] = (0.0, 1.0)


class _Line:
    """(x - zero) * slope + base for each channel."""

    def __init__(self, zero: NDArray[np.float64], slope: NDArray[np.float64], base: float) -> None:
        self._zero, self._slope = zero.astype(np.float32), slope.astype(np.float32)
        self._base = np.float32(base)

    def of(self, rows: Block) -> Block:
        """The rows on the line, as an array of their own."""
        moved = rows - self._zero
        moved *= self._slope
        moved += self._base
        return moved


class ZScoreStream:
    """Z-scores of a stream."""

    Options: ClassVar[type[Options]] = ZScoreOptions

    def __init__(self, options: ZScoreOptions, rate: float, channels: int) -> None:
        self.rate, self.channels = rate, channels
        self._line = _z_score(options, channels)

    def push(self, block: Block) -> Block:
        """The rows, scaled."""
        return self._line.of(block)

    def reset(self) -> None:
        """Nothing is remembered."""


class ZScoreWindow:
    """Z-scores of a window."""

    Options: ClassVar[type[Options]] = ZScoreOptions
    by_rows = True

    def __init__(self, options: ZScoreOptions, rate: float, shape: tuple[int, int]) -> None:  # noqa: ARG002 - same for all
        self.shape: tuple[int, ...] = shape
        self._line = _z_score(options, shape[1])

    def apply(self, window: Block) -> NDArray[np.float32]:
        """The rows, scaled."""
        return self._line.of(window)


class MinMaxStream:
    """Rows of a stream between two ends."""

    Options: ClassVar[type[Options]] = MinMaxOptions

    def __init__(self, options: MinMaxOptions, rate: float, channels: int) -> None:
        self.rate, self.channels = rate, channels
        self._line = _min_max(options, channels)

    def push(self, block: Block) -> Block:
        """The rows, scaled."""
        return self._line.of(block)

    def reset(self) -> None:
        """Nothing is remembered."""


class MinMaxWindow:
    """A window between two ends."""

    Options: ClassVar[type[Options]] = MinMaxOptions
    by_rows = True

    def __init__(self, options: MinMaxOptions, rate: float, shape: tuple[int, int]) -> None:  # noqa: ARG002 - same for all
        self.shape: tuple[int, ...] = shape
        self._line = _min_max(options, shape[1])

    def apply(self, window: Block) -> NDArray[np.float32]:
        """The rows, scaled."""
        return self._line.of(window)


def _z_score(options: ZScoreOptions, channels: int) -> _Line:
    mean = _numbers("mean", options.mean, channels)
    std = _numbers("std", options.std, channels)
    need(bool((std > 0.0).all()), "std", f"{options.std}", "it must be above 0 for each channel")
    return _Line(mean, 1.0 / std, 0.0)


def _min_max(options: MinMaxOptions, channels: int) -> _Line:
    low = _numbers("min", options.min, channels)
    high = _numbers("max", options.max, channels)
    need(bool((high > low).all()), "max", f"{options.max}", "it must be above min everywhere")
    base, top = options.range
    need(top > base, "range", f"{base:g} to {top:g}", "the second number must be above the first")
    return _Line(low, (top - base) / (high - low), base)


def _numbers(option: str, value: Numbers, channels: int) -> NDArray[np.float64]:
    numbers = np.atleast_1d(np.asarray(value, np.float64))
    need(
        numbers.size in (1, channels),
        option,
        f"{numbers.size} numbers for {channels} channels",
        "give one number, or one a channel",
    )
    need(bool(np.isfinite(numbers).all()), option, f"{value}", "all numbers must be finite")
    return numbers
