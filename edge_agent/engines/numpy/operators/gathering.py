"""GATHER and GATHER_ND: numbers picked by an index that may be computed at run time."""

from __future__ import annotations

import math

import numpy as np

from edge_agent.engines.numpy.operators.moving import axis_of, contiguous, move, stays
from edge_agent.engines.numpy.plan import Array, Plan, Unsupported
from edge_agent.engines.numpy.program import Operator, Tensor
from edge_agent.errors import InferenceError


def plan_gather(operator: Operator, plan: Plan) -> None:
    """Slices along an axis, separately for each of the leading axes that are batches."""
    x, places, y = plan.input(operator, 0), plan.input(operator, 1), plan.output(operator)
    axis = axis_of(operator.number("axis"), len(x.shape))
    batches = operator.number("batch_dims")
    batches += len(places.shape) if batches < 0 else 0
    if (
        not 0 <= batches <= min(axis, len(places.shape))
        or places.shape[:batches] != (x.shape[:batches])
    ):
        raise Unsupported(f"{batches} batch axes with places of shape {places.shape}")
    shape = x.shape[:axis] + places.shape[batches:] + x.shape[axis + 1 :]
    count = math.prod(x.shape[:batches])
    index = _index(plan, places, np.array([x.shape[axis]]), (*places.shape, 1))
    index = index.reshape(count, *places.shape[batches:])
    source = contiguous(plan, plan.array(x)).reshape(count, *x.shape[batches:])
    with _Target(plan, x, y, shape) as target:
        parts = target.reshape(count, *shape[batches:])
        for part in range(count):
            plan.call(_take, source[part], index[part, ...], axis - batches, parts[part, ...])


def plan_gather_nd(operator: Operator, plan: Plan) -> None:
    """Slices at places of several axes."""
    x, places, y = plan.input(operator, 0), plan.input(operator, 1), plan.output(operator)
    if not places.shape or not 0 < places.shape[-1] <= len(x.shape):
        raise Unsupported(f"places of shape {places.shape} in an input of shape {x.shape}")
    depth = places.shape[-1]
    index = _index(plan, places, np.array(x.shape[:depth]), places.shape).reshape(-1)
    source = contiguous(plan, plan.array(x)).reshape(-1, math.prod(x.shape[depth:]))
    with _Target(plan, x, y, places.shape[:-1] + x.shape[depth:]) as target:
        plan.call(_take, source, index, 0, target.reshape(index.size, source.shape[1]))


def _index(plan: Plan, places: Tensor, sides: Array, shape: tuple[int, ...]) -> Array:
    """Places of several axes as one flat index, checked: now if they are constant."""
    if places.dtype not in (np.int32, np.int64, np.int16):
        raise Unsupported(f"places of {places.dtype}")
    found = contiguous(plan, plan.array(places)).reshape(-1, shape[-1])
    if places.constant is not None:
        index = np.empty(len(found), np.intp)
        try:
            _flatten(found, sides, index)
        except InferenceError as error:
            raise Unsupported(str(error)) from None
        return index
    index = plan.scratch((len(found),), np.intp)
    plan.call(_flatten, found, sides, index)
    return index


def _flatten(places: Array, sides: Array, index: Array) -> None:
    index.fill(0)
    for column, side in enumerate(sides):
        found = places[:, column]
        if found.size and not 0 <= found.min() <= found.max() < side:
            raise InferenceError(f"a place from {found.min()} to {found.max()} in {side}")
        np.multiply(index, side, out=index)
        np.add(index, found, out=index, casting="unsafe")


def _take(source: Array, index: Array, axis: int, out: Array) -> None:
    source.take(index, axis=axis, out=out, mode="clip")


class _Target:
    """Memory without gaps for a result; the output itself, or scratch that is moved there."""

    def __init__(self, plan: Plan, x: Tensor, y: Tensor, shape: tuple[int, ...]) -> None:
        if shape != y.shape:
            raise Unsupported(f"a result of shape {shape} for an output of {y.shape}")
        self._plan, self._x, self._y = plan, x, y
        array = plan.array(y)
        self._direct = stays(x, y) and array.flags.c_contiguous
        self._array = array if self._direct else plan.scratch(shape, plan.array(x).dtype)

    def __enter__(self) -> Array:
        return self._array

    def __exit__(self, *_: object) -> None:
        if not self._direct:
            move(self._plan, self._x, self._array, self._y, self._plan.array(self._y))


PLANNERS = {"GATHER": plan_gather, "GATHER_ND": plan_gather_nd}
