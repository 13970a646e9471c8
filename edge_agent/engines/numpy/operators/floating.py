"""Convolutions and matrix products of float32 tensors, which some models begin or end with.

Sums are taken in another order than TFLite takes them, so the last bits may differ.
"""

from __future__ import annotations

import numpy as np

from edge_agent.engines.numpy.arithmetic import NO_ACTIVATION, RELU, RELU6, RELU_N1_TO_1
from edge_agent.engines.numpy.operators.windows import view, windows
from edge_agent.engines.numpy.plan import Array, Plan, Unsupported
from edge_agent.engines.numpy.program import Operator, Tensor

_LIMITS = {
    NO_ACTIVATION: (-np.inf, np.inf),
    RELU: (0.0, np.inf),
    RELU_N1_TO_1: (-1.0, 1.0),
    RELU6: (0.0, 6.0),
}


def is_float(plan: Plan, operator: Operator) -> bool:
    """Whether input and output are float32."""
    x, y = plan.input(operator, 0), plan.output(operator)
    return x.dtype == np.float32 and y.dtype == np.float32


def _weights(plan: Plan, w: Tensor) -> Array:
    if w.dtype != np.float32:
        raise Unsupported(f"float32 with {w.dtype} weights")
    return plan.constant(w)


def finish(plan: Plan, operator: Operator, sums: Array, y: Tensor, bias_place: int = 2) -> None:
    """Bias, activation, and to where it belongs."""
    bias = plan.optional(operator, bias_place)
    if bias is not None:
        plan.call(np.add, sums, plan.constant(bias), sums)
    limits = _LIMITS.get(operator.number("activation"))
    if limits is None:
        raise Unsupported(f"activation {operator.number('activation')}")
    low, high = map(np.float32, limits)
    plan.call(np.clip, sums.reshape(y.shape), low, high, plan.array(y))


def plan_conv(operator: Operator, plan: Plan) -> None:
    """CONV_2D."""
    x, w, y = plan.input(operator, 0), plan.input(operator, 1), plan.output(operator)
    weights = _weights(plan, w)
    count, height, width, depth = weights.shape
    if depth != x.shape[3]:
        raise Unsupported(f"filters of {depth} channels for an input of {x.shape[3]}")
    shape = windows(operator, x, y, height, width)
    patches = view(plan.padded(x), plan.margins(x), shape, depth)
    columns = plan.scratch((shape.rows * shape.columns, height * width * depth))
    sums = plan.scratch((len(columns), count))
    plan.call(np.copyto, columns.reshape(patches.shape), patches)
    flat = np.ascontiguousarray(weights.reshape(count, -1).T)
    plan.call(np.matmul, columns, flat, sums)
    finish(plan, operator, sums, y)


def plan_depthwise(operator: Operator, plan: Plan) -> None:
    """DEPTHWISE_CONV_2D."""
    x, w, y = plan.input(operator, 0), plan.input(operator, 1), plan.output(operator)
    _, height, width, count = w.shape
    depth = x.shape[3]
    if count % depth:
        raise Unsupported(f"{count} filters for {depth} channels")
    shape = windows(operator, x, y, height, width)
    patches = view(plan.padded(x), plan.margins(x), shape, depth)
    taps = _weights(plan, w).reshape(height, width, depth, count // depth)
    sums = plan.scratch((shape.rows, shape.columns, depth, count // depth))

    def multiply(patches: Array, taps: Array, sums: Array) -> None:
        np.einsum("hwijc,ijcm->hwcm", patches, taps, out=sums)

    plan.call(multiply, patches, taps, sums)
    finish(plan, operator, sums.reshape(-1, count), y)


def plan_dense(operator: Operator, plan: Plan) -> None:
    """FULLY_CONNECTED."""
    x, w, y = plan.input(operator, 0), plan.input(operator, 1), plan.output(operator)
    weights = _weights(plan, w)
    values = plan.scratch(x.shape)
    plan.call(np.copyto, values, plan.array(x))
    rows = values.reshape(-1, weights.shape[1])
    sums = plan.scratch((len(rows), len(weights)))
    plan.call(np.matmul, rows, np.ascontiguousarray(weights.T), sums)
    finish(plan, operator, sums, y)
