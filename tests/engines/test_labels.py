"""Label lists in every form that people pass around."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.engines.modelfile import load_labels, parse_labels
from edge_agent.engines.modelfile.labels import MAX_LABELS
from edge_agent.errors import ModelError
from tests.support.data import data_file


@pytest.mark.parametrize(
    "text",
    [
        "person\ncar\n",
        "\ufeffperson\r\ncar\r\n\r\n\n",
        "0 person\n1 car\n",
        "0: person\n1: car",
        "0,person\n1,car",
        "  0   person\n  1\tcar\n",
        "item {\n id: 1\n name: 'person'\n}\nitem { id: 2 name: \"car\" }",
        "item { name: '/m/01g317' id: 1 display_name: 'person' } item { id: 2 name: 'car' }",
        "item { id: 0 name: 'person' } item { id: 1 name: 'car' }",
        '["person", "car"]',
        '{"0": "person", "1": "car"}',
    ],
)
def test_known_forms(text: str) -> None:
    """Each form gives the same two labels."""
    assert parse_labels(text) == ("person", "car")


def test_gaps_are_filled_with_class_numbers() -> None:
    """An index without a label has a name that tells its number."""
    assert parse_labels("0 person\n2 car\n") == ("person", "class 1", "car")
    assert parse_labels("person\n\ncar") == ("person", "class 1", "car")
    assert parse_labels("item { id: 3 name: 'car' }") == ("class 0", "class 1", "car")


def test_lines_that_only_begin_with_numbers_are_plain() -> None:
    """Numbers that do not rise, or are far too large, belong to the label."""
    assert parse_labels("2 pence\n1 pound") == ("2 pence", "1 pound")
    assert parse_labels("7 up\ncola") == ("7 up", "cola")
    assert parse_labels("999999 people") == ("999999 people",)


def test_escaped_quotes_in_a_label_map() -> None:
    """A backslash protects a quote, as protobuf's text form has it."""
    assert parse_labels(r"item { id: 1 name: 'driver\'s seat' }") == ("driver's seat",)


def test_empty_text_has_no_labels() -> None:
    """Nothing but blank lines is no label at all."""
    assert parse_labels("") == ()
    assert parse_labels("\n \r\n") == ()


_LABEL = st.text(st.characters(codec="ascii", categories=["L", "Zs"]), min_size=1).filter(str.strip)


@given(st.lists(_LABEL.map(str.strip), min_size=1, max_size=30))
def test_plain_and_numbered_lists_come_back(labels: list[str]) -> None:
    """What is written line by line is read back, with or without numbers."""
    assert parse_labels("\n".join(labels)) == tuple(labels)
    numbered = "\r\n".join(f"{index}: {label}" for index, label in enumerate(labels))
    assert parse_labels(numbered) == tuple(labels)


@given(st.text(max_size=300))
def test_any_text_gives_bounded_labels_without_blanks(text: str) -> None:
    """No text raises; no label is blank, and there are never more than the limit."""
    labels = parse_labels(text)
    assert all(label.strip() for label in labels)
    assert len(labels) <= MAX_LABELS


@pytest.mark.parametrize("text", ["item " + " " * 50_000, "0" + " " * 50_000, "[" * 50_000])
def test_hostile_texts_are_read_in_linear_time(text: str) -> None:
    """Long runs of one sign end at once, in plain labels."""
    assert len(parse_labels(text)) == 1


def test_files_are_refused_with_a_cure(tmp_path: Path) -> None:
    """A missing, empty or binary file says what is wrong."""
    with pytest.raises(ModelError, match="does not exist"):
        load_labels(tmp_path / "none.txt")
    with pytest.raises(ModelError, match="cannot be read"):
        load_labels(tmp_path)
    (tmp_path / "empty.txt").write_text("\n")
    with pytest.raises(ModelError, match="is empty"):
        load_labels(tmp_path / "empty.txt")
    (tmp_path / "binary.txt").write_bytes(b"\x00\x01")
    with pytest.raises(ModelError, match="is no label file"):
        load_labels(tmp_path / "binary.txt")


@pytest.mark.parametrize(
    ("name", "count", "first"),
    [
        ("coral_coco_labels.txt", 90, "person"),
        ("coral_imagenet_labels.txt", 1001, "background"),
        ("automl_traffic_label_map.pbtxt", 3, "sedan"),
        ("yamnet_521_labels.txt", 521, "Speech"),
    ],
)
def test_real_label_files(name: str, count: int, first: str) -> None:
    """Published label files have as many labels as their models have classes."""
    labels = load_labels(data_file(f"models/{name}"))
    assert (len(labels), labels[0]) == (count, first)
