"""The best one-to-one assignment of rows to columns: exact, small, with NumPy alone."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_ALONE = -1


def assign(gains: Array) -> dict[int, int]:
    """Pairs of row and column with the largest sum of gains that any choice of pairs has.

    `gains` is R x C, finite. A pair that gains nothing (0 or less) is never made, so that rows and
    columns may stay alone.
    """
    if not gains.size:
        return {}
    wanted = gains.argmax(axis=1).tolist()
    best = gains.max(axis=1).tolist()
    rows = [row for row, gain in enumerate(best) if gain > 0.0]
    if len({wanted[row] for row in rows}) == len(rows):  # no two want the same: most frames
        return {row: wanted[row] for row in rows}
    return _Paths(gains, best).solve(rows, wanted)


class _Paths:
    """Shortest augmenting paths over reduced costs (Jonker and Volgenant 1987).

    Rows come in one by one; each may also stay alone at no cost, which ends a path. The prices of
    rows and columns keep every reduced cost at 0 or above, so that Dijkstra's way is exact.
    """

    def __init__(self, gains: Array, best: list[float]) -> None:
        self._costs = np.where(gains > 0.0, -gains, math.inf)
        self._row_price = [-gain for gain in best]
        self._column_price = np.zeros(gains.shape[1])
        self._owner = [_ALONE] * gains.shape[1]
        self._column = [_ALONE] * gains.shape[0]

    def solve(self, rows: list[int], wanted: list[int]) -> dict[int, int]:
        """Bring in these rows, who want these columns most; the pairs."""
        late = []
        for row in rows:
            if self._owner[wanted[row]] == _ALONE:  # its reduced cost is 0, so nothing is lost
                self._owner[wanted[row]], self._column[row] = row, wanted[row]
            else:
                late.append(row)
        for row in late:
            self._add(row)
        return {row: self._column[row] for row in rows if self._column[row] != _ALONE}

    def _add(self, start: int) -> None:
        """Find the cheapest way to seat one more row, and move along it."""
        far = np.full(len(self._owner), math.inf)
        came_from = np.full(len(self._owner), _ALONE)
        is_open = np.ones(len(self._owner), bool)
        reached: list[tuple[int, int, float]] = []  # column, its owner, distance
        row, distance = start, 0.0
        alone, alone_at = start, -self._row_price[start]
        while True:
            reduced = self._costs[row] - self._column_price + (distance - self._row_price[row])
            nearer = (reduced < far) & is_open
            far[nearer] = reduced[nearer]
            came_from[nearer] = row
            column = int(np.where(is_open, far, math.inf).argmin())
            distance = float(far[column]) if is_open[column] else math.inf
            if alone_at <= distance:
                self._reprice(start, reached, alone_at)
                self._seat(alone, _ALONE, came_from)
                return
            row = self._owner[column]
            if row == _ALONE:
                self._reprice(start, reached, distance)
                self._seat(int(came_from[column]), column, came_from)
                return
            is_open[column] = False
            reached.append((column, row, distance))
            if distance - self._row_price[row] < alone_at:
                alone, alone_at = row, distance - self._row_price[row]

    def _reprice(self, start: int, reached: list[tuple[int, int, float]], total: float) -> None:
        self._row_price[start] += total
        for column, owner, distance in reached:
            self._row_price[owner] += total - distance
            self._column_price[column] -= total - distance

    def _seat(self, row: int, column: int, came_from: Array) -> None:
        """Give the row that column and what it had to the row before it, back to the start."""
        while True:
            before = self._column[row]
            self._column[row] = column
            if column != _ALONE:
                self._owner[column] = row
            if before == _ALONE:
                return
            row, column = int(came_from[before]), before
