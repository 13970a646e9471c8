"""Keeps threads running: one that ends by a fault is built and started anew after a back-off."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from edge_agent.backoff import Backoff

_log = logging.getLogger(__name__)
_STEADY = 60.0  # seconds of running after which a failure is a new one


class Runnable(Protocol):
    """A thread of the agent."""

    name: str
    failure: BaseException | None

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""

    def start(self) -> None:
        """Begin in the background."""

    def stop(self, timeout: float) -> None:
        """End; waits at most `timeout` seconds."""


R = TypeVar("R", bound=Runnable)


class Ward(Generic[R]):
    """One thread under supervision.

    `build` makes it anew; `on_failure` is told the reason each time it fails. `unit` is the
    present one.
    """

    def __init__(
        self,
        name: str,
        build: Callable[[], R],
        on_failure: Callable[[str], None],
        backoff: Backoff | None = None,
    ) -> None:
        self.name = name
        self.unit = build()
        self._build = build
        self._on_failure = on_failure
        self._backoff = backoff or Backoff(base=1.0, cap=60.0)
        self._started = 0.0
        self._retry_at: float | None = None
        self._told = ""
        self._abandoned: list[R] = []

    def start(self) -> None:
        """Start the thread."""
        self._started = time.monotonic()
        self.unit.start()

    def check(self) -> None:
        """See whether it failed or is due again; called every now and then by one thread."""
        now = time.monotonic()
        if self._retry_at is not None:
            if now >= self._retry_at:
                self._restart()
        elif self.unit.failure is not None and not self.unit.alive:
            self._failed(self.unit.failure, now)
        elif now - self._started > _STEADY:
            self._backoff.reset()
            self._told = ""

    @property
    def failed(self) -> bool:
        """Whether it is down and waits for its next try."""
        return self._retry_at is not None

    @property
    def hopeless(self) -> bool:
        """Whether it is down for a reason that another try will hardly cure."""
        return self.failed and not getattr(self.unit.failure, "retriable", True)

    def abandon(self, reason: str) -> None:
        """Give up a thread that hangs; another takes its place after the back-off."""
        self.unit.stop(0.0)
        self._abandoned.append(self.unit)
        self._failed(TimeoutError(reason), time.monotonic())

    def hurry(self) -> None:
        """Try again at once if it failed, since the reason for that is gone."""
        if self._retry_at is not None:
            self._restart()

    def replace(self) -> None:
        """Begin anew at once, whatever the present thread is about: it is left to its end."""
        self._abandoned.append(self.unit)
        self._restart()

    @property
    def hanging(self) -> int:
        """How many threads were given up and have not ended yet."""
        self._abandoned = [unit for unit in self._abandoned if unit.alive]
        return len(self._abandoned)

    def stop(self, timeout: float) -> None:
        """Stop the thread for good."""
        self._retry_at = None
        self.unit.stop(timeout)

    def _failed(self, failure: BaseException, now: float) -> None:
        delay = self._backoff.next_delay()
        self._retry_at = now + delay
        reason = str(failure) or repr(failure)
        if reason != self._told:  # the same reason again is no news
            _log.error("%s: %s; trying again", self.name, reason)
            self._told = reason
        self._on_failure(reason)

    def _restart(self) -> None:
        self._retry_at = None
        self.unit.stop(0.0)
        self.unit = self._build()
        self.start()
