"""SOFTMAX along the last axis: in fixed point for 8 bits, as gemmlowp computes it; and in float32.

Source: kernels/internal/reference/softmax.h, kernels/internal/quantization_util.cc (2.14) and
gemmlowp's fixedpoint/fixedpoint.h.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from edge_agent.engines.numpy import xnnpack
from edge_agent.engines.numpy.arithmetic import (
    INT32_MAX,
    INT32_MIN,
    Ints,
    doubling_high_mul,
    quantize_multiplier,
    rounding_shift_right,
)
from edge_agent.engines.numpy.operators.exponential import exp32, exponentials, work_for
from edge_agent.engines.numpy.operators.parts import cast, plan_clip, real_option
from edge_agent.engines.numpy.plan import Array, Plan, Unsupported
from edge_agent.engines.numpy.program import Operator, Tensor

_INTEGER_BITS = 5  # of a scaled difference, Q5.26
_SUM_BITS = 12  # of the sum of exponentials, Q12.19
_ONE = 1 << 31  # in Q0.31


def plan_softmax(operator: Operator, plan: Plan) -> None:
    """exp(beta * x), divided by its sum.

    From 512 equal 8-bit classes on the reference shifts by more bits than a number has, which C
    leaves undefined; here it is the lowest number, the right answer.
    """
    x, y = plan.input(operator, 0), plan.output(operator)
    if x.dtype != y.dtype or not x.shape or 0 in x.shape:
        raise Unsupported(f"{x.dtype} of shape {x.shape} to {y.dtype}")
    beta = real_option(operator, "beta")
    rows = (-1, x.shape[-1])
    source, target = plan.array(x), plan.array(y)
    flat = source if source.flags.c_contiguous else plan.scratch(x.shape)
    result = target if target.flags.c_contiguous else plan.scratch(x.shape)
    if flat is not source:
        plan.call(np.copyto, flat, source)
    if x.is_quantized and y.is_quantized:
        _plan_fixed(plan, x, y, beta, flat.reshape(rows), result.reshape(rows))
    elif x.dtype == np.float32:
        _plan_float(plan, beta, flat.reshape(rows), result.reshape(rows))
    else:
        raise Unsupported(f"{x.dtype} without a scale")
    if result is not target:
        plan.call(np.copyto, target, result)


def _plan_float(plan: Plan, beta: float, x: Array, y: Array) -> None:
    totals, largest = plan.scratch(x.shape), plan.scratch((len(x), 1))
    plan.call(np.maximum.reduce, x, -1, None, largest, True)
    plan.call(np.subtract, x, largest, y)
    plan.call(np.multiply, y, np.float32(beta), y)
    plan.call(exp32, y, y, work_for(plan, y.shape))
    plan.call(np.add.accumulate, y, -1, None, totals)  # one after the other, as the reference does
    plan.call(np.divide, y, totals[:, -1:], y)


def _plan_fixed(
    plan: Plan, x: Tensor, y: Tensor, beta: float, source: Array, target: Array
) -> None:
    if plan.rounding == "xnnpack":
        _plan_lookup(plan, x, y, beta, (source, target))
        return
    info = np.iinfo(y.dtype)
    exponentials = exponentials_of(x, beta)
    count, depth = source.shape
    if depth << _SUM_BITS > _ONE:
        raise Unsupported(f"{depth} classes")
    arrays = (
        source,
        target,
        plan.scratch((count, 1)),
        plan.scratch(source.shape, np.intp),
        plan.scratch(source.shape, np.int64),
    )
    # What is not reached gets the lowest number, as an exponential of zero does.
    addends = rounding_shift_right(exponentials, _SUM_BITS)
    limits = (int(info.min), int(info.max))
    plan.call(_fixed, arrays, (exponentials, addends), limits, y.zero)


def _plan_lookup(
    plan: Plan, x: Tensor, y: Tensor, beta: float, arrays: tuple[Array, Array]
) -> None:
    """TFLite's optimised kernel, which XNNPACK leaves this operator to: float32 from a table."""
    source, target = arrays
    totals, places = plan.scratch(source.shape), plan.scratch(source.shape, np.intp)
    work = (plan.scratch((len(source), 1)), totals, places)
    table = exponentials(xnnpack.softmax_exponents(x, beta))
    plan.call(_look_up, arrays, work, table, y.step)
    plan_clip(plan, target, 0.0, float(y.limits[1] - y.limits[0]), target)
    plan.call(np.add, target, np.float32(y.limits[0]), target)


def _look_up(
    arrays: tuple[Array, Array], work: tuple[Array, Array, Array], table: Array, step: np.float32
) -> None:
    x, y = arrays
    single, totals, places = work
    np.maximum.reduce(x, axis=-1, out=single, keepdims=True)
    np.subtract(single, x, out=places, casting="unsafe")
    np.take(table, places, out=y, mode="clip")
    np.add.accumulate(y, -1, None, totals)  # one after the other, as the kernel does
    np.multiply(totals[:, -1:], step, out=single)
    np.divide(np.float32(1.0), single, out=single)
    np.multiply(y, single, out=y)
    np.add(y, np.float32(0.5), out=y)
    np.floor(y, out=y)


