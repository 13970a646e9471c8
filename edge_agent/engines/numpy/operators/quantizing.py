"""QUANTIZE, DEQUANTIZE, CAST: between the types of numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from edge_agent.engines.numpy import xnnpack
from edge_agent.engines.numpy.arithmetic import (
    Ints,
    all_values,
    multiply_by_quantized_multiplier,
    quantize_multiplier,
)
from edge_agent.engines.numpy.operators.lookup import plan_function
from edge_agent.engines.numpy.operators.parts import cast, parts, plan_clip, quietly
from edge_agent.engines.numpy.plan import Plan, Unsupported
from edge_agent.engines.numpy.program import Operator, Tensor

# The float32 before 0.5: added to a number and cut off, it rounds halves away from zero as roundf
# does; 0.5 itself would take 0.49999997 to 1.
_HALF = np.nextafter(np.float32(0.5), np.float32(0.0))


def _has_one_scale(tensor: Tensor) -> bool:
    return tensor.is_quantized and tensor.scale is not None and tensor.scale.size == 1


def plan_quantize(operator: Operator, plan: Plan) -> None:
    """Float32 to 8 bits, or 8 bits to others of another scale: kernels/quantize.cc."""
    x, y = plan.input(operator, 0), plan.output(operator)
    if not _has_one_scale(y) or not (x.dtype == np.float32 or _has_one_scale(x)):
        raise Unsupported(f"{x.dtype} to {y.dtype}, or scales per channel")
    if x.dtype == np.float32:
        _plan_rounding(plan, x, y)
        return
    real = float(x.step) / float(y.step)
    results = _requantized(plan, x, y)
    is_same = real == 1.0 and x.limits == y.limits
    if is_same and plan.alias(y, plan.array(x)):
        return
    plan_function(plan, x, np.clip(results, *y.limits), y, real)


def _requantized(plan: Plan, x: Tensor, y: Tensor) -> Ints:
    multiplier, shift = quantize_multiplier(float(x.step) / float(y.step))
    results: Ints = multiply_by_quantized_multiplier(all_values(x), multiplier, shift)
    if plan.rounding == "reference":
        return results
    if x.dtype == y.dtype and xnnpack.takes_rescaling(x.step / y.step):
        return xnnpack.rescaled(all_values(x), x.step / y.step)
    vector = xnnpack.requantized_by_tflite(x, y)
    if math.prod(x.shape) % 16 and (vector != results).any():
        raise Unsupported("numbers that LiteRT rounds in two ways, by their place")
    return vector


def _plan_rounding(plan: Plan, x: Tensor, y: Tensor) -> None:
    """round(x / scale): AffineQuantize in kernels/internal/reference/quantize.h.

    The reference leaves to C what becomes of NaN and of numbers beyond 2**31 steps, on x86 even
    the highest number for a negative one; here NaN is the lowest number, others are limited.
    """
    low, high = y.limits
    if plan.rounding == "xnnpack":
        _plan_rounding_to_even(plan, x, y)
        return
    for goal, source in parts(plan.array(y), plan.array(x)):
        scaled, half = plan.scratch(source.shape), plan.scratch(source.shape)
        plan.call(quietly, np.divide, source, y.step, scaled)
        plan.call(np.copysign, _HALF, scaled, half)
        plan.call(np.add, scaled, half, scaled)
        plan.call(np.trunc, scaled, scaled)
        plan.call(np.fmax, scaled, np.float32(low), scaled)
        plan_clip(plan, scaled, low, high, goal)
        plan.free_scratch()


def _plan_rounding_to_even(plan: Plan, x: Tensor, y: Tensor) -> None:
    """XNNPACK's: times the inverse of the scale; NaN is the highest number."""
    low, high = y.limits
    inverse = np.float32(1.0) / y.step
    for goal, source in parts(plan.array(y), plan.array(x)):
        scaled = plan.scratch(source.shape)
        plan.call(quietly, np.multiply, source, inverse, scaled)
        plan.call(np.fmin, scaled, np.float32(high), scaled)
        plan.call(np.rint, scaled, scaled)
        plan_clip(plan, scaled, low, high, goal)
        plan.free_scratch()


def plan_dequantize(operator: Operator, plan: Plan) -> None:
    """8 bits or float16 to float32."""
    x, y = plan.input(operator, 0), plan.output(operator)
    is_quantized = _has_one_scale(x)
    if y.dtype != np.float32 or not (is_quantized or x.dtype == np.float16):
        raise Unsupported(f"{x.dtype} to {y.dtype}, or scales per channel")
    for goal, source in parts(plan.array(y), plan.array(x)):
        if is_quantized:
            # A whole number times a scale is rounded once, as in the reference's double.
            plan.call(np.multiply, source, x.step, goal)
        else:
            plan.call(np.copyto, goal, source)


def plan_cast(operator: Operator, plan: Plan) -> None:
    """Numbers as they are to another type, cut off towards zero; 8-bit ones with their zero point.

    What C leaves undefined (NaN or too large for the type) is undefined here.
    """
    x, y = plan.input(operator, 0), plan.output(operator)
    for goal, source in parts(plan.array(y), plan.array(x)):
        native = source
        if x.is_quantized:
            native = plan.scratch(source.shape)
            plan.call(np.add, source, np.float32(x.zero), native)
        _plan_cast(plan, native, y, goal)
        plan.free_scratch()


def _plan_cast(plan: Plan, native: Any, y: Tensor, goal: Any) -> None:
    if not y.is_quantized:
        plan.call(quietly, cast, goal, native)
        return
    narrow = plan.scratch(native.shape, y.dtype)
    plan.call(quietly, cast, narrow, native)
    plan.call(np.subtract, narrow, np.float32(y.zero), goal)


PLANNERS = {"QUANTIZE": plan_quantize, "DEQUANTIZE": plan_dequantize, "CAST": plan_cast}
