"""RESIZE_BILINEAR and RESIZE_NEAREST_NEIGHBOR."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from edge_agent.engines.numpy import xnnpack
from edge_agent.engines.numpy.operators.parts import cast
from edge_agent.engines.numpy.plan import Array, Plan, Unsupported
from edge_agent.engines.numpy.program import Operator, Tensor

_ONE = 1 << 10  # one pixel, in the fixed point of the int8 kernel
_EXACT = 1 << 24  # whole numbers up to here are exact in float32


class _Axis(NamedTuple):
    """For each place of the output along an axis: its two neighbours, how near to the second."""

    lower: Any
    upper: Any
    fraction: Any


def _check(operator: Operator, plan: Plan) -> tuple[Tensor, Tensor, bool, bool]:
    x, y = plan.input(operator, 0), plan.output(operator)
    if len(x.shape) != 4 or len(y.shape) != 4 or x.dtype != y.dtype:
        raise Unsupported(f"{x.dtype} of shape {x.shape} to {y.dtype}")
    if not (x.dtype == np.float32 or (x.is_quantized and y.is_quantized and x.limits == y.limits)):
        raise Unsupported(f"{x.dtype}, or input and output of different scales")
    size = plan.constant(plan.input(operator, 1)).ravel().tolist()
    if y.shape != (x.shape[0], *size, x.shape[3]) or 0 in x.shape or 0 in y.shape:
        raise Unsupported(f"shape {x.shape} to {y.shape} with a size of {size}")
    plan.array(y)  # refuses sizes beyond all memory
    corners = bool(operator.options["align_corners"])
    centers = bool(operator.options["half_pixel_centers"])
    if corners and centers:
        raise Unsupported("align_corners together with half_pixel_centers")
    return x, y, corners, centers


def _fixed_axis(size: int, count: int, corners: bool, centers: bool) -> _Axis:
    """ResizeBilinearInteger in kernels/internal/reference/resize_bilinear.h (2.14)."""
    scale = (_ONE * size + count // 2) // count
    if corners and count > 1:
        scale = (_ONE * (size - 1) + (count - 1) // 2) // (count - 1)
    at = np.arange(count, dtype=np.int64) * scale
    if centers:
        at += scale // 2 - _ONE // 2
    lower = np.maximum(np.trunc(at / _ONE).astype(np.int64), 0)
    upper = np.minimum(np.trunc((at + _ONE - 1) / _ONE).astype(np.int64), size - 1)
    lower = np.minimum(lower, size - 1)
    return _Axis(lower, upper, at - _ONE * lower)


def _float_axis(size: int, count: int, corners: bool, centers: bool) -> _Axis:
    """ComputeInterpolationValues in kernels/internal/reference/resize_bilinear.h (2.14)."""
    scale = np.float32(size) / np.float32(count)
    if corners and count > 1:
        scale = np.float32(size - 1) / np.float32(count - 1)
    at = np.arange(count, dtype=np.float32)
    half = np.float32(0.5)
    at = (at + half) * scale - half if centers else at * scale
    lower = np.maximum(np.floor(at).astype(np.int64), 0)
    upper = np.minimum(np.ceil(at).astype(np.int64), size - 1)
    return _Axis(lower, upper, at - lower.astype(np.float32))


def plan_bilinear(operator: Operator, plan: Plan) -> None:
    """Interpolation between four pixels: in fixed point for int8, else in float32."""
    x, y, corners, centers = _check(operator, plan)
    if plan.rounding == "xnnpack":
        found = [xnnpack.resize_axis(x.shape[i], y.shape[i], corners, centers) for i in (1, 2)]
        _plan_xnnpack(plan, x, y, _Axis(*found[0]), _Axis(*found[1]))
    elif x.dtype == np.int8:
        axes = [_fixed_axis(x.shape[i], y.shape[i], corners, centers) for i in (1, 2)]
        _plan_fixed(plan, x, y, axes[0], axes[1])
    else:
        axes = [_float_axis(x.shape[i], y.shape[i], corners, centers) for i in (1, 2)]
        _plan_float(plan, x, y, axes[0], axes[1])


def _plan_xnnpack(plan: Plan, x: Tensor, y: Tensor, rows: _Axis, columns: _Axis) -> None:
    """Whole numbers, halves rounded up, so that zero points play no part."""
    one = xnnpack.PIXEL
    down, across = (math.gcd(one, *axis.fraction.tolist()) for axis in (rows, columns))
    unit = (one // down) * (one // across)
    kind: Any = np.float32 if unit * 512 <= _EXACT else np.float64
    lines = _plan_weighted(plan, _source(plan, x), rows, (down, one), 1, np.dtype(np.float32))
    sums = _plan_weighted(plan, lines, columns, (across, one), 2, np.dtype(kind))
    plan.call(np.multiply, sums, sums.dtype.type(1.0 / unit), sums)
    plan.call(np.add, sums, sums.dtype.type(0.5), sums)
    plan.call(np.floor, sums, sums)
    plan.call(cast, plan.array(y), sums)


def _source(plan: Plan, x: Tensor) -> Array:
    source = plan.array(x)
    if source.flags.c_contiguous:
        return source
    copy = plan.scratch(x.shape)
    plan.call(np.copyto, copy, source)
    return copy


def _plan_take(plan: Plan, source: Array, places: Any, axis: int) -> Array:
    """Rows (axis 1) or columns (axis 2) by their numbers."""
    shape = list(source.shape)
    shape[axis] = len(places)
    found = plan.scratch(tuple(shape), source.dtype)
    plan.call(_take_along, source, places.astype(np.intp), axis, found)
    return found


def _take_along(source: Array, places: Array, axis: int, target: Array) -> None:
    np.take(source, places, axis, target, "clip")


def _plan_fixed(plan: Plan, x: Tensor, y: Tensor, rows: _Axis, columns: _Axis) -> None:
    """Whole numbers: first down, then across; weights are divided by what they have in common.

    Weights of both neighbours add up to one pixel, so that zero points can be left out of the
    products; they matter where halves are rounded away from zero.
    """
    down, across = (math.gcd(_ONE, *axis.fraction.tolist()) for axis in (rows, columns))
    unit = (_ONE // down) * (_ONE // across)
    largest = max(map(abs, (*x.limits, 128)))
    is_exact = unit * largest * 9 < _EXACT  # weights go from -1/2 to 3/2 at the borders
    kind: Any = np.float32 if is_exact else np.float64
    lines = _plan_weighted(plan, _source(plan, x), rows, (down, _ONE), 1, np.dtype(np.float32))
    sums = _plan_weighted(plan, lines, columns, (across, _ONE), 2, np.dtype(kind))
    halves = plan.scratch(sums.shape, kind)
    if x.zero:
        plan.call(np.add, sums, sums.dtype.type(x.zero * unit), sums)
    plan.call(np.copysign, sums.dtype.type(unit // 2), sums, halves)
    plan.call(np.add, sums, halves, sums)
    plan.call(np.multiply, sums, sums.dtype.type(1.0 / unit), sums)
    plan.call(np.trunc, sums, sums)
    if x.zero:
        plan.call(np.subtract, sums, sums.dtype.type(x.zero), sums)
    plan.call(cast, plan.array(y), sums)


def _plan_weighted(
    plan: Plan,
    source: Array,
    axis: _Axis,
    units: tuple[int, int],
    number: int,
    kind: np.dtype[Any],
) -> Array:
    """(pixel - fraction) * lower + fraction * upper; `units` are one of the result, and a pixel."""
    common, pixel = units
    shape = (-1, 1, 1) if number == 1 else (-1, 1)
    second = (axis.fraction // common).reshape(shape).astype(kind)
    first = (pixel // common - second).astype(kind)
    lower = _plan_take(plan, source, axis.lower, number)
    upper = _plan_take(plan, source, axis.upper, number)
    if kind != lower.dtype:
        lower, upper = (_plan_wide(plan, each, kind) for each in (lower, upper))
    plan.call(np.multiply, lower, first, lower)
    plan.call(np.multiply, upper, second, upper)
    plan.call(np.add, lower, upper, lower)
    return lower


def _plan_wide(plan: Plan, narrow: Array, kind: np.dtype[Any]) -> Array:
    wide = plan.scratch(narrow.shape, kind)
    plan.call(np.copyto, wide, narrow)
    return wide


def _plan_float(plan: Plan, x: Tensor, y: Tensor, rows: _Axis, columns: _Axis) -> None:
    """Products and sums in the order of the reference, which rounds each of them to float32.

    uint8 numbers are interpolated with their zero point, and one half is added before the
    fraction is cut off.
    """
    source = _source(plan, x)
    if x.is_quantized and x.zero:
        raw = plan.scratch(x.shape)
        plan.call(np.add, source, np.float32(x.zero), raw)
        source = raw
    down, across = rows.fraction.reshape(-1, 1, 1), columns.fraction.reshape(-1, 1)
    one = np.float32(1.0)
    total = plan.scratch(y.shape)
    corners = (
        (rows.lower, columns.lower, one - down, one - across),
        (rows.upper, columns.lower, down, one - across),
        (rows.lower, columns.upper, one - down, across),
        (rows.upper, columns.upper, down, across),
    )
    for number, (row, column, height, width) in enumerate(corners):
        part = _plan_take(plan, _plan_take(plan, source, row, 1), column, 2)
        plan.call(np.multiply, part, height, part)
        plan.call(np.multiply, part, width, part if number else total)
        if number:
            plan.call(np.add, total, part, total)
    if x.is_quantized:
        plan.call(np.add, total, np.float32(0.5), total)
        plan.call(np.trunc, total, total)
        plan.call(np.subtract, total, np.float32(x.zero), plan.array(y))
    else:
        plan.call(np.copyto, plan.array(y), total)


def nearest(size: int, count: int, corners: bool, centers: bool) -> Any:
    """GetNearestNeighbor in kernels/internal/reference/resize_nearest_neighbor.h."""
    scale = np.float32(size) / np.float32(count)
    if corners and count > 1:
        scale = np.float32(size - 1) / np.float32(count - 1)
    at = np.arange(count, dtype=np.float32)
    if centers:
        at = at + np.float32(0.5)
    at = at * scale
    at = np.floor(at.astype(np.float64) + 0.5) if corners else np.floor(at)
    return np.clip(at.astype(np.intp), 0, size - 1)


def plan_nearest(operator: Operator, plan: Plan) -> None:
    """The nearest pixel."""
    x, y, corners, centers = _check(operator, plan)
    batch, height, width, channels = x.shape
    rows = nearest(height, y.shape[1], corners, centers)
    columns = nearest(width, y.shape[2], corners, centers)
    places = (rows[:, None] * width + columns).ravel()
    pixels = _source(plan, x).reshape(batch, height * width, channels)
    found = _plan_take(plan, pixels, places, 1)
    plan.call(np.copyto, plan.array(y), found.reshape(y.shape))


PLANNERS = {"RESIZE_BILINEAR": plan_bilinear, "RESIZE_NEAREST_NEIGHBOR": plan_nearest}
