"""What no single value can tell: names that must exist, files, areas, values that go together.

Each check reads the tree of values and passes over what has the wrong shape: that is reported
already. So all of them run even where other mistakes stand in the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from edge_agent.config.problem import Mistake, YamlPath, did_you_mean, is_secret_path, quoted
from edge_agent.config.shapes import polygon_fault
from edge_agent.config.stored import store_hint
from edge_agent.config.text_checks import comments, odd_characters
from edge_agent.config.validate import node_at
from edge_agent.config.yaml_tree import Mapping, Node, Scalar, Sequence
from edge_agent.geometry import Point
from edge_agent.tracking.options import TrackOptions

Check = Callable[[Mapping], Iterator[Mistake]]

_NOT_THERE = "no such file"
_TOPIC_MARKS = "/+#"
RENAME = "choose another name"
"""What to do about a name that cannot be part of a topic."""

_RESERVED = {"cmd"}  # P/cmd/snapshot is a command, P/{pipeline}/snapshot a picture


def entries(root: Mapping, *path: str) -> dict[str, Node]:
    """The named entries at a path, none where it is no mapping."""
    node = node_at(root, path)
    return node.items if isinstance(node, Mapping) else {}


def text_at(root: Mapping, *path: str | int) -> str | None:
    """The text at a path, None where there is no single value."""
    node = node_at(root, path)
    return node.text if isinstance(node, Scalar) and node.value is not None else None


def pipeline_maps(root: Mapping, key: str) -> Iterator[tuple[str, str]]:
    """Pipeline and name of each entry of a mapping by names inside the pipelines."""
    for pipeline in entries(root, "pipelines"):
        for name in entries(root, "pipelines", pipeline, key):
            yield pipeline, name


def references(root: Mapping) -> Iterator[Mistake]:
    """A pipeline's source and model must be defined."""
    for pipeline in entries(root, "pipelines"):
        for kind, section in (("source", "sources"), ("model", "models")):
            path = ("pipelines", pipeline, kind)
            name = text_at(root, *path)
            known = entries(root, section)
            if name is not None and name not in known:
                node = node_at(root, path)
                secret = isinstance(node, Scalar) and node.secret
                shown = "this name" if secret else quoted(name)
                hint = did_you_mean("" if secret else name, known) or f"define it under {section}:"
                yield Mistake(path, f"{shown} is not among the {section}", hint)


def unused(root: Mapping) -> Iterator[Mistake]:
    """A source or model that no pipeline uses is likely an oversight."""
    pipelines = entries(root, "pipelines")
    for kind, section in (("source", "sources"), ("model", "models")):
        used = {text_at(root, "pipelines", pipeline, kind) for pipeline in pipelines}
        if kind == "model":
            used |= {name for _, name in pipeline_maps(root, "refine")}
        for name in entries(root, section):
            if pipelines and name not in used:
                yield Mistake((section, name), "no pipeline uses it", at_key=True)


def topic_names(root: Mapping) -> Iterator[Mistake]:
    """Names that become parts of MQTT topics."""
    agent = text_at(root, "agent", "name")
    if agent is not None and (fault := _name_fault(agent, spaces=False)):
        yield Mistake(("agent", "name"), fault, RENAME)
    for name in entries(root, "pipelines"):
        if fault := pipeline_name_fault(name):
            yield Mistake(("pipelines", name), fault, RENAME, at_key=True)
    for key in ("zones", "lines"):
        seen: dict[tuple[str, str], str] = {}
        for pipeline, name in pipeline_maps(root, key):
            path = ("pipelines", pipeline, key, name)
            topic = (pipeline, name.replace(" ", "_"))
            if fault := _name_fault(name, spaces=True):
                yield Mistake(path, fault, RENAME, at_key=True)
            elif topic in seen:
                message = f"has the same topic as {quoted(seen[topic])}: a space becomes _"
                yield Mistake(path, message, RENAME, at_key=True)
            seen[topic] = name


