"""Well-known models with an open licence: where they are and what they must be."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import quote

from edge_agent.errors import StoreError

_HOST = "https://raw.githubusercontent.com"


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of a public repository at one commit; it must have this size (bytes) and SHA-256."""

    repository: str
    commit: str
    path: str
    sha256: str
    size: int

    def url(self, mirror: str | None = None) -> str:
        """Its address; a mirror has the same paths below another address."""
        base = (mirror or _HOST).rstrip("/")
        return f"{base}/{self.repository}/{self.commit}/{quote(self.path)}"


@dataclass(frozen=True, slots=True)
class Offer:
    """A model that can be fetched; `labels` is a file of labels where the model has none inside."""

    name: str
    about: str
    licence: str
    file: RemoteFile
    labels: RemoteFile | None = None


@cache
def catalogue() -> tuple[Offer, ...]:
    """All of them, by name."""
    text = (files("edge_agent.modelstore") / "catalogue.json").read_text("utf-8")
    return tuple(_offer(values) for values in json.loads(text))


def offer_of(name: str) -> Offer:
    """The model of that name; raises StoreError that tells the likeliest meant."""
    offers = {each.name: each for each in catalogue()}
    if name in offers:
        return offers[name]
    close = difflib.get_close_matches(name, offers, n=1)
    cure = f"did you mean {close[0]}?" if close else "see: edge-agent models list --available"
    raise StoreError(f"the catalogue has no model {name!r}", cure)


def _offer(values: dict[str, Any]) -> Offer:
    file = RemoteFile(**values.pop("file"))
    labels = values.pop("labels", None)
    return Offer(**values, file=file, labels=RemoteFile(**labels) if labels else None)
