"""Bytes and word pieces: ids as the models' own tokenisers give them."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.options import Options
from edge_agent.preprocess.text import TEXT_STAGES
from edge_agent.preprocess.text.tokens import Bytes, BytesOptions
from edge_agent.preprocess.text.word_piece import WordPiece, WordPieceOptions

LETTERS = "abcdefgzé"
PIECES = [
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "un", "##aff", "##able", "wa", "run", "##ning"),
    *(",", "!", "?", "中", "ß", "ö", "##ö", *LETTERS, *(f"##{letter}" for letter in LETTERS)),
]


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small BERT vocabulary."""
    path = tmp_path_factory.mktemp("vocabulary") / "vocab.txt"
    path.write_text("".join(f"{piece}\n" for piece in PIECES), encoding="utf-8")
    return path


def pieces(path: Path, text: str, *, length: int = 16, lowercase: bool = True) -> list[str]:
    """The pieces that a text's ids stand for, without padding."""
    stage = WordPiece(WordPieceOptions(path, length, lowercase))
    ids = stage.apply(text)
    assert ids.shape == stage.shape == (length,)
    assert ids.dtype == stage.dtype
    return [PIECES[number] for number in ids if number]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("unaffable", ["un", "##aff", "##able"]),
        ("  Running,\trunning!", ["run", "##ning", ",", "run", "##ning", "!"]),
        ("Éa bÖ", ["e", "##a", "[UNK]"]),
        ("a中b", ["a", "中", "b"]),
        ("waq", ["[UNK]"]),
        ("a\u200bb\x00c\ufffd", ["a", "##b", "##c"]),
        ("a" * 101, ["[UNK]"]),
        ("", []),
    ],
)
def test_word_pieces(vocabulary: Path, text: str, expected: list[str]) -> None:
    """Greedy from the left, between [CLS] and [SEP]; small letters without accents."""
    assert pieces(vocabulary, text) == ["[CLS]", *expected, "[SEP]"]


def test_cased(vocabulary: Path) -> None:
    """A cased model keeps accents, and does not know capitals that its vocabulary has not."""
    assert pieces(vocabulary, "é bö A", lowercase=False)[1:-1] == ["é", "b", "##ö", "[UNK]"]


def test_long_texts_are_cut(vocabulary: Path) -> None:
    """[SEP] stays the last one."""
    assert pieces(vocabulary, "a b c d e f", length=5) == ["[CLS]", "a", "b", "c", "[SEP]"]
    options = WordPieceOptions(vocabulary, 2, special_tokens=False)
    assert [PIECES[at] for at in WordPiece(options).apply("a b c")] == ["a", "b"]


def test_like_the_tokenisers_of_bert(vocabulary: Path) -> None:
    """Where `tokenizers` is installed: the same ids for texts of all kinds of characters."""
    tokenizers = pytest.importorskip("tokenizers", reason="tokenizers is not installed")
    alphabet = "abcdefgz   ÀéÖßİ中国аб!?,.$+<^`~\t\n\u200b\ufffd\x00\u2028\u3000—\U0001f600\u0301ﬁ"
    chance = random.Random(1)
    for lowercase in (True, False):
        theirs = tokenizers.BertWordPieceTokenizer(
            str(vocabulary), lowercase=lowercase, strip_accents=lowercase
        )
        ours = WordPiece(WordPieceOptions(vocabulary, 64, lowercase, special_tokens=False))
        for _ in range(300):
            text = "".join(chance.choices(alphabet, k=chance.randint(0, 30)))
            ids = theirs.encode(text, add_special_tokens=False).ids
            assert ours.apply(text).tolist() == ids + [0] * (64 - len(ids)), text


@pytest.mark.parametrize("content", [b"", b"a\nb\n", b"\xff\xfe"])
def test_bad_vocabularies(tmp_path: Path, content: bytes) -> None:
    """An empty file, one without [UNK], one that is no text, and none at all."""
    path = tmp_path / "vocab.txt"
    path.write_bytes(content)
    for file in (path, tmp_path / "missing.txt"):
        with pytest.raises(ValueError, match=r"^vocabulary: .* \(.+\)$"):
            WordPiece(WordPieceOptions(file))


def test_bytes() -> None:
    """UTF-8, moved by the offset, then padding."""
    stage = Bytes(BytesOptions(length=5, offset=3, padding=1))
    assert stage.apply("aé").tolist() == [100, 198, 172, 1, 1]
    assert stage.apply("abcdefg").tolist() == [100, 101, 102, 103, 104]


@given(text=st.text(alphabet=st.characters()))
def test_bytes_of_any_text(text: str) -> None:
    """As many as asked for, whatever the text; half a surrogate pair too."""
    stage = Bytes(BytesOptions(length=8))
    found = stage.apply(text + "\udcff")
    assert found.shape == stage.shape
    assert 0 <= found.min() <= found.max() <= 255


@pytest.mark.parametrize("name", TEXT_STAGES.names())
def test_options_are_options(name: str) -> None:
    """Each stage has an options class that a schema can be made of."""
    pydantic = pytest.importorskip("pydantic")
    options = TEXT_STAGES.load(name).Options
    assert issubclass(options, Options)
    schema = pydantic.TypeAdapter(options).json_schema()
    assert all("description" in field for field in schema["properties"].values())
