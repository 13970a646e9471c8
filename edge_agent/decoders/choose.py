"""Picks the decoder of a model and says why."""

from __future__ import annotations

import dataclasses
import difflib
import logging
from collections.abc import Mapping
from typing import Any

from edge_agent.decoders import DECODERS
from edge_agent.decoders.base import Decoder, Unsure
from edge_agent.errors import ModelError
from edge_agent.model import ModelInfo
from edge_agent.registry import UnknownName

log = logging.getLogger(__name__)
_LAST = "raw"


def choose_decoder(
    info: ModelInfo,
    labels: tuple[str, ...] | None,
    task: str | None = None,
    options: Mapping[str, Any] | None = None,
) -> tuple[Decoder, str]:
    """The decoder named by `task`, else (None or "auto") the first that fits; and why, in words.

    `labels` are the ones to use, wherever they come from. Raises ModelError where the name is
    unknown or the model or its labels do not fit, ValueError for a wrong option.
    """
    if labels is not None:
        info = dataclasses.replace(info, labels=labels)
    chosen, why = _first_match(info) if task in (None, "auto") else _named(str(task))
    decoder = chosen(info, labels, _read_options(chosen, options or {}))
    why = f"{why}: {decoder.name}"
    return decoder, f"{why}; {decoder.note}" if decoder.note else why


def _named(name: str) -> tuple[type[Decoder], str]:
    try:
        decoder = DECODERS.load(name)
    except UnknownName as error:
        raise ModelError(f"decoder {error}", "set task to one of these, or to auto") from error
    return decoder, "as the task says"


def _first_match(info: ModelInfo) -> tuple[type[Decoder], str]:
    """The first decoder that is sure, else the raw numbers with what the others think of them."""
    doubts: list[str] = []
    for name in DECODERS.names():
        if name != _LAST and (match := _try(name, info, doubts)) is not None:
            return match
    if doubts:
        return DECODERS.load(_LAST), "; ".join(doubts)
    tried = ", ".join(name for name in DECODERS.names() if name != _LAST)
    return DECODERS.load(_LAST), f"no other decoder ({tried}) fits the outputs"


def _try(name: str, info: ModelInfo, doubts: list[str]) -> tuple[type[Decoder], str] | None:
    """A plug-in that fails must not keep the others from their model: it is logged and passed."""
    try:
        decoder = DECODERS.load(name)
        why = decoder.match(info)
    except Unsure as doubt:
        doubts.append(str(doubt))
        return None
    except Exception:
        log.exception("decoder %r failed while it was asked whether it fits %s", name, info.path)
        return None
    return None if why is None else (decoder, why)


def _read_options(decoder: type[Decoder], options: Mapping[str, Any]) -> Any:
    known = [field.name for field in dataclasses.fields(decoder.Options)]
    for key in options:
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1)
            meant = f"did you mean {close[0]!r}? " if close else ""
            listed = ", ".join(known) or "none"
            raise ValueError(f"decoder option {key!r} is not known ({meant}known: {listed})")
    return decoder.Options(**options)
