"""MEAN, SUM, REDUCE_MAX, REDUCE_MIN, ARG_MAX, ARG_MIN."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from edge_agent.engines.numpy import xnnpack
from edge_agent.engines.numpy.arithmetic import (
    multiply_by_quantized_multiplier,
    quantize_multiplier,
)
from edge_agent.engines.numpy.operators.parts import cast, plan_clip
from edge_agent.engines.numpy.plan import Array, Plan, Unsupported
from edge_agent.engines.numpy.program import Operator, Tensor

_EXACT = 1 << 24  # whole numbers up to here are exact in float32, and so are their sums


def _axes(operator: Operator, plan: Plan) -> tuple[Tensor, Tensor, tuple[int, ...]]:
    """Input, output and the axes that go, each once and counted from the front."""
    x, y = plan.input(operator, 0), plan.output(operator)
    given = plan.constant(plan.input(operator, 1)).ravel().tolist()
    rank = len(x.shape)
    axes = tuple(sorted({axis + rank if axis < 0 else axis for axis in given}))
    if any(not 0 <= axis < rank for axis in axes) or 0 in x.shape:
        raise Unsupported(f"axes {given} of shape {x.shape}")
    return x, y, axes


def _kept(x: Tensor, axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(1 if axis in axes else size for axis, size in enumerate(x.shape))


def _plan_whole_sums(plan: Plan, x: Tensor, axes: tuple[int, ...]) -> Array:
    """Sums of 8-bit numbers less their zero points, which are exact in any order."""
    source, kept = plan.array(x), _kept(x, axes)
    is_long = math.prod(x.shape) // max(math.prod(kept), 1) * 256 >= _EXACT
    sums = plan.scratch(kept, np.float64 if is_long else np.float32)
    cells = math.prod(x.shape[:-1])
    is_flat = kept == (*(1,) * (len(kept) - 1), x.shape[-1]) and cells > 1
    if is_flat and not is_long and source.flags.c_contiguous:
        rows = source.reshape(cells, x.shape[-1])
        plan.call(np.matmul, np.ones((1, cells), np.float32), rows, sums.reshape(1, -1))
        return sums
    plan.call(np.add.reduce, source, axes, sums.dtype, sums, True)
    return sums


def _plan_float_sums(plan: Plan, x: Tensor, axes: tuple[int, ...]) -> Array:
    """One after the other in memory order, as the reference adds: not in pairs, as NumPy would."""
    source = plan.array(x)
    order = (*axes, *(axis for axis in range(len(x.shape)) if axis not in axes))
    moved = source.transpose(order)
    count = math.prod(x.shape[axis] for axis in axes)
    rows = plan.scratch((count, math.prod(x.shape) // count), x.dtype)
    plan.call(np.copyto, rows.reshape(moved.shape), moved)
    plan.call(np.add.accumulate, rows, 0, None, rows)
    total: Array = rows[-1]
    return total


def _is_plain(x: Tensor, y: Tensor) -> bool:
    return x.dtype == y.dtype == np.float32


def _check_quantized(x: Tensor, y: Tensor) -> None:
    if not (x.is_quantized and y.is_quantized and x.dtype == y.dtype):
        raise Unsupported(f"{x.dtype} to {y.dtype}, or 8-bit numbers without a scale")


def plan_mean(operator: Operator, plan: Plan) -> None:
    """Means; the divisor of 8-bit ones is part of the multiplier."""
    x, y, axes = _axes(operator, plan)
    count = math.prod(x.shape[axis] for axis in axes)
    if _is_plain(x, y):
        total = _plan_float_sums(plan, x, axes)
        plan.call(np.divide, total.reshape(y.shape), np.float32(count), plan.array(y))
        return
    _check_quantized(x, y)
    if plan.rounding == "xnnpack":
        _plan_xnnpack(plan, x, y, axes, xnnpack.mean(x, y, count, count))
        return
    multiplier, shift = mean_multiplier(float(x.step) / float(y.step), count)
    _plan_rescaled(plan, _plan_whole_sums(plan, x, axes), y, multiplier, shift)


def _plan_xnnpack(
    plan: Plan, x: Tensor, y: Tensor, axes: tuple[int, ...], what: xnnpack.Mean
) -> None:
    exact = _plan_whole_sums(plan, x, axes)
    sums = exact if exact.dtype == np.float32 else plan.scratch(exact.shape)
    zeros = x.zero * math.prod(x.shape[axis] for axis in axes)
    plan.call(np.add, exact, exact.dtype.type(zeros), exact)
    if sums is not exact:
        plan.call(cast, sums, exact)
    plan.call(np.multiply, sums, what.scale, sums)
    plan.call(np.add, sums, what.zero, sums)
    plan.call(np.rint, sums, sums)
    plan.call(np.subtract, sums, np.float32(y.zero), sums)
    plan_clip(plan, sums.reshape(y.shape), *y.limits, plan.array(y))


def mean_multiplier(real: float, count: int) -> tuple[int, int]:
    """Fixed-point real / count: QuantizedMeanOrSum in kernels/internal/reference/reduce.h.

    The multiplier is shifted to the left as far as the divisor allows before it is divided.
    """
    multiplier, shift = quantize_multiplier(real)
    more = min(count.bit_length() - 1, 32, 31 + shift)
    return (multiplier << more) // count, shift - more


def _plan_rescaled(plan: Plan, sums: Array, y: Tensor, multiplier: int, shift: int) -> None:
    target = plan.array(y)

    def rescale() -> None:
        scaled = multiply_by_quantized_multiplier(sums.astype(np.int64), multiplier, shift)
        np.copyto(target, np.clip(scaled, *y.limits).reshape(y.shape), casting="unsafe")

    plan.call(rescale)


def plan_sum(operator: Operator, plan: Plan) -> None:
    """Sums of float32 and whole numbers; uint8 ones as means without a divisor."""
    x, y, axes = _axes(operator, plan)
    count = math.prod(x.shape[axis] for axis in axes)
    if _is_plain(x, y):
        total = _plan_float_sums(plan, x, axes)
        plan.call(np.copyto, plan.array(y), total.reshape(y.shape))
        return
    if x.dtype == y.dtype and x.dtype in (np.int32, np.int64):
        plan.call(
            np.add.reduce, plan.array(x), axes, x.dtype, plan.array(y).reshape(_kept(x, axes)), True
        )
        return
    _check_quantized(x, y)
    if x.dtype == np.int8:
        raise Unsupported("int8, which the reference kernel takes for uint8")
    if plan.rounding == "xnnpack":
        _plan_xnnpack(plan, x, y, axes, xnnpack.mean(x, y, count, 1))
        return
    multiplier, shift = quantize_multiplier(float(x.step) / float(y.step))
    _plan_rescaled(plan, _plan_whole_sums(plan, x, axes), y, multiplier, shift)


def _plan_extreme(function: Any) -> Callable[[Operator, Plan], None]:
    def planner(operator: Operator, plan: Plan) -> None:
        x, y, axes = _axes(operator, plan)
        if x.is_quantized and y.is_quantized:
            if x.step != y.step or x.limits != y.limits:
                raise Unsupported("input and output of different scales")
        elif x.dtype != y.dtype or x.dtype not in (np.float32, np.int32, np.int64):
            raise Unsupported(f"{x.dtype} to {y.dtype}")
        source, target = plan.array(x), plan.array(y)
        found = plan.scratch(_kept(x, axes), source.dtype)
        plan.call(function.reduce, source, axes, None, found, True)
        plan.call(np.copyto, target, found.reshape(y.shape))

    return planner


def _plan_place(function: Any) -> Callable[[Operator, Plan], None]:
    """Place of the largest or smallest along an axis, the first of equal ones."""

    def planner(operator: Operator, plan: Plan) -> None:
        x, y, axes = _axes(operator, plan)
        if len(axes) != 1 or y.dtype not in (np.int32, np.int64):
            raise Unsupported(f"axes {axes} to {y.dtype}")
        shape = tuple(size for axis, size in enumerate(x.shape) if axis not in axes)
        places = plan.scratch(shape, np.intp)
        plan.call(function, plan.array(x), axes[0], places)
        plan.call(cast, plan.array(y), places.reshape(y.shape))

    return planner


PLANNERS = {
    "MEAN": plan_mean,
    "SUM": plan_sum,
    "REDUCE_MAX": _plan_extreme(np.maximum),
    "REDUCE_MIN": _plan_extreme(np.minimum),
    "ARG_MAX": _plan_place(np.argmax),
    "ARG_MIN": _plan_place(np.argmin),
}
