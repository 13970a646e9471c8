"""Counters and latencies of a pipeline, cheap enough to keep for every frame."""

from __future__ import annotations

import itertools
import threading
import time
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from edge_agent.rules.base import CountKey

_KEPT = 512  # newest samples per stage: at 10 fps the last minute
BUCKETS_MS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0)
STAGES = ("gate", "preprocess", "infer", "decode", "total")


class Samples:
    """The newest latencies of one stage, in milliseconds."""

    def __init__(self) -> None:
        self._ring = np.zeros(_KEPT, np.float32)
        self._seen = 0
        self._buckets = [0] * (len(BUCKETS_MS) + 1)
        self._total = 0.0

    def add(self, milliseconds: float, count: int = 1) -> None:
        """Note a latency, that of so many frames."""
        for place in range(self._seen, self._seen + min(count, _KEPT)):
            self._ring[place % _KEPT] = milliseconds
        self._seen += count
        self._buckets[bisect_left(BUCKETS_MS, milliseconds)] += count
        self._total += count * milliseconds

    def histogram(self) -> tuple[list[int], float]:
        """How many of all so far were at most as long as each of BUCKETS_MS, all, and their sum."""
        return list(itertools.accumulate(self._buckets)), self._total

    def percentiles(self) -> dict[str, float]:
        """`p50` and `p99` in ms; empty before the first sample."""
        kept = self._ring[: min(self._seen, _KEPT)]
        if not kept.size:
            return {}
        p50, p99 = np.percentile(kept, (50, 99))
        return {"p50": round(float(p50), 3), "p99": round(float(p99), 3)}


@dataclass(slots=True)
class Counts:
    """Frames since the start: taken from the source, held back by the gate, lost, inferred.

    `errors` and `restarts` count how often something failed and was begun anew.
    """

    taken: int = 0
    gated: int = 0
    dropped: int = 0
    inferred: int = 0
    errors: int = 0
    restarts: int = 0


@dataclass(slots=True)
class PipelineMetrics:
    """What one pipeline counted and measured; written by its threads, read by the health.

    It outlives the stages, and the pipeline where a reload builds another of that name.
    `crossings` are the line counts of the day.
    """

    counts: Counts = field(default_factory=Counts)
    crossings: Counter[CountKey] = field(default_factory=Counter)
    latency: dict[str, Samples] = field(
        default_factory=lambda: {stage: Samples() for stage in STAGES}
    )
    started: float = field(default_factory=lambda: time.monotonic())  # noqa: PLW0108 - late: tests replace `time`
    first: float = 0.0
    at_first: int = 0  # frames that came then
    newest: float = 0.0

    def took(self, count: int = 1) -> None:
        """Note so many frames of the source, now (monotonic seconds)."""
        self.newest = time.monotonic()
        if not self.counts.taken:
            self.first, self.at_first = self.newest, count
        self.counts.taken += count

    def fps(self) -> float:
        """Frames of the source per second, from the first to the newest."""
        elapsed = self.newest - self.first
        return (self.counts.taken - self.at_first) / elapsed if elapsed > 0.0 else 0.0


class RateMeter:
    """Turns counters into rates over the time since it was last asked.

    The first ones are over the time since `started` (monotonic seconds), when all counters were 0.
    """

    def __init__(self, started: float) -> None:
        self._time = started
        self._before: dict[str, int] = {}
        self._lock = threading.Lock()

    def rates(self, counters: dict[str, int]) -> dict[str, float]:
        """Increase of each counter per second since the last call."""
        with self._lock:
            now = time.monotonic()
            elapsed = max(now - self._time, 1e-3)
            rates = {
                name: round((value - self._before.get(name, 0)) / elapsed, 3)
                for name, value in counters.items()
            }
            self._time, self._before = now, dict(counters)
            return rates
