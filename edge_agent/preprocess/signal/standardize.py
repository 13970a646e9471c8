"""A window as its own standard deviations: what it looks like, however strong it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from edge_agent.options import Options
from edge_agent.preprocess.signal.base import Block


@dataclass(frozen=True, slots=True)
class StandardizeOptions(Options):
    """`standardize` has no options: (x - mean) / std, both of the window itself."""


class Standardize:
    """Each channel of a window without its mean, over its standard deviation; 0 where that is 0."""

    Options: ClassVar[type[Options]] = StandardizeOptions

    def __init__(self, options: StandardizeOptions, rate: float, shape: tuple[int, int]) -> None:  # noqa: ARG002 - same for all
        self.shape: tuple[int, ...] = shape

    def apply(self, window: Block) -> NDArray[np.float32]:
        """The rows, scaled."""
        rows = window.astype(np.float64)
        rows -= rows.mean(axis=0)
        std = rows.std(axis=0)
        np.divide(rows, std, out=rows, where=std > 0.0)
        return rows.astype(np.float32)
