"""What a YAML parser complains of, in words that say what to change.

PyYAML has two parsers (libyaml and its own) with different texts for the same mistake; both are
known here. Nothing of the file's text is repeated: it may hold a password.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml

from edge_agent.config.lookalikes import odd_near, plain_hint, words_for

_QUOTE = "a text that begins with it must stand in quotes"

AMPERSAND = ("'&' has a meaning of its own", _QUOTE)
"""Message and hint about a text that was taken for the name of an anchor."""


@dataclass(frozen=True, slots=True)
class _Words:
    """Parts of the parser's text that mean this mistake; `at_start` points where it began."""

    signs: tuple[str, ...]
    message: str
    hint: str
    at_start: bool = False


_KNOWN = (
    _Words(
        ("tab character",),
        "a tab cannot indent",
        "use spaces",
    ),
    _Words(
        ("mapping values are not allowed",),
        "a second ': ' in this line, or the line is indented too far",
        "put a text with ': ' in quotes",
    ),
    _Words(
        ("entries are not allowed",),
        "a list cannot begin here",
        "begin it on the next line",
    ),
    _Words(
        ("',' or ']'",),
        "this '[' is never closed, or a comma is missing in it",
        "close it with ']'",
        at_start=True,
    ),
    _Words(
        ("',' or '}'",),
        "this '{' is never closed, or a comma is missing in it",
        "close it with '}'; a ${...} inside of { } must stand in quotes",
        at_start=True,
    ),
    _Words(
        ("unexpected end of stream", "found document"),
        "this quote is never closed",
        "close it, or double it inside the text",
        at_start=True,
    ),
    _Words(
        ("could not find expected ':'",),
        "a ':' is missing after this name",
        "write 'name: value'",
        at_start=True,
    ),
    _Words(
        ("escape character", "hexadecimal", "hexdecimal", "escape sequence", "escape code"),
        "an unknown '\\' escape in a text in double quotes",
        "use single quotes, or write \\\\",
    ),
    _Words(
        ("alphabetic or numeric character",),
        "'*' and '&' have a meaning of their own",
        _QUOTE,
        at_start=True,
    ),
    _Words(
        ("tag", "'!'", "expected '>'"),
        "'!' has a meaning of its own",
        _QUOTE,
        at_start=True,
    ),
    _Words(
        ("node content",),
        "a value is missing here",
        "close an open bracket, or put a text that begins with a bracket or a comma in quotes",
    ),
    _Words(
        ("block end", "expected key", "'-' indicator"),
        "this line does not fit what stands above it",
        "indent it, or the line above it, as its neighbours, or put the whole value in quotes",
    ),
    _Words(
        ("document start", "directive", "incompatible"),
        "text outside the document",
        "remove lines with '---', '...' or '%'",
    ),
    _Words(
        ("indentation indicator", "comment or line break", "chomping"),
        "text after '|' or '>'",
        "begin it on the next line, or put it in quotes",
    ),
)


def syntax_words(error: yaml.YAMLError, lines: list[str]) -> tuple[int, int, str, str]:
    """Line and column (from 0), message and hint of a parser's error."""
    line, column, message, hint = _syntax_words(error, lines)
    odd = odd_near(lines, line)
    if odd is None:
        return line, column, message, hint
    line, column = odd
    character = lines[line][column]
    return line, column, f"{words_for(character)} stands here", plain_hint(character, named=True)


def _syntax_words(error: yaml.YAMLError, lines: list[str]) -> tuple[int, int, str, str]:
    problem = str(getattr(error, "problem", "") or "")
    mark = getattr(error, "problem_mark", None)
    start = getattr(error, "context_mark", None) or mark
    line, column = _inside(mark, lines)
    if "cannot start any token" in problem:
        return line, column, *_bad_start(lines, line, column)
    for words in _KNOWN:
        if any(sign in problem for sign in words.signs):
            place = _inside(start, lines) if words.at_start else (line, column)
            return *place, words.message, words.hint
    return line, column, "this is not valid YAML", "look at the lines above it too"


def _inside(mark: Any, lines: list[str]) -> tuple[int, int]:
    """Line and column of a mark; the end of the last line for one behind it."""
    if mark is None or not lines:
        return 0, 0
    if mark.line >= len(lines):
        return len(lines) - 1, len(lines[-1])
    return mark.line, mark.column


def _bad_start(lines: list[str], line: int, column: int) -> tuple[str, str]:
    character = lines[line][column : column + 1] if line < len(lines) else ""
    if character == "\t":
        return "a tab cannot indent", "use spaces"
    return f"'{character}' cannot begin a value", _QUOTE
