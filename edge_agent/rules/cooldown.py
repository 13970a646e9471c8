"""How soon after the last one a new object of a label is told."""

from __future__ import annotations


class Cooldown:
    """At most one new object of each label in so many seconds; 0: each at once."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._told: dict[str, float] = {}

    def allows(self, label: str, timeline: float) -> bool:
        """Whether a new object may be told now; if so, it is the last one told."""
        told = self._told.get(label)
        if told is not None and 0.0 <= timeline - told < self._seconds:
            return False
        self._told[label] = timeline
        return True
