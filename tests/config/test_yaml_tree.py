"""YAML text to values with places."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.config.validate import node_at, place_of, plain_values
from edge_agent.config.yaml_scalars import resolve
from edge_agent.config.yaml_tree import MAX_DEPTH, Position, YamlError, from_values, parse

PARSERS = [yaml.SafeLoader, getattr(yaml, "CSafeLoader", yaml.SafeLoader)]


def error(text: str, loader: Any = PARSERS[-1]) -> tuple[int, int, str]:
    """Line, column and message of the mistake in a text."""
    with pytest.raises(YamlError) as caught:
        parse(text, loader)
    return caught.value.at.line, caught.value.at.column, caught.value.message


@pytest.mark.parametrize("loader", PARSERS)
def test_values_and_places(loader: Any) -> None:
    """Names and values know line and column, both from 1."""
    root, repeated = parse("a:\n  b: [1, {c: two}]\n", loader)
    assert plain_values(root) == {"a": {"b": [1, {"c": "two"}]}}
    assert repeated == ()
    at = place_of(root, ("a", "b", 1, "c"))
    assert (at.line, at.column) == (2, 14)
    at = place_of(root, ("a", "b"), at_key=True)
    assert (at.line, at.column) == (2, 3)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("off", "off"),
        ("on", "on"),
        ("no", "no"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("12", 12),
        ("-3", -3),
        ("0", 0),
        ("0x1F", 31),
        ("0755", "0755"),
        ("0o17", "0o17"),
        ("12:30", "12:30"),
        ("1_000", "1_000"),
        ("3.1", 3.1),
        ("3.1.1", "3.1.1"),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("1.", 1.0),
        ("e5", "e5"),
        (".", "."),
        ("1e999", "1e999"),
        (".inf", ".inf"),
        ("nan", "nan"),
        ("2026-01-02", "2026-01-02"),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_scalars_mean_what_they_look_like(text: str, value: Any) -> None:
    """The traps of YAML 1.1 are texts; numbers, true, false and null are not."""
    found = resolve(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("loader", PARSERS)
def test_quotes_make_a_text(loader: Any) -> None:
    """What stands in quotes or a block, or is tagged as text, is a text."""
    root, _ = parse("a: '1'\nb: \"true\"\nc: |\n  2\nd: !!str 3\n", loader)
    assert plain_values(root) == {"a": "1", "b": "true", "c": "2\n", "d": "3"}


def test_anchors_and_merge_keys() -> None:
    """An alias stands for its anchor, and `<<` fills in what is not given, nearest first."""
    text = "base: &b {x: 1, y: 2}\nother: &o {x: 9, z: 3}\nuse: {<<: [*b, *o], y: 5}\nsame: *b\n"
    values = plain_values(parse(text)[0])
    assert values["use"] == {"y": 5, "x": 1, "z": 3}
    assert values["same"] == {"x": 1, "y": 2}


def test_a_merged_value_is_placed_where_it_stands() -> None:
    """A mistake in a merged value is at the anchor, where it must be mended."""
    root, _ = parse("base: &b\n  x: 1\nuse:\n  <<: *b\n")
    assert place_of(root, ("use", "x")).line == 2


@pytest.mark.parametrize("loader", PARSERS)
@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("a: b: c\n", 1, 5, "a second ': '"),
        ("a:\n\tb: 1\n", 2, 1, "a tab cannot indent"),
        ("a: |\n\t\tx\n", 2, 1, "a tab cannot indent"),
        ("a: [1, 2\nb: 3\n", 1, 4, "this '[' is never closed"),
        ("a: {b: 1\nc: 2\n", 1, 4, "this '{' is never closed"),
        ("a: 'x\nb: 2\n", 1, 4, "this quote is never closed"),
        ("a: @x\n", 1, 4, "'@' cannot begin a value"),
        ("a: %x\n", 1, 4, "'%' cannot begin a value"),
        ("a:\n  b: 1\n c: 2\n", 3, 2, "this line does not fit"),
        ("a: 'b' c\n", 1, 8, "this line does not fit"),
        ("a: ]\n", 1, 4, "a value is missing here"),
        ("a: *\n", 1, 4, "'*' and '&' have a meaning"),
        ("a: &b\n", 1, 4, "'&' has a meaning"),
        ("a: !<x\n", 1, 4, "'!' has a meaning"),
        ("a: - b\n", 1, 4, "a list cannot begin here"),
        ("a: |x\n", 1, 5, "text after '|' or '>'"),
        ("a: 1\n...\nfoo", 3, 1, "text outside the document"),
        ("a: 1\n---\nb: 2\n", 2, 1, "a second document begins here"),
        ("a: *b\n", 1, 4, "this alias has no anchor"),
        ("a: &x [*x]\n", 1, 8, "this alias is part of what it stands for"),
        ("a: !foo x\n", 1, 4, "this tag means nothing here"),
        ("? [a]\n: b\n", 1, 3, "a name must be a single word"),
        ("a: {<<: 3}\n", 1, 9, "'<<' needs a mapping"),
        ("- a\n", 1, 1, "the file must be a mapping"),
        ("just text\n", 1, 1, "the file must be a mapping"),
        ("a: \x07\n", 1, 4, "the character U+0007"),
    ],
)
def test_mistakes_in_our_own_words(
    loader: Any, text: str, line: int, column: int, words: str
) -> None:
    """Both of PyYAML's parsers lead to the same place and the same words."""
    found = error(text, loader)
    assert found[:2] == (line, column)
    assert found[2].startswith(words)


