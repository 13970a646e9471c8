"""`python -m benchmarks.page`: what the status page weighs, how soon it shows, what it costs.

Two agents play the bundled clip side by side, one of them with the page and its pictures, so that a
busy machine slows both: first nobody looks at it, then Chromium does.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from edge_agent.mqtt.broker import PrivateBroker, free_port
from tests.support.agent import AgentProcess, belt_config
from tests.support.browser import Browser

_ROUTES = ("/", "/app.js", "/style.css", "/icon.svg")
_WARM_UP = 5.0  # s
_PAINT = "performance.getEntriesByName('first-contentful-paint')"


def main() -> None:
    """Measure everything and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.page", description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0, help="of each share of a core")
    parser.add_argument("--loads", type=int, default=15)
    arguments = parser.parse_args()
    broker = PrivateBroker()
    broker.start()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        page = {"port": free_port(), "preview": True}
        plain = _agent(folder / "plain", broker.port)
        paged = _agent(folder / "paged", broker.port, page=page)
        with plain, paged:
            _measure(plain, paged, f"http://127.0.0.1:{page['port']}", folder, arguments)
    broker.stop()


def _agent(folder: Path, port: int, **sections: Any) -> AgentProcess:
    folder.mkdir()
    config = belt_config(port, pace="loop") | sections
    config["agent"] = {"name": folder.name, "state_dir": str(folder), "log_level": "warning"}
    return AgentProcess(folder, config)


def _measure(
    plain: AgentProcess,
    paged: AgentProcess,
    address: str,
    folder: Path,
    arguments: argparse.Namespace,
) -> None:
    time.sleep(_WARM_UP)
    weight = sum(len(urlopen(address + route).read()) for route in _ROUTES)
    _row("the page in all", f"{weight / 1000:.1f} kB", "30 kB")
    without, idle = _shares(plain, paged, arguments.seconds)
    _row("nobody looks: share of a core", f"{idle - without:+.1%} (of {without:.1%})", "3 %")
    with Browser(folder) as browser:
        paints = []
        for _ in range(arguments.loads):
            browser.open(address)
            browser.until(f"{_PAINT}.length")
            paints.append(browser.run(f"{_PAINT}[0].startTime"))
        seen = f"{statistics.median(paints):.0f} ms ({min(paints):.0f} to {max(paints):.0f})"
        _row("first paint", seen, "300 ms")
        without, looked_at = _shares(plain, paged, arguments.seconds)
    _row("one looks: share of a core", f"{looked_at - without:+.1%} (of {without:.1%})", "")


def _shares(plain: AgentProcess, paged: AgentProcess, seconds: float) -> tuple[float, float]:
    """Share of a core that each of the two takes meanwhile."""
    pids = (plain.process.pid, paged.process.pid)
    before = [_cpu_seconds(pid) for pid in pids]
    time.sleep(seconds)
    without, with_page = (
        (_cpu_seconds(pid) - then) / seconds for pid, then in zip(pids, before, strict=True)
    )
    return without, with_page


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _row(name: str, value: str, aim: str) -> None:
    print(f"{name:<32} {value:>26} {aim:>8}", flush=True)


if __name__ == "__main__":
    main()
