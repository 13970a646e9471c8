"""Whether what a source sends can be used, and what to say where it cannot."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from edge_agent.errors import SourceSilent, SourceUnavailable

log = logging.getLogger(__name__)

_GARBAGE_ITEMS, _GARBAGE_SECONDS = 10, 10.0  # of nothing else, and the source is opened again
_TOLD_EVERY = 60.0  # seconds between two words on the same trouble


class UsableWatch:
    """Gives a source up from which nothing usable has come for `silence` seconds.

    A source that sends only garbage is given up after some seconds without that limit too. What
    cannot be used is logged once a minute, with how much of it there was.
    """

    def __init__(self, shown: str, silence: float | None) -> None:
        self._shown = shown
        self._silence = silence
        self._problem = "numbers are missing"
        self._told = -_TOLD_EVERY
        self._untold = 0
        self.begin()

    def begin(self) -> None:
        """The source was opened."""
        self._good_at = time.monotonic()
        self._useless = 0

    @property
    def until(self) -> float | None:
        """Until when to wait for something usable, in monotonic seconds."""
        return None if self._silence is None else self._good_at + self._silence

    def bad(self, data: bytes, problem: str) -> None:
        """Something came that cannot be used."""
        shown = data[:60].decode(errors="backslashreplace")
        self._problem = f"{shown!r}: {problem}"
        self._untold += 1
        if time.monotonic() - self._told >= _TOLD_EVERY:
            log.warning("%s: not used (%d so far): %s", self._shown, self._untold, self._problem)
            self._told = time.monotonic()

    def look(self, items: Sequence[object], usable: bool) -> None:
        """After each wait, with all that came; raises SourceUnavailable."""
        now = time.monotonic()
        if usable:
            self._good_at, self._useless = now, 0
            return
        self._useless += len(items)
        waited = now - self._good_at
        silent = self._silence is not None and waited >= self._silence
        if self._useless and (
            silent or (self._useless >= _GARBAGE_ITEMS and waited >= _GARBAGE_SECONDS)
        ):
            text = f"{self._shown} sends nothing usable: {self._problem}"
            raise SourceUnavailable(text, "check what it sends, and at which speed")
        if silent:
            text = f"{self._shown} is silent: nothing came for {self._silence:g} s"
            raise SourceSilent(text, "check power and cable of the sender")
