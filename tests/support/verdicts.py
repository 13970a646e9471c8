"""Which verdicts the doctor's code can give, and which of them tests have seen."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from edge_agent.runtime.doctor import finding
from edge_agent.runtime.doctor.finding import Finding

FOLDER = Path(finding.__file__).parent
_STATES = {"ok": "OK", "warn": "WARN", "fail": "FAIL", "skip": "SKIP", "failed": "FAIL"}


@dataclass(frozen=True, order=True)
class Verdict:
    """A place in a function that gives a state; `last` is the last line of the call."""

    module: str
    function: str
    line: int
    last: int
    state: str

    def __str__(self) -> str:
        return f"{self.state} at {self.module}:{self.line}"


def verdicts() -> list[Verdict]:
    """All that the code can give."""
    return sorted(
        Verdict(path.name, function.name, call.lineno, call.end_lineno or call.lineno, state)
        for path in FOLDER.glob("*.py")
        if path.name != "finding.py"
        for function in ast.walk(ast.parse(path.read_text()))
        if isinstance(function, ast.FunctionDef)
        for call in ast.walk(function)
        if isinstance(call, ast.Call)
        for state in _states(call.func)
    )


def _states(called: ast.expr) -> Iterator[str]:
    """States of what is called, which may be `(warn if x else fail)`."""
    if isinstance(called, ast.IfExp):
        yield from (*_states(called.body), *_states(called.orelse))
    elif isinstance(called, ast.Name) and called.id in _STATES:
        yield _STATES[called.id]


@dataclass
class Seen:
    """Verdicts that were given, and findings that leave the user alone."""

    given: set[tuple[str, int, str]] = field(default_factory=set)
    helpless: list[Finding] = field(default_factory=list)

    def saw(self, verdict: Verdict) -> bool:
        """Whether it was given."""
        return any(
            (verdict.module, line, verdict.state) in self.given
            for line in range(verdict.line, verdict.last + 1)
        )

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Note each finding that the doctor's code makes."""
        make = Finding.__init__

        def note(made: Finding, *words: Any, **named: Any) -> None:
            make(made, *words, **named)
            if (place := _place(sys._getframe(1))) is not None:
                self.given.add((*place, made.state))
                if made.state in ("WARN", "FAIL") and not made.fix.strip():
                    self.helpless.append(made)

        Finding.__init__ = note  # type: ignore[assignment,method-assign]
        try:
            yield
        finally:
            Finding.__init__ = make  # type: ignore[method-assign]


def _place(frame: FrameType | None) -> tuple[str, int] | None:
    """Module and line of the doctor's code that gave a verdict; None where a test did."""
    while frame is not None and Path(frame.f_code.co_filename) == FOLDER / "finding.py":
        frame = frame.f_back
    if frame is None or Path(frame.f_code.co_filename).parent != FOLDER:
        return None
    return Path(frame.f_code.co_filename).name, frame.f_lineno
