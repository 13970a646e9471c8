"""The library behind the matrix products of NumPy: its threads, and what to do without one."""

from __future__ import annotations

import threading
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_info, threadpool_limits

Array = NDArray[Any]

_lock = threading.Lock()
_most = 0


def allow_threads(count: int) -> None:
    """Let BLAS use so many threads, or as many as another engine of this process asked for.

    Left alone it takes all cores for each product, and on a busy machine its threads wait for
    each other a hundred times longer than they work.
    """
    global _most  # noqa: PLW0603 - BLAS has one number for the whole process
    with _lock:
        if count > _most:
            _most = count
            threadpool_limits(count, user_api="blas")


@cache
def is_tuned() -> bool:
    """Whether it is OpenBLAS, MKL or BLIS, and not the reference BLAS, as Debian's NumPy has it."""
    return any(library["user_api"] == "blas" for library in threadpool_info())


class Weights:
    """A matrix of numbers x filters, ready to be multiplied with many of pixels x numbers.

    Without a tuned library einsum does it, two to four times as fast as the reference BLAS: along
    the filters, or along the numbers where these are more.
    """

    def __init__(self, filters: Array) -> None:
        numbers, count = filters.shape
        is_long = numbers >= count and not is_tuned()
        self._subscripts = "ij,kj->ik" if is_long else "ij,jk->ik"
        self._filters = np.ascontiguousarray(filters.T) if is_long else filters

    def call(self, columns: Array, sums: Array) -> tuple[Any, ...]:
        """Function and arguments of the product, which fills `sums` (pixels x filters)."""
        if is_tuned():
            return np.matmul, columns, self._filters, sums
        return einsum, self._subscripts, columns, self._filters, sums


def einsum(subscripts: str, a: Array, b: Array, out: Array) -> None:
    """`np.einsum` with its output as the last argument."""
    np.einsum(subscripts, a, b, out=out)
