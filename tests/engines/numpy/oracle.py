"""Slow answers for graphs of one 8-bit operator: number by number, in Python's whole numbers.

Written from TFLite's reference kernels (tensorflow/lite/kernels, 2.14), apart from the engine, and
compared with the interpreter wherever one is installed.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.support.tflite_writer import GraphDef, OpDef, TensorDef

Numbers = NDArray[Any]
f32 = np.float32


def limits(tensor: TensorDef) -> tuple[int, int]:
    """Lowest and highest number of the type."""
    return (-128, 127) if tensor.dtype == "INT8" else (0, 255)


def step(tensor: TensorDef) -> np.float32:
    """The scale, as the file holds it."""
    return f32(tensor.scale[0])


def option(operator: OpDef, slot: int, default: Any = 0) -> Any:
    """A number among the options."""
    return (operator.options or {}).get(slot, ("", default))[1]


def half_away(x: float | np.float32) -> int:
    """Nearest whole number, halves away from zero."""
    x = float(x)
    return math.floor(x + 0.5) if x >= 0 else -math.floor(-x + 0.5)


def multiplier(real: float) -> tuple[int, int]:
    """Fixed point of a real number: QuantizeMultiplier."""
    fraction, shift = math.frexp(real)
    whole = half_away(fraction * 2**31)
    return (whole // 2, shift + 1) if whole == 2**31 else (whole, shift)


def high_mul(a: int, b: int) -> int:
    """SaturatingRoundingDoublingHighMul: a division that cuts off, after a nudge."""
    nudged = a * b + (2**30 if a * b >= 0 else 1 - 2**30)
    return min(nudged // 2**31 if nudged >= 0 else -(-nudged // 2**31), 2**31 - 1)


def divide(x: int, power: int) -> int:
    """Compute x / 2**power, halves away from zero: RoundingDivideByPOT."""
    return half_away_ratio(x, 1 << power)


def half_away_ratio(x: int, y: int) -> int:
    """Compute x / y, halves away from zero."""
    quotient = (2 * abs(x) + y) // (2 * y)
    return quotient if x >= 0 else -quotient


def scaled(x: int, factor: tuple[int, int]) -> int:
    """MultiplyByQuantizedMultiplier."""
    whole, shift = factor
    return divide(high_mul(x << max(shift, 0), whole), max(-shift, 0))


def clamp(x: int, low: int, high: int) -> int:
    """The number within limits."""
    return min(max(x, low), high)


def activated(tensor: TensorDef, activation: int) -> tuple[int, int]:
    """Lowest and highest number that a fused activation allows."""
    low, high = limits(tensor)
    zero = tensor.zero_point[0]
    real = {1: (0.0, math.inf), 2: (-1.0, 1.0), 3: (0.0, 6.0)}.get(activation)
    if real is None:
        return low, high
    low = max(low, zero + half_away(f32(real[0]) / step(tensor)))
    return low, high if math.isinf(real[1]) else min(
        high, zero + half_away(f32(real[1]) / step(tensor))
    )


def pairs(graph: GraphDef, a: Numbers, b: Numbers) -> Numbers:
    """ADD, SUB, MUL, PRELU, MAXIMUM, MINIMUM."""
    operator = graph.operators[0]
    ta, tb, ty = graph.tensors
    low, high = activated(ty, 0 if operator.name == "PRELU" else option(operator, 0))
    functions = {"ADD": _sum, "SUB": _sum, "MUL": _product, "PRELU": _prelu}
    function = functions[operator.name](operator.name, ta, tb, ty)

    def one(p: Any, q: Any) -> int:
        value = function(int(p) - ta.zero_point[0], int(q) - tb.zero_point[0])
        return clamp(value + ty.zero_point[0], low, high)

    answer: Numbers = np.vectorize(one, otypes=[a.dtype])(a, b)
    return answer


def _sum(name: str, ta: TensorDef, tb: TensorDef, ty: TensorDef) -> Callable[[int, int], int]:
    twice = 2 * float(max(step(ta), step(tb)))
    first, second = multiplier(float(step(ta)) / twice), multiplier(float(step(tb)) / twice)
    if name == "SUB":
        second = (-second[0], second[1])
    last = multiplier(twice / float((1 << 20) * step(ty)))
    return lambda p, q: scaled(scaled(p << 20, first) + scaled(q << 20, second), last)


def _product(name: str, ta: TensorDef, tb: TensorDef, ty: TensorDef) -> Callable[[int, int], int]:
    factor = multiplier(float(step(ta) * step(tb) / step(ty)))
    return lambda p, q: scaled(p * q, factor)


def _prelu(name: str, ta: TensorDef, tb: TensorDef, ty: TensorDef) -> Callable[[int, int], int]:
    positive = multiplier(float(step(ta) / step(ty)))
    negative = multiplier(float(step(ta) * step(tb) / step(ty)))
    return lambda p, q: scaled(p, positive) if p >= 0 else scaled(p * q, negative)


def unary(graph: GraphDef, x: Numbers) -> Numbers:
    """Operators of one number."""
    operator, tx, ty = graph.operators[0], graph.tensors[0], graph.tensors[-1]
    function = _UNARY[operator.name](operator, tx, ty)
    low, high = limits(ty)
    dtype = np.int8 if ty.dtype == "INT8" else np.uint8

    def one(p: Any) -> int:
        return clamp(function(int(p) - tx.zero_point[0]) + ty.zero_point[0], low, high)

    answer: Numbers = np.vectorize(one, otypes=[dtype])(x)
    return answer


def _relu(low: float, high: float) -> Callable[..., Callable[[int], int]]:
    def made(operator: OpDef, tx: TensorDef, ty: TensorDef) -> Callable[[int], int]:
        factor = multiplier(float(step(tx) / step(ty)))
        lowest = half_away(f32(low) / step(ty))
        highest = 512 if math.isinf(high) else half_away(f32(high) / step(ty))
        return lambda p: clamp(scaled(p, factor), lowest, highest)

    return made


def _leaky(operator: OpDef, tx: TensorDef, ty: TensorDef) -> Callable[[int], int]:
    alpha = f32(option(operator, 0, 0.0))
    positive = multiplier(float(step(tx) / step(ty)))
    negative = multiplier(float(step(tx) * alpha / step(ty)))
    return lambda p: scaled(p, positive if p >= 0 else negative)


def _requantize(operator: OpDef, tx: TensorDef, ty: TensorDef) -> Callable[[int], int]:
    factor = multiplier(float(step(tx)) / float(step(ty)))
    return lambda p: scaled(p, factor)


def _real(function: Callable[[float], Any]) -> Callable[..., Callable[[int], int]]:
    def made(operator: OpDef, tx: TensorDef, ty: TensorDef) -> Callable[[int], int]:
        inverse = f32(1) / step(ty)
        return lambda p: half_away(float(f32(function(float(step(tx) * f32(p)))) * inverse))

    return made


def _logistic(x: float) -> Any:
    return f32(1) / (f32(1) + f32(math.exp(min(-x, 88.0))))


def _short(real: float) -> tuple[int, int]:
    whole, shift = multiplier(real)
    return min((whole + (1 << 15)) >> 16, 2**15 - 1), shift


def _hard_swish(operator: OpDef, tx: TensorDef, ty: TensorDef) -> Callable[[int], int]:
    fine = f32(1 / 128) * step(tx)
    output, shift = _short(float(fine / step(ty)))
    relu, relu_shift = _short(float(fine / f32(3 / 32768)))

    def one(p: int) -> int:
        value = p << 7
        limited = clamp(value << max(relu_shift - 1, 0), -(2**15), 2**15 - 1)
        limited = high_mul(limited << 16, relu)
        if relu_shift > 0:
            limited = clamp(limited << 1, -(2**15), 2**15 - 1)
        limited = divide(limited, max(-relu_shift, 0))
        product = ((limited + (1 << 15)) >> 1) * high_mul(value << 16, output)
        return divide(int(product / 2**15), -shift)

    return one


_UNARY: dict[str, Callable[..., Callable[[int], int]]] = {
    "RELU": _relu(0, math.inf),
    "RELU6": _relu(0, 6),
    "RELU_N1_TO_1": _relu(-1, 1),
    "RELU_0_TO_1": _relu(0, 1),
    "LEAKY_RELU": _leaky,
    "QUANTIZE": _requantize,
    "LOGISTIC": _real(_logistic),
    "TANH": _real(math.tanh),
    "HARD_SWISH": _hard_swish,
}


def pool(graph: GraphDef, x: Numbers) -> Numbers:
    """AVERAGE_POOL_2D and MAX_POOL_2D."""
    operator, ty = graph.operators[0], graph.tensors[1]
    padding, width, height, wide, tall, activation = (option(operator, i) for i in range(6))
    y = np.zeros(ty.shape, x.dtype)
    rows, columns = ty.shape[1:3]
    top = max((rows - 1) * height + tall - x.shape[1], 0) // 2 if padding == 0 else 0
    left = max((columns - 1) * width + wide - x.shape[2], 0) // 2 if padding == 0 else 0
    for r, c, d in itertools.product(range(rows), range(columns), range(x.shape[3])):
        i, j = r * height - top, c * width - left
        cells = x[0, max(i, 0) : i + tall, max(j, 0) : j + wide, d].astype(int)
        if operator.name == "MAX_POOL_2D":
            value = int(cells.max())
        else:
            value = half_away_ratio(int(cells.sum()), cells.size)
        y[0, r, c, d] = clamp(value, *activated(ty, activation))
    return y


def reduce(graph: GraphDef, x: Numbers) -> Numbers:
    """MEAN of any axes, SUM of uint8."""
    operator, (tx, axis, ty) = graph.operators[0], graph.tensors
    axes = tuple({int(i) % x.ndim for i in np.asarray(axis.data)})
    count = math.prod(x.shape[i] for i in axes)
    whole, shift = multiplier(float(step(tx)) / float(step(ty)))
    if operator.name == "MEAN":
        more = min(count.bit_length() - 1, 32, 31 + shift)
        whole, shift = (whole << more) // count, shift - more
    sums = (x.astype(int) - tx.zero_point[0]).sum(axis=axes).reshape(ty.shape)

    def one(total: Any) -> int:
        return clamp(scaled(int(total), (whole, shift)) + ty.zero_point[0], *limits(ty))

    answer: Numbers = np.vectorize(one, otypes=[x.dtype])(sums)
    return answer


def _neighbours(size: int, count: int, corners: bool, centers: bool) -> Iterator[tuple[int, ...]]:
    scale = (1024 * size + count // 2) // count
    if corners and count > 1:
        scale = (1024 * (size - 1) + (count - 1) // 2) // (count - 1)
    for place in range(count):
        at = place * scale + (scale // 2 - 512 if centers else 0)
        lower = max(int(at / 1024), 0)
        yield lower, min(int((at + 1023) / 1024), size - 1), at - 1024 * lower


def resize_int8(graph: GraphDef, x: Numbers) -> Numbers:
    """RESIZE_BILINEAR of int8, in fixed point."""
    options, ty = graph.operators[0], graph.tensors[2]
    flags = bool(option(options, 2)), bool(option(options, 3))
    y = np.zeros(ty.shape, np.int8)
    rows = list(_neighbours(x.shape[1], ty.shape[1], *flags))
    columns = list(_neighbours(x.shape[2], ty.shape[2], *flags))
    q = x.astype(int)
    for (r, (y0, y1, v)), (c, (x0, x1, u)) in itertools.product(
        enumerate(rows), enumerate(columns)
    ):
        upper = q[:, y0, x0] * (1024 - u) + q[:, y0, x1] * u
        lower = q[:, y1, x0] * (1024 - u) + q[:, y1, x1] * u
        total = upper * (1024 - v) + lower * v
        y[:, r, c] = np.vectorize(lambda t: half_away_ratio(int(t), 1 << 20))(total)
    return y
