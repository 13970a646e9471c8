"""Choosing one of several by its name, or by its number from 1 on."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from edge_agent.errors import SourceUnusable


def choose(wanted: str | int, names: Sequence[str], what: str) -> int:
    """Index of the one that is meant; capitals do not matter where no name has them so.

    Raises SourceUnusable with the names that there are.
    """
    if isinstance(wanted, int):
        if 1 <= wanted <= len(names):
            return wanted - 1
        text = f"there is no {what} {wanted}"
        raise SourceUnusable(text, f"there are {len(names)}, counted from 1")
    if wanted in names:
        return list(names).index(wanted)
    lower = [name.lower() for name in names]
    if wanted.lower() in lower:
        return lower.index(wanted.lower())
    close = difflib.get_close_matches(wanted, names, 1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    shown = ", ".join(map(repr, names[:20])) + (", ..." if len(names) > 20 else "")
    raise SourceUnusable(f"there is no {what} {wanted!r}", f"{hint}there are {shown}")
