"""What to write instead of a value that is wrong in a way that many are: `60%`, `3 minutes`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args, get_origin

from annotated_types import Ge, Le

from edge_agent.config.fields import choices, members, unit_of, unwrap
from edge_agent.config.problem import YamlPath, did_you_mean
from edge_agent.config.yaml_tree import Node, Scalar, Sequence
from edge_agent.options import Polygon

_NUMBER = re.compile(r"(\d+(?:[.,]\d+)?)\s*(%?)")
_NUMBER_AND_WORD = re.compile(r"(\d+(?:[.,]\d+)?)\s*([A-Za-z]+)\.?")
_BETWEEN_NUMBERS = re.compile(r"\s*[xX\u00d7*,;/]\s*|\s+")
_BETWEEN_TEXTS = re.compile(r"\s*[,;]\s*")
_PLAIN = re.compile(r"\w[\w ./-]*")
_UNIT_WORDS = (
    ("ms", 1, "msecs?|milliseconds?|millis?"),
    ("s", 1, "s|secs?|seconds?"),
    ("m", 1, "m|mins?|minutes?"),
    ("h", 1, "h|hrs?|hours?"),
    ("d", 1, "d|days?"),
    ("d", 7, "w|wks?|weeks?"),
    ("B", 1, "b|bytes?"),
    ("kB", 1, "k|kb|kilobytes?"),
    ("MB", 1, "m|mb|megabytes?"),
    ("GB", 1, "g|gb|gigabytes?"),
    ("KiB", 1, "ki|kib"),
    ("MiB", 1, "mi|mib"),
    ("GiB", 1, "gi|gib"),
)
"""A unit, how many of it a word stands for, and the word."""


def cure(path: YamlPath, annotation: Any, node: Node | None) -> str:
    """What to write instead of a value at a path, "" where that cannot be told."""
    if not isinstance(node, Scalar):
        return ""
    text = node.text.strip()
    if unit_of(annotation) is not None:
        return _unit_cure(annotation, text) if isinstance(node.value, str) else ""
    return (
        _word_cure(annotation, text)
        or _list_cure(annotation, text)
        or _number_cure(path, annotation, text)
    )


def lacks_corners(annotation: Any, node: Node | None) -> str:
    """What is wrong with a polygon of fewer than three corners, else ""."""
    if unwrap(annotation)[0] != unwrap(Polygon)[0] or not isinstance(node, Sequence):
        return ""
    count = len(node.items)
    return "" if count > 2 else f"a polygon needs three corners [x, y] or more, this has {count}"


def _word_cure(annotation: Any, text: str) -> str:
    words = choices(annotation)
    hint = did_you_mean(text, words) if words else ""
    return hint if hint.startswith("did") else ""


def _unit_cure(annotation: Any, text: str) -> str:
    """The same with a unit that is known; "" for a value that is only out of bounds."""
    unit = unit_of(annotation)
    known = [name for name, _ in unit.factors]
    try:
        unit.parse(text)
    except ValueError:
        meant = _with_unit(text, known)
        units = f"the units are {', '.join(known)}"
        return f"write {meant}; {units}" if meant else f"one number and one unit; {units}"
    return ""


def _with_unit(text: str, known: list[str]) -> str:
    match = _NUMBER_AND_WORD.fullmatch(text)
    if match is None:
        return ""
    number = match[1].replace(",", ".")
    for unit, times, words in _UNIT_WORDS:
        if unit in known and re.fullmatch(words, match[2], re.IGNORECASE):
            return f"{number if times == 1 else f'{float(number) * times:g}'}{unit}"
    return ""


def _list_cure(annotation: Any, text: str) -> str:
    """A list of what stands there without brackets."""
    for member in members(annotation):
        bare = unwrap(member)[0]
        if get_origin(bare) not in (list, tuple):
            continue
        kinds = {unwrap(kind)[0] for item in get_args(bare) for kind in members(item)}
        if kinds <= {int, float, Ellipsis}:
            return _numbers_cure(bare, text)
        if kinds <= {str, Path, Ellipsis} and text:
            items = [_as_text(item) for item in _BETWEEN_TEXTS.split(text) if item]
            return f"write [{', '.join(items)}]" if "@" not in text and len(text) <= 60 else ""
    return ""


def _numbers_cure(kind: Any, text: str) -> str:
    numbers = _BETWEEN_NUMBERS.split(text)
    if not all(_NUMBER.fullmatch(number) for number in numbers):
        return ""
    count = len(get_args(kind))
    if get_origin(kind) is tuple and Ellipsis not in get_args(kind) and len(numbers) != count:
        return "a point is [x, y]" if count == 2 and all(map(is_fraction, get_args(kind))) else ""
    return f"write [{', '.join(numbers)}]"


def _as_text(item: str) -> str:
    return item if _PLAIN.fullmatch(item) else repr(item)


def _number_cure(path: YamlPath, annotation: Any, text: str) -> str:
    match = _NUMBER.fullmatch(text)
    kinds = {unwrap(member)[0] for member in members(annotation)}
    if match is None or float not in kinds:
        return ""
    number, percent = float(match[1].replace(",", ".")), bool(match[2])
    if is_fraction(annotation):
        return _fraction_cure(path, number, percent)
    return f"write {number:g}" if "," in text and not percent else ""


def _fraction_cure(path: YamlPath, number: float, percent: bool) -> str:
    if isinstance(path[-1], int) and number >= 2 and not percent:
        side = ("width", "height")[path[-1] % 2]
        return f"a part of the frame, not pixels: divide by its {side}"
    if percent or number > 1:
        likely = number <= 100 and (percent or number >= 2)
        return f"write {number / 100:g}" if likely else ""
    return f"write {number:g}"


def is_fraction(annotation: Any) -> bool:
    """True for a number from 0 to 1."""
    metas = unwrap(annotation)[1]
    return Ge(0) in metas and Le(1) in metas
