"""One mistake in a configuration, as a line that a person or an editor can follow."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

YamlPath = tuple[str | int, ...]
"""Keys and list indices from the top of the file to a value."""

_PLAIN_KEY = re.compile(r"[\w-]{1,60}")
_SECRET_KEY = re.compile(r"(password|passwd|secret|token|key)(?!.*_file$)", re.IGNORECASE)
_SHOWN = 40
_COMPARED = 200

MISSING = "is missing"
"""The message about a key that must be there and is not."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A mistake or a warning; `line` and `column` count from 1 and are 0 where there is none.

    `file` is empty where the values did not come from a file. The text is one line.
    """

    file: str
    line: int
    column: int
    path: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        place = self.file if self.line == 0 else f"{self.file}:{self.line}:{self.column}"
        parts = ": ".join(part for part in (place, self.path, self.message) if part)
        return " ".join((f"{parts} ({self.hint})" if self.hint else parts).splitlines())


@dataclass(slots=True)
class Mistake:
    """A mistake with its place in the values, before it has a line."""

    path: YamlPath
    message: str
    hint: str = ""
    at_key: bool = False


def path_text(path: YamlPath) -> str:
    """The path as people write it: `zones.porch.polygon[2]`; strange keys are quoted."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += ("." if text else "") + (part if _PLAIN_KEY.fullmatch(part) else quoted(part))
    return text


def quoted(text: str) -> str:
    """The text in quotes on one line, shortened, without any credentials in it."""
    if "@" in text:
        return "a text with @"  # an address may carry a password in any broken form
    short = text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
    return repr(short)


def is_secret_path(path: YamlPath) -> bool:
    """True where the key speaks of a secret, so that its value must not be shown."""
    keys = [part for part in path if isinstance(part, str)]
    return bool(keys and _SECRET_KEY.search(keys[-1]))


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint: the likeliest of the known names, else all of them where they are few."""
    names = list(islice(known, _COMPARED))
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean {quoted(close[0])}?"
    if not names or len(names) > 25:
        return ""
    return "known: " + ", ".join(names)
