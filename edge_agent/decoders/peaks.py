"""The places of a heatmap that stand out from those around them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.decoders.nms import Indices


def peaks(heat: NDArray[Any], least: float) -> tuple[Indices, Indices, Indices]:
    """Row, column and channel of each number that no neighbour exceeds and is at least `least`.

    `heat` is rows x columns x channels; neighbours are the 3 x 3 places around of the same channel.
    Of equal neighbours the first stays, row by row. In no order.
    """
    rows, columns, channels = np.nonzero(heat >= least)
    own = heat[rows, columns, channels]
    stands_out = np.ones(rows.shape, np.bool_)
    for down, right in _AROUND:
        row, column = rows + down, columns + right
        inside = (row >= 0) & (row < heat.shape[0]) & (column >= 0) & (column < heat.shape[1])
        others = heat[row[inside], column[inside], channels[inside]]
        is_earlier = (down, right) < (0, 0)
        below = others < own[inside] if is_earlier else others <= own[inside]
        stands_out[inside] &= below
    return rows[stands_out], columns[stands_out], channels[stands_out]


_AROUND = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1) if down or right]
