"""Keys that sign models: each must be one, and there must be something that can use it."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

from edge_agent.config.checks import Check, text_at
from edge_agent.config.problem import Mistake
from edge_agent.config.validate import node_at
from edge_agent.config.yaml_tree import Mapping, Scalar, Sequence
from edge_agent.modelstore.address import origin_of
from edge_agent.modelstore.keys import NOT_INSTALLED, parse_key

_SERVERS = (("updates", "url"), ("updates", "hawkbit", "url"))
_ADDRESS = "write https://HOST/PATH; in a user name or password write @ as %40 and / as %2F"
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


def server(root: Mapping) -> Iterator[Mistake]:
    """What a server sends is believed only if it is signed; one server is enough."""
    places = [path for path in _SERVERS if text_at(root, *path)]
    for path in places:
        try:
            origin_of(text_at(root, *path) or "")
        except ValueError as error:
            yield Mistake(path, str(error), _ADDRESS)
        if not _has_keys(root):
            message = "is of no use without updates.keys: what comes from a server must be signed"
            cure = "make a key: edge-agent models keygen -o FILE"
            yield Mistake(path, message, cure, at_key=True)
    if len(places) > 1:
        yield Mistake(places[1], "stands beside updates.url", "keep one of them", at_key=True)
    yield from _tokens(root)


def _tokens(root: Mapping) -> Iterator[Mistake]:
    path = ("updates", "hawkbit")
    given = [key for key in ("token", "gateway_token") if text_at(root, *path, key)]
    if len(given) > 1:
        yield Mistake((*path, given[1]), "stands beside token", "keep one of them", at_key=True)


def _has_keys(root: Mapping) -> bool:
    """Whether there are any, also such as are wrong and told so."""
    return bool(_items(root) or text_at(root, "updates", "keys"))


def _items(root: Mapping) -> tuple[object, ...]:
    node = node_at(root, ("updates", "keys"))
    return tuple(node.items) if isinstance(node, Sequence) else ()


ERRORS: tuple[Check, ...] = (keys, signing, server)
