"""Which of the many places of a dense detector reach the threshold.

Scores are compared in the numbers of the tensor, so that of thousands of places only those that
count are made real.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.decoders.base import Reader, real_range
from edge_agent.decoders.nms import Floats, Indices

Native = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Places:
    """Indices of places, with the score and number of the best class of each."""

    index: Indices
    scores: Floats
    classes: Indices


class DenseScores:
    """Finds the places of a head whose scores are probabilities."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        limits = real_range(reader.spec)
        self._most = max(1.0, limits[1]) if limits is not None else 1.0  # a class score can be

    def find(self, of_class: Native, threshold: float, objectness: Native | None = None) -> Places:
        """Places that reach the threshold; `of_class` is classes x places, a score their product.

        Of classes with one score the first is taken.
        """
        least = self._reader.least
        if objectness is None:
            index = np.flatnonzero((of_class >= least(threshold)).any(axis=0))
        else:
            index = np.flatnonzero(objectness >= least(threshold / self._most))
        chosen = of_class[:, index]
        classes = chosen.argmax(axis=0)
        scores = self._reader.real(np.take_along_axis(chosen, classes[None], 0)[0])
        if objectness is not None:
            scores = scores * self._reader.real(objectness[index])
        enough = np.flatnonzero((scores >= threshold) & (scores < np.inf))
        return Places(index[enough], scores[enough], classes[enough])


def sigmoid(values: Floats) -> Floats:
    """1 / (1 + exp(-values)), without overflow."""
    scores: Floats = 0.5 + 0.5 * np.tanh(0.5 * values)
    return scores


def logit(score: float) -> float:
    """What a sigmoid makes the score of; infinite at 0 and 1."""
    if 0.0 < score < 1.0:
        return math.log(score / (1.0 - score))
    return -math.inf if score <= 0.0 else math.inf


def mean_distances(values: Floats) -> Floats:
    """4 x N means of as many distributions: 4 count x N logarithms of the chances of 0, 1, 2, ...

    Generalized Focal Loss: the distances of a box's left, top, right and bottom, in strides.
    """
    powers = values.reshape(4, len(values) // 4, values.shape[1])
    powers = np.exp(powers - powers.max(axis=1, keepdims=True))
    steps = np.arange(powers.shape[1], dtype=np.float32)
    means: Floats = np.tensordot(powers, steps, (1, 0)) / powers.sum(axis=1)
    return means


def grid_centres(size: tuple[int, int], strides: tuple[int, ...]) -> tuple[Floats, Floats]:
    """Column and row (2 x N) and stride (N) of all cells, the finest grid first, row by row."""
    cells, steps = [], []
    for stride in strides:
        rows, columns = np.mgrid[: -(-size[1] // stride), : -(-size[0] // stride)]
        cells.append(np.stack([columns.ravel(), rows.ravel()]))
        steps.append(np.full(columns.size, stride))
    return np.concatenate(cells, 1).astype(np.float32), np.concatenate(steps).astype(np.float32)
