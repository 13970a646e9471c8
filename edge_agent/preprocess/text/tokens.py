"""Texts as their bytes, and rows of ids brought to a fixed length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Ge, Le
from numpy.typing import NDArray

from edge_agent.options import Doc, Options


@dataclass(frozen=True, slots=True)
class BytesOptions(Options):
    """Options of `bytes`."""

    length: Annotated[int, Ge(1), Le(2**20), Doc("How many ids: longer texts are cut.")] = 256
    offset: Annotated[
        int, Ge(0), Doc("Added to each byte, for models whose first ids mean something else.")
    ] = 0
    padding: Annotated[int, Doc("The id that fills up shorter texts.")] = 0


class Bytes:
    """The UTF-8 bytes of a text, int32, cut or filled up to `length`."""

    Options: ClassVar[type[Options]] = BytesOptions
    dtype = np.dtype(np.int32)

    def __init__(self, options: BytesOptions) -> None:
        self._options = options
        self.shape: tuple[int, ...] = (options.length,)

    def apply(self, text: str) -> NDArray[np.int32]:
        """The ids of one text."""
        data = text[: self._options.length].encode("utf-8", "replace")
        ids = np.frombuffer(data, np.uint8).astype(np.int32) + self._options.offset
        return of_length(ids, self._options.length, self._options.padding)


def of_length(
    ids: Sequence[int] | NDArray[np.int32], length: int, padding: int
) -> NDArray[np.int32]:
    """Ids cut or filled up at their end."""
    row = np.full(length, padding, np.int32)
    kept = ids[:length]
    row[: len(kept)] = kept
    return row
