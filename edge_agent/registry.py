"""Finds the classes of a stage by the name that the YAML gives: our own, then plug-ins."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class UnknownName(LookupError):
    """No class of that name; the text lists the known ones and the likeliest meant."""


class Registry(Generic[T]):
    """Names of one kind of stage; a class is imported when it is first asked for.

    `builtin` maps a name to "module:Class"; other packages add theirs by an entry point in
    `group` (for example "edge_agent.sources").
    """

    def __init__(self, group: str, builtin: Mapping[str, str]) -> None:
        self.group = group
        self._builtin = dict(builtin)

    def names(self) -> tuple[str, ...]:
        """All known names, built-in ones first."""
        plugins = (name for name in _plugins(self.group) if name not in self._builtin)
        return (*self._builtin, *plugins)

    def is_builtin(self, name: str) -> bool:
        """Whether a name is our own, not a plug-in's."""
        return name in self._builtin

    def load(self, name: str) -> type[T]:
        """The class of that name; raises UnknownName."""
        target = self._builtin.get(name) or _plugins(self.group).get(name)
        if target is None:
            raise UnknownName(self._unknown(name))
        module, _, attribute = target.partition(":")
        loaded: type[T] = getattr(import_module(module), attribute)
        return loaded

    def _unknown(self, name: str) -> str:
        known = self.names()
        close = difflib.get_close_matches(name, known, n=1)
        meant = f"did you mean {close[0]!r}? " if close else ""
        return f"{name!r} is not known ({meant}known: {', '.join(known)})"


@cache
def _plugins(group: str) -> dict[str, Any]:
    return {entry.name: entry.value for entry in entry_points(group=group)}
