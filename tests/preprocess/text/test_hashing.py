"""Hashed n-grams: the published hash, and counts that a training script can make again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.preprocess.text import TEXT_STAGES
from edge_agent.preprocess.text.hashing import Hashing, HashingOptions, fnv1a


@pytest.mark.parametrize(
    ("data", "expected"), [(b"", 0x811C9DC5), (b"a", 0xE40C292C), (b"foobar", 0xBF9CF968)]
)
def test_hash(data: bytes, expected: int) -> None:
    """The test vectors of FNV-1a's authors."""
    assert fnv1a(data) == expected


def test_words_are_counted() -> None:
    """Each where its hash says; two of one word count twice."""
    found = Hashing(HashingOptions(size=64, norm="none")).apply("Disk full: disk /dev/sda1")
    expected = np.zeros(64)
    for word in ("disk", "full", "disk", "dev", "sda1"):
        expected[fnv1a(word.encode()) % 64] += 1
    assert found.tolist() == expected.tolist()
    assert found.dtype == np.float32


def test_pairs_of_words() -> None:
    """N-grams of words are joined by a space."""
    options = HashingOptions(size=1009, ngram_range=(2, 2), norm="none", lowercase=False)
    found = Hashing(options).apply("not  OK, now")
    assert set(np.flatnonzero(found)) == {fnv1a(gram) % 1009 for gram in (b"not OK", b"OK now")}


def test_characters() -> None:
    """N-grams of characters go across words; white space is one space."""
    options = HashingOptions(size=1009, analyzer="char", ngram_range=(3, 4), norm="none")
    found = Hashing(options).apply(" a\t\n bö ")
    grams = [text.encode() for text in ("a b", " bö", "a bö")]
    assert set(np.flatnonzero(found)) == {fnv1a(gram) % 1009 for gram in grams}


def test_signs() -> None:
    """The highest bit of the hash makes a count negative."""
    options = HashingOptions(size=512, alternate_sign=True, norm="none")
    for word in ("a", "b", "warning", "error"):
        number = fnv1a(word.encode())
        assert Hashing(options).apply(word)[number % 512] == (-1 if number >> 31 else 1)


@given(text=st.text(), analyzer=st.sampled_from(["word", "char"]))
def test_any_text(text: str, analyzer: str) -> None:
    """Whatever the text, the vector has length 1, or is zero where there is no n-gram."""
    stage: Any = TEXT_STAGES.load("hashing")
    options = stage.Options(size=32, analyzer=analyzer, ngram_range=(1, 3))
    found = stage(options).apply(text)
    assert found.shape == (32,)
    assert np.linalg.norm(found) == pytest.approx(1.0) or not found.any()


def test_broken_and_endless_texts() -> None:
    """Half a surrogate pair is no error, and a line without an end is cut."""
    stage = Hashing(HashingOptions(norm="l1"))
    assert np.abs(stage.apply("bad \udcff byte")).sum() == pytest.approx(1.0)
    assert stage.apply("x " * 40_000 + "tail")[fnv1a(b"tail") % 1024] == 0.0


@pytest.mark.parametrize("lengths", [(0, 1), (2, 1), (1, 17)])
def test_bad_lengths(lengths: tuple[int, int]) -> None:
    """The error names the option."""
    with pytest.raises(ValueError, match=r"^ngram_range: .* \(.+\)$"):
        Hashing(HashingOptions(ngram_range=lengths))
