"""`python -m benchmarks.blas [MODEL ...]`: the numpy engine's matrix products, done in other ways.

With OpenBLAS, MKL or BLIS: one thread beside two. Without: the engine's own products beside those
of the library, as a naive version has them. All take turns in one process; shown are the medians,
and ratios of the fastest quarter, which a busy machine spares. Needs no packages but NumPy,
threadpoolctl and annotated-types.
"""

from __future__ import annotations

import statistics
import time
from contextlib import nullcontext
from pathlib import Path
from unittest import mock

import numpy as np
from threadpoolctl import threadpool_info, threadpool_limits

from benchmarks.nets import models_and_runs
from edge_agent.engines.numpy import blas
from edge_agent.engines.numpy.engine import NumpyEngine


def main() -> None:
    """Measure all models and print a table."""
    models, runs = models_and_runs("blas", __doc__)
    libraries = [
        f"{library['internal_api']} {library['version']} {library.get('architecture', '')}"
        for library in threadpool_info()
        if library["user_api"] == "blas"
    ]
    print(f"NumPy {np.__version__}, {', '.join(libraries) or 'no tuned BLAS'}; ms")
    names = ("one thread", "two threads") if blas.is_tuned() else ("naive", "ours")
    print(f"{'model':<36} {names[0]:>12} {names[1]:>12} {'faster by':>10}")
    for path in models:
        first, second = _measure(path, runs)
        ratio = _fast(first) / _fast(second)
        medians = " ".join(f"{statistics.median(each):>12.3f}" for each in (first, second))
        print(f"{path.stem:<36} {medians} {ratio:>10.2f}", flush=True)


def _measure(path: Path, runs: int) -> tuple[list[float], list[float]]:
    """Times in ms of the two ways, in turn."""
    if blas.is_tuned():
        engine = NumpyEngine(path, threads=2)
        engines = [engine, engine]
    else:
        with mock.patch.object(blas, "is_tuned", return_value=True):
            naive = NumpyEngine(path)
        engines = [naive, NumpyEngine(path)]
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(runs + 1):
        for count, (engine, found) in enumerate(zip(engines, times, strict=True), 1):
            with threadpool_limits(count) if blas.is_tuned() else nullcontext():
                start = time.perf_counter()
                engine.run()
                if number:
                    found.append(1e3 * (time.perf_counter() - start))
    return times


def _fast(times: list[float]) -> float:
    return statistics.quantiles(times, n=4)[0]


if __name__ == "__main__":
    main()
