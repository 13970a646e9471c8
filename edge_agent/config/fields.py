"""What may stand where: the fields of a section, their types, and those types in plain words.

One description serves the error messages and the reference; both follow the annotations.
"""

from __future__ import annotations

import dataclasses
import re
import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge, Gt, Le, Len, Lt, MinLen
from pydantic import BaseModel

from edge_agent.config.problem import YamlPath
from edge_agent.options import Doc, Secret

REQUIRED: Any = object()
"""Stands for the default of a field that has none."""

_NUMBERS = (int, float)
_SIMPLE = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    Secret: "a text",
    Path: "a file path",
    Any: "anything",
}
_BASE_UNITS = {"duration": "seconds", "size": "bytes"}
_PLURALS = (
    (re.compile(r"^an? (list of) "), "lists of "),
    (re.compile(r"^an? (whole number|number|text|file path|mapping)"), r"\1s"),
)


@dataclass(frozen=True, slots=True)
class Field:
    """One key of a section: its type, its default (REQUIRED where it has none) and its help."""

    annotation: Any
    default: Any = REQUIRED
    doc: str = ""


def fields_of(kind: Any, value: Any = None) -> dict[str, Field] | None:
    """Fields of a section type by the names that the YAML uses; None where it is no section.

    A type whose keys depend on the value (a source's on its `type`) has a method `yaml_fields`.
    """
    chooser = getattr(kind, "yaml_fields", None)
    if chooser is not None:
        fields: dict[str, Field] = chooser(value)
        return fields
    if isinstance(kind, type) and (dataclasses.is_dataclass(kind) or issubclass(kind, BaseModel)):
        return _declared(kind)
    return None


@cache
def _declared(kind: Any) -> dict[str, Field]:
    hints = get_type_hints(kind, include_extras=True)
    if issubclass(kind, BaseModel):
        infos = kind.model_fields.items()
        return {
            name: _field(hints[name], _model_default(info), info.is_required())
            for name, info in infos
        }
    rename = getattr(kind, "__pydantic_config__", {}).get("alias_generator", str)
    return {
        rename(item.name): _field(hints[item.name], *_dataclass_default(item))
        for item in dataclasses.fields(kind)
    }


def _model_default(info: Any) -> Any:
    """The default; None where it is worked out on the machine, as the host name is."""
    factory = info.default_factory
    return info.default if factory is None else factory() if isinstance(factory, type) else None


def _dataclass_default(item: dataclasses.Field[Any]) -> tuple[Any, bool]:
    if item.default_factory is not dataclasses.MISSING:
        return item.default_factory(), False
    return item.default, item.default is dataclasses.MISSING


def _field(annotation: Any, default: Any, required: bool) -> Field:
    docs = [meta.text for meta in unwrap(annotation)[1] if isinstance(meta, Doc)]
    return Field(annotation, REQUIRED if required else default, docs[0] if docs else "")


def field_at(kind: Any, path: YamlPath, values: Any) -> Field | None:
    """The field that a path leads to from a type; `values` are the plain values at its start."""
    if not path:
        return Field(kind)
    for candidate in _below(kind, path[0], values):
        below = values[path[0]] if _has(values, path[0]) else None
        found = field_at(candidate.annotation, path[1:], below)
        if found is not None:
            return candidate if len(path) == 1 else found
    return None


def _has(values: Any, key: str | int) -> bool:
    if isinstance(values, dict):
        return key in values
    return isinstance(values, list) and isinstance(key, int) and key < len(values)


def _below(annotation: Any, key: str | int, values: Any) -> Iterable[Field]:
    """Fields that one more step from a type may reach, one for each member of a union."""
    fields = section_fields(annotation, values)
    if fields:
        yield from (fields[str(key)],) if key in fields else ()
        return
    for member in members(annotation):
        bare = unwrap(member)[0]
        origin, args = get_origin(bare), get_args(bare)
        if origin is dict and isinstance(key, str):
            yield Field(args[1])
        elif origin in (list, tuple) and isinstance(key, int):
            yield Field(args[key] if _is_fixed(bare) and key < len(args) else args[0])


def section_fields(annotation: Any, value: Any) -> dict[str, Field]:
    """Fields of the section that an annotation stands for, with or without None beside it."""
    found: dict[str, Field] = {}
    for member in (annotation, *members(annotation)):
        kind, metas = unwrap(member)
        for part in (kind, *metas):
            found |= fields_of(part, value) or {}
    return found


def members(annotation: Any) -> tuple[Any, ...]:
    """The types of a union without None; a single type alone."""
    kind = unwrap(annotation)[0]
    if get_origin(kind) in (Union, types.UnionType):
        return tuple(arg for arg in get_args(kind) if arg is not type(None))
    return (annotation,)


def holds_secret(annotation: Any) -> bool:
    """True where a value of this type must not be shown."""
    return any(unwrap(member)[0] is Secret for member in members(annotation))


def held_section(annotation: Any) -> tuple[Any, bool]:
    """The section that a field holds, and whether by names; None for a plain value."""
    if section_fields(annotation, None):
        return annotation, False
    for member in members(annotation):
        bare = unwrap(member)[0]
        if get_origin(bare) is dict and section_fields(get_args(bare)[1], None):
            return get_args(bare)[1], True
    return None, False


def unit_of(annotation: Any) -> Any:
    """What reads the unit of a duration or size; None for anything else."""
    metas = (unwrap(member)[1] for member in (annotation, *members(annotation)))
    return next((unit for unit in map(_unit, metas) if unit is not None), None)


