"""RELU and its kin, LOGISTIC, TANH, ELU, HARD_SWISH, PRELU.

8-bit ones are tables of 256 results, computed once as the reference kernel computes each of them:
kernels/activations.cc and kernels/internal/reference/ of tflite-runtime 2.14.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from edge_agent.engines.numpy import xnnpack
from edge_agent.engines.numpy.arithmetic import (
    INT32_MAX,
    Ints,
    all_values,
    doubling_high_mul,
    multiply_by_quantized_multiplier,
    quantize_multiplier,
    quantized_value,
    rounding_shift_right,
)
from edge_agent.engines.numpy.operators.exponential import Work, exp32, exponentials, work_for
from edge_agent.engines.numpy.operators.lookup import plan_function, real_function
from edge_agent.engines.numpy.operators.pairs import plan_pairs
from edge_agent.engines.numpy.operators.parts import (
    in_double,
    maximum,
    parts,
    plan_clip,
    quietly,
    real_option,
)
from edge_agent.engines.numpy.plan import Plan, Unsupported
from edge_agent.engines.numpy.program import Operator, Tensor

_INT16 = np.iinfo(np.int16)


def _tensors(operator: Operator, plan: Plan) -> tuple[Tensor, Tensor]:
    x, y = plan.input(operator, 0), plan.output(operator)
    if x.dtype != y.dtype or not (x.dtype == np.float32 or (x.is_quantized and y.is_quantized)):
        raise Unsupported(f"{x.dtype} to {y.dtype}, or 8-bit numbers without a scale")
    return x, y


def _rescaled(values: Ints, real: float | np.float32) -> Ints:
    """Numbers times a real one in fixed point; of a negative one the multiplier is negative."""
    multiplier, shift = quantize_multiplier(abs(float(real)))
    factor = multiplier if real >= 0 else -multiplier
    result: Ints = multiply_by_quantized_multiplier(values, factor, shift)
    return result


def _plan_relu(low: float, high: float) -> Callable[[Operator, Plan], None]:
    """Limits of real numbers: QuantizedReluX for 8 bits."""

    def planner(operator: Operator, plan: Plan) -> None:
        x, y = _tensors(operator, plan)
        if x.dtype == np.float32:
            for goal, source in parts(plan.array(y), plan.array(x)):
                _plan_float_relu(plan, source, low, high, goal)
                plan.free_scratch()
            return
        lowest, highest = y.limits
        lowest = max(lowest, quantized_value(low, y))
        if math.isfinite(high):
            highest = min(highest, quantized_value(high, y))
        real = float(x.step / y.step)
        # Not np.clip: limits that cross each other give the upper one, as in the reference.
        results = np.minimum(np.maximum(_rescaled(all_values(x), real), lowest), highest)
        plan_function(plan, x, results, y, real)

    return planner


def _plan_float_relu(plan: Plan, source: Any, low: float, high: float, goal: Any) -> None:
    if math.isinf(high):
        plan.call(maximum, source, np.float32(low), goal)
        return
    copy = plan.scratch(source.shape)
    plan.call(np.copyto, copy, source)
    plan_clip(plan, copy, low, high, goal)


def plan_leaky_relu(operator: Operator, plan: Plan) -> None:
    """Negative numbers times alpha; multipliers are products in float32: LeakyReluPrepare."""
    x, y = _tensors(operator, plan)
    alpha = np.float32(real_option(operator, "alpha"))
    if x.dtype == np.float32:
        for goal, source in parts(plan.array(y), plan.array(x)):
            plan.call(_leaky, source, alpha, plan.scratch(source.shape, np.bool_), goal)
            plan.free_scratch()
        return
    values = all_values(x)
    positive, negative = x.step / y.step, x.step * alpha / y.step
    rescale: Callable[[Ints, Any], Ints] = _rescaled
    slope = positive * alpha  # in XNNPACK's order
    if plan.rounding == "xnnpack" and xnnpack.takes_slopes(positive, slope):
        rescale, negative = xnnpack.rescaled, slope
    results = np.where(values >= 0, rescale(values, positive), rescale(values, negative))
    plan_function(plan, x, np.clip(results, *y.limits), y)


def _leaky(x: Any, alpha: Any, mask: Any, y: Any) -> None:
    np.greater_equal(x, 0, out=mask)
    np.multiply(x, alpha, out=y)
    np.copyto(y, x, where=mask)


def plan_prelu(operator: Operator, plan: Plan) -> None:
    """LEAKY_RELU with an alpha for each number, broadcast."""
    x, y = _tensors(operator, plan)
    alpha = plan.input(operator, 1)
    if alpha.dtype != x.dtype or y.shape != x.shape:
        raise Unsupported(f"alpha of {alpha.dtype} and shape {alpha.shape}")
    if x.dtype == np.float32:
        for goal, source, factors in parts(plan.array(y), plan.array(x), plan.array(alpha)):
            plan.call(_leaky, source, factors, plan.scratch(source.shape, np.bool_), goal)
            plan.free_scratch()
        return

    def exact(values: Ints, alphas: Ints) -> Ints:
        positive = _rescaled(values, float(x.step / y.step))
        negative = _rescaled(values * alphas, float(x.step * alpha.step / y.step))
        return np.where(values >= 0, positive, negative)

    plan_pairs(plan, (x, alpha), y, y.limits, exact, ())


def _plan_real(
    function: Callable[[Any], Any],
    write: Callable[..., Any],
    xnnpack_function: Callable[[Any], Any],
) -> Callable[[Operator, Plan], None]:
    """A smooth function: the first one makes the table, `write` is the one for float32."""

    def planner(operator: Operator, plan: Plan) -> None:
        x, y = _tensors(operator, plan)
        if x.is_quantized:
            results = (
                xnnpack.real_function(x, y, xnnpack_function)
                if plan.rounding == "xnnpack"
                else real_function(x, y, function)
            )
            plan_function(plan, x, results, y)
            return
        for goal, source in parts(plan.array(y), plan.array(x)):
            work = work_for(plan, source.shape)
            plan.call(quietly, write, source, work, plan.scratch(source.shape, np.bool_), goal)
            plan.free_scratch()

    return planner


def _logistic(x: Any) -> Any:
    return np.float32(1.0) / (np.float32(1.0) + exponentials(-x))


def _tanh(x: Any) -> Any:
    return np.tanh(x, dtype=np.float64).astype(np.float32)


def _elu(x: Any) -> Any:
    return np.where(x < 0, np.expm1(x, dtype=np.float64).astype(np.float32), x)


def _write_logistic(x: Any, work: Work, mask: Any, y: Any) -> None:
    """With the cut-offs of kernels/internal/reference/logistic.h."""
    np.negative(x, out=y)
    exp32(y, y, work)
    np.add(y, np.float32(1.0), out=y)
    np.divide(np.float32(1.0), y, out=y)
    np.less(x, np.float32(-9.0), out=mask)
    if mask.any():
        y[mask] = exponentials(x[mask])
    np.greater(x, np.float32(16.619047164916992188), out=mask)
    np.copyto(y, np.float32(1.0), where=mask)


def _write_tanh(x: Any, work: Work, mask: Any, y: Any) -> None:
    del mask
    in_double(np.tanh, y, work[0], x)


def _write_elu(x: Any, work: Work, mask: Any, y: Any) -> None:
    np.greater_equal(x, 0, out=mask)
    in_double(np.expm1, y, work[0], x)
    np.copyto(y, x, where=mask)


def plan_hard_swish(operator: Operator, plan: Plan) -> None:
    """Compute x * relu6(x + 3) / 6."""
    x, y = _tensors(operator, plan)
    if x.is_quantized:
        plan_function(plan, x, hard_swish_table(x, y), y)
        return
    for goal, source in parts(plan.array(y), plan.array(x)):
        limited = plan.scratch(source.shape)
        plan.call(np.add, source, np.float32(3.0), limited)
        plan_clip(plan, limited, 0.0, 6.0, limited)
        plan.call(np.multiply, source, limited, goal)
        plan.call(np.divide, goal, np.float32(6.0), goal)
        plan.free_scratch()


def hard_swish_table(x: Tensor, y: Tensor) -> Ints:
    """HardSwish in kernels/internal/reference/hard_swish.h: in 16 bits."""
    fine = np.float32(1.0 / 128.0) * x.step
    output, output_shift = _short_multiplier(float(fine / y.step))
    if output_shift > 0:
        raise Unsupported("the output scale is too small for its input")
    relu, relu_shift = _short_multiplier(float(fine / np.float32(3.0 / 32768.0)))
    value = all_values(x) << 7
    scaled = _high_mul_16(value, output)
    relu_value = value
    if relu_shift > 0:
        relu_value = np.clip(relu_value << (relu_shift - 1), _INT16.min, _INT16.max)
    relu_value = _high_mul_16(relu_value, relu)
    if relu_shift > 0:
        relu_value = np.clip(relu_value << 1, _INT16.min, _INT16.max)
    if relu_shift < 0:
        relu_value = rounding_shift_right(relu_value, -relu_shift)
    relu_value = (relu_value + (1 << 15)) >> 1
    product = np.trunc(relu_value * scaled / (1 << 15)).astype(np.int64)
    result: Ints = np.clip(rounding_shift_right(product, -output_shift), *y.limits)
    return result


def _short_multiplier(real: float) -> tuple[int, int]:
    """A multiplier of 16 bits: DownScaleInt32ToInt16Multiplier in kernels/activations.cc."""
    multiplier, shift = quantize_multiplier(real)
    if multiplier >= INT32_MAX - (1 << 15):
        return _INT16.max, shift
    return (multiplier + (1 << 15)) >> 16, shift


def _high_mul_16(a: Ints, b: int) -> Ints:
    """round(a * b / 2**15): SaturatingRoundingDoublingHighMul of gemmlowp for int16."""
    result: Ints = np.minimum(doubling_high_mul(a << 16, b), _INT16.max)
    return result


PLANNERS = {
    "RELU": _plan_relu(0.0, math.inf),
    "RELU6": _plan_relu(0.0, 6.0),
    "RELU_N1_TO_1": _plan_relu(-1.0, 1.0),
    "RELU_0_TO_1": _plan_relu(0.0, 1.0),
    "LEAKY_RELU": plan_leaky_relu,
    "PRELU": plan_prelu,
    "HARD_SWISH": plan_hard_swish,
    "LOGISTIC": _plan_real(_logistic, _write_logistic, xnnpack.logistic),
    "TANH": _plan_real(_tanh, _write_tanh, _tanh),
    "ELU": _plan_real(_elu, _write_elu, _elu),
}
