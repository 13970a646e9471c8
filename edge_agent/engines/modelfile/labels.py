"""Label lists in the forms that people pass around."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

from edge_agent.errors import ModelError

MAX_LABELS = 1 << 16

_MAX_FILE_BYTES = 4 << 20
_NUMBERED = re.compile(r"\s*(\d{1,6})(?:\s*[:,;=]\s*|\s+)(\S.*)")
_ITEM = re.compile(r"\bitem\s*(?::\s*)?\{([^}]*)\}")
_ID = re.compile(r"\bid\s*:\s*(\d{1,6})")
_NAME = re.compile(r"""\b(display_name|name)\s*:\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)')""")
_ESCAPED = re.compile(r"\\(.)")


def parse_labels(text: str) -> tuple[str, ...]:
    """Labels by class index; an index without one becomes "class N".

    Known forms: a label per line; numbered lines ("0 person", "0: person", "0,person"; gaps are
    allowed, the numbers must rise); a TensorFlow label map (.pbtxt, ids from 1); a JSON list, or a
    JSON object of index to label.
    """
    text = text.removeprefix("\ufeff")
    for form in (_from_json, _from_label_map, _from_numbered):
        pairs = form(text)
        if pairs:
            return labels_by_index(pairs)
    return labels_by_index(enumerate(line.strip() for line in text.splitlines()))


def load_labels(path: Path) -> tuple[str, ...]:
    """Labels of a file in any form that `parse_labels` knows; ModelError with the cure."""
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_FILE_BYTES + 1)
    except FileNotFoundError as error:
        raise ModelError(f"label file {path} does not exist", "check the path") from error
    except OSError as error:
        raise ModelError(f"label file {path} cannot be read: {error.strerror}") from error
    if len(content) > _MAX_FILE_BYTES or b"\0" in content:
        raise ModelError(f"{path} is no label file", "give a text file with a label per line")
    labels = parse_labels(content.decode("utf-8", "replace"))
    if not labels:
        raise ModelError(f"label file {path} is empty", "give a text file with a label per line")
    return labels


def labels_by_index(pairs: Iterable[tuple[int, str]]) -> tuple[str, ...]:
    """Labels in order of their index; the first of two for one index counts, blank ones do not."""
    known: dict[int, str] = {}
    for index, label in pairs:
        if label.strip() and index < MAX_LABELS:
            known.setdefault(index, label.strip())
    return tuple(known.get(index, f"class {index}") for index in range(max(known, default=-1) + 1))


def _from_json(text: str) -> list[tuple[int, str]]:
    if not text.lstrip().startswith(("[", "{")):
        return []
    try:
        return named_indices(json.loads(text))
    except (ValueError, RecursionError):
        return []


def named_indices(value: Any) -> list[tuple[int, str]]:
    """Pairs of a list of labels, or of a mapping of index to label; empty for anything else."""
    if isinstance(value, list) and all(isinstance(label, str) for label in value):
        return list(enumerate(value))
    if isinstance(value, dict) and all(str(key).isdecimal() for key in value):
        return [(int(key), str(label)) for key, label in value.items()]
    return []


def _from_label_map(text: str) -> list[tuple[int, str]]:
    """Items of a StringIntLabelMap; where one has id 0, ids are indices."""
    found = []
    for item in _ITEM.finditer(text):
        number = _ID.search(item[1])
        names = {match[1]: match[2] or match[3] or "" for match in _NAME.finditer(item[1])}
        label = names.get("display_name") or names.get("name")
        if number and label:
            found.append((int(number[1]), _ESCAPED.sub(r"\1", label)))
    first = 0 if any(number == 0 for number, _ in found) else 1
    return [(number - first, label) for number, label in found]


def _from_numbered(text: str) -> list[tuple[int, str]]:
    """Numbered lines, only where every line is numbered and the numbers rise."""
    matches = [_NUMBERED.fullmatch(line) for line in text.splitlines() if line.strip()]
    pairs = [(int(match[1]), match[2]) for match in matches if match]
    numbers = [number for number, _ in pairs]
    rising = all(a < b for a, b in pairwise(numbers))
    known = len(pairs) == len(matches) and rising and (not numbers or numbers[-1] < MAX_LABELS)
    return pairs if known else []
