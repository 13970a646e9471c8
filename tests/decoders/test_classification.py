"""Class scores of a whole frame."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from edge_agent.decoders.classification import (
    ClassificationDecoder,
    ClassificationOptions,
    class_count,
)
from edge_agent.errors import ModelError
from edge_agent.geometry import BoxMapping
from edge_agent.model import ModelInfo, Origin
from edge_agent.result import ClassScore
from tests.support.models import make_info, make_spec

LABELS = ("cat", "dog", "bird")
Activation = Literal["auto", "none", "softmax", "sigmoid"]


def _info(count: int = 3, operator: str = "FULLY_CONNECTED") -> ModelInfo:
    return make_info([make_spec((1, count))], [Origin(operator, 0)])


def _decode(
    info: ModelInfo,
    values: Sequence[float],
    labels: tuple[str, ...] | None = None,
    threshold: float = 0.0,
    top: int | None = None,
    activation: Activation = "auto",
) -> tuple[ClassScore, ...]:
    decoder = ClassificationDecoder(info, labels, ClassificationOptions(top, activation))
    spec = info.outputs[0]
    shape = tuple(abs(side) for side in spec.shape)
    output = np.array(values, spec.dtype).reshape(shape)
    return decoder.decode([output], BoxMapping(), threshold)


@pytest.mark.parametrize(
    ("shape", "count"),
    [
        ((7,), 7),
        ((1, 7), 7),
        ((-1, 7), 7),
        ((1, 1, 1, 7), 7),
        ((1, 1), 1),
        ((), None),
        ((1, 0), None),
        ((1, -1), None),
        ((2, 7), None),
        ((1, 3, 7), None),
    ],
)
def test_class_count(shape: tuple[int, ...], count: int | None) -> None:
    """One vector has as many classes as numbers; anything else is no vector."""
    assert class_count(make_info([make_spec(shape)])) == count


@pytest.mark.parametrize("outputs", [0, 2])
def test_one_output_only(outputs: int) -> None:
    """A model with none or two outputs is refused, and the shapes are told."""
    info = make_info([make_spec((1, 3))] * outputs)
    assert class_count(info) is None
    with pytest.raises(ModelError, match="1x3, 1x3" if outputs else "the model has"):
        ClassificationDecoder(info, None, ClassificationOptions())


def test_probabilities_stay() -> None:
    """The output of a softmax is taken as it is, best first, with its label."""
    found = _decode(_info(operator="SOFTMAX"), [0.25, 0.5, 0.125], LABELS)
    assert found == (
        ClassScore("dog", 0.5, 1),
        ClassScore("cat", 0.25, 0),
        ClassScore("bird", 0.125, 2),
    )


def test_logits_become_probabilities() -> None:
    """Logits are made into a softmax that adds up to 1, also where they are huge."""
    found = _decode(_info(), [1.0, 3.0, 2.0])
    powers = [math.exp(value) for value in (3.0, 2.0, 1.0)]
    assert [s.index for s in found] == [1, 2, 0]
    assert [s.score for s in found] == pytest.approx([p / sum(powers) for p in powers], rel=1e-5)
    assert [s.score for s in _decode(_info(), [1e30, -1e30, 0.0])] == [1.0, 0.0, 0.0]


def test_single_logit_is_a_sigmoid() -> None:
    """A single number without a label is the chance of class 0."""
    (found,) = _decode(_info(1), [2.0])
    assert (found.label, found.index) == ("class 0", 0)
    assert found.score == pytest.approx(1 / (1 + math.exp(-2.0)), rel=1e-5)


@pytest.mark.parametrize(("value", "score"), [(-1e30, 0.0), (0.0, 0.5), (1e30, 1.0)])
def test_sigmoid_does_not_overflow(value: float, score: float) -> None:
    """Numbers of any size have a sigmoid."""
    assert _decode(_info(1), [value])[0].score == score


def test_single_output_with_two_labels() -> None:
    """The number is the chance of the second label, and the rest that of the first."""
    info = _info(1, "LOGISTIC")
    assert _decode(info, [0.25], ("cat", "dog")) == (
        ClassScore("cat", 0.75, 0),
        ClassScore("dog", 0.25, 1),
    )
    assert _decode(info, [0.25], ("cat", "dog"), threshold=0.5) == (ClassScore("cat", 0.75, 0),)
    assert _decode(info, [0.25], ("dog",)) == (ClassScore("dog", 0.25, 0),)


@pytest.mark.parametrize(("dtype", "zero", "values"), [("uint8", 0, 0), ("int8", -128, -128)])
def test_quantised_probabilities(dtype: str, zero: int, values: int) -> None:
    """An output quantised to 0..1 needs no activation, whatever operator made it."""
    info = make_info([make_spec((1, 3), dtype, 1 / 256, zero)], [Origin("QUANTIZE", 0)])
    found = _decode(info, [values + 64, values, values + 192], LABELS)
    assert [(s.label, s.score) for s in found] == [("bird", 0.75), ("cat", 0.25), ("dog", 0.0)]


def test_quantised_logits() -> None:
    """An output quantised to another range is made into a softmax."""
    info = make_info([make_spec((1, 2), "int8", 0.5, 2)])
    best, other = _decode(info, [4, 2])
    assert best.score / other.score == pytest.approx(math.e, rel=1e-5)


@pytest.mark.parametrize(
    ("operators", "origin", "total"),
    [
        (("CONV_2D", "SOFTMAX"), Origin("SOFTMAX", 0), 0.75),
        (("SOFTMAX", "RESHAPE", "DEQUANTIZE"), Origin("DEQUANTIZE", 0), 0.75),
        (("LOGISTIC", "SQUEEZE"), None, 0.75),
        (("SOFTMAX", "MUL"), Origin("MUL", 0), 1.0),
        ((), None, 1.0),
    ],
)
def test_auto_activation(operators: Sequence[str], origin: Origin | None, total: float) -> None:
    """Operators that only move numbers do not hide the softmax behind them; others do."""
    info = make_info([make_spec((1, 2))], [origin], operators)
    assert sum(s.score for s in _decode(info, [0.5, 0.25])) == pytest.approx(total)


@pytest.mark.parametrize(
    ("activation", "scores"),
    [("none", [0.5, 0.0]), ("softmax", [0.6225, 0.3775]), ("sigmoid", [0.6225, 0.5])],
)
def test_activation_by_name(activation: Activation, scores: list[float]) -> None:
    """An activation that is named is used, whatever the model ends in."""
    found = _decode(_info(2, "SOFTMAX"), [0.5, 0.0], activation=activation)
    assert [s.score for s in found] == pytest.approx(scores, abs=1e-4)


def test_top_and_threshold() -> None:
    """The best `top` classes of at least the threshold, equal ones in the model's order."""
    info, values = _info(5, "SOFTMAX"), [0.25, 0.5, 0.125, 0.25, 0.5]
    assert [s.index for s in _decode(info, values)] == [1, 4, 0, 3, 2]
    assert [s.index for s in _decode(info, values, top=3)] == [1, 4, 0]
    assert [s.index for s in _decode(info, values, threshold=0.25)] == [1, 4, 0, 3]
    assert _decode(info, values, threshold=0.75) == ()
    many = [0.25 * (n % 2) for n in range(60)]
    found = _decode(_info(60, "SOFTMAX"), many, threshold=0.25, top=60)
    assert [s.index for s in found] == list(range(1, 60, 2))


