"""The hashing trick: n-grams counted in a vector of fixed length, without a vocabulary.

Weinberger et al., Feature Hashing for Large Scale Multitask Learning (2009). The hash is 32 bit
FNV-1a (Fowler, Noll, Vo) of the n-gram's UTF-8 bytes: the same on every machine and easy to write
again in a training script.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np
from annotated_types import Ge, Le
from numpy.typing import NDArray

from edge_agent.options import Doc, Options

_WORD = re.compile(r"\w+")
_SPACE = re.compile(r"\s+")
_MOST_CHARACTERS = 65536  # of a text: a line without an end must not hold the pipeline up


@dataclass(frozen=True, slots=True)
class HashingOptions(Options):
    """Options of `hashing`."""

    size: Annotated[int, Ge(1), Le(2**20), Doc("Length of the vector.")] = 1024
    analyzer: Annotated[
        Literal["word", "char"],
        Doc("N-grams of words (letters, digits and _), joined by a space, or of characters."),
    ] = "word"
    ngram_range: Annotated[
        tuple[int, int], Doc("Lengths of the n-grams: the shortest and the longest.")
    ] = (1, 1)
    lowercase: Annotated[bool, Doc("Whether capitals count as small letters.")] = True
    alternate_sign: Annotated[
        bool, Doc("Whether the hash's highest bit makes a count negative, so collisions cancel.")
    ] = False
    norm: Annotated[
        Literal["l2", "l1", "none"], Doc("Length, sum of magnitudes, or nothing, made 1.")
    ] = "l2"


class Hashing:
    """Counts of hashed n-grams, float32.

    An n-gram is counted at FNV-1a(UTF-8 of it) modulo `size`. With `char`, runs of white space are
    one space, and there is none at the ends. Only the first 65536 characters of a text count.
    """

    Options: ClassVar[type[Options]] = HashingOptions
    dtype = np.dtype(np.float32)

    def __init__(self, options: HashingOptions) -> None:
        shortest, longest = options.ngram_range
        if not 1 <= shortest <= longest <= 16:
            raise ValueError(
                f"ngram_range: {shortest} to {longest} (two numbers from 1 to 16, the first not "
                "above the second)"
            )
        self._options = options
        self.shape: tuple[int, ...] = (options.size,)

    def apply(self, text: str) -> NDArray[np.float32]:
        """The vector of one text; zeros for one without n-grams."""
        options = self._options
        hashes = np.fromiter((fnv1a(gram.encode()) for gram in self._grams(text)), np.int64)
        signs = np.where(hashes >> 31, -1.0, 1.0) if options.alternate_sign else None
        vector = np.bincount(hashes % options.size, signs, options.size).astype(np.float64)
        length = {"l2": np.sqrt(vector @ vector), "l1": np.abs(vector).sum(), "none": 1.0}
        return (vector / (length[options.norm] or 1.0)).astype(np.float32)

    def _grams(self, text: str) -> Iterator[str]:
        text = text[:_MOST_CHARACTERS].encode("utf-8", "replace").decode()
        text = text.lower() if self._options.lowercase else text
        shortest, longest = self._options.ngram_range
        words = self._options.analyzer == "word"
        tokens = _WORD.findall(text) if words else _SPACE.sub(" ", text).strip()
        for length in range(shortest, longest + 1):
            for at in range(len(tokens) - length + 1):
                yield (" " if words else "").join(tokens[at : at + length])


def fnv1a(data: bytes) -> int:
    """32 bit FNV-1a of some bytes."""
    number = 0x811C9DC5
    for byte in data:
        number = (number ^ byte) * 0x01000193 & 0xFFFFFFFF
    return number
