"""A small network trained in plain NumPy, for the models that this project makes itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from edge_agent.quantize import Dense

Floats = NDArray[np.float64]
Labels = NDArray[np.intp]

_BATCH = 64


@dataclass(frozen=True, slots=True)
class Training:
    """How a network is trained: units of the hidden layer, none for softmax regression."""

    hidden: int = 16
    epochs: int = 30
    rate: float = 0.002
    decay: float = 1e-3
    seed: int = 0


class _Adam:
    """D. P. Kingma and J. Ba, Adam: A Method for Stochastic Optimization (2015)."""

    def __init__(self, parameters: Sequence[Floats], rate: float) -> None:
        self._parameters = parameters
        self._rate = rate
        self._first = [np.zeros_like(each) for each in parameters]
        self._second = [np.zeros_like(each) for each in parameters]
        self._step = 0

    def step(self, gradients: Sequence[Floats]) -> None:
        """Move the parameters against their gradients."""
        self._step += 1
        for place, gradient in enumerate(gradients):
            first, second = self._first[place], self._second[place]
            np.add(first, 0.1 * (gradient - first), out=first)
            np.add(second, 0.001 * (gradient**2 - second), out=second)
            mean, square = first / (1 - 0.9**self._step), second / (1 - 0.999**self._step)
            parameter = self._parameters[place]
            np.subtract(parameter, self._rate * mean / (np.sqrt(square) + 1e-8), out=parameter)


def train(x: Floats, y: Labels, classes: int, training: Training) -> list[Dense]:
    """Layers that tell the classes `y` (N numbers from 0) of the samples `x` (N x features).

    The same numbers every time on one machine: batches and first weights come from the seed.
    """
    dice = np.random.default_rng(training.seed)
    sizes = [x.shape[1], *([training.hidden] if training.hidden else []), classes]
    weights = [dice.normal(0.0, 1.0 / np.sqrt(a), (a, b)) for a, b in pairwise(sizes)]
    biases = [np.zeros(size) for size in sizes[1:]]
    adam = _Adam([*weights, *biases], training.rate)
    truth = np.eye(classes)[y]
    for _ in range(training.epochs):
        order = dice.permutation(len(x))
        for begin in range(0, len(x), _BATCH):
            batch = order[begin : begin + _BATCH]
            adam.step(_gradients(weights, biases, x[batch], truth[batch], training.decay))
    kinds = ["relu"] * (len(weights) - 1) + ["softmax"]
    return [Dense(w, b, kind) for w, b, kind in zip(weights, biases, kinds, strict=True)]


def _gradients(
    weights: Sequence[Floats], biases: Sequence[Floats], x: Floats, truth: Floats, decay: float
) -> list[Floats]:
    """Of the mean cross-entropy, and of half the squared weights times `decay`."""
    values = [x]
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        values.append(np.maximum(values[-1] @ weight + bias, 0.0))
    logits = values[-1] @ weights[-1] + biases[-1]
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    error = (powers / powers.sum(axis=1, keepdims=True) - truth) / len(x)
    of_weights: list[Floats] = []
    of_biases: list[Floats] = []
    for weight, value in zip(reversed(weights), reversed(values), strict=True):
        of_weights.insert(0, value.T @ error + decay * weight)
        of_biases.insert(0, error.sum(axis=0))
        error = error @ weight.T * (value > 0.0)
    return [*of_weights, *of_biases]
