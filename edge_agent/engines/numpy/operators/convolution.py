"""CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED: sums of products, then back to eight bits.

Sums are exact: whole numbers below 2**24 add up without error in float32, in any order. Each layer
is checked with its own weights; one that could go beyond is summed in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from edge_agent.engines.numpy import xnnpack
from edge_agent.engines.numpy.arena import aligned
from edge_agent.engines.numpy.arithmetic import Ints, activation_limits
from edge_agent.engines.numpy.blas import Weights, einsum
from edge_agent.engines.numpy.epilogue import Epilogue
from edge_agent.engines.numpy.operators import floating
from edge_agent.engines.numpy.operators.floating import is_float
from edge_agent.engines.numpy.operators.windows import Windows, view, windows
from edge_agent.engines.numpy.plan import Array, Margins, Plan, Unsupported, stored
from edge_agent.engines.numpy.program import Graph, Operator, Tensor
from edge_agent.engines.numpy.requantize import EXACT, Requantization

Planner = Callable[[Operator, Plan], None]

_CHUNK = 192 << 10  # numbers of a layer that are worked on at a time, to stay in the cache
_WIDE = 2048
_FILTERS = 64  # that are converted at a time


def margins_of(operator: Operator, graph: Graph) -> Iterator[tuple[int, Margins]]:
    """Padding that an operator wants around its input."""
    if operator.name in ("CONV_2D", "DEPTHWISE_CONV_2D"):
        x, w, y = (graph.tensors[i] for i in (*operator.inputs[:2], operator.outputs[0]))
        is_known = x.is_quantized or x.dtype == np.float32
        if is_known and len(w.shape) == 4 and len(x.shape) == 4:
            yield x.index, windows(operator, x, y, w.shape[1], w.shape[2]).margins


def _filters(plan: Plan, w: Tensor) -> tuple[Array, Ints]:
    """Weights less their zero points as numbers x filters; the sum of each filter's absolute ones.

    Some filters at a time: a copy of a whole layer would be the most memory that is ever needed.
    """
    values = plan.constant(w)
    assert w.zero_point is not None
    shape = [1] * values.ndim
    shape[w.dimension if w.zero_point.size > 1 else 0] = w.zero_point.size
    zeros = np.broadcast_to(w.zero_point.astype(np.float32).reshape(shape), values.shape)
    filters = aligned((values[0].size, len(values)), np.dtype(np.float32))
    totals = np.zeros(len(values), np.int64)
    for first in range(0, len(values), _FILTERS):
        some = slice(first, first + _FILTERS)
        whole = values[some].astype(np.float32)
        whole -= zeros[some]
        rows = whole.reshape(-1, len(filters))
        filters[:, some] = rows.T
        totals[some] = np.abs(rows, out=rows).sum(axis=1, dtype=np.float64)
    return filters, totals


def _epilogue(plan: Plan, operator: Operator, bound: Ints) -> Epilogue:
    """Bias and scales of an operator with inputs x, w, bias.

    kernels/kernel_util.cc: uint8 models, and layers with one scale that are dense, multiply the
    scales in float32 first.
    """
    x, w, y = plan.input(operator, 0), plan.input(operator, 1), plan.output(operator)
    bias_tensor = plan.optional(operator, 2)
    bias = np.zeros(bound.shape, np.int64)
    if bias_tensor is not None:
        bias = plan.constant(bias_tensor).astype(np.int64).reshape(bound.shape)
    assert w.scale is not None
    if plan.rounding == "xnnpack":
        return Epilogue(_single(operator, (x, w, y), bias, bound), _precision(bound), plan.findings)
    real: Any
    is_dense = operator.name == "FULLY_CONNECTED"
    if w.scale.size == 1 and (x.dtype == np.uint8 or is_dense):
        real = np.float64(x.step * w.step) / np.float64(y.step)
    else:
        real = np.float64(x.step) * w.scale.astype(np.float64) / np.float64(y.step)
    low, high = activation_limits(y, operator.number("activation"))
    return Epilogue(
        Requantization.of(bias, real, low, high, bound), _precision(bound), plan.findings
    )


def _single(
    operator: Operator, tensors: tuple[Tensor, Tensor, Tensor], bias: Ints, bound: Ints
) -> xnnpack.SingleRequantization:
    x, w, y = tensors
    scale = np.broadcast_to(xnnpack.product_scale(x, w.scale, y), bound.shape)
    low, high = xnnpack.activation_limits(y, operator.number("activation"))
    return xnnpack.SingleRequantization(bias, scale, low, high, bound)


def _precision(bound: Ints) -> Any:
    """The precision in which sums up to the bound are exact."""
    return np.float32 if bound.max(initial=0) < EXACT[np.float32] else np.float64


def _largest(x: Tensor) -> int:
    return max(map(abs, x.limits))


def _quantized_or(floating: Planner, quantized: Planner) -> Planner:
    """The planner of an operator that comes with either type."""

    def plan_either(operator: Operator, plan: Plan) -> None:
        (floating if is_float(plan, operator) else quantized)(operator, plan)

    return plan_either


def _check(plan: Plan, operator: Operator) -> tuple[Tensor, Tensor, Tensor]:
    x, w, y = plan.input(operator, 0), plan.input(operator, 1), plan.output(operator)
    if not (x.is_quantized and w.is_quantized and y.is_quantized):
        raise Unsupported(f"{x.dtype} with {w.dtype} weights; only 8-bit numbers are known")
    return x, w, y


def _chunks(rows: int, numbers_per_row: int) -> Iterator[tuple[int, int]]:
    """First and last row of each part that fits the cache, parts of about the same size."""
    most = max(1, min(rows, _CHUNK // max(numbers_per_row, 1)))
    parts = -(-rows // most)
    size = -(-rows // parts)
    return ((first, min(first + size, rows)) for first in range(0, rows, size))


def _target(plan: Plan, y: Tensor, first: int, last: int) -> Array:
    """Rows of the output as rows x (columns * channels)."""
    rows = plan.array(y)[0, first:last]
    shape = (last - first, rows.shape[1] * rows.shape[2])
    return as_strided(rows, shape, (rows.strides[0], rows.strides[2]))


def plan_conv_2d(operator: Operator, plan: Plan) -> None:
    """A matrix product of all windows with all filters."""
    x, w, y = _check(plan, operator)
    count, height, width, depth = w.shape
    if depth != x.shape[3]:
        raise Unsupported(f"filters of {depth} channels for an input of {x.shape[3]}")
    filters, totals = _filters(plan, w)
    bound: Ints = totals * _largest(x)
    epilogue = _epilogue(plan, operator, bound)
    shape = windows(operator, x, y, height, width)
    product = _Product(plan, filters, bound)
    size = len(filters)
    is_direct = (height, width, *shape[2:4]) == (1, 1, 1, 1) and not any(plan.margins(x))
    patches = view(plan.padded(x), plan.margins(x), shape, depth)
    for first, last in _chunks(shape.rows, shape.columns * max(size, count)):
        pixels = (last - first) * shape.columns
        if is_direct:
            columns = plan.array(x)[0, first:last].reshape(pixels, depth)
        else:
            columns = _gather(plan, patches[first:last], shape, product.kind)
        sums = product.plan(columns)
        epilogue.plan(plan, sums, _target(plan, y, first, last))
        plan.free_scratch()


def _gather(plan: Plan, patches: Array, shape: Windows, kind: Any) -> Array:
    """Windows side by side as pixels x numbers, in the longest runs that memory has."""
    rows, columns, height, width, depth = patches.shape
    gathered = plan.scratch((rows * columns, height * width * depth), kind)
    if shape.dilation_w == 1:
        runs = (*patches.strides[:3], patches.strides[4])
        patches = as_strided(patches, (rows, columns, height, width * depth), runs, writeable=False)
    plan.call(np.copyto, gathered.reshape(patches.shape), patches)
    return gathered


class _Product:
    """The matrix product with one layer's weights, in the precision that is exact for them."""

    def __init__(self, plan: Plan, filters: Array, bound: Ints) -> None:
        self._plan = plan
        self.kind = _precision(bound)
        self._weights = Weights(filters.astype(self.kind, copy=False))
        self._count = filters.shape[1]

    def plan(self, columns: Array) -> Array:
        """Write the call for pixels x numbers; the sums are pixels x filters."""
        plan = self._plan
        if columns.dtype != self.kind:
            wide = plan.scratch(columns.shape, self.kind)
            plan.call(np.copyto, wide, columns)
            columns = wide
        sums = plan.scratch((len(columns), self._count), self.kind)
        plan.call(*self._weights.call(columns, sums))
        return sums


