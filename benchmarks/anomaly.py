"""The default anomaly pipeline on series of NAB: what it detects, misses, and tells in error.

    EDGE_AGENT_TEST_DATA=... python -m benchmarks.anomaly [--limit 6]

Each series is replayed row by row through a pipeline with `anomaly: {}` and no model. A window of
NAB's `combined_windows.json` is detected where an anomaly is on in it; an event that is on in no
window is false. NAB's own probationary period, the first 15 % of a series, is judged as well.
"""

from __future__ import annotations

import argparse
import json
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from edge_agent.config.load import config_from_values
from edge_agent.message import Message
from edge_agent.outbox.memory import MemoryOutbox
from edge_agent.runtime.wire import build_agent
from tests.support import data

Span = tuple[float, float]


class Noted(MemoryOutbox):
    """Keeps the events."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[dict[str, Any]] = []

    def put_events(self, makes: Sequence[Callable[[int], Message]]) -> list[int]:
        """Note what each says."""
        self.events += [json.loads(make(0).payload) for make in makes]
        return [0] * len(makes)


def alarms(file: Path, limit: float) -> list[Span]:
    """Epoch seconds between which an anomaly was on."""
    values = {
        "sources": {"s": {"type": "csv", "file": str(file), "columns": ["value"], "pace": "fast"}},
        "pipelines": {
            "p": {
                "source": "s",
                "anomaly": {"limit": limit},
                "track": {"hits": 1, "of": 1, "lost": "1s"},
            }
        },
    }
    outbox = Noted()
    build_agent(config_from_values(values, Path()), outbox, publish=False).run(threading.Event())
    begun = {e["track"]: e["start_time"] for e in outbox.events if e["type"] == "new"}
    return [(begun[e["track"]], e["time"]) for e in outbox.events if e["type"] == "end"]


def windows(folder: Path, file: Path) -> list[Span]:
    """NAB's windows of a series, as epoch seconds."""
    labelled = json.loads((folder / "combined_windows.json").read_text())
    (found,) = [spans for name, spans in labelled.items() if name.endswith(f"/{file.name}")]
    return [(_epoch(start), _epoch(end)) for start, end in found]


def _epoch(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def _meet(a: Span, b: Span) -> bool:
    return a[0] <= b[1] and b[0] <= a[1]


def main() -> None:
    """Print a row for each series."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit", type=float, default=6.0)
    arguments = parser.parse_args()
    folder = (data.test_data() or Path()) / "sensor" / "nab"
    print(f"{'series':<40} {'windows':>8} {'detected':>9} {'missed':>7} {'false':>6}")
    total = [0, 0, 0, 0]
    for file in sorted(folder.glob("*.csv")):
        true, told = windows(folder, file), alarms(file, arguments.limit)
        detected = sum(any(_meet(span, alarm) for alarm in told) for span in true)
        wrong = sum(not any(_meet(span, alarm) for span in true) for alarm in told)
        row = [len(true), detected, len(true) - detected, wrong]
        total = [a + b for a, b in zip(total, row, strict=True)]
        print(f"{file.stem:<40} {row[0]:>8} {row[1]:>9} {row[2]:>7} {row[3]:>6}")
    print(f"{'all':<40} {total[0]:>8} {total[1]:>9} {total[2]:>7} {total[3]:>6}")


if __name__ == "__main__":
    main()
