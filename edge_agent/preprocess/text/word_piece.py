"""Word pieces of a vocabulary file, as BERT's models take them.

Devlin et al., BERT (2019), and its `tokenization.py`: text is cleaned, words are split at white
space, punctuation and around Chinese characters, and each becomes the fewest pieces that a greedy
search for the longest match finds; pieces inside a word begin with ##.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Ge, Le
from numpy.typing import NDArray

from edge_agent.options import Doc, Options
from edge_agent.preprocess.text.tokens import of_length

_LONGEST_WORD = 100  # characters: BERT takes longer ones as unknown
_UNKNOWN, _START, _END, _PADDING = "[UNK]", "[CLS]", "[SEP]", "[PAD]"
_CHINESE = (
    *((0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F)),
    *((0x2B740, 0x2B81F), (0x2B820, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F)),
)


@dataclass(frozen=True, slots=True)
class WordPieceOptions(Options):
    """Options of `word_piece`."""

    vocabulary: Annotated[Path, Doc("File of pieces, one a line; the first line has the id 0.")]
    length: Annotated[int, Ge(2), Le(2**16), Doc("How many ids: longer texts are cut.")] = 128
    lowercase: Annotated[
        bool, Doc("Whether capitals and accents are left out, as uncased models want it.")
    ] = True
    special_tokens: Annotated[bool, Doc("Whether [CLS] stands in front and [SEP] at the end.")] = (
        True
    )


class WordPiece:
    """Ids of a text's word pieces, int32, cut or filled up with [PAD] to `length`."""

    Options: ClassVar[type[Options]] = WordPieceOptions
    dtype = np.dtype(np.int32)

    def __init__(self, options: WordPieceOptions) -> None:
        self._options = options
        self._ids = _vocabulary(options.vocabulary)
        self._longest = max(map(len, self._ids))
        needed = [_UNKNOWN, _PADDING]
        needed += [_START, _END] if options.special_tokens else []
        if missing := [token for token in needed if token not in self._ids]:
            raise ValueError(
                f"vocabulary: {options.vocabulary} has no {', '.join(missing)} "
                "(it must be a BERT vocabulary, one piece a line)"
            )
        self.shape: tuple[int, ...] = (options.length,)

    def apply(self, text: str) -> NDArray[np.int32]:
        """The ids of one text."""
        ids: list[int] = []
        room = self._options.length - 2 * self._options.special_tokens
        for word in words(text, self._options.lowercase):
            ids += self._pieces(word)
            if len(ids) >= room:
                break
        if self._options.special_tokens:
            ids = [self._ids[_START], *ids[:room], self._ids[_END]]
        return of_length(ids, self._options.length, self._ids[_PADDING])

    def _pieces(self, word: str) -> list[int]:
        """The longest piece at each place; [UNK] for the whole word where there is none."""
        found: list[int] = []
        start = 0
        while start < len(word):
            prefix = "##" if start else ""
            ends = range(min(len(word), start + self._longest), start, -1)
            match = next((end for end in ends if prefix + word[start:end] in self._ids), None)
            if match is None or len(word) > _LONGEST_WORD:
                return [self._ids[_UNKNOWN]]
            found.append(self._ids[prefix + word[start:match]])
            start = match
        return found


def words(text: str, lowercase: bool) -> Iterator[str]:
    """Words and single punctuation marks of a text (BERT's BasicTokenizer)."""
    for chunk in "".join(map(_cleaned, text)).split():
        word = ""
        for character in _uncased(chunk) if lowercase else chunk:
            if _is_punctuation(character):
                if word:
                    yield word
                yield character
                word = ""
            else:
                word += character
        if word:
            yield word


def _cleaned(character: str) -> str:
    """What stands for a character: a space, nothing, or itself with spaces around a Chinese one."""
    code = ord(character)
    if character in " \t\n\r" or unicodedata.category(character) == "Zs":
        return " "
    if code in (0, 0xFFFD) or unicodedata.category(character).startswith("C"):
        return ""
    chinese = code >= 0x3400 and any(first <= code <= last for first, last in _CHINESE)
    return f" {character} " if chinese else character


def _uncased(text: str) -> str:
    """Small letters without accents."""
    apart = unicodedata.normalize("NFD", text.lower())
    return "".join(character for character in apart if unicodedata.category(character) != "Mn")


def _is_punctuation(character: str) -> bool:
    """All ASCII that is no letter, digit or space, and what Unicode says is punctuation."""
    if character.isascii():
        return not character.isalnum() and not character.isspace()
    return unicodedata.category(character).startswith("P")


def _vocabulary(path: Path) -> Mapping[str, int]:
    """Ids of the pieces; raises ValueError where the file cannot be read or is empty."""
    try:
        lines = path.read_text(encoding="utf-8").rstrip("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(
            f"vocabulary: {path} cannot be read: {error} (give a file of pieces, one a line)"
        ) from error
    if lines == [""]:
        raise ValueError(f"vocabulary: {path} is empty (give a file of pieces, one a line)")
    return {line.strip(): number for number, line in enumerate(lines)}