def pipeline_name_fault(name: str) -> str:
    """What keeps a name from being that of a pipeline, or of what has topics as a pipeline has."""
    if name in _RESERVED:
        return f"{quoted(name)} is taken by the topics of commands"
    return _name_fault(name, spaces=False)


def _name_fault(name: str, spaces: bool) -> str:
    """What keeps a name from being one level of a topic."""
    if not name or len(name) > 64:
        return "a name needs 1 to 64 characters"
    if any(mark in name for mark in _TOPIC_MARKS) or name.startswith("$"):
        return "a name cannot have /, + or # in it, nor begin with $: it is part of MQTT topics"
    if not name.isprintable() or (not spaces and " " in name):
        return "a name cannot have spaces in it: it is part of MQTT topics"
    return ""


def mqtt(root: Mapping) -> Iterator[Mistake]:
    """Options of the broker that go together, and a prefix that makes sound topics."""
    given = {key for key in entries(root, "mqtt") if text_at(root, "mqtt", key) is not None}
    if "password" in given and "username" not in given:
        yield _useless(("mqtt", "password"), "username")
    tls = {key for key in entries(root, "mqtt", "tls") if text_at(root, "mqtt", "tls", key)}
    if "key_file" in tls and "cert_file" not in tls:
        yield _useless(("mqtt", "tls", "key_file"), "cert_file")
    for path in (("mqtt", "topic_prefix"), ("mqtt", "homeassistant", "prefix")):
        prefix = text_at(root, *path) or "x"
        wrong = any(mark in prefix for mark in "+#") or prefix.startswith("$")
        if wrong or "" in prefix.split("/"):
            message = (
                "must be words with single / between them, without + or #, not beginning with $"
            )
            yield Mistake(path, message)


def _useless(path: tuple[str, ...], other: str) -> Mistake:
    cure = f"set {'.'.join((*path[:-1], other))}"
    return Mistake(path, f"is of no use without {other}", cure, at_key=True)


def tracks(root: Mapping) -> Iterator[Mistake]:
    """`hits` of `of` frames: more than all of them cannot be."""
    usual = TrackOptions()
    for pipeline in entries(root, "pipelines"):
        path = ("pipelines", pipeline, "track")
        hits = _number(node_at(root, (*path, "hits")), usual.hits)
        of = _number(node_at(root, (*path, "of")), usual.of)
        if hits is not None and of is not None and hits > of:
            given = [key for key in ("hits", "of") if key in entries(root, *path)]
            message = f"hits (default {usual.hits}) cannot be more than of (default {usual.of})"
            yield Mistake((*path, given[0]), message)


def model_files(root: Mapping) -> Iterator[Mistake]:
    """Models and their labels must be there; one that is not takes only its own pipelines out."""
    for model in entries(root, "models"):
        yield from _missing(root, ("models", model, "file"))
        yield from _missing(root, ("models", model, "task", "gallery"))
        if text_at(root, "models", model, "labels") != "auto":
            yield from _missing(root, ("models", model, "labels"))


def certificates(root: Mapping) -> Iterator[Mistake]:
    """Files of TLS must be there."""
    for key in entries(root, "mqtt", "tls"):
        if key.endswith("_file"):
            yield from _missing(root, ("mqtt", "tls", key))
    yield from _missing(root, ("updates", "ca_file"))


def recordings(root: Mapping) -> Iterator[Mistake]:
    """A video or folder that is not there yet may come before the agent runs."""
    for source in entries(root, "sources"):
        for key in ("file", "folder"):
            yield from _missing(root, ("sources", source, key))


def _missing(root: Mapping, path: YamlPath) -> Iterator[Mistake]:
    node = node_at(root, path)
    if not isinstance(node, Scalar) or not isinstance(node.value, str) or not node.value:
        return
    fault = _file_fault(Path(node.value), wants_folder=path[-1] in ("folder", "gallery"))
    if fault:
        hidden = node.secret or is_secret_path(path) or "@" in node.value
        cure = "paths begin at the folder of this file"
        if path[0] == "models" and path[-1] == "file" and fault == _NOT_THERE and not hidden:
            cure = "; ".join(filter(None, (cure, store_hint(root, node.value))))
        yield Mistake(path, fault if hidden else f"{fault}: {_one_line(node.value)}", cure)


