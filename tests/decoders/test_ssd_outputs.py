"""Which output of an SSD model is which."""

from __future__ import annotations

import numpy as np
import pytest

from edge_agent.decoders.ssd_outputs import (
    OPERATOR,
    SsdOutputs,
    by_name,
    by_origin,
    by_shape,
    describe,
    scores_by_content,
    scores_by_range,
)
from edge_agent.model import Origin
from tests.decoders.ssd_models import ORDERS, Order, ssd_info
from tests.support.models import make_info, make_spec


def _expected(order: Order) -> SsdOutputs:
    return SsdOutputs(*(order.index(slot) for slot in range(4)))


@pytest.mark.parametrize("order", ORDERS)
def test_by_origin(order: Order) -> None:
    """The slots of the operator tell all four, in whatever order the model lists them."""
    assert by_origin(ssd_info(order)) == _expected(order)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("way", ["numbered", "words"])
def test_by_name(order: Order, way: str) -> None:
    """The operator's numbered names, and names with words, tell all four."""
    assert by_name(ssd_info(order, way).outputs) == _expected(order)


@pytest.mark.parametrize("order", ORDERS)
def test_by_shape(order: Order) -> None:
    """Shapes tell the boxes and the count, and leave classes and scores."""
    found = by_shape([spec.shape for spec in ssd_info(order, "content").outputs])
    assert found is not None
    boxes, count, pair = found
    assert (boxes, count) == (order.index(0), order.index(3))
    assert {order[index] for index in pair} == {1, 2}


def test_origin_needs_boxes_classes_and_scores() -> None:
    """A model that gives out only part of the operator is not told by it; a count may lack."""
    specs = [make_spec(()) for _ in range(3)]
    partial = [Origin(OPERATOR, 0), Origin(OPERATOR, 1), Origin("ADD", 2)]
    assert by_origin(make_info(specs, partial)) is None
    without_count = [Origin(OPERATOR, slot) for slot in (2, 0, 1)]
    assert by_origin(make_info(specs, without_count)) == SsdOutputs(1, 2, 0, None)


def test_origin_ignores_other_outputs() -> None:
    """Outputs of other operators, none at all, or a slot beyond the four, do not disturb."""
    origins = [None, Origin("ADD", 0), Origin(OPERATOR, 7)]
    origins += [Origin(OPERATOR, slot) for slot in range(4)]
    assert by_origin(make_info([make_spec(())] * 7, origins)) == SsdOutputs(3, 4, 5, 6)


@pytest.mark.parametrize(
    "names",
    [
        ("boxes", "scores", "keypoints"),
        ("raw_boxes", "boxes", "classes", "scores"),
        ("boxes", "class_scores", "x"),
        ("StatefulPartitionedCall:0", "StatefulPartitionedCall:1", "StatefulPartitionedCall:2"),
    ],
)
def test_names_that_leave_a_doubt(names: tuple[str, ...]) -> None:
    """Names that lack a meaning, or give it twice, tell nothing."""
    assert by_name([make_spec((), name=name) for name in names]) is None


def test_shapes_can_deny_the_names() -> None:
    """Outputs that are called so, but cannot be so by their shape, are not taken."""
    names = ("boxes", "classes", "scores")
    good = [(1, 10, 4), (1, 10), (1, 10)]
    for shapes in ([(1, 10, 6), *good[1:]], [*good[:2], (1, 10, 80)]):
        pairs = zip(shapes, names, strict=True)
        assert by_name([make_spec(shape, name=name) for shape, name in pairs]) is None
    pairs = zip(good, names, strict=True)
    found = by_name([make_spec(shape, name=name) for shape, name in pairs])
    assert found == SsdOutputs(0, 1, 2, None)


@pytest.mark.parametrize(
    "shapes",
    [
        [],
        [(), (), (), ()],
        [(1, 10), (1, 10), (1,)],
        [(1, 10, 4), (1, 10, 4), (1, 10), (1, 10)],
        [(1, 10, 4), (1, 10), (1, 20), (1,)],
        [(1, 10, 4), (1, 10), (1, 10), (1,), (1,)],
        [(1, 1, 4), (1, 1), (1, 1), (1, 1)],
    ],
)
def test_shapes_that_leave_a_doubt(shapes: list[tuple[int, ...]]) -> None:
    """Shapes that fit no or more than one reading tell nothing."""
    assert by_shape(shapes) is None


def test_shapes_without_a_count() -> None:
    """The count may lack, or be a scalar."""
    assert by_shape([(1, 9), (1, 9, 4), (1, 9)]) == (1, None, (0, 2))
    assert by_shape([(), (1, 9), (1, 9, 4), (1, 9)]) == (2, 0, (1, 3))


@pytest.mark.parametrize("swap", [False, True])
def test_range_tells_quantised_scores(swap: bool) -> None:
    """Scores are the output whose numbers end at about 1, classes reach beyond."""
    specs = [make_spec((1, 9), "uint8", 1 / 256), make_spec((1, 9), "uint8", 1.0)]
    assert scores_by_range(specs[::-1] if swap else specs, (0, 1)) == int(swap)


def test_range_that_leaves_a_doubt() -> None:
    """Two outputs in float, or two with one range, are not told apart."""
    assert scores_by_range([make_spec((1, 9))] * 2, (0, 1)) is None
    assert scores_by_range([make_spec((1, 9), "uint8", 1 / 256)] * 2, (0, 1)) is None


@pytest.mark.parametrize(
    ("classes", "scores", "told"),
    [
        ([0, 17, 3], [0.9, 0.5, 0.25], True),
        ([0, 0, 0], [0.9, 1.0, 1.0], True),
        ([0, 2, 0], [1.0, 1.0, 0.0], True),
        ([0, 1, 0], [1.0, 1.0, 0.0], False),
        ([0.5, 1.5, 0], [0.1, 0.2, 0.3], True),
        ([], [], False),
    ],
)
def test_content_tells_scores(classes: list[float], scores: list[float], told: bool) -> None:
    """Fractions are scores, whole numbers beyond 1 classes; else nothing is said, in no order."""
    a, b = np.array(classes, np.float32), np.array(scores, np.float32)
    assert scores_by_content((a, b), (3, 5)) == (5 if told else None)
    assert scores_by_content((b, a), (3, 5)) == (3 if told else None)


def test_describe_names_what_is_there() -> None:
    """The words tell every output, and leave out a count that is not there."""
    assert describe(SsdOutputs(3, 1, 0, 2)) == "boxes 3, classes 1, scores 0, count 2"
    assert describe(SsdOutputs(0, 1, 2, None)) == "boxes 0, classes 1, scores 2"
