"""Whether a layer's arrays and windows fit what comes in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

PADDINGS = {"same": 0, "valid": 1}
"""Numbers of the TFLite schema."""


class DoesNotFit(Exception):
    """A layer and what comes in are at odds; the text says how."""


def array_of(values: NDArray[Any], rank: int, layout: str) -> NDArray[Any]:
    """Weights with as many axes as their layout has."""
    array = np.asarray(values)
    if array.ndim != rank or not array.size:
        raise DoesNotFit(f"weights of shape {array.shape}, they must be {layout}")
    return array


def counts(
    sides: Sequence[int], reach: Sequence[int], stride: Sequence[int], padding: str
) -> tuple[int, int, int]:
    """Batch, rows and columns that a sliding window gives."""
    if min(*reach, *stride) < 1:
        raise DoesNotFit(f"a window of {tuple(reach)} with stride {tuple(stride)}")
    rooms = [
        size if padding == "same" else size - length + 1
        for size, length in zip(sides, reach, strict=True)
    ]
    rows, columns = (-(-room // step) for room, step in zip(rooms, stride, strict=True))
    if min(rows, columns) < 1:
        raise DoesNotFit(f"its window of {tuple(reach)} is larger than {tuple(sides)}")
    return 1, rows, columns
