"""The real agent for hours, with faults: whether it grows, and whether it loses anything.

    python -m tests.torture.soak --minutes 60

The bundled clip runs for ever at its own pace. Every half minute, in turn: the broker is stopped in
good order for five seconds, the configuration is changed and reloaded, a command is asked for.
Every five seconds memory, file descriptors and threads of the agent are noted. Printed are the
slope of the memory after the first fifth (warm-up), how much the other two grew, and every event
that did not arrive; the exit code is 1 where one is missing.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from tests.support.agent import BASE, AgentProcess, belt_config, events
from tests.support.broker import Mosquitto, Subscriber, wait_until

_EVERY = 5.0  # s between samples
_FAULT = 30.0  # s between faults
_WARM_UP = 0.2  # of the samples


class Soak:
    """An agent, a broker with persistence, and a subscriber with a session."""

    def __init__(self, folder: Path) -> None:
        self.broker = Mosquitto(folder, persistent=True).start()
        self.subscriber = Subscriber(self.broker.port, f"{BASE}/#", session="soak")
        config = belt_config(self.broker.port, pace="loop", publish={"detections": True})
        config["agent"] |= {"health_interval": 5, "state_dir": str(folder / "state")}
        self.agent = AgentProcess(folder, config)
        self.samples: list[tuple[float, int, int, int]] = []
        self.faults = 0

    def run(self, seconds: float) -> None:
        """Let it work, with faults, for so long."""
        began = time.monotonic()
        fault_at = began + _FAULT
        while (now := time.monotonic()) < began + seconds:
            assert self.agent.alive, self.agent.said[-2000:]
            self.samples.append((now - began, *measured(self.agent.process.pid)))
            if now >= fault_at:
                fault_at = now + _FAULT
                (self._broker_away, self._reload, self._ask)[self.faults % 3]()
                self.faults += 1
            time.sleep(_EVERY)

    def _broker_away(self) -> None:
        self.broker.stop()
        time.sleep(5.0)
        self.broker.start()

    def _reload(self) -> None:
        config: dict[str, Any] = yaml.safe_load(self.agent.file.read_text())
        config["pipelines"]["belt"]["threshold"] = 0.5 + 0.01 * (self.faults % 20)
        self.agent.file.write_text(yaml.safe_dump(config))
        self.agent.signal(signal.SIGHUP)

    def _ask(self) -> None:
        self.subscriber.paho.publish(f"{BASE}/cmd/inspect", b"", 1)

    def report(self) -> int:
        """Print what was seen; how many events are missing."""
        numbers = {event["seq"] for event in events(self.subscriber)}
        missing = int(max(numbers)) - len(numbers)
        times, memory, fds, threads = np.array(self.samples).T
        memory /= 2**20
        warm = times >= _WARM_UP * times[-1]
        slope = float(np.polyfit(times[warm] / 3600.0, memory[warm], 1)[0])
        for name, value in (
            ("minutes", f"{times[-1] / 60:.0f}"),
            ("faults", str(self.faults)),
            ("events", str(len(numbers))),
            ("missing", str(missing)),
            ("memory after warm-up, at the end", f"{memory[warm][0]:.1f}, {memory[-1]:.1f} MiB"),
            ("slope of the memory", f"{slope:+.2f} MiB an hour"),
            ("file descriptors, least and most", f"{fds[warm].min():.0f}, {fds[warm].max():.0f}"),
            ("threads, least and most", f"{threads[warm].min():.0f}, {threads[warm].max():.0f}"),
        ):
            print(f"{name:<36} {value}")
        return missing


def measured(pid: int) -> tuple[int, int, int]:
    """Resident bytes, open file descriptors and threads of a process."""
    proc = Path(f"/proc/{pid}")
    pages = int((proc / "statm").read_text().split()[1])
    fds = len(list((proc / "fd").iterdir()))
    return pages * os.sysconf("SC_PAGE_SIZE"), fds, len(list((proc / "task").iterdir()))


def main() -> int:
    """Soak and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="edge-agent-soak-") as name:
        soak = Soak(Path(name))
        try:
            with soak.agent:
                wait_until(lambda: events(soak.subscriber), 30.0, lambda: soak.agent.said)
                soak.run(60.0 * arguments.minutes)
                wait_until(lambda: not events(soak.subscriber)[-1]["replayed"], 60.0)
                assert soak.agent.terminate() == 0
                time.sleep(2.0)
            return 1 if soak.report() else 0
        finally:
            soak.subscriber.close()
            soak.broker.kill()


if __name__ == "__main__":
    sys.exit(main())
