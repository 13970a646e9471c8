"""Requantization: the proven chains against TFLite's fixed-point arithmetic itself."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.engines.numpy.arithmetic import (
    doubling_high_mul,
    multiply_by_quantized_multiplier,
    quantize_multiplier,
    rounding_shift_right,
)
from edge_agent.engines.numpy.epilogue import Epilogue
from edge_agent.engines.numpy.plan import Plan, Variables
from edge_agent.engines.numpy.program import Graph
from edge_agent.engines.numpy.requantize import Requantization, find_chain, thresholds

INT32 = st.integers(-(2**31), 2**31 - 1)
REAL = st.floats(1e-9, 0.9)
BOUND = st.integers(0, 2**24 - 1)


def high_mul(a: int, b: int) -> int:
    """Gemmlowp's SaturatingRoundingDoublingHighMul in Python's own integers."""
    if a == b == -(2**31):
        return 2**31 - 1
    product = a * b
    nudged = product + (2**30 if product >= 0 else 1 - 2**30)
    return abs(nudged) // 2**31 * (1 if nudged >= 0 else -1)


@given(INT32, INT32)
def test_doubling_high_mul(a: int, b: int) -> None:
    """The vector form is gemmlowp's, with saturation and division towards zero."""
    assert int(doubling_high_mul(np.int64(a), np.int64(b))) == high_mul(a, b)


@given(INT32, st.integers(0, 31))
def test_shift_rounds_halves_away_from_zero(x: int, exponent: int) -> None:
    """Shifting right rounds to the nearest, halves away from zero."""
    down, rest = divmod(abs(x), 1 << exponent)
    wanted = (down + (2 * rest >= 1 << exponent)) * (1 if x >= 0 else -1)
    assert int(rounding_shift_right(np.int64(x), exponent)) == wanted


@given(st.floats(1e-12, 1e6))
def test_quantized_multiplier_is_near(real: float) -> None:
    """31 bits of multiplier come within one part in 2**30, or are zero where it is too small."""
    multiplier, shift = quantize_multiplier(real)
    if multiplier == 0:
        assert real < 2.0**-31
    else:
        assert 2**30 <= multiplier < 2**31
        assert multiplier * 2.0 ** (shift - 31) == pytest.approx(real, rel=2**-30)


def make(real: float, bias: int, bound: int, zero: int, relu: bool) -> Requantization:
    """One channel into int8 with that zero point."""
    low = 0 if relu else -128 - zero
    return Requantization.of(
        np.array([bias]), np.array([real]), max(low, -128 - zero), 127 - zero, np.array([bound])
    )


@settings(max_examples=300)
@given(REAL, st.integers(-(2**20), 2**20), BOUND, st.integers(-128, 127), st.booleans())
def test_thresholds_are_the_first_sums(
    real: float, bias: int, bound: int, zero: int, relu: bool
) -> None:
    """At each threshold that a sum can reach the step is reached, one below it is not."""
    what = make(real, bias, bound, zero, relu)
    found = thresholds(what)
    sums, steps = found.sums[0][found.inside[0]], found.steps[0][found.inside[0]]
    assert (what.exactly(sums[:, None])[:, 0] >= steps).all()
    assert (what.exactly(sums[:, None] - 1)[:, 0] < steps).all()


@settings(max_examples=300)
@given(
    REAL, st.integers(-(2**20), 2**20), BOUND, st.integers(-128, 127), st.booleans(), st.randoms()
)
def test_a_proven_chain_is_equal_everywhere(
    real: float, bias: int, bound: int, zero: int, relu: bool, random: st.DataObject
) -> None:
    """Where a chain is called proven, it gives the same for any sums, not only at thresholds."""
    what = make(real, bias, bound, zero, relu)
    chain = find_chain(what)
    if chain.unproven.size:
        return
    sums = np.random.default_rng(abs(hash(random)) % 2**32).integers(-bound, bound + 1, (1, 2000))
    sums[0, :2] = -bound, bound
    got = np.clip(chain.apply(sums.astype(np.float32), np.arange(1)), what.low, what.high)
    np.testing.assert_array_equal(got[0], what.exactly(sums.T)[:, 0])


def test_most_channels_have_a_chain() -> None:
    """Of 2,000 channels as models have them, nearly all are proven in float32."""
    noise = np.random.default_rng(0)
    count = 2000
    what = Requantization.of(
        noise.integers(-20_000, 20_000, count),
        noise.uniform(5e-4, 2e-2, count),
        0,
        255,
        noise.integers(50_000, 500_000, count),
    )
    assert len(find_chain(what).unproven) < 0.05 * count


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("low", [0, -150])
def test_epilogue(kind: type, low: int) -> None:
    """The planned calls, patches included, give the definition for a whole layer of sums."""
    noise = np.random.default_rng(1)
    count, pixels = 24, 60
    bound = np.full(count, 400_000)
    real = noise.uniform(1e-4, 2e-3, count)
    what = Requantization.of(noise.integers(-9999, 9999, count), real, low, 255 + low, bound)
    sums = noise.integers(-400_000, 400_001, (pixels, count))
    plan = Plan(Graph((), (), (), ()), "reference", {}, Variables())
    target = np.zeros((6, 10 * count), np.float32)
    values: Any = sums.astype(kind)
    Epilogue(what, kind).plan(plan, values, target)
    for function, arguments in plan.calls:
        function(*arguments)
    assert values.dtype == kind
    np.testing.assert_array_equal(target.reshape(pixels, count), what.exactly(sums))


def test_multiplying_rounds_twice() -> None:
    """An example in which rounding once would give another number."""
    multiplier, shift = quantize_multiplier(0.25)
    assert int(multiply_by_quantized_multiplier(np.int64(-2), multiplier, shift)) == -1
    assert int(multiply_by_quantized_multiplier(np.int64(2), multiplier, shift)) == 1
