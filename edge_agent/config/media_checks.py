"""What fits a pipeline depends on what its source gives: pictures, a signal or text."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from edge_agent.config.checks import Check, entries, text_at
from edge_agent.config.problem import Mistake, YamlPath
from edge_agent.config.schema import NO_MODEL
from edge_agent.config.validate import node_at
from edge_agent.config.yaml_tree import Mapping, Scalar, Sequence
from edge_agent.preprocess.signal import WINDOW_STAGES
from edge_agent.registry import UnknownName
from edge_agent.sources import SOURCES

_log = logging.getLogger(__name__)

_SCORERS = ("anomaly", "reading", "smooth")
_BY_MODEL = ("reconstruction", "forecast")
_OF_SIGNALS = (("stream",), ("features",))
_OF_TEXT = (("text",),)
_OF_PICTURES = (("zones",), ("lines",), ("privacy", "mask"), ("gate", "motion"))


def needed_models(root: Mapping) -> Iterator[Mistake]:
    """A pipeline needs a model, or something that does without."""
    for pipeline in entries(root, "pipelines"):
        path = ("pipelines", pipeline)
        if not isinstance(node_at(root, path), Mapping) or text_at(root, *path, "model"):
            continue
        if not _is_on(root, (*path, "anomaly")) and not _is_on(root, (*path, "reading")):
            yield Mistake(("pipelines", pipeline, "model"), "is missing", "Name of the model")


def one_scorer(root: Mapping) -> Iterator[Mistake]:
    """A pipeline's results are made into one thing."""
    for pipeline in entries(root, "pipelines"):
        found = [key for key in _SCORERS if _is_on(root, ("pipelines", pipeline, key))]
        for other in found[1:]:
            message = f"stands beside {found[0]}, and a pipeline has one of them"
            cure = "make a second pipeline of the same source"
            yield Mistake(("pipelines", pipeline, other), message, cure, at_key=True)


def methods(root: Mapping) -> Iterator[Mistake]:
    """A forecast, or a reconstruction, is a model's; a forecast is of rows that come."""
    for pipeline in entries(root, "pipelines"):
        path = ("pipelines", pipeline)
        method = text_at(root, *path, "anomaly", "method")
        if method in _BY_MODEL and not text_at(root, *path, "model"):
            message = f"is {method}, and pipeline {pipeline} has no model"
            yield Mistake((*path, "anomaly", "method"), message, "set model, or another method")
        if method == "forecast":
            yield from _unlike_rows(root, path)


def _unlike_rows(root: Mapping, path: tuple[str, str]) -> Iterator[Mistake]:
    """What makes something else than the rows of the signal of a window."""
    if text_at(root, *path, "window", "pad") in ("zero", "edge"):
        message = "makes rows up, and a forecast is compared with those that come"
        yield Mistake((*path, "window", "pad"), message, "leave it out")
    for name in entries(root, *path, "features"):
        if not _is_by_rows(name):
            message = "does not leave a window the rows that a forecast is compared with"
            cure = "put it under stream, or leave it out"
            yield Mistake((*path, "features", name), message, cure, at_key=True)


def _is_by_rows(feature: str) -> bool:
    """Whether it makes of each row a row; one that is not there is another check's."""
    try:
        return getattr(WINDOW_STAGES.load(feature), "by_rows", False)
    except UnknownName:
        return True
    except Exception:  # noqa: BLE001 - a plug-in may fail in any way; its own check tells
        _log.debug("features.%s cannot be loaded", feature, exc_info=True)
        return True


def media(root: Mapping) -> Iterator[Mistake]:
    """Windows are cut of signals, zones are drawn on pictures."""
    for pipeline in entries(root, "pipelines"):
        source = text_at(root, "pipelines", pipeline, "source") or ""
        medium = _medium(text_at(root, "sources", source, "type") or "")
        if medium == "signal" and "text" in entries(root, "sources", source):
            medium = "text"  # mqtt gives either
        if medium is None:
            continue
        for path, wanted in _places(root, pipeline):
            if medium != wanted:
                what = {"picture": "pictures", "signal": "a signal", "text": "text"}
                message = f"is for {what[wanted]}, and source {source} gives {what[medium]}"
                yield Mistake(path, message, at_key=True)


def reserved_model(root: Mapping) -> Iterator[Mistake]:
    """The name that stands for no model cannot be a model's."""
    if NO_MODEL in entries(root, "models"):
        yield Mistake(("models", NO_MODEL), "is what no model is called", "rename it", at_key=True)


def _places(root: Mapping, pipeline: str) -> Iterator[tuple[YamlPath, str]]:
    """Sections with something in them that fit one medium only."""
    path = ("pipelines", pipeline)
    for key in _SCORERS:
        if _is_on(root, (*path, key)):
            yield (*path, key), "signal"
    for parts, wanted in (
        (_OF_SIGNALS, "signal"),
        (_OF_TEXT, "text"),
        (_OF_PICTURES, "picture"),
    ):
        for part in parts:
            node = node_at(root, (*path, *part))
            has_more = isinstance(node, Mapping | Sequence) and bool(node.items)
            if has_more or (part[0] == "gate" and node is not None):
                yield (*path, *part), wanted


def _is_on(root: Mapping, path: YamlPath) -> bool:
    """Whether a section is there, maybe with nothing in it."""
    node = node_at(root, path)
    return isinstance(node, Mapping) or (isinstance(node, Scalar) and node.text == "")


def _medium(kind: str) -> str | None:
    """What a type of source gives; None where there is none of that name."""
    try:
        medium: str = getattr(SOURCES.load(kind), "medium", "picture")
    except UnknownName:
        return None
    except Exception:  # noqa: BLE001 - a plug-in may fail in any way; its own check tells
        _log.debug("source %r cannot be loaded", kind, exc_info=True)
        return None
    return medium


ERRORS: tuple[Check, ...] = (needed_models, one_scorer, methods, media, reserved_model)
