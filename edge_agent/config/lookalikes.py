"""Characters that are not what they look like: spaces that are none, curly quotes, long dashes.

They come with text that was copied from a web page, a chat or a word processor.
"""

from __future__ import annotations

import re
import unicodedata

_JOINERS = "\u200c\u200d"  # parts of words in some languages, and of emoji
_LOW_QUOTES = "\u201a\u201e"  # Unicode counts them as opening brackets
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
_COMMENT = re.compile(r"(?:^|[ \t])#.*")
_QUOTE_BEGINS = re.compile(r"(?:^|[:,\-\[{])[ \t]*$")
_WIDE_COLON = re.compile("[ -]*[A-Za-z_][A-Za-z0-9_-]*\uff1a")
_LOOKED_AT = 4


def odd_place(text: str) -> int | None:
    """Where a text has something unseen in it, or a curly quote at an end; None for nowhere."""
    for i, character in enumerate(text):
        if _is_unseen(character) or (i in (0, len(text) - 1) and _is_quote(character)):
            return i
    return None


def odd_near(lines: list[str], line: int) -> tuple[int, int] | None:
    """Line and column (from 0) of an odd character that can be the cause of a mistake in a line.

    YAML often stumbles over the line that follows, so a few lines above are looked at too.
    """
    column = _odd_in_code(lines[line]) if line < len(lines) else None
    if column is not None:
        return line, column
    written = [i for i in range(min(line + 1, len(lines))) if _code(lines[i]).strip()]
    for i in reversed(written[-_LOOKED_AT:]):
        code = _code(lines[i])
        wide = _WIDE_COLON.match(code)
        column = next((at for at, one in enumerate(code) if _is_unseen(one)), None)
        if wide or column is not None:
            return i, wide.end() - 1 if wide else column or 0
    return None


def words_for(character: str) -> str:
    """The character as people look it up, such as "a no-break space (U+00A0)"."""
    name = unicodedata.name(character, "character").lower()
    article = "an" if name[0] in "aeiou" else "a"
    return f"{article} {name} (U+{ord(character):04X})"


def plain_hint(character: str, named: bool = False) -> str:
    """What to write instead; `named` where the message says of which character."""
    name = words_for(character).split(" ", 1)[1]
    plain = _plain(character)
    if named:
        return f"write {plain} instead" if plain else "take it out"
    return f"write {plain} instead of the {name}" if plain else f"take out the {name}"


def without_odd_ends(text: str) -> str:
    """The text as it was likely meant: without what is unseen or a quote at its ends."""
    odd = "".join(one for one in set(text) if _is_unseen(one) or _is_quote(one))
    return text.strip(odd + " ")


def _plain(character: str) -> str:
    if _is_quote(character):
        return '"' if "double" in unicodedata.name(character).lower() else "'"
    if unicodedata.category(character) == "Pd":
        return "-"
    if unicodedata.category(character) == "Zs":
        return "a plain space"
    return "" if _is_unseen(character) else unicodedata.normalize("NFKC", character)


def _odd_in_code(line: str) -> int | None:
    """Place of what is unseen, and of a quote or dash that begins something."""
    code = _code(line)
    for i, character in enumerate(code):
        if _is_unseen(character):
            return i
        begins = _QUOTE_BEGINS.search(code[:i]) is not None
        if begins and (_is_quote(character) or _is_dash(character, code[i + 1 : i + 2])):
            return i
    return None


def _code(line: str) -> str:
    """The line without what may hold any character: its texts in quotes and its comment."""
    blanked = _QUOTED.sub(lambda match: "x" * len(match[0]), line)
    return _COMMENT.sub("", blanked)


def _is_unseen(character: str) -> bool:
    kind = unicodedata.category(character)
    return character not in _JOINERS and (kind == "Cf" or (kind == "Zs" and character != " "))


def _is_quote(character: str) -> bool:
    return character in _LOW_QUOTES or unicodedata.category(character) in ("Pi", "Pf")


def _is_dash(character: str, following: str) -> bool:
    """True for a long dash in the place of the one that begins an entry of a list."""
    return unicodedata.category(character) == "Pd" and character != "-" and following == " "