def _one_line(text: str) -> str:
    return text if text.isprintable() else repr(text)


def _file_fault(path: Path, wants_folder: bool) -> str:
    try:
        if wants_folder:
            return "" if path.is_dir() else "no such folder"
        if path.is_dir():
            return "this is a folder, not a file"
        return "" if path.exists() else _NOT_THERE
    except (OSError, ValueError):
        return "this file cannot be looked at"


def areas(root: Mapping) -> Iterator[Mistake]:
    """Polygons must have an inside."""
    for path in _polygons(root):
        corners = _points(node_at(root, path))
        if corners and (fault := polygon_fault(corners)):
            yield Mistake(path, f"the polygon {fault}", "give its corners in order around it")


def _polygons(root: Mapping) -> Iterator[YamlPath]:
    for pipeline, zone in pipeline_maps(root, "zones"):
        yield ("pipelines", pipeline, "zones", zone, "polygon")
    for pipeline in entries(root, "pipelines"):
        for where in (("privacy", "mask"), ("gate", "motion", "mask")):
            path = ("pipelines", pipeline, *where)
            node = node_at(root, path)
            count = len(node.items) if isinstance(node, Sequence) else 0
            yield from ((*path, i) for i in range(count))


def labels(root: Mapping) -> Iterator[Mistake]:
    """Labels of a pipeline must be among the model's, where the YAML lists those."""
    for pipeline in entries(root, "pipelines"):
        model = text_at(root, "pipelines", pipeline, "model") or ""
        known = texts_at(root, ("models", model, "labels"))
        for place in (("labels",), ("publish", "snapshots", "labels")) if known else ():
            yield from _unknown_labels(root, ("pipelines", pipeline, *place), known)


def _unknown_labels(root: Mapping, path: YamlPath, known: list[str]) -> Iterator[Mistake]:
    wanted = node_at(root, path)
    for i, item in enumerate(wanted.items if isinstance(wanted, Sequence) else ()):
        if isinstance(item, Scalar) and not item.secret and item.text not in known:
            message = f"{quoted(item.text)} is not among the labels of the model"
            yield Mistake((*path, i), message, did_you_mean(item.text, known))


def _number(node: Node | None, default: float) -> float | None:
    if node is None:
        return default
    try:
        return float(node.text) if isinstance(node, Scalar) else None
    except ValueError:
        return None


def point_of(node: Node | None) -> Point | None:
    """The point that a node holds, None where it is none."""
    if not isinstance(node, Sequence) or len(node.items) != 2:
        return None
    x, y = (_number(item, 0.0) for item in node.items)
    return None if x is None or y is None else (x, y)


def _points(node: Node | None) -> list[Point]:
    """The corners, none where one of them is no point."""
    points = [point_of(item) for item in node.items] if isinstance(node, Sequence) else []
    return [point for point in points if point is not None] if None not in points else []


def number_at(root: Mapping, path: YamlPath, default: float) -> float | None:
    """The number at a path, the default where nothing is, None where it is no number."""
    return _number(node_at(root, path), default)


def texts_at(root: Mapping, path: YamlPath) -> list[str]:
    """The single values of the list at a path, none where it is no list."""
    node = node_at(root, path)
    items = node.items if isinstance(node, Sequence) else ()
    return [item.text for item in items if isinstance(item, Scalar)]


ERRORS: tuple[Check, ...] = (
    references,
    topic_names,
    mqtt,
    tracks,
    certificates,
    areas,
    labels,
)
PARTIAL: tuple[Check, ...] = (model_files,)
"""Mistakes with which the rest of the configuration can still be run."""

WARNINGS: tuple[Check, ...] = (unused, recordings, comments, odd_characters)