def plan_depthwise(operator: Operator, plan: Plan) -> None:
    """Each channel by itself: products of the taps, added up."""
    x, w, y = _check(plan, operator)
    _, height, width, count = w.shape
    depth = x.shape[3]
    if count % depth:
        raise Unsupported(f"{count} filters for {depth} channels")
    taps = stored(w, plan.constant(w))[0]
    bound: Ints = np.abs(taps).sum(axis=(0, 1), dtype=np.float64).astype(np.int64) * _largest(x)
    if _precision(bound) is not np.float32:
        raise Unsupported("its sums are too large to be exact")
    epilogue = _epilogue(plan, operator, bound)
    shape = windows(operator, x, y, height, width)
    patches = view(plan.padded(x), plan.margins(x), shape, depth)
    multiply = _one_input(plan, taps) if depth == 1 else _taps(plan, taps, shape, depth)
    for first, last in _chunks(shape.rows, shape.columns * count):
        sums = multiply(patches[first:last])
        epilogue.plan(plan, sums.reshape(-1, count), _target(plan, y, first, last))
        plan.free_scratch()


def _one_input(plan: Plan, taps: Array) -> Any:
    """One channel in: all filters at once are a matrix product."""
    numbers, count = taps.shape[0] * taps.shape[1], taps.shape[2]
    weights = Weights(np.ascontiguousarray(taps.reshape(numbers, count)))

    def multiply(patches: Array) -> Array:
        pixels = patches.shape[0] * patches.shape[1]
        columns = plan.scratch((pixels, numbers))
        plan.call(np.copyto, columns.reshape(patches.shape), patches)
        sums = plan.scratch((pixels, count))
        plan.call(*weights.call(columns, sums))
        return sums

    return multiply