def exponentials_of(x: Tensor, beta: float) -> Ints:
    """exp(-beta * scale * d) in Q0.31 for d = 0..255; zero where it is too small to count."""
    real = min(beta * float(x.step) * (1 << (31 - _INTEGER_BITS)), _ONE - 1.0)
    multiplier, shift = quantize_multiplier(real)
    if shift < 0:
        raise Unsupported("a scale too small for a softmax")
    radius = math.floor(((1 << _INTEGER_BITS) - 1) * (1 << (31 - _INTEGER_BITS)) / (1 << shift))
    differences = -np.arange(256, dtype=np.int64)
    counts = differences >= -radius
    scaled = doubling_high_mul(np.where(counts, differences, 0) << shift, multiplier)
    result: Ints = np.where(counts, exp_of_negative(scaled), 0)
    return result


def exp_of_negative(x: Ints) -> Ints:
    """Exp of Q5.26 numbers up to zero, as Q0.31: exp_on_negative_values of gemmlowp."""
    quarter = 1 << (31 - _INTEGER_BITS - 2)
    rest = (x & (quarter - 1)) - quarter
    result = _exp_of_quarter(rest << _INTEGER_BITS)
    remainder = rest - x
    # exp(-2**power) in Q0.31, for the bits of the remainder
    for power, factor in (
        (-2, 1672461947),
        (-1, 1302514674),
        (0, 790015084),
        (1, 290630308),
        (2, 39332535),
        (3, 720401),
        (4, 242),
    ):
        is_set = remainder & (1 << (31 - _INTEGER_BITS + power))
        result = np.where(is_set, doubling_high_mul(result, factor), result)
    exact: Ints = np.where(x == 0, INT32_MAX, result)
    return exact


def _exp_of_quarter(x: Ints) -> Ints:
    """Exp of numbers from -1/4 to below 0 in Q0.31: a Taylor series around -1/8."""
    exp_of_eighth, third = 1895147668, 715827883
    x = x + (1 << 28)
    square = doubling_high_mul(x, x)
    cube = doubling_high_mul(square, x)
    fourth = rounding_shift_right(doubling_high_mul(square, square), 2)
    tail = rounding_shift_right(doubling_high_mul(fourth + cube, third) + square, 1)
    result: Ints = exp_of_eighth + doubling_high_mul(exp_of_eighth, x + tail)
    return result


def reciprocals(sums: Ints) -> tuple[Ints, Ints]:
    """1 / sum as Q0.31 scale and exponent: GetReciprocal in kernels/internal/common.h."""
    length = np.frexp(sums.astype(np.float64))[1].astype(np.int64)  # sums are below 2**53
    exponent = _SUM_BITS - (32 - length)
    fraction = (sums << (32 - length)) - _ONE
    return _one_over_one_plus(fraction), exponent


def _one_over_one_plus(fraction: Ints) -> Ints:
    """Newton-Raphson division of gemmlowp: one_over_one_plus_x_for_x_in_0_1."""
    half = (fraction + _ONE) >> 1  # RoundingHalfSum of it and 2**31 - 1, which stands for one
    x = 1515870810 + doubling_high_mul(half, -1010580540)  # 48/17 - 32/17 * half in Q2.29
    for _ in range(3):
        rest = (1 << 29) - doubling_high_mul(half, x)
        step = np.clip(doubling_high_mul(x, rest) << 2, INT32_MIN, INT32_MAX)
        x = x + step
    result: Ints = np.clip(x << 1, INT32_MIN, INT32_MAX)
    return result


def reciprocal(total: int) -> tuple[int, int]:
    """`reciprocals` of one sum below 2**32; in plain numbers it takes a tenth of the time."""
    length = total.bit_length()
    half = total << (32 - length) >> 1
    x = 1515870810 + _high_mul(half, -1010580540)
    for _ in range(3):
        rest = (1 << 29) - _high_mul(half, x)
        x += max(INT32_MIN, min(_high_mul(x, rest) << 2, INT32_MAX))
    return max(INT32_MIN, min(x << 1, INT32_MAX)), _SUM_BITS - (32 - length)


def _high_mul(a: int, b: int) -> int:
    """`doubling_high_mul` of two numbers."""
    product = a * b
    if product < 0:
        return -(((1 << 30) - 1 - product) >> 31)
    return min((product + (1 << 30)) >> 31, INT32_MAX)


def _fixed(
    arrays: tuple[Any, ...], tables: tuple[Ints, Ints], limits: tuple[int, int], zero: int
) -> None:
    x, y, largest, places, values = arrays
    exponentials, addends = tables
    np.maximum.reduce(x, axis=-1, out=largest, keepdims=True)
    np.subtract(largest, x, out=places, casting="unsafe")
    np.take(addends, places, out=values, mode="clip")
    sums = np.add.reduce(values, axis=-1, keepdims=True)
    is_one = len(sums) == 1 and sums[0, 0] < 1 << 32
    scale, exponent = reciprocal(int(sums[0, 0])) if is_one else reciprocals(sums)
    np.take(exponentials, places, out=values, mode="clip")
    # Nothing is negative here, so adding halves and shifting is gemmlowp's rounding.
    np.multiply(values, scale, out=values)
    np.add(values, 1 << 30, out=values)
    np.right_shift(values, 31, out=values)
    right: Any = exponent + (31 - 8)
    np.add(values, (np.int64(1) << right) >> 1, out=values)
    np.right_shift(values, right, out=values)
    np.minimum(values, limits[1] - limits[0], out=values)
    np.add(values, limits[0] - zero, out=values)
    cast(y, values)


PLANNERS = {"SOFTMAX": plan_softmax}
