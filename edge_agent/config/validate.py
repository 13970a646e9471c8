"""A tree of values to a `Config`, or to every mistake in it: one line each, in plain words."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError

from edge_agent.config.cures import cure, lacks_corners
from edge_agent.config.fields import (
    describe,
    field_at,
    holds_secret,
    section_fields,
    unit_of,
)
from edge_agent.config.masked import leaves
from edge_agent.config.misplaced import entry_hint, home_hint, regrouped
from edge_agent.config.problem import (
    MISSING,
    Mistake,
    YamlPath,
    did_you_mean,
    is_secret_path,
    quoted,
)
from edge_agent.config.schema import Config, may_be_empty
from edge_agent.config.yaml_tree import Mapping, Node, Position, Scalar, Sequence
from edge_agent.options import without_credentials

_UNKNOWN_KEY = ("extra_forbidden", "unexpected_keyword_argument")
_OWN_WORDS = ("config", "value_error", "assertion_error")


def validate(root: Mapping) -> tuple[Config | None, list[Mistake]]:
    """The configuration, or None and all mistakes.

    A number is read as text (and a replaced text as number) where only that fits the field, so
    that `username: 1234` and `port: ${PORT}` mean what they say.
    """
    other: set[YamlPath] = set()
    while True:
        values = plain_values(root, frozenset(other))
        try:
            config = Config.model_validate(values)
        except ValidationError as error:
            found = error.errors(include_url=False, include_input=False)
            again = {path for path in _places(found, root) if _rereads(node_at(root, path))}
            if again <= other:
                return None, regrouped(_mistakes(found, root, values), values)
            other |= again
        else:
            wrong = list(_wrong_numbers(config, root, values))
            return (None, wrong) if wrong else (config, [])


def plain_values(node: Node, other: frozenset[YamlPath] = frozenset(), path: YamlPath = ()) -> Any:
    """Plain values of a tree; `other` are the places of scalars read the other way.

    A name with nothing after it counts as not given, or as a section with all its defaults.
    """
    if isinstance(node, Sequence):
        return [plain_values(item, other, (*path, i)) for i, item in enumerate(node.items)]
    if isinstance(node, Mapping):
        return {
            key: {} if _is_empty(item) else plain_values(item, other, (*path, key))
            for key, item in node.items.items()
            if not _is_empty(item) or may_be_empty((*path, key))
        }
    return node.other_reading if path in other else node.value


def node_at(root: Node, path: YamlPath) -> Node | None:
    """The node that a path leads to, None where there is none."""
    node: Node | None = root
    for part in path:
        if isinstance(node, Mapping):
            node = node.items.get(str(part))
        elif isinstance(node, Sequence) and isinstance(part, int) and part < len(node.items):
            node = node.items[part]
        else:
            return None
    return node


def place_of(root: Mapping, path: YamlPath, at_key: bool = False) -> Position:
    """Line and column of a value or of its name; of the nearest above where there is none."""
    node = None if at_key else node_at(root, path)
    if node is not None:
        return node.at
    while path:
        parent = node_at(root, path[:-1])
        if isinstance(parent, Mapping) and path[-1] in parent.keys:
            return parent.keys[str(path[-1])]
        if isinstance(parent, Sequence) and (item := node_at(root, path)) is not None:
            return item.at
        path = path[:-1]
    return root.at


def _is_empty(node: Node) -> bool:
    return isinstance(node, Scalar) and node.value is None and node.text == ""


def _rereads(node: Node | None) -> bool:
    return isinstance(node, Scalar) and node.value is not None and node.other_reading != node.value


def _real_path(loc: tuple[str | int, ...], root: Node, keep_last: bool) -> YamlPath:
    """The place without pydantic's marks for the members of a union.

    `keep_last` is for a key that is missing and so cannot be found in the values.
    """
    path: YamlPath = ()
    for part in loc[:-1] if keep_last else loc:
        if node_at(root, (*path, part)) is not None:
            path = (*path, part)
    return (*path, loc[-1]) if keep_last else path


def _places(errors: list[Any], root: Mapping) -> Iterator[YamlPath]:
    for error in errors:
        yield _real_path(error["loc"], root, keep_last=False)


def _mistakes(errors: list[Any], root: Mapping, values: Any) -> list[Mistake]:
    """One mistake for each place; where members of a union disagree, the one that went deepest."""
    first: dict[YamlPath, Any] = {}
    for error in errors:
        is_missing = error["type"] == "missing" and isinstance(error["loc"][-1], str)
        path = _real_path(error["loc"], root, keep_last=is_missing)
        first.setdefault(path, error)
    shallow = {path[:length] for path in first for length in range(len(path))}
    return [
        _mistake(path, error, root, values) for path, error in first.items() if path not in shallow
    ]


def _mistake(path: YamlPath, error: Any, root: Mapping, values: Any) -> Mistake:
    kind = error["type"]
    if kind in _UNKNOWN_KEY:
        return Mistake(path, "unknown key", _unknown_hint(path, values), at_key=True)
    target = field_at(Config, path, values)
    if kind == "missing" and node_at(root, path) is None:
        return Mistake(path, MISSING, target.doc.rstrip(".") if target else "", at_key=True)
    secret = _is_secret(path, root, target.annotation if target else None)
    if kind == "config":
        return Mistake(path, *_own_words(error["ctx"], secret))
    if kind in _OWN_WORDS and not (target and unit_of(target.annotation)):
        text = without_credentials(str(error["ctx"]["error"]))
        return Mistake(path, "this value is not valid" if secret else text)
    if target is None:
        return Mistake(path, "this value is not valid")
    node = node_at(root, path)
    if few := lacks_corners(target.annotation, node):
        return Mistake(path, few)
    shown = "" if secret else _shown(node)
    if kind == "too_short" and isinstance(node, Mapping):
        shown = str(len(node.items))
    message = f"expected {describe(target.annotation)}{shown and ', got '}{shown}"
    return Mistake(path, message, "" if secret else cure(path, target.annotation, node))


def _unknown_hint(path: YamlPath, values: Any) -> str:
    """Where the key belongs, else the key that was meant."""
    key = str(path[-1])
    known = _known_keys(path[:-1], values)
    section = _value_at(values, path[:-1])
    return (
        home_hint(path[:-1], key, known)
        or entry_hint(path[:-1], section[key])
        or did_you_mean(key, known)
    )


def _known_keys(path: YamlPath, values: Any) -> tuple[str, ...]:
    section = field_at(Config, path, values)
    return tuple(section_fields(section.annotation, _value_at(values, path))) if section else ()


def _value_at(values: Any, path: YamlPath) -> Any:
    for part in path:
        values = values[part]
    return values


def _own_words(context: dict[str, Any], secret: bool) -> tuple[str, str]:
    if secret:
        return "this value is not valid", ""
    return context["message"], context["hint"]


def _is_secret(path: YamlPath, root: Node, annotation: Any) -> bool:
    """True where the value must not be shown."""
    node = node_at(root, path)
    return is_secret_path(path) or holds_secret(annotation) or _came_from_outside(node)


def _came_from_outside(node: Node | None) -> bool:
    if isinstance(node, Sequence):
        return any(_came_from_outside(item) for item in node.items)
    return isinstance(node, Scalar) and node.secret


def _shown(node: Node | None) -> str:
    """A value as a message shows it; short, on one line."""
    if isinstance(node, Scalar):
        if isinstance(node.value, str):
            return quoted(node.value)
        return "nothing" if node.value is None else node.text
    if isinstance(node, Mapping):
        return "a mapping"
    if node is None:
        return ""
    texts = [_shown(item) for item in node.items[:6]]
    if len(node.items) > 6 or not all(isinstance(item, Scalar) for item in node.items):
        return f"a list of {len(node.items)}"
    return f"[{', '.join(texts)}]"


def _wrong_numbers(config: Config, root: Mapping, values: Any) -> Iterator[Mistake]:
    """Numbers that pydantic lets pass: not finite, or `true` where a number is wanted."""
    for path, value in leaves(config):
        node = node_at(root, path)
        given_bool = isinstance(node, Scalar) and isinstance(node.value, bool)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if is_number and (given_bool or not math.isfinite(value)):
            target = field_at(Config, path, values)
            yield Mistake(path, f"expected {describe(target.annotation) if target else 'a number'}")
