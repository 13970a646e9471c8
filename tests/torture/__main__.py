"""`python -m tests.torture`: every fault in the book, mixed, and an account of every event.

    python -m tests.torture --cycles 100 --events 10000 --seed 1

A child process puts numbered events into the real outbox and publishes them with the real client,
over a line that can be cut, to a real mosquitto; a QoS 1 subscriber with a persistent session
listens directly at the broker. Each cycle has one to four faults that overlap. At the end the
agent is killed and the broker emptied once more, so that states are left behind and lost; then all
is left alone, every event is accounted for and every retained state is looked at; 1 is returned
when an event is missing, out of order or under a wrong number, when a drop was not
counted, or when a state is stuck. The same seed deals the same faults at the same times; what they
meet is left to the machine.

A broker that is killed takes along what it has acknowledged but not delivered. No publisher can
help that, so the proxy on the line writes down what is acknowledged, and what such a broker has
lost stands in a row of its own (see verdict.py).

`--agent real` does the same to `edge-agent run` with the bundled clip and model, but for the
faults that need the child process: a full disk and a clock that jumps (see real.py).

As root the agent's state is on a small file system of its own, which is filled to the last byte
for the fault "disk full"; else that fault is left out, with a line that says so.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.support.small_disk import own_mounts
from tests.torture.parts import DrivenAgent
from tests.torture.real import RealAgent, RealTorturer
from tests.torture.run import DriverTorturer, Plan, Torturer
from tests.torture.verdict import Verdict
from tests.torture.world import AGENT, World


def main() -> int:
    """Read the command line, run, print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.torture",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--agent", choices=("driver", "real"), default="driver")
    parser.add_argument("--cycles", type=int, default=100)
    parser.add_argument("--events", type=int, default=10_000, help="at least so many")
    parser.add_argument("--rate", type=float, default=50.0, help="events/s (50)")
    parser.add_argument("--seed", type=int, default=None, help="for the same faults again")
    parser.add_argument("--timeout", type=float, default=None, help="s; default 12 for each cycle")
    parser.add_argument("--keep", type=Path, default=None, help="folder for logs and journals")
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else random.randrange(10**6)
    random.seed(seed)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # nothing is left behind
    timeout = arguments.timeout or 12.0 * arguments.cycles
    plan = Plan(arguments.cycles, arguments.events, arguments.rate, timeout)
    mounted = own_mounts()
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="edge-agent-torture-") as scratch:
        folder = arguments.keep or Path(scratch)
        folder.mkdir(exist_ok=True)
        verdict = _torture(arguments.agent, folder, plan, mounted)
        print(verdict.table())
    print(f"seed {seed}, {time.monotonic() - begin:.0f} s")
    return 1 if verdict.violations else 0


def _torture(kind: str, folder: Path, plan: Plan, mounted: bool) -> Verdict:
    """Build a world in a folder, torture it and take it down."""
    world = World(folder, mounted)
    torturer: Torturer
    if kind == "real":
        real = RealAgent(folder, world.disk.folder, world.proxy.port)
        world.join(real)
        torturer = RealTorturer(world, real, plan)
    else:
        driven = DrivenAgent(folder, world.disk, world.proxy.port, AGENT)
        world.join(driven)
        torturer = DriverTorturer(world, driven, plan)
    try:
        return torturer.run()
    finally:
        world.close()


if __name__ == "__main__":
    sys.exit(main())
