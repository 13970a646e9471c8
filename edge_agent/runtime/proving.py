"""Versions of models that a start opened for the first time: a crash under one is not for ever."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from edge_agent.modelstore import Entry
from edge_agent.runtime.assembly import Assembly
from edge_agent.runtime.marks import Marks
from edge_agent.runtime.probation import is_enough

_log = logging.getLogger(__name__)


class Proving:
    """Keeps a mark on such versions until they have worked for `watch` seconds.

    All methods belong to the agent's thread.
    """

    def __init__(self, assembly: Assembly, marks: Marks, watch: float) -> None:
        self._assembly = assembly
        self._marks = marks
        self._watch = watch
        self._under: dict[str, Entry] = {}
        self._since: dict[str, tuple[float, int]] = {}  # seconds, frames

    def begin(self, name: str, entry: Entry) -> None:
        """A start is about to open this version, and there is one before it."""
        if self._marks.is_proven(name, entry):
            return
        try:
            self._marks.set(name, entry)
        except OSError as error:
            _log.warning("model %s: a crash would come again: %s", name, error.strerror or error)
        else:
            self._under[name] = entry

    def leave(self, name: str) -> None:
        """Another version was tried in its place: what becomes of the mark is told elsewhere."""
        self._under.pop(name, None)

    def look(self, is_busy: Callable[[str], bool]) -> None:
        """See which have worked for long enough."""
        for name, entry in list(self._under.items()):
            if not is_busy(name) and self._is_enough(name):
                del self._under[name]
                self._marks.prove(name, entry)

    def stop(self) -> None:
        """The agent ends in good order, its models are stopped; one that hangs keeps its mark."""
        for name in self._under:
            ward = self._assembly.model(name)
            if ward is None or not ward.unit.alive:
                self._marks.clear(name)

    def _is_enough(self, name: str) -> bool:
        ward = self._assembly.model(name)
        if ward is None or ward.failed or ward.unit.inference is None:
            self._since.pop(name, None)
            return False
        users = self._assembly.users(name).values()
        frames = sum(pipeline.metrics.counts.inferred for pipeline in users)
        began, first = self._since.setdefault(name, (time.monotonic(), frames))
        return is_enough(time.monotonic() - began, frames - first, self._watch)
