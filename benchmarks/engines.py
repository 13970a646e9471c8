"""`python -m benchmarks.engines [MODEL ...]`: the numpy engine beside LiteRT, taking turns.

One thread each. Without models, the nets of the test data that the README names; ratios are medians
against medians of the same run.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import numpy as np

from benchmarks.nets import models_and_runs
from edge_agent.engines import open_engine
from edge_agent.engines.base import Engine


def main() -> None:
    """Measure all models and print a table."""
    models, runs = models_and_runs("engines", __doc__)
    print(f"NumPy {np.__version__}, medians of {runs} runs in ms")
    columns = ("numpy", "XNNPACK", "reference", "slower", "faster")
    print(f"{'model':<36} " + " ".join(f"{column:>9}" for column in columns))
    ratios = []
    for path in models:
        ours, fast, reference = _measure(path, runs)
        ratios.append(ours / fast)
        times = " ".join(f"{each:>9.3f}" for each in (ours, fast, reference))
        print(f"{path.stem:<36} {times} {ours / fast:>9.2f} {reference / ours:>9.1f}", flush=True)
    print(f"\ngeometric mean against XNNPACK: {statistics.geometric_mean(ratios):.2f}")


def _measure(path: Path, runs: int) -> tuple[float, float, float]:
    """Medians of the numpy engine, LiteRT with XNNPACK, and LiteRT's reference kernels."""
    engines: list[Engine] = [
        open_engine(path, "numpy"),
        open_engine(path, "tflite"),
        open_engine(path, "tflite", rounding="reference"),
    ]
    times: list[list[float]] = [[], [], []]
    for engine in engines:
        engine.run()
    for number in range(runs):
        for place, engine in enumerate(engines):
            if place == 2 and number % 10:
                continue  # the reference is slow, and steady
            start = time.perf_counter()
            engine.run()
            times[place].append(1e3 * (time.perf_counter() - start))
    ours, fast, reference = (statistics.median(each) for each in times)
    return ours, fast, reference


if __name__ == "__main__":
    main()
