"""Scores of the priors of a single-shot detector: which reach the threshold, and in which class."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.decoders.base import Reader, real_range
from edge_agent.decoders.dense import Places, logit, sigmoid
from edge_agent.decoders.nms import Floats
from edge_agent.decoders.priors import Activation
from edge_agent.model import ModelInfo

_PROBABILITIES = ("SOFTMAX", "LOGISTIC")
_MOVES = ("CONCATENATION", "RESHAPE", "QUANTIZE", "DEQUANTIZE")
_TAIL = 12


class AnchorScores:
    """Finds the priors whose best class reaches the threshold; class 0 is left out with `first` 1.

    Only the scores of priors that may reach it are made real.
    """

    def __init__(self, reader: Reader, activation: Activation, first: int) -> None:
        self._reader = reader
        self._activation = activation
        self._first = first

    def find(self, values: NDArray[Any], threshold: float) -> Places:
        """Priors with the score and number of their best class; `values` is priors x classes."""
        native = self._reader.native(values)
        index = self._possible(native, threshold)
        scores = self._activated(self._reader.real(native[index]))[:, self._first :]
        classes = scores.argmax(axis=1)
        best = np.take_along_axis(scores, classes[:, None], 1)[:, 0]
        enough = np.flatnonzero((best >= threshold) & (best < np.inf))
        return Places(index[enough], best[enough], classes[enough])

    def _possible(self, native: NDArray[Any], threshold: float) -> NDArray[np.intp]:
        """Priors that can reach the threshold: all that do, and with a softmax some more."""
        classes = native[:, self._first :]
        if self._activation == "softmax":
            # exp(x) / sum of exp is at most the sigmoid of x less any other class.
            if not self._first:
                return np.arange(len(native))
            real = self._reader.real(classes.max(axis=1))
            margin = real - self._reader.real(native[:, 0])
            return np.flatnonzero(margin >= logit(threshold) - 1e-3)
        least = self._reader.least(threshold if self._activation == "none" else logit(threshold))
        return np.flatnonzero((classes >= least).any(axis=1))

    def _activated(self, values: Floats) -> Floats:
        if self._activation == "none":
            return values
        if self._activation == "sigmoid":
            return sigmoid(values)
        powers = np.exp(values - values.max(axis=1, keepdims=True))
        scores: Floats = powers / powers.sum(axis=1, keepdims=True)
        return scores


def is_probability(info: ModelInfo, output: int) -> bool:
    """Whether the model itself makes the scores 0..1: by the operator, or by the quantisation."""
    origin = info.origins[output]
    if origin is not None and origin.operator in _PROBABILITIES:
        return True
    limits = real_range(info.outputs[output])
    if limits is not None:
        return limits[0] == 0.0 and abs(limits[1] - 1.0) < 0.005
    return origin is not None and origin.operator in _MOVES and _is_activated(info.operators)


def _is_activated(operators: tuple[str, ...]) -> bool:
    """Whether an activation comes before a join near the end; LOGISTIC, MUL is a layer's swish."""
    tail = operators[-_TAIL:]
    return "SOFTMAX" in tail or any(
        name == "LOGISTIC" and following != "MUL" for name, following in pairwise(tail)
    )
