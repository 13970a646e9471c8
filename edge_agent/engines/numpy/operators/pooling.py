"""AVERAGE_POOL_2D and MAX_POOL_2D, without padding: a tap goes to the cells that it can reach."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from edge_agent.engines.numpy.arithmetic import activation_limits
from edge_agent.engines.numpy.operators.elementwise import float_limits
from edge_agent.engines.numpy.operators.parts import maximum, plan_clip
from edge_agent.engines.numpy.operators.windows import Windows, windows
from edge_agent.engines.numpy.plan import Array, Plan, Unsupported
from edge_agent.engines.numpy.program import Operator, Tensor

_EXACT = 1 << 24  # whole numbers up to here are exact in float32
_SLIGHTLY = 1e-6  # by which scales may differ: kernels/pooling.cc


def _check(operator: Operator, plan: Plan) -> tuple[Tensor, Tensor, Windows, tuple[float, float]]:
    x, y = plan.input(operator, 0), plan.output(operator)
    plan.array(y)  # refuses sizes beyond all memory
    shape = windows(operator, x, y, operator.number("filter_h"), operator.number("filter_w"))
    activation = operator.number("activation")
    allowed = float_limits(activation)
    if x.dtype == y.dtype == np.float32:
        return x, y, shape, allowed
    if not (x.is_quantized and y.is_quantized and x.dtype == y.dtype):
        raise Unsupported(f"{x.dtype} to {y.dtype}, or 8-bit numbers without a scale")
    if abs(x.step - y.step) > _SLIGHTLY or x.zero != y.zero:
        raise Unsupported("input and output of different scales")
    return x, y, shape, activation_limits(y, activation)


def _span(tap: int, stride: int, padding: int, size: int, count: int) -> tuple[slice, slice]:
    """Output places that one row of the window can reach, and the input rows that they take."""
    first = max(0, -(-(padding - tap) // stride))
    last = min(count, (size - 1 + padding - tap) // stride + 1)
    start = first * stride - padding + tap
    if last <= first:
        return slice(0, 0), slice(0, 0)
    return slice(first, last), slice(start, start + (last - first - 1) * stride + 1, stride)


def _taps(length: int, stride: int, padding: int, size: int, count: int) -> range:
    """Rows of the window that reach the picture at all: a window may be far larger."""
    return range(max(0, padding - (count - 1) * stride), min(length, size + padding))


def _rows(x: Tensor, shape: Windows) -> Iterator[tuple[slice, slice]]:
    for tap in _taps(shape.height, shape.stride_h, shape.top, x.shape[1], shape.rows):
        yield _span(tap, shape.stride_h, shape.top, x.shape[1], shape.rows)


def _columns(x: Tensor, shape: Windows) -> Iterator[tuple[slice, slice]]:
    for tap in _taps(shape.width, shape.stride_w, shape.left, x.shape[2], shape.columns):
        yield _span(tap, shape.stride_w, shape.left, x.shape[2], shape.columns)


def _plan_separately(
    plan: Plan, x: Tensor, shape: Windows, function: Any, start: float, goal: Array
) -> None:
    """Along the rows, then down the columns: for whole numbers and maxima the order is free."""
    source = plan.array(x)
    if shape.width == shape.stride_w == 1 and shape.left == 0 and shape.columns == x.shape[2]:
        wide = source
    else:
        wide = plan.scratch((1, x.shape[1], shape.columns, x.shape[3]))
        plan.call(wide.fill, start)
        for places, taken in _columns(x, shape):
            part = wide[:, :, places]
            plan.call(function, part, source[:, :, taken], part)
    plan.call(goal.fill, start)
    for places, taken in _rows(x, shape):
        part = goal[:, places]
        plan.call(function, part, wide[:, taken], part)


def plan_max_pool(operator: Operator, plan: Plan) -> None:
    """The largest of each window."""
    x, y, shape, (low, high) = _check(operator, plan)
    largest = plan.scratch(y.shape)
    _plan_separately(plan, x, shape, maximum, -np.inf, largest)
    plan_clip(plan, largest, low, high, plan.array(y))


def _counts(x: Tensor, shape: Windows) -> Array:
    """How many cells of each window lie in the picture: rows x columns x 1."""
    rows, columns = np.zeros((shape.rows, 1, 1)), np.zeros((shape.columns, 1))
    for places, _ in _rows(x, shape):
        rows[places] += 1
    for places, _ in _columns(x, shape):
        columns[places] += 1
    return (rows * columns).astype(np.float32)


def plan_average_pool(operator: Operator, plan: Plan) -> None:
    """The mean of the cells of each window that lie in the picture."""
    x, y, shape, (low, high) = _check(operator, plan)
    counts = _counts(x, shape)
    if counts.size == 0 or counts.min() == 0:
        raise Unsupported("windows outside the picture")
    sums = plan.scratch(y.shape)
    if x.dtype == np.float32:
        _plan_float_sums(plan, x, shape, sums)
        plan.call(np.divide, sums, counts, sums)
    else:
        if counts.max() * 256 >= _EXACT:
            raise Unsupported("its sums are too large to be exact")
        _plan_whole_sums(plan, x, shape, sums)
        _plan_rounded_means(plan, sums, counts, x.zero)
    plan_clip(plan, sums, low, high, plan.array(y))


def _plan_float_sums(plan: Plan, x: Tensor, shape: Windows, sums: Array) -> None:
    """In the order of the reference, row by row: kernels/internal/reference/pooling.h."""
    source = plan.array(x)
    plan.call(sums.fill, 0)
    for rows, taken_rows in _rows(x, shape):
        for columns, taken_columns in _columns(x, shape):
            part = sums[:, rows, columns]
            plan.call(np.add, part, source[:, taken_rows, taken_columns], part)


def _plan_whole_sums(plan: Plan, x: Tensor, shape: Windows, sums: Array) -> None:
    source = plan.array(x)
    is_whole = (shape.height, shape.width) == x.shape[1:3] and shape.rows == shape.columns == 1
    if is_whole and shape.top == shape.left == 0 and source.flags.c_contiguous:
        cells = source.reshape(-1, x.shape[3])
        plan.call(np.matmul, np.ones((1, len(cells)), np.float32), cells, sums.reshape(1, -1))
        return
    _plan_separately(plan, x, shape, np.add, 0.0, sums)


def _plan_rounded_means(plan: Plan, sums: Array, counts: Array, zero: int) -> None:
    """Sums to means, halves away from zero in terms of the stored numbers, zero point and all.

    AveragePool in kernels/internal/reference/integer_ops/pooling.h. Quotients of whole numbers
    below 2**24 are cut off rightly: rounding to float32 cannot reach the next whole number.
    """
    halves = plan.scratch(sums.shape)
    if zero:
        plan.call(np.add, sums, counts * np.float32(zero), sums)
    plan.call(np.copysign, np.floor(counts / 2), sums, halves)
    plan.call(np.add, sums, halves, sums)
    plan.call(np.divide, sums, counts, sums)
    plan.call(np.trunc, sums, sums)
    if zero:
        plan.call(np.subtract, sums, np.float32(zero), sums)


PLANNERS = {"AVERAGE_POOL_2D": plan_average_pool, "MAX_POOL_2D": plan_max_pool}
