"""`python -m benchmarks`: every figure of the README, each beside its target.

The machine may be noisy: what is compared runs in turn, and medians are printed. The clip is
`one-by-one-person-detection.mp4` with `coco_ssd` of the test data (EDGE_AGENT_TEST_DATA, else
../shared/data); without it the bundled clip and model take their place.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml

from edge_agent.frame import Frame
from edge_agent.gates.motion import MotionGate, MotionOptions
from edge_agent.mqtt.broker import PrivateBroker
from scripts.real_inputs import DATA

ROOT = Path(__file__).resolve().parents[1]
_SIZE = (768, 432)


def main() -> None:
    """Measure everything and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--pairs", type=int, default=3, help="how often each pair is run")
    pairs = parser.parse_args().pairs
    model, clip = _material()
    print(f"{model.name} on {clip.name}, one thread\n")
    with tempfile.TemporaryDirectory() as folder:
        broker = PrivateBroker()
        broker.start()
        bench = _Bench(Path(folder), broker, model, clip, pairs)
        for measure in (bench.throughput, bench.latency, motion_gate, bench.static_scene):
            measure()
        broker.stop()
    start_up(max(pairs * 3, 5))


def _material() -> tuple[Path, Path]:
    model = DATA / "models" / "coco_ssd_mobilenet_v1_1.0_quant.tflite"
    clip = DATA / "video" / "one-by-one-person-detection.mp4"
    if model.is_file() and clip.is_file():
        return model, clip
    assets = ROOT / "edge_agent" / "assets"
    return assets / "belt.tflite", assets / "belt.mp4"


def _row(what: str, value: str, target: str) -> None:
    print(f"{what:<58} {value:>16}   {target}", flush=True)


def _child(*arguments: str) -> dict[str, Any]:
    command = [sys.executable, "-m", *arguments]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


class _Bench:
    """What needs the model, the clip and a broker."""

    def __init__(
        self, folder: Path, broker: PrivateBroker, model: Path, clip: Path, pairs: int
    ) -> None:
        self._folder = folder
        self._broker = broker
        self._model = model
        self._clip = clip
        self._pairs = pairs

    def throughput(self) -> None:
        """The agent at full speed against the bare script, in turn."""
        config = self._config("fast", self._clip)
        bare, whole = [], []
        for _ in range(self._pairs):
            bare.append(_child("benchmarks.bare", str(self._model), str(self._clip)))
            whole.append(_child("benchmarks.whole", config, "0"))
        ratio = statistics.median(a["fps"] / b["fps"] for a, b in zip(whole, bare, strict=True))
        _row("bare script, frames/s", f"{_median(bare, 'fps'):.1f}", "")
        _row("whole agent with MQTT, frames/s", f"{_median(whole, 'fps'):.1f}", "")
        _row("  ratio, pair by pair", f"{ratio:.2f}", "at least 1.0")
        more = _median(whole, "peak_mib") - _median(bare, "peak_mib")
        _row("bare script, peak memory", f"{_median(bare, 'peak_mib'):.0f} MiB", "")
        _row("  whole agent's above it", f"{more:+.0f} MiB", "at most +40 MB")

    def latency(self) -> None:
        """From the decoded frame to the outbox, without the model, at the clip's own pace."""
        answer = _child("benchmarks.whole", self._config("real", self._clip), "25")
        stages = answer["latency_ms"]
        added = stages["total"]["p50"] - stages["infer"]["p50"]
        size = "x".join(map(str, _clip_size(self._clip)))
        _row(
            f"added to decode and invoke per {size} frame, p50", f"{added:.2f} ms", "at most 1.5 ms"
        )

    def static_scene(self) -> None:
        """Ten still but noisy frames a second behind the motion gate."""
        clip = _still_clip(self._folder / "still.mp4", self._clip)
        config = self._config("loop", clip, gate={"motion": {}})
        share = _child("benchmarks.whole", config, "25")["cpu_share"]
        _row("static scene, 10 fps, motion gate: share of a core", f"{share:.1%}", "at most 10 %")

    def _config(self, pace: str, clip: Path, **pipeline: Any) -> str:
        file = self._folder / f"{pace}-{clip.stem}.yaml"
        values = {
            "agent": {"name": "bench", "log_level": "warning"},
            "mqtt": {
                "host": self._broker.host,
                "port": self._broker.port,
                "protocol": self._broker.protocol,
            },
            "models": {"model": {"file": str(self._model)}},
            "sources": {"clip": {"type": "video", "file": str(clip), "pace": pace}},
            "pipelines": {"bench": {"source": "clip", "model": "model", **pipeline}},
        }
        file.write_text(yaml.safe_dump(values))
        return str(file)


def _median(answers: list[dict[str, Any]], key: str) -> float:
    return float(statistics.median(answer[key] for answer in answers))


def _clip_size(clip: Path) -> tuple[int, int]:
    capture = cv2.VideoCapture(str(clip))
    width, height = (capture.get(p) for p in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
    return int(width), int(height)


def _still_clip(path: Path, clip: Path) -> Path:
    """A minute of one picture at 10 fps with the noise of a sensor (sigma 2)."""
    _, image = cv2.VideoCapture(str(clip)).read()
    assert image is not None
    height, width = image.shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10.0, (width, height))
    noise = np.random.default_rng(0)
    for _ in range(300):
        noisy = image + noise.normal(0.0, 2.0, image.shape)
        writer.write(np.clip(noisy, 0, 255).astype(np.uint8))
    writer.release()
    return path


def motion_gate() -> None:
    """The gate alone on frames with a moving square, on one core."""
    cv2.setNumThreads(1)
    noise = np.random.default_rng(0)
    still = noise.integers(60, 200, (_SIZE[1] // 8, _SIZE[0] // 8, 3), np.uint8)
    still = cv2.resize(still, _SIZE).astype(np.uint8)
    frames = []
    for number in range(60):
        data = np.clip(still + noise.normal(0.0, 3.0, still.shape), 0, 255).astype(np.uint8)
        data[100:220, 10 * number : 10 * number + 80] = 255
        frames.append(Frame("bench", number, data, 0.0, 0, number / 10))
    gate = MotionGate(MotionOptions())
    times = []
    for frame in frames * 5:
        start = time.perf_counter()
        gate.check(frame, active=False)
        times.append(time.perf_counter() - start)
    _row("motion gate per 768x432 frame, median", f"{1e3 * statistics.median(times):.3f} ms",
         "at most 0.3 ms")  # fmt: skip


def start_up(runs: int) -> None:
    """How long a person waits: the help beside a bare Python, and the demo's first event."""
    bare, helped = [], []
    for _ in range(runs):
        bare.append(_seconds(lambda: _run("-c", "pass")))
        helped.append(_seconds(lambda: _run("-m", "edge_agent", "--help")))
    more = 1e3 * (statistics.median(helped) - statistics.median(bare))
    _row("`edge-agent --help` beyond `python -c pass`", f"{more:.0f} ms", "at most 80 ms")
    first = statistics.median(_first_event() for _ in range(3))
    _row("process start to the demo's first event", f"{first:.2f} s", "under 2 s")


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _run(*arguments: str) -> None:
    command = [sys.executable, *arguments]
    subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)


def _first_event() -> float:
    """Seconds until the subscriber inside the demo shows the first event it received."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        command = [sys.executable, "-m", "edge_agent", "demo", "--output", folder]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as demo:
            assert demo.stdout is not None
            for line in demo.stdout:
                if " new " in line:
                    break
            elapsed = time.perf_counter() - start
            demo.stdout.read()
    return elapsed


if __name__ == "__main__":
    main()
