"""Ranges of tensors, and weights as whole numbers."""

from __future__ import annotations

import numpy as np
import pytest

from edge_agent.quantize.ranges import Histogram, Parameters, Range, by_mse, by_percentile
from edge_agent.quantize.weights import quantize_weights


@pytest.mark.parametrize("span", [Range(-1, 3), Range(0.5, 2), Range(-4, -1), Range(-1e-3, 1e3)])
def test_zero_is_exact_and_the_range_fits(span: Range) -> None:
    """Zero is a stored number, and no end is off by more than a step."""
    found = Parameters.of(span)
    assert found.rounded(np.array([0.0])) == 0.0
    for end in span:
        assert abs(found.rounded(np.array([end]))[0] - end) <= found.scale


def test_a_tensor_that_is_always_zero_has_a_scale() -> None:
    """It must not be zero: it is divided by."""
    assert Parameters.of(Range(0.0, 0.0)) == Parameters(np.float32(1.0), 0)


def outliers() -> Histogram:
    """A bell of width 1 with one number of 100."""
    values = np.random.default_rng(0).normal(0, 1, 100_000).astype(np.float32)
    values[0] = 100.0
    histogram = Histogram(Range(float(values.min()), 100.0))
    histogram.add(values)
    return histogram


def test_percentile_leaves_out_the_rarest() -> None:
    """One number of 100,000 does not stretch the range."""
    found = by_percentile(outliers())
    assert found.low == pytest.approx(-3.9, abs=0.3)
    assert found.high == pytest.approx(3.9, abs=0.3)


def test_mse_beats_the_whole_range() -> None:
    """The squared error is less than that of the range seen, and of the percentiles."""
    seen = outliers()

    def error(span: Range) -> float:
        off = Parameters.of(span).rounded(seen.centres) - seen.centres
        return float((seen.counts * off**2).sum())

    assert error(by_mse(seen)) < min(error(seen.span), error(by_percentile(seen)))


def test_weights_are_symmetric_and_within_half_a_step() -> None:
    """Each channel of its own scale, no number below -127; the bias in int32."""
    rng = np.random.default_rng(0)
    weights = rng.normal(0, 1, (4, 3, 3, 2)) * np.array([1, 10, 100, 1000]).reshape(4, 1, 1, 1)
    bias = rng.normal(0, 1, 4)
    x = Parameters(np.float32(0.05), 3)
    made = quantize_weights(weights, bias, x, 0)
    assert made.stored.min() >= -127
    assert np.abs(made.stored).reshape(4, -1).max(axis=1).tolist() == [127] * 4
    steps = made.scale.reshape(4, 1, 1, 1)
    assert np.abs(made.stored * steps - weights).max() <= steps.max() / 2 * 1.001
    assert (np.abs(made.stored * steps - weights) <= steps / 2 * 1.001).all()
    np.testing.assert_allclose(made.bias * made.bias_scale, bias, atol=made.bias_scale.max())


def test_a_large_bias_with_tiny_weights_fits_into_an_int32() -> None:
    """The scale of the weights is enlarged rather than the bias cut off."""
    x = Parameters(np.float32(1e-4), 0)
    made = quantize_weights(np.full((1, 2), 1e-9), np.array([5.0]), x, None)
    assert made.bias[0] * np.float64(made.bias_scale[0]) == pytest.approx(5.0, rel=1e-6)


def test_bias_correction_keeps_the_mean() -> None:
    """The mean of the outputs is that of the float layer to a fraction of what rounding does."""
    rng = np.random.default_rng(0)
    weights, mean = rng.normal(0, 1, (6, 1, 1, 40)), rng.uniform(1, 3, 40)
    bias = np.zeros(6)
    x = Parameters(np.float32(0.01), 0)
    real = weights.reshape(6, 40) @ mean

    def off(given: object) -> float:
        made = quantize_weights(weights, bias, x, 0, given)  # type: ignore[arg-type]
        outputs = (made.stored.reshape(6, 40) * made.scale[:, np.newaxis]) @ mean
        return float(np.abs(outputs + made.bias * made.bias_scale - real).max())

    assert off(mean) < off(None) / 50
