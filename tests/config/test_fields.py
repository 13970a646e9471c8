"""Types in plain words."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Ge, Gt, Le, Lt, MinLen
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from edge_agent.config.fields import describe, field_at, holds_secret, unit_text
from edge_agent.config.schema import Config, host_name
from edge_agent.options import Duration, Fraction, Polygon, Secret, Size


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (bool, "true or false"),
        (int | None, "a whole number"),
        (Fraction, "a number from 0 to 1"),
        (Annotated[int, Gt(0), Lt(10)], "a whole number above 0 and below 10"),
        (Annotated[float, Ge(0), Gt(0)], "a number above 0"),
        (Annotated[int, Le(5)], "a whole number of at most 5"),
        (Annotated[int | None, Ge(1), Le(9)], "a whole number from 1 to 9"),
        (Duration, "a duration such as 3s"),
        (Annotated[Duration, Gt(0)], "a duration such as 3s, above 0 seconds"),
        (Annotated[Size, Ge(10)], "a size such as 64MiB, of at least 10 bytes"),
        (Secret | None, "a text"),
        (Path, "a file path"),
        (Literal[5, "5", "3.1.1"], "'5' or '3.1.1'"),
        (Literal["a", "b", "c"], "'a', 'b' or 'c'"),
        (Literal["auto"] | list[str], "'auto' or a list of texts"),
        (int | str, "a whole number or a text"),
        (tuple[int, int], "a list of 2 whole numbers"),
        (tuple[float, ...], "a list of numbers"),
        (Annotated[list[str], MinLen(1)], "a list of texts, not empty"),
        (Polygon, "a list of 3 to 256 lists of 2 numbers from 0 to 1"),
        (dict[str, str], "a mapping"),
        (Annotated[dict[str, str], MinLen(2)], "a mapping with at least 2 entries"),
        (Any, "anything"),
    ],
)
def test_types_in_words(annotation: Any, words: str) -> None:
    """What a message says that it expected."""
    assert describe(annotation) == words


def test_the_field_at_a_path() -> None:
    """A path is followed through sections, names, lists, and what a type or name chooses."""
    values = {
        "sources": {"s": {"type": "camera", "size": [1, 2]}},
        "pipelines": {"p": {"gate": {"rate": {"fps": 1}}, "lines": {"l": {"from": [0, 0]}}}},
    }
    size = field_at(Config, ("sources", "s", "size", 1), values)
    fps = field_at(Config, ("pipelines", "p", "gate", "rate", "fps"), values)
    end = field_at(Config, ("pipelines", "p", "lines", "l", "from"), values)
    assert size is not None
    assert describe(size.annotation) == "a whole number of at least 1"
    assert fps is not None
    assert fps.doc
    assert end is not None
    assert field_at(Config, ("mqtt", "nothing"), values) is None
    assert field_at(Config, ("pipelines", "p", "gate", "nothing"), values) is None
    assert field_at(Config, ("mqtt", "host", "deeper"), values) is None


def test_secrets_are_known_by_their_type() -> None:
    """A secret, or nothing instead."""
    assert holds_secret(Secret | None)
    assert not holds_secret(str | None)


@pytest.mark.parametrize(
    ("annotation", "value", "text"),
    [
        (Duration, 60.0, "1m"),
        (Duration, 604800.0, "7d"),
        (Duration, 0.5, "500ms"),
        (Duration, 90.0, "90s"),
        (Duration, 0.0, "0"),
        (Size, 64 * 2**20, "64MiB"),
        (Size, 500_000, "500kB"),
        (Size, 7, "7B"),
        (float, 0.25, "0.25"),
        (str, "x", "x"),
    ],
)
def test_values_as_people_write_them(annotation: Any, value: Any, text: str) -> None:
    """The largest unit that gives a whole number."""
    assert unit_text(annotation, value) == text


DURATION = TypeAdapter(Duration)
SIZE = TypeAdapter(Size)


@given(st.integers(1, 10**9))
def test_a_duration_in_words_reads_back(milliseconds: int) -> None:
    """What the reference prints, the configuration reads."""
    seconds = milliseconds / 1000
    assert DURATION.validate_python(unit_text(Duration, seconds)) == pytest.approx(seconds)


@given(st.integers(1, 2**50))
def test_a_size_in_words_reads_back(count: int) -> None:
    """The same for sizes, exactly up to the digits that are printed."""
    assert SIZE.validate_python(unit_text(Size, count)) == pytest.approx(count, rel=1e-5)


@given(st.text())
def test_any_text_is_a_duration_and_a_size_or_refused(text: str) -> None:
    """A text with a unit is a number of at least 0, and anything else is refused."""
    for adapter in (DURATION, SIZE):
        try:
            value = adapter.validate_python(text)
        except ValidationError:
            continue
        assert value >= 0 or value != value  # not a number: refused later


def test_the_default_device_id_makes_a_topic(monkeypatch: pytest.MonkeyPatch) -> None:
    """The host name, with what no topic can have replaced."""
    monkeypatch.setattr("socket.gethostname", lambda: "my host/1.local")
    assert host_name() == "my-host-1.local"
    monkeypatch.setattr("socket.gethostname", lambda: "")
    assert host_name() == "edge-agent"
