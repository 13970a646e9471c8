"""XNNPACK's arithmetic on x86-64, where it is not that of TFLite's reference kernels.

It is what LiteRT computes by default: `rounding="xnnpack"`. Source: google/XNNPACK (August 2026),
src/microparams-init.c, src/reference and src/operators; which operators it gets, and with which
scales, is decided in tflite/delegates/xnnpack/xnnpack_delegate.cc of google-ai-edge/LiteRT. What it
does not get runs in TFLite's optimised kernels, which are equal to the reference for 8-bit numbers
but for `requantized_by_tflite` and `softmax_exponents`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_agent.engines.numpy.arithmetic import (
    RELU,
    RELU6,
    RELU_N1_TO_1,
    Ints,
    all_values,
    as_int32,
    quantize_multiplier,
)
from edge_agent.engines.numpy.program import ABSENT, Graph, Operator, Tensor
from edge_agent.engines.numpy.requantize import EXACT, Chain

Floats = NDArray[np.float32]

_BITS = 20  # of the larger multiplier of a sum
_REAL_LIMITS = {RELU: (0.0, math.inf), RELU6: (0.0, 6.0), RELU_N1_TO_1: (-1.0, 1.0)}
PIXEL = 1 << 11
"""One pixel in the fixed point of a resize."""

_TOO_LARGE = 256.0  # for a scale
_SCALE_TOO_LARGE = "an output scale so small that XNNPACK does not take it"
_WEIGHTED = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 0}
"""Operators with weights, and the dimension of theirs that may have scales of its own."""

_TABLES = frozenset({"ELU", "LOGISTIC", "TANH"})
_CHANGED = frozenset(
    {"ADD", "LEAKY_RELU", "MEAN", "MUL", "QUANTIZE", "RESIZE_BILINEAR", "SUB", "SUM"}
).union(_TABLES, _WEIGHTED)
_INEXACT = frozenset(
    {"AVERAGE_POOL_2D", "COMPLEX_ABS", "EXP", "HARD_SWISH", "LOG", "MEAN", "POW", "RESIZE_BILINEAR"}
).union(
    {"RFFT2D", "RSQRT", "SOFTMAX", "SQRT", "SUM", "SVDF"},
    {"UNIDIRECTIONAL_SEQUENCE_LSTM"},
    _TABLES,
    _WEIGHTED,
)


def objection(operator: Operator, graph: Graph) -> str:
    """Why its results would not be LiteRT's bytes; empty where they are."""
    places = (*operator.inputs[:1], *operator.outputs[:1])
    tensors = [graph.tensors[place] for place in places if place != ABSENT]
    if operator.name in _INEXACT and any(each.dtype.kind in "fc" for each in tensors):
        return "float32, for which LiteRT's last bits depend on the machine"
    if operator.name == "HARD_SWISH" and tensors[-1].step >= 512 * tensors[0].step:
        return "an output scale so large that all bits are shifted out"
    is_taken = operator.name in _CHANGED and any(each.is_quantized for each in tensors)
    if is_taken and any(each.dimension for each in tensors):
        return "a quantised dimension that is not the first, for which XNNPACK leaves it to TFLite"
    if is_taken and operator.name in _WEIGHTED:
        return _objection_to_weights(operator, graph)
    if is_taken and operator.name in ("ADD", "SUB", "MUL"):
        return _objection_to_scales(operator, graph)
    return ""


def _objection_to_weights(operator: Operator, graph: Graph) -> str:
    """TFLite's own kernel would run then, which rounds otherwise again."""
    x, w, y = (graph.tensors[i] for i in (*operator.inputs[:2], *operator.outputs[:1]))
    bias = operator.inputs[2] if len(operator.inputs) > 2 else ABSENT
    if not x.dtype == w.dtype == y.dtype or w.scale is None or w.zero_point is None:
        return "types that XNNPACK does not take together"
    is_signed = w.dtype == np.int8
    fits = w.dimension == _WEIGHTED[operator.name] if is_signed else w.scale.size == 1
    if (w.scale.size > 1 and not fits) or (not is_signed and w.dimension):
        return f"scales along dimension {w.dimension} of its weights, which XNNPACK does not take"
    if is_signed and w.zero_point.any():
        return "int8 weights with a zero point, which XNNPACK does not take"
    if (bias == ABSENT and operator.name != "FULLY_CONNECTED") or (
        bias != ABSENT and graph.tensors[bias].scale is None
    ):
        return "no bias, or one without a scale, which XNNPACK does not take"
    if (product_scale(x, w.scale, y) >= _TOO_LARGE).any():
        return _SCALE_TOO_LARGE
    return ""


