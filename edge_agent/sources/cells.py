"""From the texts of cells to numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.float64]
"""One number for each row; NaN where there is none."""

MISSING = frozenset({"", "na", "n/a", "#n/a", "nan", "nat", "null", "none", "nil", "-", "--", "?"})
"""What programs write, in lower case, where they have no number."""


def number(cell: str) -> float:
    """The number in a cell, NaN where there is none; infinite is none either."""
    try:
        value = float(cell)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


def is_missing(cell: str) -> bool:
    """Whether a cell says that there is no value, rather than something that is no number."""
    return cell.strip().lower() in MISSING


def numbers(cells: Sequence[str]) -> Column:
    """The numbers of many cells; NaN where there is none."""
    try:
        column = np.fromiter(map(float, cells), np.float64, len(cells))
    except ValueError:
        return np.fromiter(map(number, cells), np.float64, len(cells))
    column[~np.isfinite(column)] = math.nan
    return column
