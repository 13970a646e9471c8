"""The real agent for hours, with faults: whether it grows, and whether it loses anything.

    python -m tests.torture.soak --minutes 60

The bundled clip runs for ever at its own pace. Every half minute, in turn: the broker is stopped in
good order for five seconds, the configuration is changed and reloaded, a picture is asked for, the
clip is away until the agent finds out. Every five seconds somebody looks at the status page, and
memory, file descriptors and threads of the agent, which has the environment of the service, are
noted. Printed are the slope of the memory after the first fifth (warm-up), how much the other two
grew, and every event that did not arrive; the exit code is 1 where one is missing.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import numpy as np
import yaml

from edge_agent.mqtt.broker import free_port
from tests.support.agent import ASSETS, BASE, ROOT, AgentProcess, belt_config, events
from tests.support.broker import Mosquitto, Subscriber, wait_until

_EVERY = 5.0  # s between samples
_FAULT = 30.0  # s between faults
_WARM_UP = 0.2  # of the samples


class Soak:
    """An agent, a broker with persistence, and a subscriber with a session."""

    def __init__(self, folder: Path) -> None:
        self.broker = Mosquitto(folder, persistent=True).start()
        self.subscriber = Subscriber(self.broker.port, f"{BASE}/#", session="soak")
        self._page = f"http://127.0.0.1:{(port := free_port())}"
        self._clip = Path(shutil.copy(ASSETS / "belt.mp4", folder))
        told = {"detections": True, "snapshots": "full"}
        config = belt_config(self.broker.port, pace="loop", publish=told)
        config["sources"]["clip"]["file"] = str(self._clip)
        config["agent"] |= {"health_interval": 5, "state_dir": str(folder / "state")}
        config["page"] = {"port": port, "preview": True}
        self.agent = AgentProcess(folder, config)
        self.samples: list[tuple[float, int, int, int]] = []
        self.faults = 0

    def run(self, seconds: float) -> None:
        """Let it work, with faults, for so long."""
        began = time.monotonic()
        fault_at = began + _FAULT
        while (now := time.monotonic()) < began + seconds:
            assert self.agent.alive, self.agent.said[-2000:]
            self._look()
            self.samples.append((now - began, *measured(self.agent.process.pid)))
            if now >= fault_at:
                fault_at = now + _FAULT
                (self._broker_away, self._reload, self._ask, self._clip_away)[self.faults % 4]()
                self.faults += 1
            time.sleep(_EVERY)

    def _look(self) -> None:
        for route in ("/state", "/picture?pipeline=belt"):
            try:
                urlopen(self._page + route, timeout=10.0).read()
            except HTTPError as error:
                if error.code != HTTPStatus.NOT_FOUND:  # no picture while the clip is away
                    raise

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
        self.subscriber.paho.publish(f"{BASE}/cmd/snapshot", b"", 1)

    def _clip_away(self) -> None:
        away = self._clip.rename(self._clip.with_suffix(".away"))
        before = self._offline()
        wait_until(lambda: self._offline() > before, 60.0, lambda: self.agent.said)
        away.rename(self._clip)

    def _offline(self) -> int:
        return self.subscriber.of(f"{BASE}/belt/status").count(b"offline")

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


def environment_of_the_service() -> dict[str, str]:
    """What its unit sets."""
    unit = (ROOT / "systemd" / "edge-agent.service").read_text()
    found = re.search(r"^Environment=(.*)$", unit, re.MULTILINE)
    assert found
    return dict(word.split("=", 1) for word in found[1].split())


def main() -> int:
    """Soak and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    arguments = parser.parse_args()
    os.environ |= environment_of_the_service()
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
