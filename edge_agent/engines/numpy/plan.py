"""What is done once per model: memory for every tensor, and the flat list of calls of a run.

Eight-bit tensors live as float32 arrays that hold whole numbers, the zero point taken off: so that
a matrix product needs no conversion and a padding is zero. All other tensors have their own dtype.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from edge_agent.engines.numpy.arena import Arena, aligned, lifetimes, margin_strips, needed
from edge_agent.engines.numpy.findings import Findings
from edge_agent.engines.numpy.program import ABSENT, Graph, Operator, Tensor

Array = NDArray[Any]
Call = tuple[Callable[..., Any], tuple[Any, ...]]
Rounding = Literal["reference", "xnnpack"]

MAX_BYTES = 1 << 30
"""Memory for all tensors and scratch of one model."""

_LARGEST_ARENA = 256 << 20  # of address space; what does not fit has memory of its own
_SMALL = 64 << 10  # bytes up to which a tensor with margins is not worth zeroing them in each run


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

    With `shares`, tensors that are not needed at the same time lie in the same memory: after a run
    only outputs have their values. An operator must write all of its outputs in each run then, or
    say that it keeps them.
    """

    def __init__(
        self,
        graph: Graph,
        rounding: Rounding,
        margins: dict[int, Margins],
        variables: Variables,
        *,
        findings: Findings | None = None,
        shares: bool = False,
    ) -> None:
        self.graph = graph
        self.rounding: Rounding = rounding
        self.variables = variables
        self.calls: list[Call] = []
        self.resources: dict[int, str] = {}
        """Names of the resources that tensors stand for."""
        self.states: list[Array] = []
        """Arrays of variable tensors, zeroed by a reset."""
        self.findings = findings or Findings()
        self._margins = margins
        self._arrays: dict[int, Array] = {}
        self._bases: dict[int, Array] = {}
        self._free: list[Array] = []
        self._bytes = 0
        self._lent: list[Array] = []
        self._lives = lifetimes(graph) if shares else {}
        tensors = [graph.tensors[index] for index in self._lives]
        size = sum(needed(self._shape(tensor), tensor) for tensor in tensors)
        self.arena = Arena(min(size, _LARGEST_ARENA))

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
        if self.arena.holds(array):
            if tensor.index not in self._lives:
                return False
            self.arena.join(array, tensor.index)
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

    def keep(self, tensor: Tensor) -> None:
        """Leave the tensor's memory to it alone: something there is written once, now."""
        self._lives.pop(tensor.index, None)

    def release(self, place: int) -> None:
        """All of the operator at this place is planned: what nobody reads later is free."""
        self.free_scratch()
        for index in [index for index, last in self._lives.items() if last == place]:
            self.arena.leave(index)

    def call(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Do this at each run, after all that was asked for before."""
        self.calls.append((function, arguments))

    def _charge(self, size: int) -> None:
        self._bytes += size
        if self._bytes > MAX_BYTES:
            raise Unsupported(f"the model needs more than {MAX_BYTES >> 20} MiB of memory")

    def _allocate(self, tensor: Tensor) -> Array:
        if tensor.constant is not None:
            self._charge(4 * math.prod(tensor.shape))
            return stored(tensor, tensor.constant)
        dtype = np.dtype(np.float32) if tensor.is_quantized else tensor.dtype
        if dtype.kind == "V":
            raise Unsupported(f"tensor {tensor.index} is no array of numbers")
        array = self._memory(tensor, dtype)
        if tensor.is_variable:
            self.states.append(array)
        margins = self.margins(tensor)
        if not any(margins):
            return array
        self._bases[tensor.index] = array
        return array[(slice(None), *_inner(tensor, margins))]

    def _memory(self, tensor: Tensor, dtype: np.dtype[Any]) -> Array:
        """Memory for a tensor with its margins: shared, or its own, which is zero."""
        shape, margins = self._shape(tensor), self.margins(tensor)
        size = math.prod(shape) * dtype.itemsize
        if tensor.index in self._lives and not (any(margins) and size <= _SMALL):
            before = self.arena.used
            array: Array | None = self.arena.lend(shape, dtype, tensor.index)
            if array is not None:
                self._charge(self.arena.used - before)
                if any(margins):
                    for strip in margin_strips(array, _inner(tensor, margins)):
                        self.call(strip.fill, 0)
                return array
        self._lives.pop(tensor.index, None)
        self._charge(max(size, 4 * math.prod(shape)))
        return aligned(shape, dtype)

    def _shape(self, tensor: Tensor) -> tuple[int, ...]:
        margins = self.margins(tensor)
        if not any(margins):
            return tensor.shape
        batch, height, width, channels = tensor.shape
        rows, columns = height + margins.top + margins.bottom, width + margins.left + margins.right
        return (batch, rows, columns, channels)


def _inner(tensor: Tensor, margins: Margins) -> tuple[slice, slice]:
    """Rows and columns of the tensor itself in its array with margins."""
    _, height, width, _ = tensor.shape
    return (
        slice(margins.top, margins.top + height),
        slice(margins.left, margins.left + width),
    )


def stored(tensor: Tensor, values: Array) -> Array:
    """Native values of a tensor as they are kept at run time."""
    if not tensor.is_quantized:
        return np.ascontiguousarray(values)
    assert tensor.zero_point is not None
    shape = [1] * len(tensor.shape)
    if tensor.zero_point.size > 1:
        shape[tensor.dimension] = tensor.zero_point.size
    zero = tensor.zero_point.reshape(shape) if tensor.shape else tensor.zero_point[0]
    kept: Array = values.astype(np.float32)
    kept -= zero.astype(np.float32)
    return kept


def refuse(reason: str) -> NoReturn:
    """Say that the operator being planned cannot be run."""
    raise Unsupported(reason)
