"""Which of equal scores come first: libstdc++'s std::partial_sort, on indices, by falling value."""

from __future__ import annotations

from typing import Any

import numpy as np


def largest(values: Any, count: int) -> list[int]:
    """Indices of the `count` largest values in falling order: DecreasingPartialArgSort.

    Only ties need the heap of libstdc++ (bits/stl_algo.h, bits/stl_heap.h), which is not stable.
    """
    if count == 1:
        return [int(np.argmax(values))]
    order = np.argsort(-values, kind="stable")
    ranked = values[order]
    # A tie beyond the last that is taken has no effect on those before it.
    if not (ranked[:count][1:] == ranked[:count][:-1]).any() and (
        count == len(ranked) or ranked[count - 1] != ranked[count]
    ):
        first: list[int] = order[:count].tolist()
        return first
    return _partial_sort(values.tolist(), count)


def _partial_sort(values: list[float], count: int) -> list[int]:
    heap = list(range(len(values)))
    if count < 1:
        return []
    for top in range((count - 2) // 2, -1, -1):
        _sift(heap, values, top, count, heap[top])
    for i in range(count, len(values)):
        if values[heap[i]] > values[heap[0]]:
            taken, heap[i] = heap[i], heap[0]
            _sift(heap, values, 0, count, taken)
    for last in range(count - 1, 0, -1):
        taken, heap[last] = heap[last], heap[0]
        _sift(heap, values, 0, last, taken)
    return heap[:count]


def _sift(heap: list[int], values: list[float], hole: int, size: int, taken: int) -> None:
    """__adjust_heap: the hole sinks to a leaf, then what was taken rises from there."""
    top, child = hole, hole
    while child < (size - 1) // 2:
        child = 2 * (child + 1)
        if values[heap[child]] > values[heap[child - 1]]:
            child -= 1
        heap[hole] = heap[child]
        hole = child
    if size % 2 == 0 and child == (size - 2) // 2:
        child = 2 * (child + 1)
        heap[hole] = heap[child - 1]
        hole = child - 1
    parent = (hole - 1) // 2
    while hole > top and values[heap[parent]] > values[taken]:
        heap[hole] = heap[parent]
        hole, parent = parent, (parent - 1) // 2
    heap[hole] = taken
