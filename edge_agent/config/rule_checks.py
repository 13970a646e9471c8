"""What no single value of lines, filters and schedules can tell."""

from __future__ import annotations

from collections.abc import Iterator

from edge_agent.config.checks import (
    Check,
    entries,
    number_at,
    pipeline_maps,
    point_of,
    text_at,
    texts_at,
)
from edge_agent.config.problem import Mistake, YamlPath, did_you_mean, quoted
from edge_agent.config.validate import node_at
from edge_agent.config.yaml_tree import Mapping


def _filters(root: Mapping) -> Iterator[YamlPath]:
    """Places of all filters, of pipelines and of zones."""
    for pipeline, label in pipeline_maps(root, "filters"):
        yield ("pipelines", pipeline, "filters", label)
    for pipeline, zone in pipeline_maps(root, "zones"):
        path = ("pipelines", pipeline, "zones", zone, "filters")
        yield from ((*path, label) for label in entries(root, *path))


def filter_labels(root: Mapping) -> Iterator[Mistake]:
    """A filter must be for a label that counts, where the YAML lists those."""
    for path in _filters(root):
        pipeline, label = str(path[1]), str(path[-1])
        known = texts_at(root, ("pipelines", pipeline, "labels"))
        if known and label not in known:
            message = f"{quoted(label)} is not among the labels of the pipeline"
            yield Mistake(path, message, did_you_mean(label, known), at_key=True)


def bounds(root: Mapping) -> Iterator[Mistake]:
    """What is at least so much cannot be at most less."""
    for path in _filters(root):
        for what in ("height", "area"):
            low = number_at(root, (*path, f"min_{what}"), 0.0)
            high = number_at(root, (*path, f"max_{what}"), 1.0)
            if low is not None and high is not None and low > high:
                message = f"is above max_{what}, so nothing would count"
                yield Mistake((*path, f"min_{what}"), message)
        low, high = (number_at(root, (*path, "aspect", i), 1.0) for i in (0, 1))
        if low is not None and high is not None and low > high:
            message = "the first number is above the second, so nothing would count"
            yield Mistake((*path, "aspect"), message, "narrowest first")


def moving_tiles(root: Mapping) -> Iterator[Mistake]:
    """Crops around what moves need the gate that sees it."""
    for pipeline in entries(root, "pipelines"):
        path = ("pipelines", pipeline, "tiles", "region")
        has_gate = node_at(root, ("pipelines", pipeline, "gate", "motion")) is not None
        if text_at(root, *path) == "motion" and not has_gate:
            yield Mistake(path, "is of no use without gate.motion", "add it, or use region: all")


def sun(root: Mapping) -> Iterator[Mistake]:
    """Whoever goes by the sun must say where he is."""
    if node_at(root, ("agent", "location")) is not None:
        return
    for pipeline in entries(root, "pipelines"):
        path = ("pipelines", pipeline, "gate", "schedule")
        given = entries(root, *path)
        for key in ("active", "quiet"):
            texts = [text_at(root, *path, key) or "", *texts_at(root, (*path, key))]
            if "location" not in given and any("sun" in text for text in texts):
                cure = "agent: {location: [LATITUDE, LONGITUDE]}"
                yield Mistake((*path, key), "sunrise and sunset need a location", cure)


def crossing_lines(root: Mapping) -> Iterator[Mistake]:
    """A line needs two ends."""
    for pipeline, line in pipeline_maps(root, "lines"):
        path = ("pipelines", pipeline, "lines", line)
        ends = [point_of(node_at(root, (*path, key))) for key in ("from", "to")]
        if None not in ends and ends[0] == ends[1]:
            yield Mistake((*path, "to"), "is the same point as from: a line needs two ends")


def parts_of_pictures(root: Mapping) -> Iterator[Mistake]:
    """What is pixelated can be chosen only where something is."""
    for pipeline in entries(root, "pipelines"):
        path = ("pipelines", pipeline, "publish", "snapshots")
        chosen = {
            "labels": bool(texts_at(root, (*path, "labels"))),
            "keep": text_at(root, *path, "keep") == "object",
        }
        if text_at(root, *path, "mode") in ("off", "full"):
            for key in (key for key, is_chosen in chosen.items() if is_chosen):
                message = "says what is pixelated, and here nothing is"
                yield Mistake((*path, key), message, "mode: blurred", at_key=True)


ERRORS: tuple[Check, ...] = (
    crossing_lines,
    filter_labels,
    bounds,
    moving_tiles,
    sun,
    parts_of_pictures,
)