def test_a_wrong_escape() -> None:
    """Windows paths in double quotes are a classic."""
    assert error('a: "C:\\path"\n')[2].startswith("an unknown '\\' escape")


def test_a_missing_colon() -> None:
    """A name without its colon is found on its own line."""
    found = error("a: 1\nbroken\nc: 2\n")
    assert found[0] == 2
    assert found[2].startswith("a ':' is missing")


def test_repeated_names_are_all_found() -> None:
    """A name that stands twice is told with its path and the first line; the first one counts."""
    root, repeated = parse("a: 1\nb:\n  c: 1\n  c: 2\na: 3\n")
    assert [(r.path, r.at.line, r.first.line) for r in repeated] == [
        (("b", "c"), 4, 3),
        (("a",), 5, 1),
    ]
    assert plain_values(root) == {"a": 1, "b": {"c": 1}}


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "\n\n"])
def test_an_empty_file_is_an_empty_mapping(text: str) -> None:
    """A file without values is no mistake in itself."""
    assert plain_values(parse(text)[0]) == {}


def test_a_file_that_multiplies_itself_is_refused() -> None:
    """Aliases of aliases (a billion laughs) end at a limit, at once."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    assert "counting each alias in full" in error("\n".join(lines))[2]


@pytest.mark.parametrize("loader", PARSERS)
@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_a_deep_file_is_refused(loader: Any, opening: str) -> None:
    """Nesting ends at a limit, far from the interpreter's own."""
    text = opening * 900 if opening == "- " else "a: " + opening * 900
    assert f"deeper than {MAX_DEPTH}" in error(text, loader)[2]


def test_python_values_make_the_same_tree() -> None:
    """Plain values without a file are a tree too, and have no place."""
    root = from_values({"a": [1, None, {"b": "x"}], 2: True})
    assert plain_values(root) == {"a": [1, None, {"b": "x"}], "2": True}
    node = node_at(root, ("a", 0))
    assert node is not None
    assert node.at.line == 0


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(allow_nan=False, allow_infinity=False),
)
TEXTS = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufeff\ufffe\uffff")
).filter(lambda text: isinstance(resolve(text), str))  # 0E0 is text in YAML 1.1 only


@given(
    st.dictionaries(
        TEXTS,
        st.recursive(
            SCALARS | TEXTS,
            lambda below: st.lists(below) | st.dictionaries(TEXTS, below),
            max_leaves=8,
        ),
    )
)
def test_what_pyyaml_writes_is_read_back(values: dict[str, Any]) -> None:
    """Any mapping of plain values survives being written and read."""
    text = yaml.safe_dump(values, allow_unicode=True)
    assert plain_values(parse(text)[0]) == values


def refusal(text: str, loader: Any = PARSERS[-1]) -> Position | None:
    """Where the mistake is, None where there is none."""
    try:
        parse(text, loader)
    except YamlError as refused:
        return refused.at
    return None


@given(st.text())
def test_no_text_raises_anything_else(text: str) -> None:
    """A text is read, or refused with a place inside it."""
    at = refusal(text)
    assert at is None or (at.line >= 1 and at.column >= 1)


@given(st.text(alphabet="ab:-[]{}&*!|>'\"#%@`,? \n\t<~", max_size=60))
def test_no_yaml_like_text_raises_anything_else(text: str) -> None:
    """The same for texts full of YAML's own marks, with both parsers."""
    for loader in PARSERS:
        at = refusal(text, loader)
        assert at is None or at.line <= max(1, len(text.splitlines()))
