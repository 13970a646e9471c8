"""Names of a model's classes, checked against their number."""

from __future__ import annotations

from edge_agent.decoders.coco import COCO_80
from edge_agent.errors import ModelError

Labels = tuple[str, ...] | None

_BACKGROUND = {"background", "???", "__background__"}
_GAPS = {"n/a", "???"}  # the ten numbers that COCO's lists of 90 leave out
_NONE: tuple[Labels, str] = (None, "")


def class_name(labels: tuple[str, ...] | None, index: int) -> str:
    """Label of a class; "class 7" where it has none."""
    if labels is not None and 0 <= index < len(labels):
        return labels[index]
    return f"class {index}"


def has_background(labels: tuple[str, ...]) -> bool:
    """Whether the first row stands for "nothing", which some models have no class for."""
    return bool(labels) and labels[0].strip().lower() in _BACKGROUND


def without_background(labels: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    """The labels without their first row, and a note that says so."""
    return labels[1:], f"the first label {labels[0]!r} is left out: the model has no such class"


def wrong_count(labels: tuple[str, ...], classes: int) -> ModelError:
    """The error for labels of another model."""
    message = f"{len(labels)} labels do not fit a model with {classes} classes"
    if len(labels) == classes - 1:
        return ModelError(
            message,
            "one row is missing: if the model's class 0 means nothing, "
            'put a first label "background"',
        )
    return ModelError(
        message, "give the labels that belong to this model, one for each class in its order"
    )


def fit_to_classes(labels: tuple[str, ...] | None, classes: int) -> tuple[Labels, str]:
    """Labels of a detector without a background class, and a note on what was done to them.

    Without labels, 80 classes are taken for COCO's, on which such detectors are published. Raises
    ModelError where the number does not fit.
    """
    if labels is None:
        return (COCO_80, "80 classes without labels: taken for COCO's") if classes == 80 else _NONE
    if len(labels) == classes:
        return labels, ""
    if len(labels) == classes + 1 and has_background(labels):
        return without_background(labels)
    named = tuple(label for label in labels if label.strip().lower() not in _GAPS)
    if len(named) == classes:
        gaps = len(labels) - classes
        return named, f"{gaps} rows of the labels that name nothing are left out"
    raise wrong_count(labels, classes)
