"""TFLite's fixed-point arithmetic, exactly, on int64 arrays.

Source: gemmlowp fixedpoint/fixedpoint.h and tensorflow/lite/kernels/internal/common.h, as the
reference kernels of tflite-runtime 2.14 use them. int64 holds every product without overflow.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.engines.numpy.program import Tensor

Ints = NDArray[np.int64]

INT32_MAX = (1 << 31) - 1
INT32_MIN = -(1 << 31)

NO_ACTIVATION, RELU, RELU_N1_TO_1, RELU6 = range(4)


def quantize_multiplier(real: float) -> tuple[int, int]:
    """`real` as multiplier * 2**(shift - 31), the multiplier from 2**30 to below 2**31.

    QuantizeMultiplier in kernels/internal/quantization_util.cc.
    """
    if real == 0.0:
        return 0, 0
    fraction, shift = math.frexp(real)
    multiplier = math.floor(fraction * (1 << 31) + 0.5)  # std::round: fraction is not negative
    if multiplier == 1 << 31:
        multiplier //= 2
        shift += 1
    if shift < -31:
        return 0, 0
    return multiplier, shift


def quantize_multipliers(real: NDArray[np.float64]) -> tuple[Ints, Ints]:
    """Multipliers and shifts of several real numbers."""
    if not np.isfinite(real).all():
        raise ValueError("a multiplier that is no finite number")
    fractions, exponents = np.frexp(real)
    multipliers = np.floor(fractions * (1 << 31) + 0.5).astype(np.int64)
    is_one = multipliers == 1 << 31
    multipliers = np.where(is_one, 1 << 30, multipliers)
    shifts = np.where(multipliers == 0, 0, exponents.astype(np.int64) + is_one)
    is_small = shifts < -31
    return np.where(is_small, 0, multipliers), np.where(is_small, 0, shifts)


def doubling_high_mul(a: Any, b: Any) -> Any:
    """round(a * b / 2**31), saturated: SaturatingRoundingDoublingHighMul of gemmlowp."""
    product = a * b
    # The nudge of gemmlowp with its division that truncates towards zero.
    nudge = np.where(product >= 0, 1 << 30, 1 - (1 << 30))
    high = product + nudge
    high = np.where(high >= 0, high >> 31, -((-high) >> 31))
    return np.minimum(high, INT32_MAX)


def rounding_shift_right(x: Any, exponent: Any) -> Any:
    """X / 2**exponent, halves away from zero: RoundingDivideByPOT of gemmlowp."""
    mask = (np.int64(1) << np.asarray(exponent, np.int64)) - 1
    remainder = x & mask
    threshold = (mask >> 1) + (x < 0)
    return (x >> exponent) + (remainder > threshold)


def multiply_by_quantized_multiplier(x: Any, multiplier: Any, shift: Any) -> Any:
    """`x * multiplier * 2**(shift - 31)` as TFLite rounds it: twice.

    TFLite shifts left in int32. Where that overflows, or is by more than 31 bits (there are models
    with scales of 1e-35), C++ leaves the result open; this is what x86 gives.
    """
    shift = np.asarray(shift, np.int64)
    left, right = np.maximum(shift, 0) & 31, np.maximum(-shift, 0)
    return rounding_shift_right(doubling_high_mul(as_int32(x << left), multiplier), right)


def as_int32(x: Any) -> Any:
    """What is left of a number in 32 bits."""
    return ((x + (1 << 31)) & 0xFFFFFFFF) - (1 << 31)


def round_away(x: Any) -> Any:
    """The nearest whole number, halves away from zero: std::round."""
    kind = np.asarray(x).dtype.type
    # A little less than a half: 0.49999997 + 0.5 is 1 in float32.
    half = np.nextafter(kind(0.5), kind(0.0))
    return np.trunc(x + np.copysign(half, x))


def quantized_value(real: float, tensor: Tensor) -> int:
    """The number of a tensor nearest to a real one, less the zero point."""
    return int(round_away(np.float32(real) / tensor.step))


def activation_limits(tensor: Tensor, activation: int) -> tuple[int, int]:
    """Lowest and highest number of the tensor that the activation allows, less the zero point.

    CalculateActivationRangeQuantized in kernels/kernel_util.cc.
    """
    low, high = tensor.limits
    if activation == RELU:
        return max(low, 0), high
    if activation == RELU6:
        return max(low, 0), min(high, quantized_value(6.0, tensor))
    if activation == RELU_N1_TO_1:
        return max(low, quantized_value(-1.0, tensor)), min(high, quantized_value(1.0, tensor))
    if activation != NO_ACTIVATION:
        raise ValueError(f"activation {activation} is not supported for 8-bit numbers")
    return low, high


def all_values(tensor: Tensor) -> Ints:
    """The 256 numbers that an 8-bit tensor can hold, less the zero point, in rising order."""
    low, high = tensor.limits
    return np.arange(low, high + 1, dtype=np.int64)
