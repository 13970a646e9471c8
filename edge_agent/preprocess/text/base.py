"""What a stage does that turns text into numbers."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from edge_agent.options import Options


class TextStage(Protocol):
    """Turns one text into an array of `shape` and `dtype`; it remembers nothing."""

    Options: ClassVar[type[Options]]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __init__(self, options: Any) -> None:
        """Raise ValueError with option and cure. Files are read here: a vocabulary is no device."""

    def apply(self, text: str) -> NDArray[Any]:
        """The numbers of one text, as an array of the caller's own."""
