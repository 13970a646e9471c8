"""Rows that come as they come, turned into rows at a fixed rate."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from edge_agent.sources.cells import Column

Method = Literal["linear", "hold"]


class Resampler:
    """Gives rows 1 / `rate` seconds apart, from the first row after a gap to the newest row.

    linear draws a straight line between two rows; hold repeats the newest row so far. Nothing is
    made up before the first row or after the newest. There is no filter: with a rate below that
    of the rows what is fast in them folds into what is slow.
    """

    def __init__(self, rate: float, method: Method) -> None:
        self._rate = rate
        self._method = method
        self._times: Column = np.empty(0)
        self._values: NDArray[np.float32] = np.empty((0, 0), np.float32)
        self._origin = 0.0
        self._next = 0

    def begin(self) -> None:
        """Forget the rows so far: something is missing before the next one."""
        self._times = self._times[:0]

    def feed(
        self, times: Column, values: NDArray[np.float32]
    ) -> tuple[Column, NDArray[np.float32]]:
        """Rows of the grid that lie between the row before these and the last of them."""
        if len(self._times):
            times = np.concatenate((self._times, times))
            values = np.concatenate((self._values, values))
        else:
            self._origin, self._next = float(times[0]), 0
        # A millionth of a step forgives the rounding of times that lie on the grid.
        end = math.floor((times[-1] - self._origin) * self._rate + 1e-6) + 1
        grid = self._origin + np.arange(self._next, end) / self._rate
        self._next = max(end, self._next)
        self._times, self._values = times[-1:], values[-1:]
        return grid, self._at(grid, times, values)

    def _at(self, grid: Column, times: Column, values: NDArray[np.float32]) -> NDArray[np.float32]:
        if self._method == "hold":
            newest = np.searchsorted(times, grid + 1e-6 / self._rate, side="right") - 1
            return values[newest]
        out = np.empty((len(grid), values.shape[1]), np.float32)
        for channel in range(values.shape[1]):
            out[:, channel] = np.interp(grid, times, values[:, channel])
        return out
