"""Operators that put tensors together, or something around them."""

from __future__ import annotations

import numpy as np

from edge_agent.engines.numpy.arithmetic import NO_ACTIVATION, all_values, round_away
from edge_agent.engines.numpy.operators.lookup import look_up, nudged, take
from edge_agent.engines.numpy.operators.moving import axis_of, contiguous, move, stays, zero_of
from edge_agent.engines.numpy.operators.parts import parts, plan_clip
from edge_agent.engines.numpy.plan import Array, Plan, Unsupported
from edge_agent.engines.numpy.program import Operator, Tensor

_REFLECT, _SYMMETRIC = 0, 1


def plan_concatenation(operator: Operator, plan: Plan) -> None:
    """One after the other along an axis; uint8 numbers are brought to the output's scale."""
    if operator.number("activation") != NO_ACTIVATION:
        raise Unsupported(f"activation {operator.number('activation')}")
    y = plan.output(operator)
    axis = axis_of(operator.number("axis"), len(y.shape))
    first = 0
    for place in range(len(operator.inputs)):
        x = plan.input(operator, place)
        if len(x.shape) != len(y.shape):
            raise Unsupported(f"an input of shape {x.shape} for an output of {y.shape}")
        box = (slice(None),) * axis + (slice(first, first + x.shape[axis]),)
        first += x.shape[axis]
        target = plan.array(y)[box]
        if _has_scale_of(x, y):
            move(plan, x, plan.array(x), y, target)
        else:
            _rescale(plan, x, y, target)
    if first != y.shape[axis]:
        raise Unsupported(f"inputs of {first} in all for an axis of {y.shape[axis]}")


def _has_scale_of(x: Tensor, y: Tensor) -> bool:
    if not (x.is_quantized and y.is_quantized):
        return True
    return stays(x, y) and x.step == y.step


def _rescale(plan: Plan, x: Tensor, y: Tensor, target: Array) -> None:
    """ConcatenationWithScaling in reference/concatenation.h; int8 is refused there."""
    if x.dtype != np.uint8 or y.dtype != np.uint8:
        raise Unsupported("int8 inputs of another scale than the output")
    source = plan.array(x)
    if source.shape != target.shape:
        raise Unsupported(f"an input of shape {x.shape} for a place of {target.shape}")
    results = _rescaled(x, y)
    numbers = all_values(x).astype(np.float32)
    for goal, part in parts(target, source):
        factor = next((f for f in nudged(x.step / y.step) if _gives(f, numbers, results, y)), None)
        if factor is None:
            look_up(plan, part, float(x.limits[0]), results, goal)
        else:
            product = plan.scratch(part.shape)
            plan.call(np.multiply, part, factor, product)
            plan.call(np.rint, product, product)
            plan_clip(plan, product, *y.limits, goal)


def _gives(factor: np.float32, numbers: Array, results: Array, y: Tensor) -> bool:
    """Whether a product with the factor is right for all 256 numbers."""
    return np.array_equal(np.clip(np.rint(numbers * factor), *y.limits), results)


def _rescaled(x: Tensor, y: Tensor) -> Array:
    """What each of the 256 numbers becomes, in the float32 arithmetic of the kernel."""
    scale = x.step * (np.float32(1.0) / y.step)
    bias = np.float32(-zero_of(x)) * scale
    numbers = (all_values(x) + zero_of(x)).astype(np.float32)
    whole = round_away((numbers * scale + bias).astype(np.float64))
    low, high = y.limits
    table: Array = np.clip(whole, low, high).astype(np.float32)
    return table


def plan_pack(operator: Operator, plan: Plan) -> None:
    """Each input becomes one index of a new axis."""
    y = plan.output(operator)
    axis = axis_of(operator.number("axis"), len(y.shape))
    if len(operator.inputs) != y.shape[axis]:
        raise Unsupported(f"{len(operator.inputs)} inputs for an axis of {y.shape[axis]}")
    for place in range(len(operator.inputs)):
        x = plan.input(operator, place)
        target = plan.array(y)[(slice(None),) * axis + (place, ...)]
        move(plan, x, plan.array(x), y, target)


def plan_pad(operator: Operator, plan: Plan) -> None:
    """PAD, PADV2: the border is written once, the middle at each run."""
    x, y = plan.input(operator, 0), plan.output(operator)
    pads = _pads(operator, plan, x, y)
    plan.keep(y)
    target = plan.array(y)
    value = plan.optional(operator, 2)
    if value is None:
        target.fill(0)
    elif value.constant is not None and not value.is_variable:
        target.fill(_border(value, y))
    else:
        _fill_each_time(plan, value, y)
    box = tuple(
        slice(before, before + side) for (before, _), side in zip(pads, x.shape, strict=True)
    )
    move(plan, x, plan.array(x), y, target[box])


def _border(value: Tensor, y: Tensor) -> object:
    assert value.constant is not None
    if value.constant.size != 1:
        raise Unsupported(f"a border of {value.constant.size} numbers")
    number = value.constant.ravel()[0]
    return np.float32(int(number) - zero_of(y)) if y.is_quantized else number


def _fill_each_time(plan: Plan, value: Tensor, y: Tensor) -> None:
    number = contiguous(plan, plan.array(value)).reshape(-1)
    if number.size != 1:
        raise Unsupported(f"a border of {number.size} numbers")
    target = plan.array(y)
    move(plan, value, np.broadcast_to(number.reshape((1,) * target.ndim), target.shape), y, target)


def plan_mirror_pad(operator: Operator, plan: Plan) -> None:
    """The border mirrors what is inside it."""
    x, y = plan.input(operator, 0), plan.output(operator)
    pads = _pads(operator, plan, x, y)
    mode = operator.number("mode")
    if mode not in (_REFLECT, _SYMMETRIC):
        raise Unsupported(f"mode {mode}")
    if any(max(pad) > side - (mode == _REFLECT) for pad, side in zip(pads, x.shape, strict=True)):
        raise Unsupported(f"borders of {pads} around an input of shape {x.shape}")
    places = np.arange(int(np.prod(x.shape))).reshape(x.shape)
    if mode == _REFLECT:
        index = np.pad(places, pads, mode="reflect")
    else:
        index = np.pad(places, pads, mode="symmetric")
    source = contiguous(plan, plan.array(x)).reshape(-1)
    target = plan.array(y)
    if stays(x, y) and target.flags.c_contiguous:
        plan.call(take, source, index, target)
        return
    found = plan.scratch(y.shape, source.dtype)
    plan.call(take, source, index, found)
    move(plan, x, found, y, target)


def _pads(operator: Operator, plan: Plan, x: Tensor, y: Tensor) -> list[tuple[int, int]]:
    values = plan.constant(plan.input(operator, 1))
    if values.shape != (len(x.shape), 2) or (values < 0).any():
        raise Unsupported(f"borders of {values.tolist()} around an input of shape {x.shape}")
    pads = [(int(before), int(after)) for before, after in values]
    shape = tuple(side + sum(pad) for side, pad in zip(x.shape, pads, strict=True))
    if shape != y.shape:
        raise Unsupported(f"a result of shape {shape} for an output of {y.shape}")
    return pads


PLANNERS = {
    "CONCATENATION": plan_concatenation,
    "PACK": plan_pack,
    "PAD": plan_pad,
    "PADV2": plan_pad,
    "MIRROR_PAD": plan_mirror_pad,
}
