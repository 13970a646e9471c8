"""Which models are on probation, kept on disk: a start after a crash does without them.

And which version of each came off it last.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path

from edge_agent.modelstore import Entry
from edge_agent.modelstore.files import write_durably

_log = logging.getLogger(__name__)


class Marks:
    """Keeps them in `file`, None for nowhere."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._marks: dict[str, dict[str, str]] = {}
        self._proven: dict[str, dict[str, str]] = {}

    def read(self) -> Mapping[str, Mapping[str, str]]:
        """What an agent left that came to no good end, by model: see `marked`."""
        if self._file is None:
            return {}
        try:
            kept = json.loads(self._file.read_bytes())
            watched, proven = _told(kept["watched"]), _told(kept["proven"])
        except (OSError, ValueError, AttributeError, LookupError, TypeError):
            return {}
        self._marks, self._proven = watched, proven
        return dict(watched)

    def is_proven(self, model: str, entry: Entry) -> bool:
        """Whether this version was the last one to come off its probation."""
        return self._proven.get(model) == marked(entry)

    def prove(self, model: str, entry: Entry) -> None:
        """It is over for this one, which did well."""
        self._proven[model] = marked(entry)
        self._marks.pop(model, None)
        self._try_to_write()

    def set(self, model: str, entry: Entry) -> None:
        """Note that this version of a model is on probation; raises OSError where it cannot."""
        self._marks[model] = marked(entry)
        try:
            self._write()
        except OSError:
            del self._marks[model]
            raise

    def clear(self, model: str) -> None:
        """It is over for this one."""
        if self._marks.pop(model, None) is not None:
            self._try_to_write()

    def forget(self) -> None:
        """It is over for all, also for those of an agent before."""
        if self._marks:
            self._marks.clear()
            self._try_to_write()

    def _try_to_write(self) -> None:
        try:
            self._write()
        except OSError as error:
            _log.warning("%s cannot be written: %s", self._file, error.strerror or error)

    def _write(self) -> None:
        if self._file is not None:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            content = {"watched": self._marks, "proven": self._proven}
            write_durably(self._file, json.dumps(content).encode())


def _told(kept: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    return {str(m): {str(k): str(v) for k, v in each.items()} for m, each in kept.items()}


def marked(entry: Entry) -> dict[str, str]:
    """What tells a version of the store from all others."""
    manifest = entry.manifest
    return {"name": manifest.name, "version": manifest.version, "sha256": manifest.sha256}