def _taps(plan: Plan, taps: Array, shape: Windows, depth: int) -> Any:
    """Many channels: einsum over the taps; at stride 1 over several columns in one run."""
    count = taps.shape[2]
    if count != depth:
        several = taps.reshape(*taps.shape[:2], depth, count // depth)

        def multiply_several(patches: Array) -> Array:
            sums = plan.scratch((*patches.shape[:2], depth, count // depth))
            plan.call(einsum, "hwijc,ijcm->hwcm", patches, several, sums)
            return sums

        return multiply_several
    repeat = _repeat(shape.columns, depth) if shape.stride_w == 1 else 1
    tiled = np.ascontiguousarray(np.tile(taps, (1, 1, repeat)))

    def multiply(patches: Array) -> Array:
        rows, columns = patches.shape[:2]
        sums = plan.scratch((rows, columns // repeat, repeat * depth))
        row, column, tap_row, tap_column, channel = patches.strides
        runs = as_strided(
            patches,
            (*taps.shape[:2], *sums.shape),
            (tap_row, tap_column, row, repeat * column, channel),
            writeable=False,
        )
        plan.call(einsum, "ijhwp,ijp->hwp", runs, tiled, sums)
        return sums

    return multiply


def _repeat(columns: int, depth: int) -> int:
    """How many columns are worked on in one run of the inner loop."""
    most = max(1, min(columns, _WIDE // depth))
    return next(n for n in range(most, 0, -1) if columns % n == 0)


def plan_fully_connected(operator: Operator, plan: Plan) -> None:
    """A matrix product."""
    x, w, y = _check(plan, operator)
    filters, totals = _filters(plan, w)
    bound: Ints = totals * _largest(x)
    values = plan.array(x)
    if not values.flags.c_contiguous:
        flat = plan.scratch(x.shape)
        plan.call(np.copyto, flat, values)
        values = flat
    sums = _Product(plan, filters, bound).plan(values.reshape(-1, w.shape[1]))
    _epilogue(plan, operator, bound).plan(plan, sums, plan.array(y).reshape(sums.shape))


PLANNERS = {
    "CONV_2D": _quantized_or(floating.plan_conv, plan_conv_2d),
    "DEPTHWISE_CONV_2D": _quantized_or(floating.plan_depthwise, plan_depthwise),
    "FULLY_CONNECTED": _quantized_or(floating.plan_dense, plan_fully_connected),
}
