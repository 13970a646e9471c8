"""gemmlowp's logistic and tanh for 16-bit numbers, as tables of all 65536 inputs.

Source: gemmlowp fixedpoint/fixedpoint.h for FixedPoint<int16_t, n>. A number with n integer bits
stands for raw * 2**(n - 15).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from edge_agent.engines.numpy.arithmetic import Ints, rounding_shift_right

_LOW, _HIGH = -(1 << 15), (1 << 15) - 1
_INPUTS = np.arange(_LOW, _HIGH + 1, dtype=np.int64)

# exp(-2**k) for k = -2 ... 4, and other constants, with 31 fractional bits (rounded to 15 here).
_POWERS = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
_EXP_EIGHTH, _THIRD = 1895147668, 715827883  # exp(-1/8), 1/3
_48_OVER_17, _MINUS_32_OVER_17 = 1515870810, -1010580540  # with two integer bits
_F2_ONE = 1 << 13


def _constant(value: int) -> Any:
    return int(rounding_shift_right(np.int64(value), 16))


def _saturated(x: Any) -> Any:
    return np.clip(x, _LOW, _HIGH)


def _wrapped(x: Any) -> Any:
    """As a cast to int16."""
    return (x - _LOW) % (1 << 16) + _LOW


def _mul(a: Any, b: Any) -> Any:
    """SaturatingRoundingDoublingHighMul of int16: truncates after adding half."""
    product = a * b
    total = product + np.where(product >= 0, 1 << 14, 1 - (1 << 14))
    return np.minimum(np.where(total >= 0, total >> 15, -(-total >> 15)), _HIGH)


def _exp_on_last_quarter(a: Any) -> Any:
    """Exponential on [-1/4, 0): a Taylor polynomial around -1/8."""
    x = _wrapped(a + (1 << 12))
    x2 = _mul(x, x)
    x3, x4 = _mul(x2, x), _mul(x2, x2)
    tail = _mul(_wrapped(rounding_shift_right(x4, 2) + x3), _constant(_THIRD))
    tail = rounding_shift_right(_wrapped(tail + x2), 1)
    eighth = _constant(_EXP_EIGHTH)
    return _saturated(eighth + _mul(eighth, _wrapped(x + tail)))


def _exp_on_negative_values(a: Any, integer_bits: int) -> Any:
    """The last quarter, times a power for each bit that is left."""
    fractional = 15 - integer_bits
    quarter = 1 << (fractional - 2)
    rest = (a & (quarter - 1)) - quarter
    result = _exp_on_last_quarter(_saturated(rest << integer_bits))
    remainder = _wrapped(rest - a)
    for exponent, power in zip(range(-2, 5), _POWERS, strict=True):
        if integer_bits > exponent:
            bit = remainder & (1 << (fractional + exponent)) != 0
            result = np.where(bit, _mul(result, _constant(power)), result)
    if integer_bits > 5:
        result = np.where(a < -(1 << (fractional + 5)), 0, result)
    return np.where(a == 0, _HIGH, result)


def _reciprocal(a: Any) -> Any:
    """2 / (1 + a) for a in [0, 1], with two integer bits: three steps of Newton and Raphson."""
    total = a + _HIGH
    half = np.where(total >= 0, total + 1, total - 1)
    half = np.where(half >= 0, half >> 1, -(-half >> 1))
    x = _wrapped(_constant(_48_OVER_17) + _mul(half, _constant(_MINUS_32_OVER_17)))
    for _ in range(3):
        left = _wrapped(_F2_ONE - _mul(half, x))
        x = _wrapped(x + _saturated(_mul(x, left) << 2))
    return x


def logistic_table(integer_bits: int) -> Ints:
    """Logistic, with 15 fractional bits, of each number from -32768 up."""
    positive = np.where(_INPUTS > 0, _INPUTS, _wrapped(-_INPUTS))
    exponential = _exp_on_negative_values(_wrapped(-positive), integer_bits)
    result = _saturated(_reciprocal(exponential) << 1)
    below = _HIGH - result
    table: Ints = np.where(_INPUTS == 0, 1 << 14, np.where(_INPUTS > 0, result, below))
    return table


def tanh_table(integer_bits: int) -> Ints:
    """Tanh, with 15 fractional bits, of each number from -32768 up."""
    negative = np.where(_INPUTS < 0, _INPUTS, -_INPUTS)
    exponential = _exp_on_negative_values(negative, integer_bits + 1)
    result = _saturated(_wrapped(_reciprocal(exponential) - _F2_ONE) << 2)
    table: Ints = np.where(_INPUTS == 0, 0, np.where(_INPUTS < 0, -result, result))
    return table
