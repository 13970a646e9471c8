"""`python -m benchmarks.cameras`: four cameras that share one model which cannot keep up.

Four sources of 640x480 at 10 frames a second ask 40 a second of a model that is made to take as
long as `--ms` says (on top of its own time), so that it is always at work. Shown are what each
source got of its fair share, and how old results are beside the least that is possible: the time of
a frame that waits while each other camera has its turn, and its own.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from pathlib import Path
from typing import Any
from unittest import mock

import cv2
import yaml

from edge_agent.config.load import load_or_raise
from edge_agent.runtime.inference import Inference, Outcome
from edge_agent.runtime.wire import build_agent

_ASSETS = Path(__file__).resolve().parents[1] / "edge_agent" / "assets"
_CAMERAS = 4
_FPS = 10.0
_SIZE = (640, 480)


def main() -> None:
    """Run the agent and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cameras", description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--ms", type=float, default=40.0, help="what a frame takes longer")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        file = _configuration(Path(name))
        metrics, ages = _run(file, arguments.seconds, arguments.ms / 1e3)
    counts = [each.counts.inferred for each in metrics.values()]
    share = sum(counts) / len(counts)
    infer = [each.latency["infer"].percentiles()["p50"] for each in metrics.values()]
    least = _CAMERAS * sum(infer) / len(infer)
    ages.sort()
    p95 = ages[int(0.95 * len(ages))]
    for key, each in metrics.items():
        row = f"{each.counts.inferred / share:.2f} of its fair share"
        print(f"{key:<10} {each.counts.inferred / arguments.seconds:5.1f} frames/s, {row}")
    print(f"inference p50 {sum(infer) / len(infer):.1f} ms")
    print(f"age of results p95 {p95:.0f} ms, {p95 / least:.2f} of {_CAMERAS} inferences in turn")


def _configuration(folder: Path) -> Path:
    clip = folder / "camera.mp4"
    clip_of(clip, _FPS)
    cameras = [f"camera{number}" for number in range(1, _CAMERAS + 1)]
    values: dict[str, Any] = {
        "agent": {"name": "bench", "log_level": "warning"},
        "models": {"model": {"file": str(_ASSETS / "belt.tflite")}},
        "sources": {name: {"type": "video", "file": str(clip), "pace": "loop"} for name in cameras},
        "pipelines": {name: {"source": name, "model": "model"} for name in cameras},
    }
    file = folder / "agent.yaml"
    file.write_text(yaml.safe_dump(values))
    return file


def clip_of(path: Path, fps: float) -> None:
    """Write the bundled clip in the size of a camera, `fps` frames a second."""
    capture = cv2.VideoCapture(str(_ASSETS / "belt.mp4"))
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), fps, _SIZE)
    while (read := capture.read())[0]:
        writer.write(cv2.resize(read[1], _SIZE))
    writer.release()


def _run(file: Path, seconds: float, delay: float) -> tuple[dict[str, Any], list[float]]:
    """Metrics by pipeline, and the age of every result in ms."""
    run = Inference.run
    ages: list[float] = []

    def slow(self: Inference, frame: Any, threshold: float, memory: Any = None) -> Outcome:
        outcome = run(self, frame, threshold, memory)
        time.sleep(delay)
        return Outcome(
            outcome.results,
            outcome.preprocess_ms,
            outcome.infer_ms + 1e3 * delay,
            outcome.decode_ms,
        )

    with mock.patch.object(Inference, "run", slow):
        agent = build_agent(load_or_raise(file), publish=False)
        for pipeline in agent.pipelines:
            _listen(pipeline, ages)
        stop = threading.Event()
        threading.Timer(seconds, stop.set).start()
        agent.run(stop)
    return dict(agent.metrics), ages


def _listen(pipeline: Any, ages: list[float]) -> None:
    complete = pipeline.complete

    def note(job: Any, outcome: Outcome) -> None:
        complete(job, outcome)
        ages.append((time.monotonic_ns() - job.frame.monotonic_ns) / 1e6)

    pipeline.complete = note


if __name__ == "__main__":
    main()
