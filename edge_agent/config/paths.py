"""Which values are files, and where they are: relative to the folder of the configuration."""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

from edge_agent.config.problem import YamlPath
from edge_agent.config.yaml_tree import Mapping, Node, Scalar, Sequence

_PATHS = (
    ("agent", "state_dir"),
    ("mqtt", "tls", "*_file"),
    ("updates", "ca_file"),
    ("models", "*", "file"),
    ("models", "*", "labels"),
    ("models", "*", "task", "*_file"),
    ("models", "*", "task", "gallery"),
    ("sources", "*", "file"),
    ("sources", "*", "files"),
    ("sources", "*", "fifo"),
    ("sources", "*", "folder"),
    ("sources", "*", "*_file"),
    ("sources", "*", "*_dir"),
    ("sources", "*", "parts", "*", "file"),
    ("sources", "*", "parts", "*", "*_file"),
)


def rebased(node: Node, folder: Path, path: YamlPath = ()) -> Node:
    """The tree with every path of a file made to begin at the folder, and `~` filled in."""
    if isinstance(node, Mapping):
        items = {key: rebased(item, folder, (*path, key)) for key, item in node.items.items()}
        return replace(node, items=items)
    if isinstance(node, Sequence):
        if not _is_file(path) or path[-1] == "labels":
            return node
        return replace(node, items=tuple(rebased(item, folder, path) for item in node.items))
    return _rebased_scalar(node, folder) if _is_file(path) and not _is_word(node, path) else node


def _is_file(path: YamlPath) -> bool:
    return any(
        len(pattern) == len(path)
        and all(fnmatchcase(str(part), wanted) for part, wanted in zip(path, pattern, strict=True))
        for pattern in _PATHS
    )


def _is_word(node: Scalar, path: YamlPath) -> bool:
    """True for what is no path: nothing, a switch, an address, `labels: auto`."""
    if node.text == "" or node.value is None or isinstance(node.value, bool):
        return True
    return "://" in node.text or (path[-1] == "labels" and node.text == "auto")


def _rebased_scalar(node: Scalar, folder: Path) -> Scalar:
    try:
        full = str(folder / Path(node.text).expanduser())
    except (RuntimeError, ValueError):  # no home folder to put for ~
        return node
    return replace(node, text=full, value=full)
