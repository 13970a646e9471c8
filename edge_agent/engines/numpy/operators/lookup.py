"""Functions of one 8-bit number: a table of its 256 results, or arithmetic proven equal to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from edge_agent.engines.numpy.arithmetic import Ints, all_values, round_away
from edge_agent.engines.numpy.operators.parts import parts, plan_clip
from edge_agent.engines.numpy.plan import Array, Plan
from edge_agent.engines.numpy.program import Tensor

_ULP = 2.0**-23
_NUDGES = (
    0.0,
    *(sign * ulps * _ULP for ulps in range(1, 9) for sign in (1, -1)),
    *(sign * 2.0**-power for power in range(19, 10, -1) for sign in (1, -1)),
)
"""Changes of a factor: a few ulps, then more, which turns halves away from or towards zero."""


def nudged(real: float | np.float32) -> tuple[np.float32, ...]:
    """Float32 numbers near a real one, the likeliest first."""
    return tuple(np.float32(np.float32(real) * np.float32(1.0 + nudge)) for nudge in _NUDGES)


def plan_function(
    plan: Plan, x: Tensor, results: Ints, y: Tensor, real: float | None = None
) -> None:
    """Calls for y = results[x], which are less the zero point, in the order of the values of x.

    With `real`, `clip(rint(x * factor))` is tried for factors near it and taken where it is right
    for all 256 numbers.
    """
    factor = None if real is None else _known_factor(plan, x, results, real)
    source, target = plan.array(x), plan.array(y)
    for goal, part in parts(target, source):
        if factor is None:
            look_up(plan, part, float(x.limits[0]), results.astype(np.float32), goal)
        else:
            product = plan.scratch(part.shape)
            plan.call(np.multiply, part, factor, product)
            if factor != 1.0:
                plan.call(np.rint, product, product)
            plan_clip(plan, product, results.min(), results.max(), goal)
        plan.free_scratch()


def _known_factor(plan: Plan, x: Tensor, results: Ints, real: float) -> np.float32 | None:
    """What `_factor` finds, or found for the same results: none is kept as NaN."""

    def search() -> tuple[Array, ...]:
        factor = _factor(x, results, real)
        return (np.array([np.nan if factor is None else factor], np.float32),)

    def fits(answer: tuple[Array, ...]) -> bool:
        return len(answer) == 1 and answer[0].shape == (1,) and answer[0].dtype == np.float32

    question = ("function", *x.limits, results, float(real))
    (found,) = plan.findings.recall(question, search, fits)[0]
    return None if np.isnan(found) else np.float32(found)


def _factor(x: Tensor, results: Ints, real: float) -> np.float32 | None:
    values = all_values(x).astype(np.float32)
    low, high = results.min(), results.max()
    fitting = (
        factor
        for factor in nudged(real)
        if np.array_equal(np.clip(np.rint(values * factor), low, high), results)
    )
    return next(fitting, None)


def look_up(plan: Plan, source: Array, lowest: float, table: Array, target: Array) -> None:
    """Calls for target = table[source - lowest]."""
    index = plan.scratch(source.shape, np.intp)
    plan.call(_index, source, np.float32(lowest), index)
    if target.flags.c_contiguous:
        plan.call(take, table, index, target)
        return
    found = plan.scratch(source.shape)
    plan.call(take, table, index, found)
    plan.call(np.copyto, target, found)


def _index(source: Array, lowest: np.float32, index: Array) -> None:
    np.subtract(source, lowest, out=index, casting="unsafe")


def take(table: Array, index: Array, target: Array) -> None:
    """Elements of a table; mode "clip" because "raise" goes through a buffer."""
    np.take(table, index, out=target, mode="clip")


def real_function(x: Tensor, y: Tensor, function: Callable[[Any], Any]) -> Ints:
    """The 256 results of a function of real numbers.

    LUTPopulate in kernels/internal/common.h: all in float32, with the inverse of the output scale.
    """
    real = x.step * all_values(x).astype(np.float32)
    with np.errstate(all="ignore"):
        found = function(real).astype(np.float32)
    inverse = np.float32(1.0) / y.step
    scaled = round_away((found * inverse).astype(np.float64))
    results: Ints = np.clip(scaled, *y.limits).astype(np.int64)
    return results
