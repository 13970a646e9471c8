"""The whole agent on one configuration, with what it cost.

`python -m benchmarks.whole CONFIG SECONDS` runs it (0: to the end of the recording) and prints
JSON; the first fifth of SECONDS is not counted in the share of the processor.
"""

from __future__ import annotations

import json
import resource
import sys
import threading
import time

from edge_agent.config.load import load_or_raise
from edge_agent.runtime.wire import build_agent


def main(file: str, seconds: float) -> None:
    """Run the agent and print what its first pipeline measured."""
    agent = build_agent(load_or_raise(file))
    stop = threading.Event()
    marks: list[tuple[float, float]] = []

    def look_at_clock() -> None:
        time.sleep(seconds / 5)
        marks.append((time.monotonic(), time.process_time()))
        time.sleep(seconds * 4 / 5)
        marks.append((time.monotonic(), time.process_time()))
        stop.set()

    if seconds:
        threading.Thread(target=look_at_clock, daemon=True).start()
    agent.run(stop)
    metrics = agent.pipelines[0].metrics
    latency = {stage: samples.percentiles() for stage, samples in metrics.latency.items()}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answer = {
        "fps": metrics.fps(),
        "frames": metrics.counts.taken,
        "inferred": metrics.counts.inferred,
        "latency_ms": latency,
        "peak_mib": peak / 1024,
    }
    if seconds:
        (wall, cpu), (wall_end, cpu_end) = marks
        answer["cpu_share"] = (cpu_end - cpu) / (wall_end - wall)
    print(json.dumps(answer))


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
