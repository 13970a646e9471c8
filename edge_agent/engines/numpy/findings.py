"""What was searched and proven while a model was planned, to be looked up the next time.

A finding is known by the digest of all that its search depends on: it can only be used for the very
same search, whichever layer or model that belongs to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.engines.numpy.requantize import Chain, Requantization
from edge_agent.engines.numpy.xnnpack import SingleRequantization

Arrays = tuple[NDArray[Any], ...]


class Findings:
    """Searches by the digest of their arguments: those kept from before, those of this plan."""

    def __init__(self, kept: Mapping[str, Arrays] | None = None) -> None:
        self._kept = dict(kept or {})
        self.used: dict[str, Arrays] = {}
        """All that was asked for, to be kept."""
        self.misses = 0
        """Searches that had to be made."""

    def recall(
        self,
        question: tuple[object, ...],
        search: Callable[[], Arrays],
        fits: Callable[[Arrays], bool],
    ) -> Arrays:
        """The answer kept for this question if it has the right form, else that of the search."""
        key = digest(question)
        answer = self._kept.get(key)
        if answer is None or not fits(answer):
            self.misses += 1
            answer = search()
            self._kept[key] = answer
        self.used[key] = answer
        return answer

    def chain(self, what: Requantization | SingleRequantization, kind: Any) -> Chain:
        """As `what.chain(kind)`."""
        count = len(what.bias)

        def search() -> Arrays:
            found = what.chain(kind)
            return found.add, found.factor, found.last, found.unproven

        def fits(answer: Arrays) -> bool:
            return len(answer) == 4 and _is_chain(answer, count, np.dtype(kind))

        values = tuple(getattr(what, each.name) for each in fields(what))
        name = type(what).__name__
        return Chain(*self.recall(("chain", name, *values, np.dtype(kind).str), search, fits))


def _is_chain(answer: Arrays, count: int, kind: np.dtype[Any]) -> bool:
    *numbers, unproven = answer
    return (
        all(each.shape == (count,) and each.dtype == kind for each in numbers)
        and unproven.dtype == np.intp
        and unproven.ndim == 1
        and bool(((unproven >= 0) & (unproven < count)).all())
    )


def digest(question: tuple[object, ...]) -> str:
    """Of arrays the bytes, of all else what it is written as."""
    total = sha256()
    for part in question:
        if isinstance(part, np.ndarray):
            head = f"{part.dtype.str} {part.shape}\n"
            total.update(head.encode() + np.ascontiguousarray(part).tobytes())
        else:
            total.update(f"{part!r}\n".encode())
    return total.hexdigest()
