"""What a check says, and a check itself."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from edge_agent.errors import EdgeAgentError

State = Literal["OK", "WARN", "FAIL", "SKIP"]
"""WARN: it works, but not well or not for long. SKIP: it could not be told; `found` says why."""

_WITH_CURE = re.compile(r"(?P<what>.*\S) \((?P<cure>[^()]*(?:\([^()]*\)[^()]*)*)\)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report; each WARN and FAIL has a `fix`."""

    state: State
    found: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """Something to look at: `look` may take `limit` seconds; if it takes more, `stuck` is the cure.

    `look` runs in a thread of its own and may be left behind there.
    """

    name: str
    look: Callable[[], Finding]
    stuck: str
    limit: float = 5.0


def ok(found: str) -> Finding:
    """All is well."""
    return Finding("OK", found)


def warn(found: str, fix: str) -> Finding:
    """It works, but not well or not for long."""
    return Finding("WARN", found, fix)


def fail(found: str, fix: str) -> Finding:
    """It does not work."""
    return Finding("FAIL", found, fix)


def skip(why: str, fix: str = "") -> Finding:
    """It could not be told; `fix` is what would let it be told."""
    return Finding("SKIP", why, fix)


def split_cure(text: str, otherwise: str) -> tuple[str, str]:
    """What happened and the cure, of a text that ends with its cure in brackets."""
    match = _WITH_CURE.fullmatch(text)
    return (match["what"], match["cure"]) if match else (text, otherwise)


def failed(error: EdgeAgentError, otherwise: str) -> Finding:
    """The finding of an error, with its own cure where it has one."""
    if error.cure:
        return fail(error.message, error.cure)
    return fail(*split_cure(error.message, otherwise))
