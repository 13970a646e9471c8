"""Names of classes, and labels that do not fit."""

from __future__ import annotations

import pytest

from edge_agent.decoders.labels import class_name, has_background, without_background, wrong_count

LABELS = ("cat", "dog")


@pytest.mark.parametrize(
    ("labels", "index", "name"),
    [
        (LABELS, 0, "cat"),
        (LABELS, 1, "dog"),
        (LABELS, 2, "class 2"),
        (LABELS, -1, "class -1"),
        ((), 0, "class 0"),
        (None, 7, "class 7"),
    ],
)
def test_class_name(labels: tuple[str, ...] | None, index: int, name: str) -> None:
    """A class has its label, or its number where there is none."""
    assert class_name(labels, index) == name


@pytest.mark.parametrize(
    ("first", "background"),
    [
        ("background", True),
        (" Background ", True),
        ("???", True),
        ("__background__", True),
        ("background music", False),
        ("", False),
        ("cat", False),
    ],
)
def test_background(first: str, background: bool) -> None:
    """A first row that stands for nothing is known by the names it usually has."""
    assert has_background((first, "dog")) == background


def test_background_comes_first_or_not_at_all() -> None:
    """No labels have no background row, and one further down is a class."""
    assert not has_background(())
    assert not has_background(("cat", "background"))


def test_without_background_says_what_it_left_out() -> None:
    """The first row goes, the others stay, and the note names it."""
    labels, note = without_background(("???", *LABELS))
    assert labels == LABELS
    assert "'???'" in note


@pytest.mark.parametrize(
    ("classes", "cure"),
    [(3, 'put a first label "background"'), (1, "one for each class"), (90, "one for each class")],
)
def test_wrong_count(classes: int, cure: str) -> None:
    """The error tells both numbers and the cure; one row too few has a cure of its own."""
    error = wrong_count(LABELS, classes)
    assert error.message == f"2 labels do not fit a model with {classes} classes"
    assert cure in error.cure
