"""What fits a pipeline depends on what its source gives: pictures, a signal or text."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from edge_agent.config.checks import Check, entries, text_at, texts_at
from edge_agent.config.problem import Mistake, YamlPath, did_you_mean, quoted
from edge_agent.config.schema import NO_MODEL
from edge_agent.config.validate import node_at
from edge_agent.config.yaml_tree import Mapping, Scalar, Sequence
from edge_agent.preprocess.signal import WINDOW_STAGES
from edge_agent.registry import UnknownName
from edge_agent.sources import SOURCES

_log = logging.getLogger(__name__)

_SCORERS = ("anomaly", "reading", "smooth")
_BY_MODEL = ("reconstruction", "forecast")
_OF_WINDOWS = (("stream",),)
_OF_SIGNALS = (*_OF_WINDOWS, ("features",))
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
        medium = _medium_at(root, ("sources", source))
        if medium is None:
            continue
        for path, wanted in _places(root, pipeline):
            if medium != wanted:
                what = {"picture": "pictures", "signal": "a signal", "text": "text"}
                message = f"is for {what[wanted]}, and source {source} gives {what[medium]}"
                yield Mistake(path, message, at_key=True)


def parts_of_fusions(root: Mapping) -> Iterator[Mistake]:
    """One part of a fusion gives pictures at most, and none gives text."""
    for source in entries(root, "sources"):
        path = ("sources", source, "parts")
        media = {part: _medium_at(root, (*path, part)) for part in entries(root, *path)}
        pictures = [part for part, medium in media.items() if medium == "picture"]
        for part, medium in media.items():
            if medium == "text":
                yield Mistake((*path, part), "gives text: pictures and numbers can be joined")
            elif part in pictures[1:]:
                message = f"gives pictures as {pictures[0]} does, and one can"
                cure = "the pictures set the time of each frame; make a second fusion"
                yield Mistake((*path, part), message, cure)


def pace_of_fusions(root: Mapping) -> Iterator[Mistake]:
    """What is measured as time goes by does not belong to pictures that are played fast."""
    for source in entries(root, "sources"):
        path = ("sources", source, "parts")
        parts = list(entries(root, *path))
        fast = [part for part in parts if text_at(root, *path, part, "pace") == "fast"]
        pictures = [part for part in fast if _medium_at(root, (*path, part)) == "picture"]
        for part in parts:
            if pictures and part not in fast:
                message = f"is not at pace: fast, and {pictures[0]} is: their moments do not meet"
                yield Mistake((*path, part), message, "give both recordings one pace", at_key=True)


def channels_of_fusions(root: Mapping) -> Iterator[Mistake]:
    """What a pipeline takes beside a picture must be measured there."""
    for pipeline in entries(root, "pipelines"):
        source = text_at(root, "pipelines", pipeline, "source") or ""
        if source not in entries(root, "sources"):
            continue
        known = _channels(root, source)
        for path, channel in _named_channels(root, ("pipelines", pipeline)):
            if not known:
                message = "is for a fusion of pictures and numbers"
                yield Mistake(path, message, f"source {source} gives none")
            elif fault := _channel_fault(channel, known):
                yield Mistake(path, *fault)


def _named_channels(root: Mapping, path: tuple[str, str]) -> Iterator[tuple[YamlPath, str]]:
    """Each channel that a pipeline names, and where."""
    inputs = (*path, "inputs")
    for place in (inputs, *((*inputs, name) for name in entries(root, *inputs))):
        node = node_at(root, place)
        for i, item in enumerate(node.items if isinstance(node, Sequence) else ()):
            if isinstance(item, Scalar) and not item.secret:
                yield (*place, i), item.text
    for label in entries(root, *path, "filters"):
        readings = (*path, "filters", label, "readings")
        yield from (((*readings, channel), channel) for channel in entries(root, *readings))


def _channels(root: Mapping, source: str) -> dict[str, list[str] | None]:
    """The parts beside the pictures of a fusion, with their channels where the YAML names them."""
    path = ("sources", source)
    if _medium_at(root, path) != "picture":
        return {}
    return {
        part: _listed(root, (*path, "parts", part, "channels"))
        for part in entries(root, *path, "parts")
        if _medium_at(root, (*path, "parts", part)) != "picture"
    }


def _listed(root: Mapping, path: YamlPath) -> list[str] | None:
    """The names of channels there; None where only the source knows them."""
    names = [*entries(root, *map(str, path)), *texts_at(root, path)]
    return None if not names or any(name.isdigit() for name in names) else names


def _channel_fault(channel: str, known: dict[str, list[str] | None]) -> tuple[str, str] | None:
    """Why there is no such channel, and what to do; None where there may be one."""
    part = next((each for each in known if channel.startswith(f"{each}.")), None)
    names = [f"{part}.{each}" for part, each_of in known.items() for each in each_of or ()]
    hint = did_you_mean(channel, names) or f"channels are PART.CHANNEL, parts: {', '.join(known)}"
    if part is None:
        return f"{quoted(channel)} is no channel of the source", hint
    listed, name = known[part], channel[len(part) + 1 :]
    # A pattern that fits several files gives fan_1, fan_2.
    if listed is not None and not any(
        name == each or name.startswith(f"{each}_") for each in listed
    ):
        return f"{quoted(channel)} is no channel of the source", hint
    return None


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
        (_OF_WINDOWS if _has_items(root, (*path, "inputs")) else _OF_SIGNALS, "signal"),
        (_OF_TEXT, "text"),
        (_OF_PICTURES, "picture"),
    ):
        for part in parts:
            is_gate = part[0] == "gate" and node_at(root, (*path, *part)) is not None
            if is_gate or _has_items(root, (*path, *part)):
                yield (*path, *part), wanted


def _has_items(root: Mapping, path: YamlPath) -> bool:
    node = node_at(root, path)
    return isinstance(node, Mapping | Sequence) and bool(node.items)


def _is_on(root: Mapping, path: YamlPath) -> bool:
    """Whether a section is there, maybe with nothing in it."""
    node = node_at(root, path)
    return isinstance(node, Mapping) or (isinstance(node, Scalar) and node.text == "")


def _medium_at(root: Mapping, path: YamlPath) -> str | None:
    """What the source there gives; None where nobody can tell."""
    parts = entries(root, *map(str, path), "parts")
    if any(_medium_at(root, (*path, "parts", part)) == "picture" for part in parts):
        return "picture"
    medium = _medium(text_at(root, *path, "type") or "")
    if medium == "signal" and "text" in entries(root, *map(str, path)):
        return "text"  # mqtt gives either
    return medium


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


ERRORS: tuple[Check, ...] = (
    needed_models,
    one_scorer,
    methods,
    media,
    parts_of_fusions,
    channels_of_fusions,
    reserved_model,
)
WARNINGS: tuple[Check, ...] = (pace_of_fusions,)
