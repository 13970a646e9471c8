"""`python -m benchmarks.swap`: how many frames a camera loses while its model is swapped.

A camera of 640x480 at 30 frames a second; the model (`--model`, or the bundled detector) takes its
own place again and again, as another version of the model store with other bytes, while the agent
works. Shown are the frames that were dropped from one version to the next, and as many in as much
time without a swap.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from benchmarks.cameras import clip_of
from edge_agent.config.load import load_or_raise
from edge_agent.modelstore import Manifest, ModelStore
from edge_agent.runtime.agent import Agent
from edge_agent.runtime.wire import build_agent

_ASSETS = Path(__file__).resolve().parents[1] / "edge_agent" / "assets"
_FPS = 30.0
_WATCH = 2.0  # seconds


def main() -> None:
    """Run the agent and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.swap", description=__doc__)
    parser.add_argument("--model", type=Path, default=_ASSETS / "belt.tflite")
    parser.add_argument("--swaps", type=int, default=10)
    parser.add_argument("--engine", default="auto", choices=("auto", "tflite", "numpy"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        rows = list(_measure(Path(name), arguments.model, arguments.engine, arguments.swaps))
    lost = [row[0] for row in rows]
    print(f"dropped in each of {len(rows)} swaps: {lost}, without one: {[row[1] for row in rows]}")
    print(f"most {max(lost)}, from installing to use {max(row[2] for row in rows):.1f} s at most")


def _measure(
    folder: Path, model: Path, engine: str, swaps: int
) -> Iterator[tuple[int, int, float]]:
    """Dropped frames with and without a swap, and seconds until the new one was in use."""
    store = ModelStore(folder / "state" / "models")
    content = model.read_bytes()
    _install(store, folder, content, 0)
    agent = build_agent(load_or_raise(_configuration(folder, engine)), publish=False)
    stop = threading.Event()
    thread = threading.Thread(target=agent.run, args=(stop,))
    thread.start()
    try:
        _wait_until(lambda: agent.pipelines[0].metrics.counts.inferred > 3 * _FPS)
        for number in range(1, swaps + 1):
            quiet = _drops(agent)
            time.sleep(2 * _WATCH)
            before = _drops(agent)
            sha256 = _install(store, folder, content, number)
            began = time.monotonic()
            _wait_until(lambda: _sha256(agent) == sha256)  # noqa: B023 - waited for here
            seconds = time.monotonic() - began
            time.sleep(2 * _WATCH)
            yield _drops(agent) - before, before - quiet, seconds
    finally:
        stop.set()
        thread.join()


def _install(store: ModelStore, folder: Path, content: bytes, number: int) -> str:
    """The same model with some bytes behind it, which no engine reads."""
    file = folder / f"model{'.npz' if content[:2] == b'PK' else '.tflite'}"
    file.write_bytes(content + b"%16d" % number)
    return store.install(Manifest("model", str(number), "", "", 0), file).manifest.sha256


def _drops(agent: Agent) -> int:
    return agent.pipelines[0].metrics.counts.dropped


def _sha256(agent: Agent) -> str:
    (model,) = agent.inspect()["info"]["models"] or [{"sha256": ""}]
    return str(model["sha256"])


def _wait_until(condition: Any) -> None:
    until = time.monotonic() + 60.0
    while not condition():
        if time.monotonic() > until:
            raise SystemExit("the model was not taken: see the log")
        time.sleep(0.01)


def _configuration(folder: Path, engine: str) -> Path:
    clip = folder / "camera.mp4"
    clip_of(clip, _FPS)
    values: dict[str, Any] = {
        "agent": {"name": "bench", "log_level": "warning", "state_dir": str(folder / "state")},
        "updates": {"watch": f"{_WATCH:g}s"},
        "models": {"model": {"file": "model", "engine": engine}},
        "sources": {"camera": {"type": "video", "file": str(clip), "pace": "loop"}},
        "pipelines": {"camera": {"source": "camera", "model": "model"}},
    }
    file = folder / "c.yaml"
    file.write_text(yaml.safe_dump(values))
    return file


if __name__ == "__main__":
    main()
