"""Keys that sign models: each must be one, and there must be something that can use it."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

from edge_agent.config.checks import Check
from edge_agent.config.problem import Mistake
from edge_agent.config.validate import node_at
from edge_agent.config.yaml_tree import Mapping, Scalar, Sequence
from edge_agent.modelstore.keys import NOT_INSTALLED, parse_key

_CURE = "write it as `edge-agent models keygen` prints it"


def keys(root: Mapping) -> Iterator[Mistake]:
    """Each is a public key."""
    path = ("updates", "keys")
    for i, item in enumerate(_items(root)):
        try:
            parse_key(item.text if isinstance(item, Scalar) else "")
        except ValueError as error:
            yield Mistake((*path, i), str(error), _CURE)


def signing(root: Mapping) -> Iterator[Mistake]:
    """Signatures are checked by a library that is optional."""
    if _items(root) and find_spec("cryptography") is None:
        message = "the library cryptography is not installed"
        yield Mistake(("updates", "keys"), message, NOT_INSTALLED, at_key=True)


def _items(root: Mapping) -> tuple[object, ...]:
    node = node_at(root, ("updates", "keys"))
    return tuple(node.items) if isinstance(node, Sequence) else ()


ERRORS: tuple[Check, ...] = (keys, signing)
