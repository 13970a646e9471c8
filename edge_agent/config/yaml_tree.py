"""YAML text to a tree of values that know their line and column.

PyYAML's events are put together here instead of by its constructor: every mistake gets a place, a
deep or self-multiplying file is refused, and words keep their meaning.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from edge_agent.config.problem import YamlPath
from edge_agent.config.yaml_scalars import resolve
from edge_agent.config.yaml_words import AMPERSAND, syntax_words

MAX_DEPTH = 32
MAX_VALUES = 20_000

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_UNPRINTABLE = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_COMMENT_GLUED = re.compile(r"[ \t]+#[^\s#]")
_TAG_TEXT = ("!", "tag:yaml.org,2002:str")
_TAG_PREFIX = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True)
class Position:
    """Line and column, both from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, eq=False)
class Scalar:
    """A single value: `text` as written, `value` as YAML reads it.

    `secret` marks a value that came from outside the file; `cut` one that a comment follows so
    closely that the `#` may have been meant as part of the text.
    """

    text: str
    value: str | int | float | bool | None
    at: Position
    secret: bool = False
    cut: bool = False
    size: int = 1

    @property
    def other_reading(self) -> str | int | float | bool | None:
        """The text where YAML sees a number, and the other way round for replaced text."""
        if not isinstance(self.value, str):
            return self.text
        return resolve(self.text) if self.secret else self.text


@dataclass(frozen=True, slots=True, eq=False)
class Sequence:
    """A list."""

    items: tuple[Node, ...]
    at: Position
    size: int


@dataclass(frozen=True, slots=True, eq=False)
class Mapping:
    """Named values with the place of each name."""

    items: dict[str, Node]
    keys: dict[str, Position]
    at: Position
    size: int


Node = Scalar | Sequence | Mapping


class YamlError(Exception):
    """The text is no YAML that can be used; `args` are position, message and hint."""

    def __init__(self, at: Position, message: str, hint: str = "") -> None:
        super().__init__(at, message, hint)
        self.at = at
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Repeated:
    """A name that stands twice in one mapping; the first one counts."""

    path: YamlPath
    at: Position
    first: Position
    is_section: bool


def parse(text: str, loader: Any = _LOADER) -> tuple[Mapping, tuple[Repeated, ...]]:
    """The tree of a configuration text and its repeated keys; raises YamlError.

    An empty text is an empty mapping.
    """
    _check_characters(text)
    builder = _Builder(text, _events(text, loader))
    root = builder.document()
    if isinstance(root, Scalar) and root.text == "":
        root = Mapping({}, {}, Position(1, 1), 1)
    if not isinstance(root, Mapping):
        raise YamlError(root.at, "the file must be a mapping of sections", "such as 'mqtt:'")
    return root, tuple(builder.repeated)