def describe(annotation: Any) -> str:
    """The type in plain words, such as "a number from 0 to 1"."""
    kind, metas = unwrap(annotation)
    inner = members(kind)
    if inner != (kind,):
        texts = [describe(Annotated[member, *metas] if metas else member) for member in inner]
        return " or ".join(dict.fromkeys(texts))
    words = next((meta.words for meta in metas if hasattr(meta, "words")), None)
    if words or hasattr(kind, "words"):
        return str(words or kind.words)
    if unit := _unit(metas):
        bounds = _bounds(metas, _BASE_UNITS.get(unit.what, ""))
        return f"a {unit.what} such as {unit.example}{bounds and ','}{bounds}"
    if kind in _NUMBERS:
        return _SIMPLE[kind] + _bounds(metas)
    if kind in _SIMPLE:
        return _SIMPLE[kind]
    return _describe_group(kind, metas)


def _describe_group(kind: Any, metas: tuple[Any, ...]) -> str:
    origin, args = get_origin(kind), get_args(kind)
    if origin is Literal:
        return _choices(args)
    if origin is tuple and _is_fixed(kind):
        return f"a list of {len(args)} {_plural(describe(args[0]))}"
    if origin in (list, tuple):
        count = _count(metas)
        each = _plural(describe(args[0]))
        if count == "at least 1":
            return f"a list of {each}, not empty"
        return f"a list of {count} {each}" if count else f"a list of {each}"
    count = _count(metas)
    return "a mapping" if not count else f"a mapping with {count} {_entries(count)}"


def _entries(count: str) -> str:
    return "entry" if count.endswith(" 1") else "entries"


def limits(annotation: Any) -> str:
    """Only the limits of a number, such as "from 0 to 1", or the number of entries of a list."""
    kind, metas = unwrap(annotation)
    unit = _unit(metas)
    base_unit = _BASE_UNITS.get(unit.what, "") if unit else ""
    texts = [_bounds(metas, base_unit).strip(), _count(metas)]
    texts += [limits(member) for member in members(kind) if member is not kind]
    return next((text for text in texts if text), "")


def unit_text(annotation: Any, value: Any) -> str:
    """A value as people write it: in the largest unit that gives a whole number."""
    unit = unit_of(annotation)
    if unit is None or not value:
        return f"{value:g}" if isinstance(value, float) else str(value)
    counts = [(factor, name, value / factor) for name, factor in unit.factors]
    fitting = [(factor, name) for factor, name, n in counts if abs(n - round(n)) < 1e-6 * n]
    factor, name = max(fitting, default=(1.0, ""))
    return f"{round(value / factor)}{name}" if name else f"{value:g}"


def unwrap(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    """A type without `Annotated`, and what was attached to it, innermost last."""
    metas: tuple[Any, ...] = ()
    while get_origin(annotation) is Annotated:
        annotation, *outer = get_args(annotation)
        metas = (*outer, *metas)
    return annotation, metas


def _is_fixed(kind: Any) -> bool:
    return get_origin(kind) is tuple and Ellipsis not in get_args(kind)


def _unit(metas: tuple[Any, ...]) -> Any:
    return next((meta for meta in metas if hasattr(meta, "factors")), None)


def _bounds(metas: tuple[Any, ...], base_unit: str = "") -> str:
    """The limits of a number, tightest ones; that a duration is at least 0 goes without saying."""
    lows: list[Any] = [(meta.ge, 0) for meta in metas if isinstance(meta, Ge)]
    lows += [(meta.gt, 1) for meta in metas if isinstance(meta, Gt)]
    highs: list[Any] = [(meta.le, 0) for meta in metas if isinstance(meta, Le)]
    highs += [(meta.lt, -1) for meta in metas if isinstance(meta, Lt)]
    low: Any = max(lows, default=None)  # of equal numbers, the one that excludes it is tighter
    high: Any = min(highs, default=None)
    if base_unit and low == (0, 0):
        low = None
    unit = f" {base_unit}" if base_unit else ""
    if low and high and low[1] == high[1] == 0:
        return f" from {low[0]} to {high[0]}{unit}"
    texts = [f"{'above' if low[1] else 'of at least'} {low[0]}{unit}"] if low else []
    texts += [f"{'below' if high[1] else 'of at most'} {high[0]}{unit}"] if high else []
    return f" {' and '.join(texts)}" if texts else ""


def _count(metas: tuple[Any, ...]) -> str:
    for meta in metas:
        if isinstance(meta, Len) and meta.max_length is not None:
            return f"{meta.min_length} to {meta.max_length}"
        if isinstance(meta, Len | MinLen) and meta.min_length:
            return f"at least {meta.min_length}"
    return ""


def _choices(values: tuple[Any, ...]) -> str:
    texts = [repr(value) for value in dict.fromkeys(map(str, values))]
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} or {texts[-1]}"


def _plural(text: str) -> str:
    for pattern, replacement in _PLURALS:
        text, changed = pattern.subn(replacement, text)
        if changed:
            return text
    return text


def choices(annotation: Any) -> tuple[str, ...]:
    """The words that a field takes, for a did-you-mean."""
    found: list[str] = []
    for member in members(annotation):
        bare = unwrap(member)[0]
        if get_origin(bare) is Literal:
            found += [str(value) for value in get_args(bare)]
        found += getattr(bare, "single_words", ())
    return tuple(dict.fromkeys(found))


def as_mapping(value: Any) -> Mapping[str, Any]:
    """The value where it is a mapping, else an empty one."""
    return value if isinstance(value, dict) else {}