def _objection_to_scales(operator: Operator, graph: Graph) -> str:
    """From 256 on XNNPACK leaves it to TFLite, where sums overflow in ways of their own."""
    a, b, y = (graph.tensors[i] for i in (*operator.inputs[:2], *operator.outputs[:1]))
    scales: list[Any] = [each.step / y.step for each in (a, b)]
    if operator.name == "MUL":
        scales = [] if is_shifted_out(a, b, y) else [product_scale(a, b.step, y)]
    return _SCALE_TOO_LARGE if any(scale >= _TOO_LARGE for scale in scales) else ""


def unlimited(limit: float) -> float:
    """A limit of float32; where TFLite stops at the largest number, XNNPACK does not."""
    return math.copysign(math.inf, limit) if abs(limit) == np.finfo(np.float32).max else limit


def activation_limits(tensor: Tensor, activation: int) -> tuple[int, int]:
    """Lowest and highest number less the zero point: xnn_qs8_quantize in requantization.h."""
    low, high = tensor.limits
    limits = _REAL_LIMITS.get(activation, (-math.inf, math.inf))
    zero = np.float32(tensor.zero)
    stored = [np.float32(real) / tensor.step + zero for real in limits]
    lowest, highest = np.rint(np.clip(stored, low + tensor.zero, high + tensor.zero))
    return int(lowest) - tensor.zero, int(highest) - tensor.zero


@dataclass(frozen=True, slots=True)
class SingleRequantization:
    """`clip(rint(float32(sum + bias) * scale), low, high)`, all in float32.

    Sums are of 32 bits. From 2**24 on, not every one has a float32 of its own.
    """

    bias: Ints
    scale: Floats
    low: int
    high: int
    bound: Ints

    def exactly(self, sums: Ints) -> Ints:
        """The definition itself, for sums of shape ... x channels."""
        wide: Any = as_int32(sums + self.bias).astype(np.float32)
        clipped: Ints = np.clip(np.rint(wide * self.scale), self.low, self.high).astype(np.int64)
        return clipped

    def some(self, channels: Any) -> SingleRequantization:
        """The same for some of the channels alone."""
        return replace(
            self,
            bias=self.bias[channels],
            scale=self.scale[channels],
            bound=self.bound[channels],
        )

    def chain(self, kind: Any = np.float32) -> Chain:
        """The definition in operations on float32; where sums are too large, in integers.

        Of channels with a large bias many are dead: their one value needs no integers.
        """
        largest = self.bound + np.abs(self.bias)
        fits = (largest < EXACT[np.float32]) & (kind is np.float32)
        add, factor = self.bias.astype(kind), self.scale.astype(kind)
        if kind is np.float32:
            dead, value = self._dead(largest)
            power = 2.0 ** np.ceil(np.log2(np.maximum(self.bound, 1) * 4.0))
            add = np.where(dead & ~fits, value * power, add).astype(kind)
            factor = np.where(dead & ~fits, 1.0 / power, factor).astype(kind)
            fits |= dead
        return Chain(add, factor, np.ones(len(fits), kind), np.flatnonzero(~fits))

    def _dead(self, largest: Ints) -> tuple[NDArray[np.bool_], Ints]:
        """Channels that give one number for all sums, as both ends give it, and the number."""
        lowest, highest = self.exactly(-self.bound), self.exactly(self.bound)
        is_one: Any = (lowest == highest) & (largest < 1 << 31)
        return is_one & (self.bound < EXACT[np.float32]), lowest


def product_scale(a: Tensor, b_scale: Any, y: Tensor) -> Floats:
    """Scale of a sum of products, in the order of XNNPACK's float32 operations."""
    scale: Floats = (a.step * np.asarray(b_scale, np.float32)) / y.step
    return scale


def takes_sum(a: Tensor, b: Tensor, y: Tensor) -> bool:
    """Whether XNNPACK gets an ADD or SUB of these scales; one it does not is as the reference."""
    return all(2.0**-10 <= each.step / y.step < _TOO_LARGE for each in (a, b))


def exact_sum(a: Tensor, b: Tensor, y: Tensor, a_values: Ints, b_values: Ints, sign: int) -> Ints:
    """Compute a + b, or a - b with sign -1: xnn_init_qs8_add_minmax_scalar_params.

    The shift right rounds halves up.
    """
    first, second = a.step / y.step, b.step / y.step
    shift = _BITS - (math.frexp(float(max(first, second)))[1] - 1)
    multipliers = [int(np.rint(np.ldexp(each, shift))) for each in (first, second)]
    total = a_values * multipliers[0] + sign * b_values * multipliers[1]
    result: Ints = (total + (1 << (shift - 1))) >> shift
    return result


def takes_product(a: Tensor, b: Tensor, y: Tensor) -> bool:
    """Whether XNNPACK gets a MUL of these scales; one it does not is as the reference."""
    return bool(2.0**-16 <= product_scale(a, b.step, y) < _TOO_LARGE)


