"""Keys that are right in themselves and stand at the wrong level, as pasted text often does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from edge_agent.config.fields import Field, held_section, section_fields, unwrap
from edge_agent.config.problem import MISSING, Mistake, YamlPath, did_you_mean
from edge_agent.config.schema import Config

_NAME = "NAME"
_DEEPER = "indent it further"


@dataclass(frozen=True, slots=True)
class _Home:
    """A kind of section: its path with NAME for people's own names, and its keys.

    `varies` marks one with more keys than these, such as a source's, which depend on its type.
    """

    path: tuple[str, ...]
    fields: dict[str, Field]
    varies: bool

    @property
    def words(self) -> str:
        """The section in a sentence: "a pipeline", "gate", "the file"."""
        if not self.path:
            return "the top of the file"
        if self.path[-1] == _NAME:
            return f"a {self.path[-2].removesuffix('s')}"
        return self.path[-1]


def home_hint(section: YamlPath, key: str, known: Iterable[str]) -> str:
    """Where a key belongs that the section does not know, "" where that cannot be told."""
    here = _home_at(section)
    likely = did_you_mean(key, known)
    if here is None or f"_{key}'" in likely or f"'{key}_" in likely:
        return ""
    homes = [home for home in _homes() if key in home.fields and home is not here]
    if here.varies:
        homes = [home for home in homes if _is_inside(here, home) or _is_inside(home, here)]
    shared = [_shared(home.path, here.path) for home in homes]
    nearest = [home for home, n in zip(homes, shared, strict=True) if n == max(shared)]
    nearest = [home for home in nearest if _is_inside(here, home)] or nearest
    if len(nearest) != 1:
        return ""
    direction = ": indent it less" if _is_inside(here, nearest[0]) else ""
    direction = f": {_DEEPER}" if _is_inside(nearest[0], here) else direction
    return f"it belongs inside {nearest[0].words}{direction}"


def entry_hint(section: YamlPath, value: Any) -> str:
    """Under which key a value belongs whose own keys are those of a zone, a model, ..."""
    here = _home_at(section)
    given = set(value) if isinstance(value, dict) else set()
    for home in _homes():
        if here and _is_inside(home, here) and home.path[-1] == _NAME and _fits(given, home):
            return f"{home.words} belongs under {home.path[-2]}: {_DEEPER}"
    return ""


def regrouped(mistakes: list[Mistake], values: Any) -> list[Mistake]:
    """The mistakes, those of a section that stands at the wrong level as one."""
    whole: dict[YamlPath, Mistake] = {}
    for mistake in mistakes:
        section = mistake.path[:-1] if mistake.message == MISSING else mistake.path
        if section not in whole and (found := _misplaced(section, _value_at(values, section))):
            whole[section] = found
    rest = [m for m in mistakes if not any(m.path[: len(path)] == path for path in whole)]
    return [*whole.values(), *rest]


def _misplaced(section: YamlPath, value: Any) -> Mistake | None:
    here = _home_at(section)
    if here is None or not here.path or here.path[-1] != _NAME:
        return None
    given = set(value) if isinstance(value, dict) else set()
    name = str(section[-1])
    if given & here.fields.keys():
        return None
    if name in here.fields:
        cure = f"{_DEEPER}, below the name of one"
        return Mistake(section, f"belongs inside {here.words}", cure, at_key=True)
    for home in _homes():
        if _is_inside(home, here) and home.path[-1] == _NAME and _fits(given, home):
            cure = f"{home.path[-2]} belong inside {here.words}: {_DEEPER}"
            return Mistake(section, f"this is {home.words}, not {here.words}", cure, at_key=True)
    return None


@cache
def _homes() -> tuple[_Home, ...]:
    return tuple(_walk((), Config))


def _walk(path: tuple[str, ...], annotation: Any) -> Iterator[_Home]:
    fields = section_fields(annotation, None)
    yield _Home(path, fields, hasattr(unwrap(annotation)[0], "variants"))
    for key, field in fields.items():
        inner, by_name = held_section(field.annotation)
        if inner is not None:
            yield from _walk((*path, key, _NAME) if by_name else (*path, key), inner)


def _home_at(path: YamlPath) -> _Home | None:
    for home in _homes():
        if len(home.path) == len(path) and all(
            wanted in (_NAME, part) for wanted, part in zip(home.path, path, strict=True)
        ):
            return home
    return None


def _fits(keys: set[str], home: _Home) -> bool:
    """True where these can be the keys of such a section."""
    known = keys & home.fields.keys()
    return bool(known) and (home.varies or known == keys)


def _is_inside(home: _Home, other: _Home) -> bool:
    return home.path != other.path and home.path[: len(other.path)] == other.path


def _shared(first: tuple[str, ...], second: tuple[str, ...]) -> int:
    """How many steps two paths have in common."""
    same = [a == b for a, b in zip(first, second, strict=False)]
    return same.index(False) if False in same else len(same)


def _value_at(values: Any, path: YamlPath) -> Any:
    for part in path:
        values = values.get(part) if isinstance(values, dict) else None
    return values