@pytest.mark.parametrize(
    ("operators", "activation", "all_of_them"),
    [
        (("FULLY_CONNECTED", "LOGISTIC"), "auto", True),
        (("LOGISTIC", "QUANTIZE", "RESHAPE"), "auto", True),
        (("FULLY_CONNECTED", "SOFTMAX"), "auto", False),
        (("FULLY_CONNECTED",), "sigmoid", True),
        (("FULLY_CONNECTED",), "none", False),
        (("LOGISTIC", "MUL"), "none", False),
    ],
)
def test_several_classes_at_once(
    operators: Sequence[str], activation: Activation, all_of_them: bool
) -> None:
    """Of sigmoids every class that reaches the threshold is told, of others the best five."""
    info = make_info([make_spec((1, 20))], None, operators)
    values = [0.9 if n % 2 else 0.1 for n in range(20)]
    found = _decode(info, values, threshold=0.6, activation=activation)
    wanted = list(range(1, 20, 2))
    assert [s.index for s in found] == wanted[: None if all_of_them else 5]
    limited = _decode(info, values, threshold=0.6, activation=activation, top=3)
    assert [s.index for s in limited] == wanted[:3]


def test_several_classes_are_told_of() -> None:
    """The reason of the choice says that classes do not exclude each other."""
    said = ClassificationDecoder.match(_info(3, "LOGISTIC"))
    assert said is not None
    assert "each class for itself" in said
    assert "itself" not in str(ClassificationDecoder.match(_info(1, "LOGISTIC")))
    assert "itself" not in str(ClassificationDecoder.match(_info(3, "SOFTMAX")))


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("activation", ["none", "softmax", "sigmoid"])
@pytest.mark.filterwarnings("ignore:invalid value")
def test_broken_numbers_are_no_scores(bad: float, activation: Activation) -> None:
    """What is no number never comes out as a score, and no score is above 1 for it."""
    found = _decode(_info(3), [0.5, bad, 0.25], activation=activation)
    assert all(0.0 <= s.score <= 1.0 for s in found)


def test_labels_that_fit() -> None:
    """As many labels as classes fit; a background row too many is left out with a note."""
    options = ClassificationOptions()
    assert ClassificationDecoder(_info(), LABELS, options).note == ""
    labels = ("background", *LABELS)
    assert "'background' is left out" in ClassificationDecoder(_info(), labels, options).note
    assert _decode(_info(operator="SOFTMAX"), [0.0, 1.0, 0.0], labels, 0.5)[0].label == "dog"


@pytest.mark.parametrize(
    ("count", "cure"), [(2, 'first label "background"'), (4, "belong to this model"), (0, "belong")]
)
def test_labels_that_do_not_fit(count: int, cure: str) -> None:
    """Any other number of labels is of another model; the error names a cure."""
    labels = ("cat", "dog", "bird", "cow")[:count]
    with pytest.raises(ModelError, match=f"{count} labels do not fit a model with 3") as caught:
        ClassificationDecoder(_info(), labels, ClassificationOptions())
    assert cure in caught.value.cure


@settings(deadline=None)
@given(
    values=hnp.arrays(np.float32, hnp.array_shapes(max_dims=1, max_side=9)),
    activation=st.sampled_from(["auto", "softmax", "sigmoid"]),
    threshold=st.floats(0.0, 1.0, width=32),
    top=st.integers(1, 9),
)
@pytest.mark.filterwarnings("ignore:invalid value", "ignore:overflow")
def test_any_numbers(values: Any, activation: Activation, threshold: float, top: int) -> None:
    """Whatever a model gives, scores are sorted, of the threshold or above, and at most `top`."""
    found = _decode(_info(len(values)), values, None, threshold, top, activation)
    scores = [s.score for s in found]
    assert len(scores) <= top
    assert scores == sorted(scores, reverse=True)
    assert all(threshold <= score <= 1.0 for score in scores)
    assert len({s.index for s in found}) == len(found)