def is_shifted_out(a: Tensor, b: Tensor, y: Tensor) -> bool:
    """Whether TFLite's own MUL shifts all products out of their 32 bits: it gives zeros then.

    That is so in its vector loop, which takes 16 numbers at a time, and not at its end.
    """
    _, shift = quantize_multiplier(float(product_scale(a, b.step, y)))
    return shift > 31 and a.shape == b.shape and math.prod(y.shape) % 16 == 0


def exact_product(scale: Floats, a_values: Ints, b_values: Ints) -> Ints:
    """Compute a * b: rounded once, halves to even."""
    result: Ints = np.rint((a_values * b_values).astype(np.float32) * scale).astype(np.int64)
    return result


def takes_rescaling(real: np.float32) -> bool:
    """Whether XNNPACK gets a QUANTIZE of this scale."""
    return bool(2.0**-8 <= real <= 128.0)


def takes_slopes(positive: np.float32, negative: np.float32) -> bool:
    """Whether it gets a LEAKY_RELU of these scales."""
    is_negative_fine = -127.99609375 <= negative <= 128.0 and abs(negative) >= 2.0**-8
    return takes_rescaling(positive) and bool(is_negative_fine)


def rescaled(values: Ints, real: np.float32) -> Ints:
    """Numbers times a real one that is rounded to 8 binary places, halves up."""
    result: Ints = (values * int(np.rint(np.float32(256.0) * real)) + 128) >> 8
    return result


def requantized_by_tflite(x: Tensor, y: Tensor) -> Ints:
    """QUANTIZE from int8 to uint8 or back, or of other scales, in TFLite's own kernel.

    MultiplyByQuantizedMultiplier4Rows in kernels/internal/common.cc, for NEON, which on x86 is
    replaced by SSE: it rounds twice, and halves up. Of numbers that do not fill 16 the last ones
    are computed as in the reference.
    """
    multiplier, shift = quantize_multiplier(float(x.step) / float(y.step))
    left, right = max(shift, 0), max(-shift, 0)
    product = ((all_values(x) << left) * multiplier + (1 << 30)) >> 31
    result: Ints = (product + (1 << right >> 1)) >> right
    return result


def real_function(x: Tensor, y: Tensor, function: Callable[[Any], Any]) -> Ints:
    """The 256 results of a function of real numbers: src/reference/unary-elementwise.cc.

    Halves go to the even one of the stored numbers, zero point and all.
    """
    with np.errstate(all="ignore"):
        found = function(all_values(x).astype(np.float32) * x.step).astype(np.float32)
    stored = np.rint(found * (np.float32(1.0) / y.step) + np.float32(y.zero))
    results: Ints = np.clip(stored - y.zero, *y.limits).astype(np.int64)
    return results


def logistic(x: Any) -> Any:
    """SigmoidOp: in float64, with the exponential of x itself."""
    power = np.exp(np.clip(x, -100, 100).astype(np.float64))
    return (power / (1.0 + power)).astype(np.float32)


def softmax_exponents(x: Tensor, beta: float) -> Floats:
    """-beta * scale * d for d = 0..255: PopulateSoftmaxLookupTable in optimized_ops.h."""
    exponents: Floats = -x.step * np.float32(beta) * np.arange(256, dtype=np.float32)
    return exponents


class Mean(NamedTuple):
    """`rint(sum * scale + zero)`: the sum with its zero points, the result with its own."""

    scale: np.float32
    zero: np.float32


def mean(x: Tensor, y: Tensor, count: int, divisor: int) -> Mean:
    """A MEAN, or a SUM with divisor 1, of `count` numbers: src/operators/reduce-nd.c."""
    scale = (x.step / y.step) * (np.float32(1.0) / np.float32(divisor))
    return Mean(scale, np.float32(y.zero) - np.float32(count * x.zero) * scale)


class ResizeAxis(NamedTuple):
    """For each place of the output: its two neighbours, how near to the second in 2**-11."""

    lower: NDArray[np.int64]
    upper: NDArray[np.int64]
    fraction: NDArray[np.int64]


def resize_axis(size: int, count: int, corners: bool, centers: bool) -> ResizeAxis:
    """xnn_indirection_init_resize_bilinear2d_hwc_q11 in src/indirection.c."""
    less = int(corners and count != 1)
    scale = np.float32(size - less) / np.float32(count - less)
    at = np.arange(count, dtype=np.float32) * scale
    if centers and not corners:
        half = np.float32(0.5)
        at = np.maximum(at + (half * scale - half), np.float32(0.0))
    at = np.minimum(at, np.float32(size - 1))
    lower = at.astype(np.int64)
    fraction = np.rint((at - lower.astype(np.float32)) * np.float32(PIXEL)).astype(np.int64)
    return ResizeAxis(lower, np.minimum(lower + 1, size - 1), fraction)
