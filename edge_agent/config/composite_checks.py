"""What no single value can tell of `composites:`, conditions over several pipelines."""

from __future__ import annotations

from collections.abc import Iterator

from edge_agent.config.checks import (
    RENAME,
    Check,
    entries,
    number_at,
    pipeline_name_fault,
    text_at,
    texts_at,
)
from edge_agent.config.problem import Mistake, YamlPath, did_you_mean, quoted
from edge_agent.config.validate import node_at
from edge_agent.config.yaml_tree import Mapping, Scalar


def _conditions(root: Mapping) -> Iterator[tuple[str, ...]]:
    """Places of all conditions."""
    for name in entries(root, "composites"):
        for condition in entries(root, "composites", name, "all"):
            yield ("composites", name, "all", condition)


def names(root: Mapping) -> Iterator[Mistake]:
    """A composite has topics as a pipeline has, so its name must be another."""
    pipelines = entries(root, "pipelines")
    for name in entries(root, "composites"):
        fault = pipeline_name_fault(name)
        if name in pipelines:
            fault = f"{quoted(name)} is a pipeline already, and both have the same topics"
        if fault:
            yield Mistake(("composites", name), fault, RENAME, at_key=True)


def what_they_go_by(root: Mapping) -> Iterator[Mistake]:
    """Pipelines must be defined, with the zones and labels that are named."""
    pipelines = entries(root, "pipelines")
    for path in _conditions(root):
        pipeline = text_at(root, *path, "pipeline")
        if pipeline is None:
            continue
        if pipeline not in pipelines:
            yield from _unknown(root, (*path, "pipeline"), pipeline, "pipelines", [*pipelines])
            continue
        zones = [*entries(root, "pipelines", pipeline, "zones")]
        labels = texts_at(root, ("pipelines", pipeline, "labels"))
        whose = f"of {quoted(pipeline)}"
        zone, label = text_at(root, *path, "zone"), text_at(root, *path, "label")
        if zone is not None and zone not in zones:
            yield from _unknown(root, (*path, "zone"), zone, f"zones {whose}", zones)
        if label is not None and labels and label not in labels:
            yield from _unknown(root, (*path, "label"), label, f"labels {whose}", labels)
        if text_at(root, *path, "sublabel") and not entries(root, "pipelines", pipeline, "refine"):
            message = f"no second model {whose} gives names"
            yield Mistake((*path, "sublabel"), message, f"set pipelines.{pipeline}.refine")


def _unknown(
    root: Mapping, path: YamlPath, name: str, what: str, known: list[str]
) -> Iterator[Mistake]:
    node = node_at(root, path)
    secret = isinstance(node, Scalar) and node.secret
    shown = "this name" if secret else quoted(name)
    hint = did_you_mean("" if secret else name, known)
    yield Mistake(path, f"{shown} is not among the {what}", hint)


def moments(root: Mapping) -> Iterator[Mistake]:
    """Two moments are never the same: the time between them must be given."""
    for path in _conditions(root):
        is_moment = text_at(root, *path, "type") in ("new", "update", "end")
        if is_moment and number_at(root, (*path[:2], "within"), 0.0) == 0.0:
            message = "is a moment, and nothing else is at the same one"
            yield Mistake((*path, "type"), message, "set within: 10s beside all")


def idle(root: Mapping) -> Iterator[Mistake]:
    """A condition on a pipeline that does not run never holds."""
    for path in _conditions(root):
        pipeline = text_at(root, *path, "pipeline") or ""
        if text_at(root, "pipelines", pipeline, "enabled") == "false":
            message = f"{quoted(pipeline)} is not enabled, so this never holds"
            yield Mistake((*path, "pipeline"), message)


ERRORS: tuple[Check, ...] = (names, what_they_go_by, moments)
WARNINGS: tuple[Check, ...] = (idle,)
