"""The float32 exponential function, bit for bit that of glibc (2.28 and later) and musl.

Theirs is the expf of ARM's optimized routines (math/expf.c): 2**(k / 32) from a table, times a
polynomial, all in float64. NumPy's own is rounded otherwise in one of a thousand numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from edge_agent.engines.numpy.operators.parts import clip
from edge_agent.engines.numpy.plan import Array, Plan

_PARTS = 32
_SCALE = float.fromhex("0x1.71547652b82fep+0") * _PARTS  # 32 / ln 2
_CUBIC = float.fromhex("0x1.c6af84b912394p-5") / _PARTS**3
_SQUARE = float.fromhex("0x1.ebfce50fac4f3p-3") / _PARTS**2
_LINEAR = float.fromhex("0x1.62e42ff0c52d6p-1") / _PARTS
_LOWEST, _HIGHEST = np.float64(-104 * _SCALE), np.float64(89 * _SCALE)  # 0 and infinity in float32
_EXPONENT = np.int64(52 - 5)  # where a whole number of 1/32 stands in a float64

# Bits of 2**(k / 32), less k itself, which is added with the whole exponent.
_POWERS = np.exp2(np.arange(_PARTS) / _PARTS).view(np.int64)
_TABLE = _POWERS - (np.arange(_PARTS, dtype=np.int64) << _EXPONENT)

Work = tuple[Array, Array, Array, Array]


def work_for(plan: Plan, shape: tuple[int, ...]) -> Work:
    """Scratch memory for exponentials of an array of this shape."""
    wide, power = plan.scratch(shape, np.float64), plan.scratch(shape, np.float64)
    return wide, power, plan.scratch(shape, np.int64), plan.scratch(shape, np.int64)


def exp32(x: Array, y: Array, work: Work) -> None:
    """Write exp(x) to y, both of float32; they may be the same."""
    rest, power, whole, bits = work
    with np.errstate(all="ignore"):
        np.multiply(x, _SCALE, out=rest, dtype=np.float64)
        clip(rest, _LOWEST, _HIGHEST, rest)
        np.rint(rest, power)
        np.copyto(whole, power, casting="unsafe")
        np.subtract(rest, power, rest)
        np.bitwise_and(whole, _PARTS - 1, bits)
        places = bits.astype(np.intp, copy=False)  # a copy on 32-bit machines only
        np.take(_TABLE, places, out=power.view(np.int64), mode="clip")
        np.left_shift(whole, _EXPONENT, whole)
        np.add(whole, power.view(np.int64), whole)
        factor, total = whole.view(np.float64), bits.view(np.float64)
        np.multiply(rest, _CUBIC, total)
        np.add(total, _SQUARE, total)
        np.multiply(rest, rest, power)
        np.multiply(total, power, total)
        np.multiply(rest, _LINEAR, power)
        np.add(power, 1.0, power)
        np.add(total, power, total)
        np.multiply(total, factor, total)
        np.copyto(y, total, casting="unsafe")


def exponentials(x: Any) -> Array:
    """exp(x) of an array of float32, in memory of its own."""
    y = np.zeros(x.shape, np.float32)
    wide, whole = np.zeros((2, *x.shape)), np.zeros((2, *x.shape), np.int64)
    exp32(x, y, (wide[0], wide[1], whole[0], whole[1]))
    return y
