"""ADD, SUB, MUL, DIV and other arithmetic, number by number, with broadcasting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from edge_agent.engines.numpy import xnnpack
from edge_agent.engines.numpy.arithmetic import (
    NO_ACTIVATION,
    RELU,
    RELU6,
    RELU_N1_TO_1,
    Ints,
    activation_limits,
    doubling_high_mul,
    multiply_by_quantized_multiplier,
    quantize_multiplier,
    rounding_shift_right,
)
from edge_agent.engines.numpy.operators.exponential import exp32, work_for
from edge_agent.engines.numpy.operators.pairs import plan_pairs, products, sums
from edge_agent.engines.numpy.operators.parts import (
    in_double,
    maximum,
    minimum,
    parts,
    plan_clip,
    quietly,
)
from edge_agent.engines.numpy.plan import Plan, Unsupported
from edge_agent.engines.numpy.program import Operator, Tensor

_LEFT_SHIFT = 20  # of the inputs of a sum, for precision: kernels/add.cc
_FLOAT_MAX = float(np.finfo(np.float32).max)
_FLOAT_LIMITS = {
    # Without activation the reference limits to finite numbers all the same.
    NO_ACTIVATION: (-_FLOAT_MAX, _FLOAT_MAX),
    RELU: (0.0, _FLOAT_MAX),
    RELU6: (0.0, 6.0),
    RELU_N1_TO_1: (-1.0, 1.0),
}
_NUMBERS = (np.float32, np.int32, np.int64)


def float_limits(activation: int) -> tuple[float, float]:
    """What an activation allows of float32: CalculateActivationRange in kernels/kernel_util.h."""
    if activation not in _FLOAT_LIMITS:
        raise Unsupported(f"fused activation {activation}")
    return _FLOAT_LIMITS[activation]


def _tensors(operator: Operator, plan: Plan) -> tuple[Tensor, Tensor, Tensor]:
    a, b, y = plan.input(operator, 0), plan.input(operator, 1), plan.output(operator)
    if not a.dtype == b.dtype == y.dtype:
        raise Unsupported(f"{a.dtype} with {b.dtype} to {y.dtype}")
    return a, b, y


def _are_quantized(*tensors: Tensor) -> bool:
    """Whether all are 8-bit numbers with a scale of their own."""
    if not all(each.is_quantized for each in tensors):
        return False
    if any(each.scale is not None and each.scale.size > 1 for each in tensors):
        raise Unsupported("scales per channel")
    return True


def _plan_sum(sign: int, function: Any) -> Callable[[Operator, Plan], None]:
    def planner(operator: Operator, plan: Plan) -> None:
        a, b, y = _tensors(operator, plan)
        if not _are_quantized(a, b, y):
            _plan_numbers(plan, operator, function)
            return

        is_xnnpack = plan.rounding == "xnnpack" and xnnpack.takes_sum(a, b, y)
        rule = xnnpack.exact_sum if is_xnnpack else exact_sum

        def exact(a_values: Ints, b_values: Ints) -> Ints:
            return rule(a, b, y, a_values, b_values, sign)

        first, second = (float(each.step) / float(y.step) for each in (a, b))
        limits = _limits(operator, y, is_xnnpack)
        plan_pairs(plan, (a, b), y, limits, exact, sums(first, sign * second))

    return planner


def exact_sum(a: Tensor, b: Tensor, y: Tensor, a_values: Ints, b_values: Ints, sign: int) -> Ints:
    """Compute a + b, or a - b with sign -1, as the reference does.

    PrepareGeneralSubOp in kernels/sub.cc, AddElementwise in
    kernels/internal/reference/integer_ops/add.h. SUB negates the multiplier of b, so that its
    halves round the other way.
    """
    twice = 2.0 * float(max(a.step, b.step))
    scaled = []
    for tensor, values, factor in ((a, a_values, 1), (b, b_values, sign)):
        multiplier, shift = quantize_multiplier(float(tensor.step) / twice)
        product = doubling_high_mul(values << _LEFT_SHIFT, factor * multiplier)
        scaled.append(rounding_shift_right(product, -shift))
    multiplier, shift = quantize_multiplier(twice / float((1 << _LEFT_SHIFT) * y.step))
    if shift > 0:
        raise Unsupported("the output scale is too small for its inputs")
    result: Ints = multiply_by_quantized_multiplier(scaled[0] + scaled[1], multiplier, shift)
    return result


def plan_mul(operator: Operator, plan: Plan) -> None:
    """Products: kernels/mul.cc and kernels/internal/reference/integer_ops/mul.h."""
    a, b, y = _tensors(operator, plan)
    if not _are_quantized(a, b, y):
        _plan_numbers(plan, operator, np.multiply)
        return
    scale = xnnpack.product_scale(a, b.step, y)
    multiplier, shift = quantize_multiplier(float(scale))
    is_xnnpack = plan.rounding == "xnnpack" and xnnpack.takes_product(a, b, y)
    is_zero = plan.rounding == "xnnpack" and xnnpack.is_shifted_out(a, b, y)

    def exact(a_values: Ints, b_values: Ints) -> Ints:
        if is_xnnpack:
            return xnnpack.exact_product(scale, a_values, b_values)
        if is_zero:
            return a_values * b_values * 0
        product: Ints = multiply_by_quantized_multiplier(a_values * b_values, multiplier, shift)
        return product

    limits = _limits(operator, y, is_xnnpack)
    plan_pairs(plan, (a, b), y, limits, exact, products(multiplier, shift))


def _limits(operator: Operator, y: Tensor, is_xnnpack: bool) -> tuple[int, int]:
    function = xnnpack.activation_limits if is_xnnpack else activation_limits
    return function(y, _activation(operator))


def _activation(operator: Operator) -> int:
    activation = operator.number("activation")
    float_limits(activation)
    return activation


def _plan_numbers(plan: Plan, operator: Operator, function: Any) -> None:
    """Float32 or whole numbers: the function, then the activation."""
    a, b, y = _tensors(operator, plan)
    if y.dtype not in _NUMBERS:
        raise Unsupported(f"numbers of type {y.dtype} without a scale")
    activation = operator.number("activation")
    low, high = float_limits(activation)
    if plan.rounding == "xnnpack" and y.dtype == np.float32:
        low, high = xnnpack.unlimited(low), xnnpack.unlimited(high)
    for goal, *sources in parts(plan.array(y), plan.array(a), plan.array(b)):
        plan.call(quietly, function, *sources, goal)
        if y.dtype == np.float32:
            plan_clip(plan, goal, low, high, goal)
        elif activation != NO_ACTIVATION:
            info = np.iinfo(y.dtype)
            plan_clip(plan, goal, max(low, info.min), min(high, info.max), goal)


def plan_div(operator: Operator, plan: Plan) -> None:
    """Quotients of float32; of int32 towards zero."""
    a, b, y = _tensors(operator, plan)
    if y.dtype == np.float32:
        _plan_numbers(plan, operator, np.divide)
    elif y.dtype == np.int32 and operator.number("activation") == NO_ACTIVATION:
        _plan_in_double(plan, (a, b), y, _divide_towards_zero)
    else:
        raise Unsupported(f"quotients of {y.dtype}")


def _divide_towards_zero(a: Any, b: Any, out: Any, dtype: Any) -> None:
    np.divide(a, b, out=out, dtype=dtype)
    np.trunc(out, out=out)


def _floor_divide(a: Any, b: Any, out: Any, dtype: Any) -> None:
    np.divide(a, b, out=out, dtype=dtype)
    np.floor(out, out=out)


def _plan_in_double(plan: Plan, sources: tuple[Tensor, ...], y: Tensor, function: Any) -> None:
    for goal, *pieces in parts(plan.array(y), *(plan.array(each) for each in sources)):
        plan.call(in_double, function, goal, plan.scratch(goal.shape, np.float64), *pieces)
        plan.free_scratch()


def plan_floor_div(operator: Operator, plan: Plan) -> None:
    """floor(a / b), in double for all types: kernels/internal/reference/floor_div.h."""
    a, b, y = _tensors(operator, plan)
    if y.dtype not in (np.float32, np.int32):
        raise Unsupported(f"quotients of {y.dtype}")
    _plan_in_double(plan, (a, b), y, _floor_divide)


def plan_pow(operator: Operator, plan: Plan) -> None:
    """Powers; whole numbers may overflow as in C."""
    a, b, y = _tensors(operator, plan)
    if y.dtype == np.float32:
        _plan_in_double(plan, (a, b), y, np.power)
    else:
        _plan_numbers(plan, operator, np.power)


def _plan_plain(function: Any) -> Callable[[Operator, Plan], None]:
    def planner(operator: Operator, plan: Plan) -> None:
        _plan_numbers_without_limits(plan, _tensors(operator, plan), function)

    return planner


def _plan_numbers_without_limits(plan: Plan, tensors: tuple[Tensor, ...], function: Any) -> None:
    *sources, y = tensors
    if y.dtype not in _NUMBERS:
        raise Unsupported(f"numbers of type {y.dtype}")
    for goal, *pieces in parts(plan.array(y), *(plan.array(each) for each in sources)):
        plan.call(quietly, function, *pieces, goal)


def _plan_choice(function: Any) -> Callable[[Operator, Plan], None]:
    """The larger or smaller of two numbers; 8-bit ones must mean the same."""

    def planner(operator: Operator, plan: Plan) -> None:
        a, b, y = _tensors(operator, plan)
        if not _are_quantized(a, b, y):
            _plan_numbers_without_limits(plan, (a, b, y), function)
            return
        if len({(each.step, each.zero) for each in (a, b, y)}) > 1:
            raise Unsupported("inputs and output of different scales")
        for goal, *pieces in parts(plan.array(y), plan.array(a), plan.array(b)):
            plan.call(function, *pieces, goal)

    return planner


def _one(operator: Operator, plan: Plan, types: tuple[Any, ...]) -> tuple[Tensor, Tensor]:
    x, y = plan.input(operator, 0), plan.output(operator)
    if x.dtype != y.dtype or x.dtype not in types:
        raise Unsupported(f"{x.dtype} to {y.dtype}")
    return x, y


def _plan_unary(function: Any, types: tuple[Any, ...]) -> Callable[[Operator, Plan], None]:
    def planner(operator: Operator, plan: Plan) -> None:
        x, y = _one(operator, plan, types)
        _plan_numbers_without_limits(plan, (x, y), function)

    return planner


def _plan_unary_in_double(function: Any) -> Callable[[Operator, Plan], None]:
    def planner(operator: Operator, plan: Plan) -> None:
        x, y = _one(operator, plan, (np.float32,))
        _plan_in_double(plan, (x,), y, function)

    return planner


def plan_exp(operator: Operator, plan: Plan) -> None:
    """The exponential function of float32."""
    x, y = _one(operator, plan, (np.float32,))
    for goal, source in parts(plan.array(y), plan.array(x)):
        plan.call(exp32, source, goal, work_for(plan, source.shape))
        plan.free_scratch()


def _reciprocal_root(x: Any, out: Any) -> None:
    np.sqrt(x, out)
    np.divide(np.float32(1.0), out, out)


PLANNERS = {
    "ADD": _plan_sum(1, np.add),
    "SUB": _plan_sum(-1, np.subtract),
    "MUL": plan_mul,
    "DIV": plan_div,
    "FLOOR_DIV": plan_floor_div,
    "FLOOR_MOD": _plan_plain(np.remainder),
    "POW": plan_pow,
    "MAXIMUM": _plan_choice(maximum),
    "MINIMUM": _plan_choice(minimum),
    "SQRT": _plan_unary(np.sqrt, (np.float32,)),
    "RSQRT": _plan_unary(_reciprocal_root, (np.float32,)),
    "SQUARE": _plan_unary(np.square, (np.float32,)),
    "ABS": _plan_unary(np.abs, (np.float32, np.int32)),
    "NEG": _plan_unary(np.negative, _NUMBERS),
    "EXP": plan_exp,
    "LOG": _plan_unary_in_double(np.log),
}