def from_values(value: Any, depth: int = 0) -> Node:
    """A tree of plain Python values that come from no file; raises YamlError where too deep."""
    nowhere = Position(0, 0)
    if depth > MAX_DEPTH:
        raise YamlError(nowhere, f"nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, dict):
        items = {str(key): from_values(item, depth + 1) for key, item in value.items()}
        return Mapping(items, dict.fromkeys(items, nowhere), nowhere, len(items))
    if isinstance(value, list | tuple):
        return Sequence(tuple(from_values(i, depth + 1) for i in value), nowhere, len(value))
    if value is None:
        return Scalar("null", None, nowhere)
    kept = value if isinstance(value, str | int | float | bool) else str(value)
    return Scalar(str(kept), kept, nowhere)


def _check_characters(text: str) -> None:
    bad = _UNPRINTABLE.search(text)
    if bad is None:
        return
    line = text.count("\n", 0, bad.start()) + 1
    column = bad.start() - text.rfind("\n", 0, bad.start())
    code = f"U+{ord(bad[0]):04X}"
    raise YamlError(Position(line, column), f"the character {code} cannot stand in YAML")


def _events(text: str, loader: Any) -> Iterator[yaml.Event]:
    try:
        yield from yaml.parse(text, Loader=loader)
    except yaml.YAMLError as error:
        line, column, message, hint = syntax_words(error, text.splitlines())
        raise YamlError(Position(line + 1, column + 1), message, hint) from None


def _position(event: yaml.Event) -> Position:
    mark: Any = event.start_mark
    return Position(mark.line + 1, mark.column + 1)


class _Builder:
    """Puts events together to nodes; anchors are shared, not copied."""

    def __init__(self, text: str, events: Iterator[yaml.Event]) -> None:
        self._lines = re.split(r"\r\n|[\n\r\x85\u2028\u2029]", text)  # as YAML counts lines
        self._events = events
        self._anchors: dict[str, Node | None] = {}
        self._path: list[str | int] = []
        self.repeated: list[Repeated] = []

    def document(self) -> Node:
        """The one document of the text."""
        next(self._events)  # the start of the stream
        event = next(self._events)
        if isinstance(event, yaml.StreamEndEvent):
            return Scalar("", None, Position(1, 1))
        root = self._node(next(self._events), 0)
        next(self._events)  # the end of the document
        event = next(self._events)
        if not isinstance(event, yaml.StreamEndEvent):
            raise YamlError(_position(event), "a second document begins here", "remove the '---'")
        return root

    def _node(self, event: yaml.Event, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise YamlError(_position(event), f"nested deeper than {MAX_DEPTH} levels")
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        anchor = event.anchor if isinstance(event, yaml.NodeEvent) else None
        if anchor is not None:
            self._anchors[anchor] = None
        node = self._new_node(event, depth)
        if anchor is not None:
            if isinstance(node, Scalar) and node.text == "" and node.value is None:
                raise YamlError(node.at, *AMPERSAND)
            self._anchors[anchor] = node
        return node

    def _new_node(self, event: yaml.Event, depth: int) -> Node:
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        if isinstance(event, yaml.SequenceStartEvent):
            self._check_tag(event)
            return self._sequence(event, depth)
        assert isinstance(event, yaml.MappingStartEvent)
        self._check_tag(event)
        return self._mapping(event, depth)

    def _alias(self, event: yaml.AliasEvent) -> Node:
        cure = "a text that begins with '*' must stand in quotes"
        if event.anchor not in self._anchors:
            raise YamlError(_position(event), "this alias has no anchor before it", cure)
        node = self._anchors[event.anchor]
        if node is None:
            raise YamlError(_position(event), "this alias is part of what it stands for")
        return node

    def _scalar(self, event: yaml.ScalarEvent) -> Scalar:
        self._check_tag(event)
        at = _position(event)
        if event.style or event.tag in _TAG_TEXT:  # "" in libyaml, None in Python
            return Scalar(event.value, event.value, at)
        return Scalar(event.value, resolve(event.value), at, cut=self._is_cut(event))

    def _is_cut(self, event: yaml.ScalarEvent) -> bool:
        mark: Any = event.end_mark
        rest = self._lines[mark.line][mark.column :] if mark.line < len(self._lines) else ""
        return bool(_COMMENT_GLUED.match(rest))

    def _check_tag(self, event: yaml.NodeEvent) -> None:
        tag = getattr(event, "tag", None)
        if tag is not None and tag != "!" and not tag.startswith(_TAG_PREFIX):
            cure = "a text that begins with '!' must stand in quotes"
            raise YamlError(_position(event), "this tag means nothing here", cure)

    def _sequence(self, start: yaml.Event, depth: int) -> Sequence:
        items: list[Node] = []
        size = 1
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            self._path.append(len(items))
            items.append(self._node(event, depth + 1))
            self._path.pop()
            size += items[-1].size
            _check_size(size, items[-1])
        return Sequence(tuple(items), _position(start), size)

    def _mapping(self, start: yaml.Event, depth: int) -> Mapping:
        items: dict[str, Node] = {}
        keys: dict[str, Position] = {}
        merged: list[Mapping] = []
        size = 1
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            at, key, is_plain = self._key(event, depth)
            self._path.append(key)
            value = self._node(next(self._events), depth + 1)
            size += value.size
            _check_size(size, value)
            if key == "<<" and is_plain:
                merged += _merge_sources(value)
            elif key in items:
                self._repeat(at, keys[key], value)
            else:
                items[key], keys[key] = value, at
            self._path.pop()
        for other in merged:
            for key in other.items.keys() - items.keys():
                items[key], keys[key] = other.items[key], other.keys[key]
        return Mapping(items, keys, _position(start), size)

    def _repeat(self, at: Position, first: Position, value: Node) -> None:
        is_section = isinstance(value, Mapping)
        self.repeated.append(Repeated(tuple(self._path), at, first, is_section))

    def _key(self, event: yaml.Event, depth: int) -> tuple[Position, str, bool]:
        at = _position(event)
        node = self._node(event, depth + 1)
        if not isinstance(node, Scalar):
            raise YamlError(at, "a name must be a single word or text", "not a list or a mapping")
        plain = isinstance(event, yaml.ScalarEvent) and not event.style
        return at, node.text, plain


def _check_size(size: int, node: Node) -> None:
    if size > MAX_VALUES:
        raise YamlError(node.at, f"more than {MAX_VALUES} values, counting each alias in full")


def _merge_sources(value: Node) -> list[Mapping]:
    sources = value.items if isinstance(value, Sequence) else (value,)
    for source in sources:
        if not isinstance(source, Mapping):
            raise YamlError(source.at, "'<<' needs a mapping or a list of mappings")
    return [source for source in sources if isinstance(source, Mapping)]
