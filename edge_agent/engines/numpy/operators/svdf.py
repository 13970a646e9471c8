"""SVDF: a dense layer over the newest runs, as two thin matrices, which streaming models have.

Each filter makes one number of the input and keeps it for so many runs as it has taps. Source:
kernels/internal/reference/svdf.h and kernels/svdf.cc of TFLite 2.14. Weights of 8 bits for inputs
in float32 are refused. Sums of float32 are taken in another order than TFLite takes them.
"""

from __future__ import annotations

import numpy as np

from edge_agent.engines.numpy.arithmetic import (
    RELU,
    Ints,
    multiply_by_quantized_multiplier,
    quantize_multiplier,
)
from edge_agent.engines.numpy.operators.floating import finish
from edge_agent.engines.numpy.plan import Array, Plan, Unsupported
from edge_agent.engines.numpy.program import Operator, Tensor

_FEATURE, _TIME, _BIAS, _STATE = range(1, 5)
_LOW, _HIGH = -(1 << 15), (1 << 15) - 1


def plan_svdf(operator: Operator, plan: Plan) -> None:
    """Let what is kept grow older by one run, add the newest, and weigh all."""
    x, y, state = plan.input(operator, 0), plan.output(operator), plan.input(operator, _STATE)
    kept = _kept(operator, plan, x, y)
    plan.call(np.copyto, kept[..., :-1], kept[..., 1:])
    types = [plan.input(operator, place).dtype.name for place in (0, _FEATURE, _TIME)]
    types += [state.dtype.name, y.dtype.name]
    if set(types) == {"float32"}:
        _plan_float(operator, plan, kept)
    elif types == ["int8", "int8", "int16", "int16", "int8"]:
        _plan_int8(operator, plan, kept)
    else:
        raise Unsupported(f"{types[0]} with weights of {types[1]} and {types[2]}")


def _kept(operator: Operator, plan: Plan, x: Tensor, y: Tensor) -> Array:
    """What each filter has kept, the newest last: batch x filters x taps."""
    state = plan.input(operator, _STATE)
    filters, taps = plan.input(operator, _TIME).shape
    batch, width = x.shape
    rank = operator.number("rank")
    if plan.input(operator, _FEATURE).shape != (filters, width) or rank < 1 or filters % rank:
        raise Unsupported(f"{filters} filters of rank {rank} for {width} inputs")
    if not state.is_variable or state.shape != (batch, filters * taps):
        raise Unsupported(f"a state of shape {state.shape} for {filters} filters of {taps} taps")
    if y.shape != (batch, filters // rank):
        raise Unsupported(f"an output of shape {y.shape}")
    return plan.array(state).reshape(batch, filters, taps)


def _plan_float(operator: Operator, plan: Plan, kept: Array) -> None:
    x, y = plan.input(operator, 0), plan.output(operator)
    feature = plan.constant(plan.input(operator, _FEATURE))
    taps = plan.constant(plan.input(operator, _TIME))
    weighed, sums = plan.scratch(kept.shape), plan.scratch(y.shape)
    plan.call(np.matmul, plan.array(x), np.ascontiguousarray(feature.T), kept[..., -1])
    plan.call(np.multiply, kept, taps, weighed)
    plan.call(np.add.reduce, weighed.reshape(*y.shape, -1), -1, None, sums)
    finish(plan, operator, sums, y, _BIAS)


def _plan_int8(operator: Operator, plan: Plan, kept: Array) -> None:
    x, y, state = plan.input(operator, 0), plan.output(operator), plan.input(operator, _STATE)
    feature, time = plan.input(operator, _FEATURE), plan.input(operator, _TIME)
    if operator.number("activation") != RELU:  # which is in the limits of the output
        raise Unsupported(f"activation {operator.number('activation')}")
    newest = _multiplier(x, feature, state)
    weights = plan.constant(feature).T.astype(np.float64)
    plan.call(_add_newest, plan.array(x), weights, newest, kept[..., -1])
    bias = plan.optional(operator, _BIAS)
    offset = 0 if bias is None else plan.constant(bias).astype(np.int64)
    taps = plan.constant(time).astype(np.int64)
    plan.call(_weigh, kept, taps, offset, _multiplier(state, time, y), y.limits, plan.array(y))


def _multiplier(a: Tensor, b: Tensor, result: Tensor) -> tuple[int, int]:
    """For products of two tensors, in the order of TFLite's float32 operations."""
    return quantize_multiplier(float(a.step * b.step / result.step))


def _add_newest(x: Array, weights: Array, multiplier: tuple[int, int], newest: Array) -> None:
    sums = np.rint(x.astype(np.float64) @ weights).astype(np.int64)
    newest[...] = np.clip(multiply_by_quantized_multiplier(sums, *multiplier), _LOW, _HIGH)


def _weigh(
    kept: Array,
    taps: Ints,
    bias: Ints | int,
    multiplier: tuple[int, int],
    limits: tuple[int, int],
    y: Array,
) -> None:
    sums = (kept * taps).reshape(*y.shape, -1).sum(axis=-1) + bias
    y[...] = np.clip(multiply_by_quantized_multiplier(sums, *multiplier), *limits)


PLANNERS = {"SVDF": plan_svdf}
