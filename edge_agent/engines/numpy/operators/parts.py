"""Small calls that many operators share: pieces that fit the cache, limits, changes of type."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from edge_agent.engines.numpy.plan import Array, Plan, Unsupported
from edge_agent.engines.numpy.program import Operator

_CHUNK = 192 << 10  # numbers that are worked on at a time, to stay in the cache
_SMALL = 24 << 10  # up to here limits are whole arrays: NumPy 1 takes no fast path for scalars
_HAS_FAST_CLIP = int(np.__version__.split(".")[0]) >= 2

# The ufunc behind np.clip: np.clip itself costs two microseconds a call.
clip: Any = (np._core if _HAS_FAST_CLIP else np.core).umath.clip  # type: ignore[attr-defined]


def parts(target: Array, *sources: Array) -> Iterator[tuple[Array, ...]]:
    """Matching pieces of arrays that broadcast to the shape of `target`, the target first."""
    arrays = (target, *sources)
    if target.size == 0:
        return
    if all(each.shape == target.shape and each.flags.c_contiguous for each in arrays):
        arrays = tuple(each.reshape(-1) for each in arrays)
    shape = arrays[0].shape
    axis = next((place for place, size in enumerate(shape) if size > 1), None)
    if axis is None:
        yield arrays
        return
    for piece in _pieces(shape[axis], target.size // shape[axis]):
        yield tuple(_cut(each, axis - len(shape), piece) for each in arrays)


def _pieces(length: int, numbers: int) -> Iterator[slice]:
    """Slices of about the same length, each of at most _CHUNK numbers."""
    most = max(1, min(length, _CHUNK // numbers))
    count = -(-length // most)
    size = -(-length // count)
    return (slice(first, min(first + size, length)) for first in range(0, length, size))


def _cut(array: Array, axis: int, piece: slice) -> Array:
    """A piece of an axis, counted from the last; all of an array that is repeated along it."""
    if array.ndim < -axis or array.shape[axis] == 1:
        return array
    place: Any = (..., piece, *(slice(None),) * (-axis - 1))
    taken: Array = array[place]
    return taken


def plan_clip(plan: Plan, source: Array, low: Any, high: Any, target: Array) -> None:
    """Limit `source` to low and high; it is used up."""
    low, high = source.dtype.type(low), source.dtype.type(high)
    if _HAS_FAST_CLIP:
        plan.call(clip, source, low, high, target)
        return
    width = source.shape if source.size <= _SMALL else source.shape[-1:]
    plan.call(maximum, source, np.full(width, low), source)
    plan.call(minimum, source, np.full(width, high), target)


def maximum(a: Any, b: Any, target: Array) -> None:
    """The larger ones; NumPy wants the target of this function, alone of all, by its name."""
    np.maximum(a, b, out=target)


def minimum(a: Any, b: Any, target: Array) -> None:
    """The smaller ones."""
    np.minimum(a, b, out=target)


def real_option(operator: Operator, name: str) -> float:
    """A real number among the options of an operator."""
    value = operator.options[name]
    if not isinstance(value, int | float):
        raise Unsupported(f"{name} is {value!r}")
    return float(value)


def cast(target: Array, source: Array) -> None:
    """Copy to another type, as C does it."""
    np.copyto(target, source, casting="unsafe")


def quietly(function: Callable[..., Any], *arguments: Any) -> None:
    """Do it without NumPy's warnings: infinities and NaN are results like others."""
    with np.errstate(all="ignore"):
        function(*arguments)


def in_double(function: Callable[..., Any], target: Array, wide: Array, *sources: Array) -> None:
    """A function of the maths library, rounded to float32 from float64.

    This is the correctly rounded result. The C library's own float32 functions may differ from it
    in the last bit (glibc's logf once in some hundred numbers, its tanhf before 2.41 once in
    four), and from each other: TFLite's answer depends on the machine here.
    """
    with np.errstate(all="ignore"):
        function(*sources, out=wide, dtype=np.float64)
        np.copyto(target, wide, casting="unsafe")
