"""Slow movements taken out: the trend of a window, or differences from row to row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from annotated_types import Ge, Le
from numpy.typing import NDArray

from edge_agent.options import Doc, Options
from edge_agent.preprocess.signal.base import Block
from edge_agent.preprocess.signal.checks import need


@dataclass(frozen=True, slots=True)
class DetrendOptions(Options):
    """Options of `detrend`."""

    type: Annotated[
        Literal["constant", "linear"],
        Doc("Take the mean away, or the straight line of least squares."),
    ] = "linear"


@dataclass(frozen=True, slots=True)
class DifferenceOptions(Options):
    """Options of `difference`."""

    order: Annotated[int, Ge(1), Le(8), Doc("How often differences are taken.")] = 1


class Detrend:
    """A window without its mean or its straight line, channel by channel."""

    Options: ClassVar[type[Options]] = DetrendOptions

    def __init__(self, options: DetrendOptions, rate: float, shape: tuple[int, int]) -> None:  # noqa: ARG002 - same for all
        self.shape: tuple[int, ...] = shape
        time = np.arange(shape[0]) - (shape[0] - 1) / 2.0
        self._time = time[:, None]
        # Slope of least squares: sum(t x) / sum(t^2) with t around its middle.
        self._weights = time / max(float(time @ time), 1.0)
        self._linear = options.type == "linear"

    def apply(self, window: Block) -> NDArray[np.float32]:
        """The window without its trend."""
        left: NDArray[np.float64] = window - window.mean(axis=0, dtype=np.float64)
        if self._linear:
            left -= self._time * (self._weights @ left)
        return left.astype(np.float32)


class DifferenceStream:
    """Differences of rows that follow one another; the first `order` rows give none."""

    Options: ClassVar[type[Options]] = DifferenceOptions

    def __init__(self, options: DifferenceOptions, rate: float, channels: int) -> None:
        self.rate, self.channels = rate, channels
        self._order = options.order
        self._kept = np.empty((0, channels), np.float32)

    def push(self, block: Block) -> Block:
        """One row for each, but for the first ones of the stream."""
        joined = np.concatenate((self._kept, block))
        self._kept = joined[-self._order :].copy()
        return np.diff(joined, self._order, axis=0).astype(np.float32, copy=False)

    def reset(self) -> None:
        """Forget the rows before."""
        self._kept = np.empty((0, self.channels), np.float32)


class DifferenceWindow:
    """Differences of the rows of a window, which has `order` rows less then."""

    Options: ClassVar[type[Options]] = DifferenceOptions

    def __init__(self, options: DifferenceOptions, rate: float, shape: tuple[int, int]) -> None:  # noqa: ARG002 - same for all
        rows = shape[0] - options.order
        need(rows > 0, "order", f"a window of {shape[0]} rows has none left", "lower it")
        self.shape: tuple[int, ...] = (rows, shape[1])
        self._order = options.order

    def apply(self, window: Block) -> NDArray[np.float32]:
        """The differences."""
        return np.diff(window, self._order, axis=0).astype(np.float32, copy=False)
