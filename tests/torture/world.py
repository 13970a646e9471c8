"""Agent, line, broker, watcher and disk, joined: what the faults are done to."""

from __future__ import annotations

import random
import time
from pathlib import Path

from tests.support.broker import Mosquitto
from tests.support.small_disk import SmallDisk
from tests.torture.driver import DEVICE
from tests.torture.packets import Ledger
from tests.torture.parts import Agent
from tests.torture.proxy import FaultProxy
from tests.torture.watcher import Watcher, retained

BASE = f"edge/{DEVICE}"
PIPELINES = ("door", "yard", "gate")
AGENT = ("edge", "right")
WATCHER = ("watcher", "watch")
# What mosquitto acknowledges is then on the watcher's wire at once, whatever its window.
_LINES = ("max_inflight_messages 0",)


class World:
    """Everything, in a folder; `mounted` tells whether its disk can be filled.

    The agent joins afterwards, when there is a line for it to use.
    """

    agent: Agent

    def __init__(self, folder: Path, mounted: bool) -> None:
        (folder / "broker").mkdir()
        self.can_fill = mounted
        self.ledger = Ledger()
        self.broker = Mosquitto(
            folder / "broker",
            persistent=True,
            lines=_LINES,
            log_type="information",
            passwords=dict([AGENT, WATCHER]),
        )
        self.broker.start()
        self.proxy = FaultProxy(self.broker.port, self.ledger).start()
        self.watcher = Watcher(self.broker.port, f"{BASE}/+/events", WATCHER)
        self.watcher.start()
        self.disk = SmallDisk(folder / "disk", mounted)
        self.pipelines: list[str] = []

    def join(self, agent: Agent) -> None:
        """Let this agent be the one that is tortured."""
        self.agent = agent

    def start_agent(self) -> None:
        """Begin a life of the agent, with other pipelines than before, perhaps."""
        others = random.sample(PIPELINES[1:], random.randint(0, 2))
        self.pipelines = [PIPELINES[0], *others]
        self.agent.start(self.pipelines)

    def kill_broker(self) -> None:
        """SIGKILL."""
        self.broker.kill()

    def start_broker(self) -> None:
        """A new life of the broker, with what the last one has left on its disk."""
        self.ledger.life += 1
        self.broker.start()

    def empty_broker(self) -> None:
        """Take away all that a killed broker remembers; nobody gets in until it is watched again.

        A broker that has forgotten the watcher's session acknowledges what it has no reader for:
        that would be lost by no fault of the agent.
        """
        self.proxy.close()
        for left in self.broker.folder.glob("mosquitto.db*"):
            left.unlink()

    def start_broker_watched(self) -> None:
        """Start an emptied broker, and let the agent in when the watcher is there again."""
        self.start_broker()
        self.watcher.wait_subscribed()
        self.proxy.heal()

    def refuse(self) -> None:
        """Let the broker know another password for the agent."""
        self.broker.change_passwords(dict([(AGENT[0], "other"), WATCHER]))
        self.proxy.reset()

    def let_in(self) -> None:
        """Let the broker know the agent's password again."""
        self.broker.change_passwords(dict([AGENT, WATCHER]))

    def retained(self) -> dict[str, str]:
        """The retained messages that the broker has of the device."""
        return retained(self.broker.port, f"{BASE}/#", WATCHER)

    def has_caught_up(self, seq: int, timeout: float) -> bool:
        """Wait until the watcher has that seq, or a later one."""
        until = time.monotonic() + timeout
        while self.watcher.received.newest < seq:
            if time.monotonic() > until:
                return False
            time.sleep(0.02)
        return True

    def close(self) -> None:
        """End all processes and threads."""
        self.agent.kill()
        self.watcher.leave()
        self.proxy.stop()
        self.broker.kill()
        self.disk.close()
