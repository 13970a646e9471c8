"""Waiting before the next try: exponential, capped, with full jitter."""

from __future__ import annotations

import random


class Backoff:
    """Delays for retries, each drawn evenly from 0 to a ceiling that doubles up to a cap.

    Full jitter keeps 500 devices from knocking at the same moment after a power cut
    (Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog, 2015).
    """

    def __init__(
        self, base: float = 1.0, cap: float = 30.0, rng: random.Random | None = None
    ) -> None:
        self._base = base
        self._cap = cap
        self._rng = rng or random.Random()  # noqa: S311 - jitter is no secret
        self.failures = 0

    def next_delay(self) -> float:
        """Count one more failure and return the seconds to wait before the next try."""
        ceiling = min(self._cap, self._base * 2.0 ** min(self.failures, 32))
        self.failures += 1
        return self._rng.uniform(0.0, ceiling)

    def reset(self) -> None:
        """Forget the failures after a success."""
        self.failures = 0
