"""JSON into dataclasses, by their type hints; what they do not know is passed over."""

from __future__ import annotations

import types
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


class WrongShape(ValueError):
    """A value is missing or is not of its type; the text names its path."""


def read(kind: type[T], values: Any) -> T:
    """A dataclass made of a JSON object; raises WrongShape."""
    made: T = _read(kind, values, "")
    return made


def _read(hint: Any, value: Any, path: str) -> Any:
    return _reader(hint)(hint, value, path)


@cache
def _reader(hint: Any) -> Callable[[Any, Any, str], Any]:
    if is_dataclass(hint):
        return _object
    reader = _READERS.get(get_origin(hint) or hint)
    if reader is None:
        raise TypeError(f"no JSON value is read into {hint}")
    return reader


def _object(kind: Any, value: Any, path: str) -> Any:
    _expect(isinstance(value, dict), "an object", value, path)
    found = {}
    for name, hint in _hints(kind).items():
        below = f"{path}.{name}" if path else name
        if name not in value:
            if name in _optional_fields(kind):
                continue  # it came later: an agent of before does not send it
            raise WrongShape(f"{below} is missing")
        found[name] = _read(hint, value[name], below)
    return kind(**found)


@cache
def _optional_fields(kind: Any) -> frozenset[str]:
    return frozenset(
        each.name
        for each in fields(kind)
        if each.default is not MISSING or each.default_factory is not MISSING
    )


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _text(_hint: Any, value: Any, path: str) -> Any:
    return _expect(isinstance(value, str), "a text", value, path)


def _flag(_hint: Any, value: Any, path: str) -> Any:
    return _expect(isinstance(value, bool), "true or false", value, path)


def _whole(_hint: Any, value: Any, path: str) -> Any:
    return _expect(type(value) is int, "a whole number", value, path)


def _number(_hint: Any, value: Any, path: str) -> Any:
    _expect(type(value) in (int, float), "a number", value, path)
    try:
        return float(value)
    except OverflowError:
        raise WrongShape(f"{path} is too large a number") from None


def _word(hint: Any, value: Any, path: str) -> Any:
    words = get_args(hint)
    known = isinstance(value, str) and value in words
    return _expect(known, f"one of {', '.join(words)}", value, path)


def _sequence(hint: Any, value: Any, path: str) -> Any:
    kinds = get_args(hint)
    if kinds[-1] is Ellipsis:
        _expect(isinstance(value, list), "an array", value, path)
        kinds = kinds[:1] * len(value)
    is_right = isinstance(value, list) and len(value) == len(kinds)
    _expect(is_right, f"an array of {len(kinds)}", value, path)
    pairs = enumerate(zip(kinds, value, strict=True))
    return tuple(_read(kind, item, f"{path}[{at}]") for at, (kind, item) in pairs)


def _mapping(hint: Any, value: Any, path: str) -> Any:
    _expect(isinstance(value, dict), "an object", value, path)
    kind = get_args(hint)[1]
    return {name: _read(kind, item, f"{path}.{name}") for name, item in value.items()}


def _optional(hint: Any, value: Any, path: str) -> Any:
    kind = get_args(hint)[0]
    return None if value is None else _read(kind, value, path)


_READERS: dict[Any, Callable[[Any, Any, str], Any]] = {
    str: _text,
    bool: _flag,
    int: _whole,
    float: _number,
    Literal: _word,
    tuple: _sequence,
    dict: _mapping,
    types.UnionType: _optional,
    Union: _optional,
}


def _expect(holds: bool, what: str, value: Any, path: str) -> Any:
    if not holds:
        found = type(value).__name__ if isinstance(value, dict | list) else repr(value)[:50]
        raise WrongShape(f"{path or 'the payload'} is not {what} but {found}")
    return value
