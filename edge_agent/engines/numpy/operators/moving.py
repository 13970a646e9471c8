"""Numbers that only change their place: copies and views between tensors, bytes untouched.

TFLite moves raw bytes, we hold 8-bit numbers less their zero point: where input and output differ
in it, the move adds the difference.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from edge_agent.engines.numpy.plan import Array, Plan, Unsupported
from edge_agent.engines.numpy.program import Tensor


def zero_of(tensor: Tensor) -> int:
    """The zero point that is taken off a tensor's numbers, 0 where none is."""
    if not tensor.is_quantized:
        return 0
    assert tensor.zero_point is not None
    if (tensor.zero_point != tensor.zero_point[0]).any():
        raise Unsupported(f"tensor {tensor.index} has zero points that differ by channel")
    return tensor.zero


def stays(x: Tensor, y: Tensor) -> bool:
    """Whether numbers of x are kept in the same form in y."""
    return x.dtype == y.dtype and x.is_quantized == y.is_quantized and zero_of(x) == zero_of(y)


def move(plan: Plan, x: Tensor, source: Array, y: Tensor, target: Array) -> None:
    """Write the call that copies `source`, numbers of x, to `target`, a part of y."""
    if x.dtype != y.dtype:
        raise Unsupported(f"{x.dtype} cannot become {y.dtype}")
    if source.shape != target.shape:
        raise Unsupported(f"a result of shape {source.shape} for an output of {target.shape}")
    if stays(x, y):
        plan.call(np.copyto, target, source)
    elif y.is_quantized:
        plan.call(np.add, source, np.float32(zero_of(x) - zero_of(y)), target)
    else:
        whole = plan.scratch(source.shape)
        plan.call(np.add, source, np.float32(zero_of(x)), whole)
        plan.call(_cast, target, whole)


def view_or_move(plan: Plan, x: Tensor, source: Array, y: Tensor) -> None:
    """Let y be `source`, a view of x: without a copy where nothing can write x later.

    Each tensor has one writer, variable tensors apart. Views with gaps are copied: not every
    operator can read them in place.
    """
    if not x.is_variable and stays(x, y) and source.flags.c_contiguous and plan.alias(y, source):
        return
    move(plan, x, source, y, plan.array(y))


def reshaped(array: Array, shape: tuple[int, ...]) -> Array | None:
    """A view in another shape, None where that would need a copy."""
    view = array.reshape(shape)
    return view if np.may_share_memory(view, array) or not array.size else None


def in_shape(plan: Plan, array: Array, shape: tuple[int, ...]) -> Array:
    """The numbers of an array in another shape; by a copy into scratch memory where it must be."""
    view = reshaped(array, shape)
    if view is not None:
        return view
    flat: Array = plan.scratch(array.shape, array.dtype)
    plan.call(np.copyto, flat, array)
    return flat.reshape(shape)


def contiguous(plan: Plan, array: Array) -> Array:
    """The numbers of an array without gaps."""
    if array.flags.c_contiguous:
        return array
    flat: Array = plan.scratch(array.shape, array.dtype)
    plan.call(np.copyto, flat, array)
    return flat


def axis_of(axis: int, rank: int) -> int:
    """An axis that may be counted from the end."""
    if not -rank <= axis < rank:
        raise Unsupported(f"axis {axis} of a tensor with {rank} dimensions")
    return axis % rank


def one_number(plan: Plan, tensor: Tensor) -> int:
    """The constant whole number that a tensor holds."""
    values = plan.constant(tensor)
    if values.size != 1:
        raise Unsupported(f"tensor {tensor.index} holds {values.size} numbers instead of one")
    return int(values.ravel()[0])


def _cast(target: Array, source: Array) -> None:
    np.copyto(target, source, casting="unsafe")


def whole_numbers(plan: Plan, tensor: Tensor) -> list[int]:
    """The constant whole numbers that a tensor holds."""
    values: Any = plan.constant(tensor).ravel().tolist()
    return [int(value) for value in values]
