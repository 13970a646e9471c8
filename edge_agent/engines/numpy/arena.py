"""One range of memory for tensors that are not needed at the same time.

Blocks are lent and taken back while the plan is made, operator by operator: what an operator's
calls write lies where no tensor lies that is still to be read. The range is as large as all
tensors together, of which the system gives only what is touched: the largest sum that is needed at
one time, more or less.
"""

from __future__ import annotations

import math
from bisect import bisect_right, insort
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.engines.numpy.program import ABSENT, Graph, Tensor

_ALIGNMENT = 64  # bytes of a cache line


class Arena:
    """A range of bytes: first fit, neighbours that are free are joined.

    A block may have several tenants, which are views of each other; it is free when all have gone.
    """

    def __init__(self, size: int) -> None:
        self.memory = aligned((size,), np.dtype(np.uint8))
        self.used = 0
        """Bytes from the beginning that were lent at some time."""
        self._start = self.memory.ctypes.data
        self._free = [(0, size)] if size else []
        self._lent: dict[int, int] = {}
        self._tenants: dict[int, int] = {}

    def lend(self, shape: tuple[int, ...], dtype: np.dtype[Any], tenant: int) -> Any:
        """Memory of any content for a tensor; None where there is none that is large enough."""
        size = math.prod(shape) * dtype.itemsize
        room = max(size + -size % _ALIGNMENT, _ALIGNMENT)
        for place, (first, last) in enumerate(self._free):
            if last - first >= room:
                self._free[place : place + 1] = [(first + room, last)][: last - first > room]
                self._lent[first] = first + room
                self._tenants[tenant] = first
                self.used = max(self.used, first + room)
                return self.memory[first : first + size].view(dtype).reshape(shape)
        return None

    def holds(self, array: NDArray[Any]) -> bool:
        """Whether an array lies in this range."""
        return array.size > 0 and 0 <= array.ctypes.data - self._start < len(self.memory)

    def join(self, array: NDArray[Any], tenant: int) -> None:
        """A tensor that is a view of another one's array keeps the block, too."""
        starts = sorted(self._lent)
        place = bisect_right(starts, array.ctypes.data - self._start)
        self._tenants[tenant] = starts[place - 1]

    def leave(self, tenant: int) -> None:
        """The tensor is not needed any more."""
        first = self._tenants.pop(tenant, None)
        if first is None or first in self._tenants.values():
            return
        insort(self._free, (first, self._lent.pop(first)))
        joined: list[tuple[int, int]] = []
        for start, end in self._free:
            is_next = bool(joined) and joined[-1][1] == start
            joined.append((joined.pop()[0] if is_next else start, end))
        self._free = joined


def lifetimes(graph: Graph) -> dict[int, int]:
    """The last operator that reads each tensor that one operator, before all readers, writes.

    Other tensors are not among them: inputs and outputs of the graph, constants, variables, and
    what a file with operators in a strange order would read before it is written.
    """
    fixed = {*graph.inputs, *graph.outputs}
    fixed |= {t.index for t in graph.tensors if t.constant is not None or t.is_variable}
    last: dict[int, int] = {}
    for place, operator in enumerate(graph.operators):
        for index in (*operator.inputs, *operator.intermediates):
            if index in last:
                last[index] = place
            elif index != ABSENT:
                fixed.add(index)
        fixed |= {index for index in operator.outputs if index in last}
        last.update(dict.fromkeys(operator.outputs, place))
    return {index: place for index, place in last.items() if index not in fixed}


def needed(shape: tuple[int, ...], tensor: Tensor) -> int:
    """Bytes of a tensor of that shape at run time, up to the next cache line."""
    size = math.prod(shape) * (4 if tensor.is_quantized else tensor.dtype.itemsize)
    return max(size + -size % _ALIGNMENT, _ALIGNMENT)


def margin_strips(base: NDArray[Any], inner: tuple[slice, slice]) -> list[NDArray[Any]]:
    """The memory around the inner rows and columns of an array of 1 x rows x columns x channels.

    All before it, all behind it, and the gaps from row to row, which go over the edge.
    """
    _, rows, columns, channels = base.shape
    flat = base.reshape(-1)
    (top, bottom, _), (left, right, _) = inner[0].indices(rows), inner[1].indices(columns)
    line = columns * channels
    head, tail = top * line + left * channels, (bottom - 1) * line + right * channels
    first_gap = top * line + right * channels
    gaps = flat[first_gap : first_gap + (bottom - top - 1) * line].reshape(-1, line)
    gaps = gaps[:, : (columns - right + left) * channels]
    return [strip for strip in (flat[:head], gaps, flat[tail:]) if strip.size]


def aligned(shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """A zeroed array that begins at a cache line."""
    size = math.prod(shape) * dtype.itemsize
    raw = np.zeros(size + _ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % _ALIGNMENT
    return raw[start : start + size].view(dtype).reshape(shape)
