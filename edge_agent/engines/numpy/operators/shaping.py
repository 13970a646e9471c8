"""Operators that give the same numbers another shape or order."""

from __future__ import annotations

import math

import numpy as np

from edge_agent.engines.numpy.operators.moving import (
    axis_of,
    in_shape,
    move,
    reshaped,
    view_or_move,
    whole_numbers,
)
from edge_agent.engines.numpy.plan import Array, Plan, Unsupported
from edge_agent.engines.numpy.program import Operator, Tensor


def plan_reshape(operator: Operator, plan: Plan) -> None:
    """RESHAPE, SQUEEZE, EXPAND_DIMS: the output's shape says it all."""
    x, y = plan.input(operator, 0), plan.output(operator)
    if math.prod(x.shape) != math.prod(y.shape):
        raise Unsupported(f"an input of shape {x.shape} for an output of {y.shape}")
    view = reshaped(plan.array(x), y.shape)
    if view is not None:
        view_or_move(plan, x, view, y)
    else:
        move(plan, x, in_shape(plan, plan.array(x), y.shape), y, plan.array(y))


def plan_transpose(operator: Operator, plan: Plan) -> None:
    """The axes in another order."""
    x, y = plan.input(operator, 0), plan.output(operator)
    order = whole_numbers(plan, plan.input(operator, 1))
    axes = [axis_of(axis, len(x.shape)) for axis in order]
    if sorted(axes) != list(range(len(x.shape))):
        raise Unsupported(f"the order of axes {order} for an input of shape {x.shape}")
    view_or_move(plan, x, plan.array(x).transpose(axes), y)


def plan_tile(operator: Operator, plan: Plan) -> None:
    """The input over and over along each axis."""
    x, y = plan.input(operator, 0), plan.output(operator)
    multiples = whole_numbers(plan, plan.input(operator, 1))
    if len(multiples) != len(x.shape):
        raise Unsupported(f"{len(multiples)} multiples for an input of shape {x.shape}")
    _check_shape(y, tuple(n * side for n, side in zip(multiples, x.shape, strict=True)))
    pairs = tuple(side for pair in zip(multiples, x.shape, strict=True) for side in pair)
    single = plan.array(x)[tuple(each for _ in x.shape for each in (None, slice(None)))]
    _into_parts(plan, x, np.broadcast_to(single, pairs), y)


def plan_broadcast_to(operator: Operator, plan: Plan) -> None:
    """The input repeated along axes of length one."""
    x, y = plan.input(operator, 0), plan.output(operator)
    try:
        wide = np.broadcast_to(plan.array(x), y.shape)
    except ValueError:
        raise Unsupported(f"an input of shape {x.shape} for an output of {y.shape}") from None
    view_or_move(plan, x, wide, y)


def plan_space_to_depth(operator: Operator, plan: Plan) -> None:
    """Each block of pixels becomes one pixel."""
    x, y, block = _blocks(operator, plan)
    batch, height, width, depth = x.shape
    if height % block or width % block:
        raise Unsupported(f"blocks of {block} in an input of shape {x.shape}")
    rows, columns = height // block, width // block
    _check_shape(y, (batch, rows, columns, block * block * depth))
    parts = in_shape(plan, plan.array(x), (batch, rows, block, columns, block, depth))
    _into_parts(plan, x, parts.transpose(0, 1, 3, 2, 4, 5), y)


def plan_depth_to_space(operator: Operator, plan: Plan) -> None:
    """Each pixel becomes a block of pixels."""
    x, y, block = _blocks(operator, plan)
    batch, rows, columns, depth = x.shape
    if depth % (block * block):
        raise Unsupported(f"blocks of {block} in an input of shape {x.shape}")
    left = depth // (block * block)
    _check_shape(y, (batch, rows * block, columns * block, left))
    parts = in_shape(plan, plan.array(x), (batch, rows, columns, block, block, left))
    _into_parts(plan, x, parts.transpose(0, 1, 3, 2, 4, 5), y)


def plan_shape(operator: Operator, plan: Plan) -> None:
    """Sides of the input: known before the first run."""
    x, y = plan.input(operator, 0), plan.output(operator)
    _check_shape(y, (len(x.shape),))
    plan.keep(y)
    plan.array(y)[...] = x.shape


def _blocks(operator: Operator, plan: Plan) -> tuple[Tensor, Tensor, int]:
    x, y, block = plan.input(operator, 0), plan.output(operator), operator.number("block")
    if len(x.shape) != 4 or block < 1:
        raise Unsupported(f"blocks of {block} in an input of shape {x.shape}")
    return x, y, block


def _into_parts(plan: Plan, x: Tensor, parts: Array, y: Tensor) -> None:
    """Copy to an output whose shape is that of the parts with neighbouring axes joined."""
    target = reshaped(plan.array(y), parts.shape)
    if target is not None:
        move(plan, x, parts, y, target)
        return
    flat: Array = plan.scratch(parts.shape, parts.dtype)
    plan.call(np.copyto, flat, parts)
    move(plan, x, flat.reshape(y.shape), y, plan.array(y))


def _check_shape(y: Tensor, shape: tuple[int, ...]) -> None:
    if y.shape != shape:
        raise Unsupported(f"a result of shape {shape} for an output of {y.shape}")


PLANNERS = {
    "RESHAPE": plan_reshape,
    "SQUEEZE": plan_reshape,
    "EXPAND_DIMS": plan_reshape,
    "TRANSPOSE": plan_transpose,
    "TILE": plan_tile,
    "BROADCAST_TO": plan_broadcast_to,
    "SPACE_TO_DEPTH": plan_space_to_depth,
    "DEPTH_TO_SPACE": plan_depth_to_space,
    "SHAPE": plan_shape,
}
