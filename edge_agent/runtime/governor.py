"""Infers less while the machine is too hot, too busy or short of power or memory.

Only frames are left out, never events: of the frames that pass the gate, every second, fourth or
eighth is inferred. Recordings, which lose no frame, are not slowed.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_log = logging.getLogger(__name__)

_MOST = 3  # halvings of the rate
_EVERY = 5.0  # s between two looks
_PATIENCE = 2  # looks in a row over a limit before the rate is halved
_REST = 12  # looks in a row well below all limits before it is doubled
_COOLER = 8.0  # K below the limit at which a processor counts as cool
_PRESSED, _RELAXED = 20.0, 5.0  # % of the last 10 s in which something waited for memory
_SCARCE, _AMPLE = 5.0, 10.0  # % of the memory that is available
_HEADROOM = 0.9  # of the budget that twice the load may take before the rate is doubled


@dataclass(frozen=True, slots=True)
class Limits:
    """What must not be exceeded: °C, and cores of the processor on average (None: any)."""

    temperature: float = 80.0
    cores: float | None = None


@dataclass(frozen=True, slots=True)
class Load:
    """How the machine does; None where it does not tell.

    `slowed` names what the firmware of a Raspberry Pi complains of, empty where it does not.
    `cpu_seconds` is what this process has used since its start, `memory` the percentage of the
    last 10 s in which something waited for memory (the kernel of Raspberry Pi OS does not tell
    unless it is started with psi=1), `available` that of the memory which can still be taken.
    """

    temperature: float | None
    slowed: str
    cpu_seconds: float
    memory: float | None
    available: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Infer one of `divisor` frames; `reason` tells why it is not all of them."""

    divisor: int = 1
    reason: str = ""


class Governor:
    """Decides how many frames are inferred; `probe` measures the machine."""

    def __init__(self, limits: Limits, probe: Callable[[], Load]) -> None:
        self.verdict = Verdict()
        self._limits = limits
        self._probe = probe
        self._due = time.monotonic() + _EVERY
        self._before: tuple[float, float] | None = None
        self._level = 0
        self._over = 0
        self._calm = 0

    def look(self) -> bool:
        """Measure when it is time; True when the verdict has changed."""
        now = time.monotonic()
        if now < self._due:
            return False
        self._due = now + _EVERY
        load = self._probe()
        cores = self._cores(load, now)
        troubles = list(self._troubles(load, cores))
        is_calm = not troubles and self._is_calm(load, cores)
        self._over = self._over + 1 if troubles else 0
        self._calm = self._calm + 1 if is_calm else 0
        if self._over >= _PATIENCE and self._level < _MOST:
            return self._set(self._level + 1, "; ".join(troubles))
        if self._calm >= _REST and self._level > 0:
            return self._set(self._level - 1, self.verdict.reason)
        return False

    def _cores(self, load: Load, now: float) -> float:
        """Cores that this process used on average since the last look."""
        before, self._before = self._before, (now, load.cpu_seconds)
        if before is None or now <= before[0]:
            return 0.0
        return (load.cpu_seconds - before[1]) / (now - before[0])

    def _troubles(self, load: Load, cores: float) -> Iterator[str]:
        limits = self._limits
        if load.temperature is not None and load.temperature >= limits.temperature:
            yield f"{load.temperature:.0f} °C, more than {limits.temperature:g}"
        if load.slowed:
            yield load.slowed
        if limits.cores is not None and cores > limits.cores:
            yield f"{cores:.2f} cores in use, more than {limits.cores:g}"
        if load.memory is not None and load.memory > _PRESSED:
            yield f"waiting for memory {load.memory:.0f} % of the time"
        if load.available is not None and load.available < _SCARCE:
            yield f"only {load.available:.0f} % of the memory is left"

    def _is_calm(self, load: Load, cores: float) -> bool:
        """Whether twice the rate would hardly bring the trouble back."""
        limits = self._limits
        is_cool = load.temperature is None or load.temperature <= limits.temperature - _COOLER
        has_cores = limits.cores is None or 2.0 * cores <= _HEADROOM * limits.cores
        has_memory = load.memory is None or load.memory < _RELAXED
        has_more = load.available is None or load.available >= _AMPLE
        return is_cool and has_cores and has_memory and has_more

    def _set(self, level: int, reason: str) -> bool:
        slower = level > self._level
        self._level, self._over, self._calm = level, 0, 0
        self.verdict = Verdict(2**level, reason if level else "")
        if slower:
            _log.warning("inferring one of %d frames: %s", self.verdict.divisor, reason)
        else:
            _log.info("inferring %s again", f"one of {2**level} frames" if level else "all frames")
        return True
