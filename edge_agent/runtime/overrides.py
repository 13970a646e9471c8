"""What commands changed of the configuration, kept across restarts."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any

_log = logging.getLogger(__name__)

Value = bool | float


class Overrides:
    """Values that commands set, by pipeline and name, in a small JSON file.

    Each holds as long as the configuration says what it said when the command came: whoever edits
    the file meanwhile has the last word. Without a path they end with the process.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._kept: dict[str, dict[str, dict[str, Value]]] = _read(path) if path else {}

    def get(self, pipeline: str, name: str, configured: Value) -> Value:
        """The value that holds."""
        kept = self._kept.get(pipeline, {}).get(name)
        if kept is None or kept["configured"] != configured:
            return configured
        return kept["value"]

    def set(self, pipeline: str, name: str, value: Value, configured: Value) -> None:
        """Keep a value, or forget it when it is the configured one."""
        values = self._kept.setdefault(pipeline, {})
        values[name] = {"value": value, "configured": configured}
        if value == configured:
            del values[name]
        if self._path is not None:
            try:
                _write(self._path, self._kept)
            except OSError as error:
                _log.error("what was set holds until the restart only: %s", error)


def _read(path: Path) -> dict[str, Any]:
    try:
        return _checked(json.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        _log.error("%s cannot be read, the configuration holds: %s", path, error)
        return {}


def _checked(kept: Any) -> dict[str, Any]:
    """Raises ValueError for anything but what `set` writes."""
    try:
        for values in kept.values():
            for value in values.values():
                if not all(isinstance(value[key], bool | float | int) for key in _KEYS):
                    raise ValueError("a value is no number")
    except (AttributeError, TypeError, KeyError) as error:
        raise ValueError("it has another form") from error
    whole: dict[str, Any] = kept
    return whole


_KEYS = ("value", "configured")


def _write(path: Path, kept: dict[str, Any]) -> None:
    """Replace the file as a whole: after a power cut it is the old or the new one."""
    fresh = path.with_name(f"{path.name}.new")
    with fresh.open("w", encoding="utf-8") as file:
        json.dump(kept, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
