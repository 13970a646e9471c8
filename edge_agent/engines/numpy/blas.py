"""How many threads the matrix products of NumPy may take."""

from __future__ import annotations

import threading

from threadpoolctl import threadpool_limits

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
