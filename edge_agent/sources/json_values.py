"""Numbers and texts out of messages: a path into JSON, and words that mean a number."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

_STEP = re.compile(r"\.?([^.\[\]]+)|\[(-?\d+)\]")
_WORDS: Mapping[str, float] = {
    **dict.fromkeys(("on", "true", "yes", "open", "opened", "detected", "home", "online"), 1.0),
    **dict.fromkeys(("off", "false", "no", "closed", "clear", "away", "offline"), 0.0),
}
MOST_BYTES = 2**20
"""Of a message; a longer one is not looked at."""

_SHOWN = 60  # characters of a bad message that are shown


class BadMessage(ValueError):
    """A message does not hold what is looked for; the text says why."""


def path_steps(path: str) -> tuple[str | int, ...]:
    """The steps of a path such as battery.cells[0].volt; none for "". Raises ValueError."""
    steps: list[str | int] = []
    place = 0
    while place < len(path):
        found = _STEP.match(path, place)
        if found is None:
            raise ValueError(f"{path!r} is no path: write it as battery.cells[0].volt")
        steps.append(found[1] if found[1] is not None else int(found[2]))
        place = found.end()
    return tuple(steps)


def decode_json(payload: bytes) -> Any:
    """The value of a JSON text in UTF-8; raises BadMessage."""
    if len(payload) > MOST_BYTES:
        raise BadMessage(f"it has more than {MOST_BYTES} bytes")
    try:
        return json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise BadMessage(f"{shown(payload)} is no JSON: {error}") from None


def value_at(value: Any, steps: tuple[str | int, ...]) -> Any:
    """What a path leads to; raises KeyError where it leads nowhere."""
    for step in steps:
        if isinstance(step, int) and isinstance(value, list) and -len(value) <= step < len(value):
            value = value[step]
        elif isinstance(value, dict) and str(step) in value:
            value = value[str(step)]
        else:
            raise KeyError(step)
    return value


def number_of(value: Any) -> float:
    """A finite number, or what a switch or a door says (ON 1, OFF 0); raises BadMessage."""
    if isinstance(value, bool | int | float):
        number = _as_float(value)
    elif isinstance(value, str):
        word = value.strip().lower()
        number = _WORDS[word] if word in _WORDS else _as_float(word)
    else:
        raise BadMessage(f"{shown(str(value).encode())} is no number")
    if not math.isfinite(number):
        raise BadMessage(f"{shown(str(value).encode())} is no finite number")
    return number


def shown(payload: bytes) -> str:
    """The beginning of a message, fit for a log."""
    text = payload[:_SHOWN].decode("utf-8", "replace")
    return repr(text) + ("..." if len(payload) > _SHOWN else "")


def _as_float(value: str | float) -> float:
    try:
        return float(value)
    except (ValueError, OverflowError):
        raise BadMessage(f"{shown(str(value).encode())} is no number") from None
