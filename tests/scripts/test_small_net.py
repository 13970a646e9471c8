"""The network in plain NumPy: its gradients, and that it learns."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.small_net import Floats, Training, _gradients, train


def loss(weights: list[Floats], biases: list[Floats], x: Floats, truth: Floats) -> float:
    """Mean cross-entropy, and half the squared weights times 0.01."""
    hidden = np.maximum(x @ weights[0] + biases[0], 0.0)
    logits = hidden @ weights[1] + biases[1]
    powers = np.exp(logits)
    shares = powers / powers.sum(axis=1, keepdims=True)
    decay = 0.01 * sum(float((weight**2).sum()) for weight in weights) / 2.0
    return float(-(truth * np.log(shares)).sum() / len(x)) + decay


def test_gradients_are_those_of_the_loss() -> None:
    """Each of them is what a tiny step makes of the loss."""
    dice = np.random.default_rng(3)
    weights = [dice.normal(size=(4, 5)), dice.normal(size=(5, 3))]
    biases = [dice.normal(size=5), dice.normal(size=3)]
    x, truth = dice.normal(size=(7, 4)), np.eye(3)[dice.integers(3, size=7)]
    found = _gradients(weights, biases, x, truth, 0.01)
    for values, gradient in zip([*weights, *biases], found, strict=True):
        for place in np.ndindex(values.shape):
            values[place] += 1e-6
            above = loss(weights, biases, x, truth)
            values[place] -= 2e-6
            below = loss(weights, biases, x, truth)
            values[place] += 1e-6
            assert gradient[place] == pytest.approx((above - below) / 2e-6, abs=1e-7)


@pytest.mark.parametrize("hidden", [0, 16])
def test_only_a_hidden_layer_learns_exclusive_or(hidden: int) -> None:
    """One corner and its opposite against the others: no line parts them, a hidden layer does."""
    dice = np.random.default_rng(1)
    x = dice.choice([-1.0, 1.0], (400, 2)) + dice.normal(0.0, 0.1, (400, 2))
    y = (x[:, 0] * x[:, 1] > 0.0).astype(np.intp)
    layers = train(x, y, 2, Training(hidden=hidden, epochs=40, rate=0.02))
    values = x
    for layer in layers:
        assert layer.bias is not None
        values = values @ layer.weights + layer.bias
        values = np.maximum(values, 0.0) if layer.activation == "relu" else values
    right = (values.argmax(axis=1) == y).mean()
    assert len(layers) == (2 if hidden else 1)
    assert right == 1.0 if hidden else right < 0.8
