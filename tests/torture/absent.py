"""`python -m tests.torture.absent --seconds 600`: the broker is away when the agent starts.

The real `edge-agent run` with the bundled clip in a loop. It must start, collect its events, say
once why there is no connection, spend no more processor time than with a broker, and deliver
everything in order when the broker appears. Prints the figures; ends with 1 where one is wrong.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.support.broker import Mosquitto, wait_until
from tests.torture.real import RealAgent
from tests.torture.watcher import Watcher
from tests.torture.world import AGENT, BASE, WATCHER

_COMPARED = 20.0  # s with the broker, to compare the processor time with
_APPEARED = 60.0  # s in which all is delivered: the longest wait between two tries is 30 s
_START = 3.0  # s in which the model is loaded
_REASON = "no connection to the broker"


@dataclass
class Figures:
    """What was seen; `cpu_*` are seconds of processor time per second."""

    seconds: float
    waiting: int = 0
    made: int = 0
    received: int = 0
    disordered: int = 0
    replayed: int = 0
    delivered_after: float = 0.0
    told: int = 0
    cpu_absent: float = 0.0
    cpu_present: float = 0.0
    exit_code: int = 0

    @property
    def wrong(self) -> list[str]:
        """What must not be."""
        checks = {
            "events are missing": self.received == self.made > 0,
            "events came out of order": self.disordered == 0,
            "what was held back is not marked": self.replayed >= self.waiting > 0,
            "the reason was not told just once": self.told == 1,
            "it is busy without a broker": self.cpu_absent <= 1.5 * self.cpu_present + 0.05,
            "it did not end with 0": self.exit_code == 0,
        }
        return [what for what, is_fine in checks.items() if not is_fine]


def absent(folder: Path, seconds: float) -> Figures:
    """Run it."""
    (folder / "broker").mkdir()
    broker = Mosquitto(folder / "broker", persistent=True, passwords=dict([AGENT, WATCHER]))
    broker.start()
    watcher = Watcher(broker.port, f"{BASE}/+/events", WATCHER)
    watcher.start()  # its session outlives the absence, so nothing comes too early for it
    broker.stop()
    agent = RealAgent(folder, folder / "state", broker.port, update_every=1.0)
    try:
        return _watched(agent, broker, watcher, seconds)
    finally:
        agent.kill()
        watcher.leave()
        broker.kill()


def _watched(agent: RealAgent, broker: Mosquitto, watcher: Watcher, seconds: float) -> Figures:
    figures = Figures(seconds)
    agent.start(["door"])
    time.sleep(min(_START, seconds / 2))
    figures.cpu_absent = _cpu_share(agent.pid, seconds - min(_START, seconds / 2))
    figures.waiting = agent.waiting
    broker.start()
    appeared = time.monotonic()
    wait_until(lambda: watcher.received.newest >= figures.waiting, _APPEARED)
    figures.delivered_after = time.monotonic() - appeared
    figures.cpu_present = _cpu_share(agent.pid, min(seconds, _COMPARED))
    figures.exit_code = agent.stop()
    figures.made = agent.newest
    wait_until(lambda: watcher.received.newest >= figures.made, _APPEARED)
    figures.received = len(watcher.received.seqs)
    figures.disordered = watcher.received.disordered
    figures.replayed = watcher.received.replayed
    figures.told = agent.said.count(_REASON)
    return figures


def _cpu_share(pid: int, seconds: float) -> float:
    """Processor time that a process takes per second, over so many seconds from now on."""
    before, begin = _cpu_seconds(pid), time.monotonic()
    time.sleep(seconds)
    return (_cpu_seconds(pid) - before) / (time.monotonic() - begin)


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> int:
    """Read the command line, run, print."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.torture.absent",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seconds", type=float, default=600.0, help="how long it is away (600)")
    with tempfile.TemporaryDirectory(prefix="edge-agent-absent-") as folder:
        figures = absent(Path(folder), parser.parse_args().seconds)
    for what, value in vars(figures).items():
        print(f"{what:<20}{value:>10.3f}" if isinstance(value, float) else f"{what:<20}{value:>10}")
    for what in figures.wrong:
        print(f"VIOLATION: {what}")
    return 1 if figures.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
