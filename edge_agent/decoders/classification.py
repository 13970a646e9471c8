"""Class scores of a whole frame, from probabilities or logits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from annotated_types import Ge
from numpy.typing import NDArray

from edge_agent.decoders.base import real_range, real_values
from edge_agent.decoders.labels import (
    class_name,
    has_background,
    without_background,
    wrong_count,
)
from edge_agent.errors import ModelError
from edge_agent.geometry import BoxMapping
from edge_agent.model import ModelInfo, TensorSpec
from edge_agent.options import Doc, Options
from edge_agent.result import ClassScore, Kind

Floats = NDArray[np.float32]
_SHAPE_ONLY = {"QUANTIZE", "DEQUANTIZE", "RESHAPE", "SQUEEZE", "ASSIGN_VARIABLE"}
_PROBABILITIES = {"SOFTMAX", "LOGISTIC"}
_TOP = 5


@dataclass(frozen=True, slots=True)
class ClassificationOptions(Options):
    """How the scores of a classification model are read."""

    top: Annotated[
        int | None,
        Ge(1),
        Doc(
            "At most so many classes of a frame, best first; default: 5 of classes that exclude "
            "each other, all of those that a sigmoid makes (several may be there at once)."
        ),
    ] = None
    activation: Annotated[
        Literal["auto", "none", "softmax", "sigmoid"],
        Doc(
            "What turns the output into scores 0..1. auto: none where the model ends in one or its "
            "output is quantised to 0..1, else softmax (sigmoid for a single output)."
        ),
    ] = "auto"


class ClassificationDecoder:
    """Reads one output of N class scores.

    Where each has a sigmoid of its own, all that reach the threshold are told; of a softmax the
    best. A single output is the probability of one class: with two labels, the second is that class
    and the first its opposite, as Keras' binary models have it.
    """

    name = "classification"
    kind: Kind = "class"
    Options: ClassVar[type[ClassificationOptions]] = ClassificationOptions

    def __init__(
        self, info: ModelInfo, labels: tuple[str, ...] | None, options: ClassificationOptions
    ) -> None:
        count = class_count(info)
        if count is None:
            raise ModelError(
                "the classification decoder needs one output of 1 x classes; the model has "
                + ", ".join("x".join(map(str, spec.shape)) or "none" for spec in info.outputs),
                "set task: auto, or task: raw to see the numbers",
            )
        self._spec = info.outputs[0]
        self._top = options.top
        if options.top is None and not _is_multi_label(info, count, options.activation):
            self._top = _TOP
        self._labels, self.note = _fit_labels(labels, count)
        self._opposite = count == 1 and self._labels is not None and len(self._labels) == 2
        self._activate = _ACTIVATIONS[_choose_activation(info, count, options.activation)]

    @classmethod
    def match(cls, info: ModelInfo) -> str | None:
        """One vector that is a probability by its operator or range, or has a label for each."""
        count = class_count(info)
        if count is None:
            return None
        if (operator := _last_operator(info)) in _PROBABILITIES:
            many = " (each class for itself)" if _is_multi_label(info, count, "auto") else ""
            return f"output 0 has {count} values and comes from {operator}{many}"
        if _is_probability(info.outputs[0]):
            return f"output 0 has {count} values, quantised to 0..1"
        if info.labels is not None and count > 1 and _labels_fit(info.labels, count):
            return f"output 0 has {count} values, one for each label"
        return None

    def decode(
        self, outputs: Sequence[NDArray[Any]], mapping: BoxMapping, threshold: float
    ) -> tuple[ClassScore, ...]:
        """The best classes of at least the threshold; equal scores in the model's order."""
        del mapping
        scores = self._activate(real_values(outputs[0], self._spec))
        if self._opposite:
            scores = np.array([1.0 - scores[0], scores[0]], np.float32)
        keep = np.flatnonzero((scores >= threshold) & (scores < np.inf))
        best = keep[np.argsort(-scores[keep], kind="stable")[: self._top]]
        return tuple(
            ClassScore(class_name(self._labels, index), score, index)
            for index, score in zip(best.tolist(), scores[best].tolist(), strict=True)
        )


def class_count(info: ModelInfo) -> int | None:
    """N of a model with one output of shape [N], [1, N] or [1, 1, 1, N]; None for others."""
    if len(info.outputs) != 1 or not info.outputs[0].shape:
        return None
    *lead, last = info.outputs[0].shape
    return last if last >= 1 and all(side in (1, -1) for side in lead) else None


def _labels_fit(labels: tuple[str, ...], count: int) -> bool:
    binary = count == 1 and len(labels) == 2
    extra = len(labels) == count + 1 and has_background(labels)
    return len(labels) == count or binary or extra


def _fit_labels(labels: tuple[str, ...] | None, count: int) -> tuple[tuple[str, ...] | None, str]:
    if labels is None:
        return None, ""
    if not _labels_fit(labels, count):
        raise wrong_count(labels, count)
    if len(labels) == count + 1 and count > 1:
        return without_background(labels)
    return labels, ""


def _last_operator(info: ModelInfo) -> str:
    """The operator that gives the output its meaning; those that only move numbers are passed."""
    origin = info.origins[0] if info.origins else None
    names = (*info.operators, origin.operator) if origin else info.operators
    return next((name for name in reversed(names) if name not in _SHAPE_ONLY), "")


def _is_multi_label(info: ModelInfo, count: int, activation: str) -> bool:
    """Whether several classes may be there at once: each has a sigmoid of its own."""
    by_model = activation in ("auto", "none") and _last_operator(info) == "LOGISTIC"
    return count > 1 and (activation == "sigmoid" or by_model)


def _is_probability(spec: TensorSpec) -> bool:
    """Quantised to 0..255/256, as every TFLite softmax and sigmoid is."""
    limits = real_range(spec)
    return limits is not None and limits[0] == 0.0 and abs(limits[1] - 1.0) < 0.005


def _choose_activation(info: ModelInfo, count: int, wanted: str) -> str:
    if wanted != "auto":
        return wanted
    if _last_operator(info) in _PROBABILITIES or _is_probability(info.outputs[0]):
        return "none"
    return "softmax" if count > 1 else "sigmoid"


def _none(values: Floats) -> Floats:
    return values


def _softmax(values: Floats) -> Floats:
    powers = np.exp(values - values.max())
    scores: Floats = powers / powers.sum()
    return scores


def _sigmoid(values: Floats) -> Floats:
    scores: Floats = 0.5 + 0.5 * np.tanh(0.5 * values)  # the same, and does not overflow
    return scores


_ACTIVATIONS: dict[str, Callable[[Floats], Floats]] = {
    "none": _none,
    "softmax": _softmax,
    "sigmoid": _sigmoid,
}
