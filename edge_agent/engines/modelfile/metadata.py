"""What a model's maker wrote into the file: labels, task, picture size, normalisation.

Two forms are known: TFLite Metadata (a flatbuffer "M001" of its own, metadata_schema.fbs, whose
files lie in the appended archive) and Ultralytics' notes (a Python or JSON mapping in the archive).
"""

from __future__ import annotations

import ast
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import numpy as np

from edge_agent.engines.modelfile.flatbuffer import I8, U8, FlatBuffer, Table
from edge_agent.engines.modelfile.labels import labels_by_index, named_indices, parse_labels

log = logging.getLogger(__name__)

_ENTRY = "TFLITE_METADATA"
_IDENTIFIER = b"M001"
_LABEL_FILES = (2, 3)  # AssociatedFileType TENSOR_AXIS_LABELS, TENSOR_VALUE_LABELS
_NORMALIZATION = 1  # ProcessUnitOptions NormalizationOptions
_NOTES = ("metadata.json", "temp_meta.txt", "metadata.txt")
_MAX_NOTES = 128 << 10
_MAX_VALUES = 64
_FLOAT32 = np.dtype("<f4")


@dataclass(slots=True)
class Notes:
    """What was found; keys of `values` are lower case, `mean` and `std` are lists."""

    labels: tuple[str, ...] | None = None
    values: dict[str, Any] = field(default_factory=dict)


def read_notes(entries: Mapping[str, memoryview], texts: Mapping[str, bytes], what: str) -> Notes:
    """Notes of a model from its metadata entries and the texts appended to it.

    `what` names the model in errors; raises ModelError where the TFLite Metadata is damaged.
    """
    notes = Notes()
    label_files: list[str] = []
    if entries.get(_ENTRY):
        label_files = _read_tflite(entries[_ENTRY], notes, f"the metadata inside {what}")
    for name in (name for name in texts if PurePosixPath(name).name.lower() in _NOTES):
        _read_ultralytics(texts[name], notes)
    if notes.labels is None:
        notes.labels = _labels(label_files, texts)
    return notes


def _labels(label_files: list[str], texts: Mapping[str, bytes]) -> tuple[str, ...] | None:
    """Labels of the files named for the outputs, else of any file that is called after labels."""
    named = [name for name in texts if "label" in PurePosixPath(name).name.lower()]
    for name in (*label_files, *named):
        labels = parse_labels(texts.get(name, b"").decode("utf-8", "replace"))
        if labels:
            return labels
    return None


def _read_tflite(data: memoryview, notes: Notes, what: str) -> list[str]:
    """Take name and normalisation; return the names of the outputs' label files."""
    file = FlatBuffer(data, what)
    if file.span(4, 4, "header") != _IDENTIFIER:
        return []
    root = file.root("header")
    name = root.text(0, "name")
    if name:
        notes.values["name"] = name
    graphs = root.tables(3, "subgraph")
    if not graphs:
        return []
    for tensor in graphs[0].tables(2, "input")[:1]:
        _read_normalization(tensor, notes)
    files = [
        entry
        for output in graphs[0].tables(3, "output")
        for entry in output.tables(6, "associated file")
    ]
    return [entry.text(0, "name") for entry in files if entry.number(2, I8) in _LABEL_FILES]


def _read_normalization(tensor: Table, notes: Notes) -> None:
    for unit in tensor.tables(4, "process unit"):
        options = unit.table(1, "options")
        if options is None or unit.number(0, U8) != _NORMALIZATION:
            continue
        mean = options.vector(0, _FLOAT32, "mean")
        std = options.vector(1, _FLOAT32, "std")
        if 0 < mean.size <= _MAX_VALUES and mean.size == std.size:
            notes.values |= {"mean": mean.tolist(), "std": std.tolist()}


def _read_ultralytics(content: bytes, notes: Notes) -> None:
    """Take labels and all plain values of a mapping such as {'task': 'detect', 'names': {...}}."""
    values = _mapping(content)
    pairs = named_indices(values.pop("names", None))
    if pairs:
        notes.labels = labels_by_index(pairs)
    notes.values |= {key.lower(): value for key, value in values.items() if _is_plain(value)}
    size = values.get("imgsz")
    if isinstance(size, int):
        notes.values["imgsz"] = [size, size]


def _mapping(content: bytes) -> dict[str, Any]:
    text = content.decode("utf-8", "replace").strip()
    if len(content) > _MAX_NOTES or not text.startswith("{"):
        return {}
    for parse in (json.loads, ast.literal_eval):
        try:
            value = parse(text)
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            continue
        if isinstance(value, dict) and all(isinstance(key, str) for key in value):
            return value
    log.warning("the notes inside the model cannot be read; they are left out")
    return {}


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return len(value) <= _MAX_VALUES and all(
            isinstance(item, str | int | float) for item in value
        )
    return isinstance(value, str | int | float)
