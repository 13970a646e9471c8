"""Texts that are hardly what was meant: cut off by a comment, or with unseen characters in them."""

from __future__ import annotations

from collections.abc import Iterator

from edge_agent.config.lookalikes import odd_place, plain_hint, words_for
from edge_agent.config.problem import Mistake, YamlPath, is_secret_path
from edge_agent.config.yaml_tree import Mapping, Node, Scalar, Sequence


def comments(root: Mapping) -> Iterator[Mistake]:
    """A `#` after a space begins a comment, which may have been meant as part of a password."""
    for path, node in _scalars(root):
        if node.cut and (is_secret_path(path) or node.text == ""):
            cure = "or put it in quotes"
            yield Mistake(path, "ends before the '#', which begins a comment", cure)


def odd_names(node: Node, path: YamlPath = ()) -> Iterator[Mistake]:
    """A name that begins or ends with what only looks like white space or a quote."""
    if isinstance(node, Mapping):
        for key, item in node.items.items():
            place = odd_place(key)
            if place is not None and place in (0, len(key) - 1):
                message = f"{words_for(key[place])} is taken for a part of this name"
                cure = plain_hint(key[place], named=True)
                yield Mistake((*path, key), message, cure, at_key=True)
            yield from odd_names(item, (*path, key))
    elif isinstance(node, Sequence):
        for i, item in enumerate(node.items):
            yield from odd_names(item, (*path, i))


def odd_characters(root: Mapping) -> Iterator[Mistake]:
    """What is not seen, or looks like a quote and is none, was hardly meant as part of a text."""
    for path, node in _scalars(root):
        place = None if node.secret else odd_place(node.text)
        if place is not None:
            message = "a character in it is not what it looks like"
            yield Mistake(path, message, plain_hint(node.text[place]))


def _scalars(node: Node, path: YamlPath = ()) -> Iterator[tuple[YamlPath, Scalar]]:
    """Every single value with its place."""
    if isinstance(node, Mapping):
        for key, item in node.items.items():
            yield from _scalars(item, (*path, key))
    elif isinstance(node, Sequence):
        for i, item in enumerate(node.items):
            yield from _scalars(item, (*path, i))
    else:
        yield path, node
