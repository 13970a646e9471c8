"""The agent as a child process, with a configuration that a test writes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from tests.support.broker import Subscriber, wait_until

ROOT = Path(__file__).resolve().parents[2]
ASSETS = ROOT / "edge_agent" / "assets"
DEVICE = "dev"
BASE = f"edge/{DEVICE}"
TRUTH: dict[str, int] = json.loads((ASSETS / "belt.json").read_text())["totals"]
# A fatal signal then leaves the stack of every thread in the log.
_ENVIRONMENT = {"PYTHONPATH": "", "PYTHONFAULTHANDLER": "1"}


def belt_config(port: int, pace: str = "fast", **pipeline: Any) -> dict[str, Any]:
    """The bundled clip through the bundled model to the broker at that port."""
    return {
        "agent": {"name": DEVICE, "health_interval": 0.05},
        "mqtt": {"host": "127.0.0.1", "port": port, "keepalive": 2},
        "models": {"parts": {"file": str(ASSETS / "belt.tflite")}},
        "sources": {"clip": {"type": "video", "file": str(ASSETS / "belt.mp4"), "pace": pace}},
        "pipelines": {"belt": {"source": "clip", "model": "parts", **pipeline}},
    }


class AgentProcess:
    """`edge-agent run -c` of `file` in a folder; `said` is its stderr so far.

    `under` is the command line of a program that starts it and leaves it its process id.
    """

    def __init__(self, folder: Path, config: dict[str, Any], under: Sequence[str] = ()) -> None:
        self.file = folder / "agent.yaml"
        self.file.write_text(yaml.safe_dump(config))
        self._log = folder / "agent.log"
        self._under = under
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start it; safe again after its end."""
        command = [*self._under, sys.executable, "-m", "edge_agent", "run", "-c", str(self.file)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=ROOT, env={**os.environ, **_ENVIRONMENT}
            )
        return self

    def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        self.process.kill()
        self.process.wait()

    def terminate(self, timeout: float = 10.0) -> int:
        """SIGTERM; its exit code."""
        self.signal(signal.SIGTERM)
        return self.wait(timeout)

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def wait(self, timeout: float = 60.0) -> int:
        """Exit code once it has ended by itself."""
        return self.process.wait(timeout)

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def said(self) -> str:
        """What it has printed."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process, once it was started."""
        assert self._process is not None
        return self._process

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        if self.alive:
            self.kill()


def events(subscriber: Subscriber, pipeline: str = "belt") -> list[dict[str, Any]]:
    """Events of a pipeline received so far."""
    return [json.loads(payload) for payload in subscriber.of(f"{BASE}/{pipeline}/events")]


def wait_for_events(subscriber: Subscriber, count: int, pipeline: str = "belt") -> None:
    """Wait until at least so many events have come in all."""
    wait_until(
        lambda: len(events(subscriber, pipeline)) >= count,
        30.0,
        lambda: f"{len(events(subscriber, pipeline))} of {count} events",
    )
