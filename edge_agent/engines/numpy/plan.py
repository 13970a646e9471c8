"""What is done once per model: memory for every tensor, and the flat list of calls of a run.

Eight-bit tensors live as float32 arrays that hold whole numbers, the zero point taken off: so that
a matrix product needs no conversion and a padding is zero. All other tensors have their own dtype.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from edge_agent.engines.numpy.program import ABSENT, Graph, Operator, Tensor

Array = NDArray[Any]
Call = tuple[Callable[..., Any], tuple[Any, ...]]
Rounding = Literal["reference", "xnnpack"]

MAX_BYTES = 1 << 30
"""Memory for all tensors and scratch of one model."""

_ALIGNMENT = 64  # bytes of a cache line


class Unsupported(Exception):
    """An operator that this engine cannot run, and why."""


class Margins(NamedTuple):
    """Rows and columns of padding around a tensor of shape 1 x height x width x channels."""

    top: int = 0
    bottom: int = 0
    left: int = 0
    right: int = 0

    def joined(self, other: Margins) -> Margins:
        """The larger of both on each side."""
        return Margins(*map(max, self, other))


class Variables:
    """What a model keeps from run to run: arrays by the name of the resource."""

    def __init__(self) -> None:
        self._arrays: dict[str, Array] = {}

    def array(self, name: str, like: Array) -> Array:
        """The array of that name, made like another one where it is new."""
        return self._arrays.setdefault(name, np.zeros_like(like))

    def clear(self) -> None:
        """All zero, as in a new interpreter."""
        for array in self._arrays.values():
            array.fill(0)


class Plan:
    """Memory and calls of one graph.

    Operators ask for the arrays of their tensors, for scratch memory that is theirs until they are
    planned, and append calls of the form `function(*arguments)`. A call must not allocate.
    """

    def __init__(
        self, graph: Graph, rounding: Rounding, margins: dict[int, Margins], variables: Variables
    ) -> None:
        self.graph = graph
        self.rounding: Rounding = rounding
        self.variables = variables
        self.calls: list[Call] = []
        self.resources: dict[int, str] = {}
        """Names of the resources that tensors stand for."""
        self.states: list[Array] = []
        """Arrays of variable tensors, zeroed by a reset."""
        self._margins = margins
        self._arrays: dict[int, Array] = {}
        self._bases: dict[int, Array] = {}
        self._free: list[Array] = []
        self._bytes = 0
        self._lent: list[Array] = []

    def tensor(self, index: int) -> Tensor:
        """Tensor of that index."""
        return self.graph.tensors[index]

    def input(self, operator: Operator, place: int) -> Tensor:
        """An input that must be there."""
        if place >= len(operator.inputs) or operator.inputs[place] == ABSENT:
            raise Unsupported(f"input {place} is missing")
        return self.tensor(operator.inputs[place])

    def optional(self, operator: Operator, place: int) -> Tensor | None:
        """An input that may be left out."""
        if place >= len(operator.inputs) or operator.inputs[place] == ABSENT:
            return None
        return self.tensor(operator.inputs[place])

    def output(self, operator: Operator, place: int = 0) -> Tensor:
        """An output."""
        return self.tensor(operator.outputs[place])

    def constant(self, tensor: Tensor) -> Array:
        """Values of a tensor that must be known now, in its native dtype."""
        if tensor.constant is None:
            raise Unsupported(f"tensor {tensor.index} must be a constant")
        return tensor.constant

    def array(self, tensor: Tensor) -> Array:
        """Where the tensor's values are at run time; eight-bit ones as float32 less zero point."""
        if tensor.index not in self._arrays:
            self._arrays[tensor.index] = self._allocate(tensor)
        return self._arrays[tensor.index]

    def margins(self, tensor: Tensor) -> Margins:
        """The padding, always zero, that stands around the tensor's array."""
        return self._margins.get(tensor.index, Margins())

    def padded(self, tensor: Tensor) -> Array:
        """The tensor's array with its margins."""
        array = self.array(tensor)
        return self._bases.get(tensor.index, array)

    def alias(self, tensor: Tensor, array: Array) -> bool:
        """Let the tensor be a view of another one's array; False where that is not safe.

        That is: where it has margins or memory of its own, where the array has gaps, which others
        could not reshape, or is written again in the next run. Else a tensor has one writer.
        """
        known = tensor.index in self._arrays or tensor.is_variable
        is_state = any(np.shares_memory(array, state) for state in self.states)
        if (
            known
            or is_state
            or not array.flags.c_contiguous
            or any(self.margins(tensor))
            or array.shape != tensor.shape
        ):
            return False
        self._arrays[tensor.index] = array
        return True

    def scratch(self, shape: tuple[int, ...], dtype: Any = np.float32) -> Array:
        """Memory for the operator that is being planned, with any content."""
        kind = np.dtype(dtype)
        size = int(np.prod(shape, dtype=np.int64)) * kind.itemsize
        fitting = [each for each in self._free if each.nbytes >= size]
        if fitting:
            best = min(fitting, key=lambda each: each.nbytes)
            self._free = [each for each in self._free if each is not best]
        else:
            self._charge(size)
            best = aligned((size,), np.dtype(np.uint8))
        self._lent.append(best)
        lent: Array = best[:size].view(kind).reshape(shape)
        return lent

    def free_scratch(self) -> None:
        """The operator is planned: the next one may have its scratch memory."""
        self._free += self._lent
        self._lent = []

    def call(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Do this at each run, after all that was asked for before."""
        self.calls.append((function, arguments))

    def _charge(self, size: int) -> None:
        self._bytes += size
        if self._bytes > MAX_BYTES:
            raise Unsupported(f"the model needs more than {MAX_BYTES >> 20} MiB of memory")

    def _allocate(self, tensor: Tensor) -> Array:
        self._charge(4 * int(np.prod(tensor.shape, dtype=np.float64)))
        if tensor.constant is not None:
            return stored(tensor, tensor.constant)
        dtype = np.dtype(np.float32) if tensor.is_quantized else tensor.dtype
        if dtype.kind == "V":
            raise Unsupported(f"tensor {tensor.index} is no array of numbers")
        margins = self.margins(tensor)
        if any(margins):
            return self._with_margins(tensor, margins)
        array = aligned(tensor.shape, dtype)
        if tensor.is_variable:
            self.states.append(array)
        return array

    def _with_margins(self, tensor: Tensor, margins: Margins) -> Array:
        batch, height, width, channels = tensor.shape
        rows, columns = height + margins.top + margins.bottom, width + margins.left + margins.right
        base = self._bases[tensor.index] = aligned(
            (batch, rows, columns, channels), np.dtype(np.float32)
        )
        return base[:, margins.top : margins.top + height, margins.left : margins.left + width, :]


def stored(tensor: Tensor, values: Array) -> Array:
    """Native values of a tensor as they are kept at run time."""
    if not tensor.is_quantized:
        return np.ascontiguousarray(values)
    assert tensor.zero_point is not None
    shape = [1] * len(tensor.shape)
    if tensor.zero_point.size > 1:
        shape[tensor.dimension] = tensor.zero_point.size
    zero = tensor.zero_point.reshape(shape) if tensor.shape else tensor.zero_point[0]
    kept: Array = (values.astype(np.int64) - zero).astype(np.float32)
    return kept


def aligned(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """A zeroed array that begins at a cache line."""
    size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    raw = np.zeros(size + _ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % _ALIGNMENT
    return raw[start : start + size].view(dtype).reshape(shape)


def refuse(reason: str) -> NoReturn:
    """Say that the operator being planned cannot be run."""
    raise Unsupported(reason)
