"""What a stage says of its options, such as `sources.door: url must be ...`, to a place."""

from __future__ import annotations

import re

from edge_agent.config.problem import Mistake, YamlPath
from edge_agent.config.schema import Config
from edge_agent.config.validate import node_at
from edge_agent.config.yaml_tree import Mapping

_HINT = re.compile(r"(?P<message>.*) \((?P<hint>[^()]*)\)", re.DOTALL)
_KEY = re.compile(r"[\w-]+")


def mistake_of(text: str, root: Mapping) -> Mistake:
    """Path, message and hint of a text; without a path where it begins with none.

    Names may have any character in them, so they are found by what the file holds.
    """
    path, rest = _path_of(text, root)
    match = _HINT.fullmatch(rest)
    message, hint = (match["message"], match["hint"]) if match else (rest, "")
    return Mistake(path, message, hint, at_key=isinstance(node_at(root, path), Mapping))


def _path_of(text: str, root: Mapping) -> tuple[YamlPath, str]:
    """The path that a text begins with, and the text behind it."""
    path: YamlPath = ()
    rest = text
    while (key := _next_key(rest, root, path)) is not None:
        path = (*path, key)
        rest = rest[len(key) :]
        if not rest.startswith("."):
            break
        rest = rest[1:]
    if not path:
        return (), text
    rest = rest.removeprefix(":").strip()
    option = rest.split(" ", 1)[0]
    if node_at(root, (*path, option)) is not None:
        return (*path, option), rest.removeprefix(option).strip()
    return path, rest


def _next_key(text: str, root: Mapping, path: YamlPath) -> str | None:
    """The name that the text begins with: the longest one of the file, else a known section."""
    node = node_at(root, path)
    names = set(node.items) if isinstance(node, Mapping) else set()
    if not path:
        names = {*names, *Config.model_fields}
    fitting = [name for name in names if _begins_with(text, name)]
    if fitting or not path:
        return max(fitting, key=len, default=None)
    match = _KEY.match(text)
    return match[0] if match else None


def _begins_with(text: str, name: str) -> bool:
    return text.startswith(name) and text[len(name) : len(name) + 1] in (".", ":", " ", "")
