"""The same torture for `edge-agent run`: the bundled clip in a loop, each change an event.

It keeps no journal, so what it has made is what its database says in the end: seqs 1, 2, 3 ... up
to the last. The faults that need the driver, a full disk and a clock that jumps, are left out.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from copy import deepcopy
from pathlib import Path

from tests.support.agent import BASE, DEVICE, AgentProcess, belt_config
from tests.torture.faults import FAULTS, Fault
from tests.torture.journal import Life
from tests.torture.parts import cause_of_death
from tests.torture.run import Plan, Torturer
from tests.torture.verdict import Account, Verdict, stuck_states
from tests.torture.world import AGENT, World

_GOODBYE = 10.0  # s
_DRIVERS = {"disk", "clock"}


class RealAgent:
    """`edge-agent run`, with other pipelines in each life.

    `update_every` is the seconds between two events of an object that stays.
    """

    offset = 0.0

    def __init__(self, folder: Path, state_dir: Path, port: int, update_every: float = 0.0) -> None:
        self.lives = 0
        self._folder = folder
        self._state_dir = state_dir
        self._port = port
        self._update_every = update_every
        self._process: AgentProcess | None = None

    def start(self, pipelines: list[str]) -> None:
        """Begin a new life with these pipelines."""
        config = belt_config(self._port, pace="loop", publish={"update_every": self._update_every})
        config["agent"]["state_dir"] = str(self._state_dir)
        config["mqtt"] |= {"keepalive": 1, "username": AGENT[0], "password": AGENT[1]}
        pipeline = config["pipelines"].pop("belt")
        config["pipelines"] = {name: deepcopy(pipeline) for name in pipelines}
        self._process = AgentProcess(self._folder, config).start()
        self.lives += 1

    def kill(self) -> None:
        """SIGKILL; safe where it is dead."""
        if self._process is not None and self._process.alive:
            self._process.kill()

    def stop(self) -> int:
        """SIGTERM; its exit code."""
        return self._running.terminate(_GOODBYE)

    @property
    def said(self) -> str:
        """Its log."""
        return self._running.said

    @property
    def pid(self) -> int:
        """Its process."""
        return self._running.process.pid

    @property
    def _running(self) -> AgentProcess:
        assert self._process is not None
        return self._process

    def autopsy(self) -> str:
        """Why it does not work; ends it, with the stacks of its threads in its log."""
        return cause_of_death(self._running.process)

    def order(self, *words: object) -> None:
        """It takes no orders."""

    def jump(self, seconds: float) -> None:
        """Its clock is the machine's."""

    @property
    def newest(self) -> int:
        """The highest seq in its database."""
        return self._ask("SELECT ifnull(max(seq), 0) FROM events")

    made = newest

    @property
    def waiting(self) -> int:
        """Events in its database that are not settled."""
        return self._ask("SELECT count(*) FROM events WHERE payload IS NOT NULL")

    def _ask(self, question: str) -> int:
        database = self._state_dir / f"{DEVICE}.outbox"
        if not database.exists():
            return 0
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            return int(connection.execute(question).fetchone()[0])


def real_faults() -> list[Fault]:
    """The faults that can be done to it."""
    return [fault for fault in FAULTS if not fault.needs & _DRIVERS]


class RealTorturer(Torturer):
    """Tortures a RealAgent; all it is asked for in the end is in its database."""

    def __init__(self, world: World, agent: RealAgent, plan: Plan) -> None:
        super().__init__(world, plan, real_faults())
        self._agent = agent

    def reckon(self) -> Verdict:
        """Stop it while all is well, then count: no state may be on any more."""
        self.expect_delivery()
        if self._agent.stop() != 0:
            self.trouble.append("the agent did not end with 0")
        last = self._agent.newest
        self.expect_delivery()
        if self._agent.waiting:
            self.trouble.append(f"{self._agent.waiting} events were not delivered at the end")
        account = Account()
        life = Life(put=dict.fromkeys(range(1, last + 1)))
        account.add(life, self.world.watcher.received, self.world.ledger)
        return self.verdict(account, self._agent.lives, self._stuck())

    def _stuck(self) -> list[str]:
        off = {f"{BASE}/{name}/status": "offline" for name in self.world.pipelines}
        retained = self.world.retained()
        retained.pop(f"{BASE}/info", None)  # stays, and tells when it was
        for name in self.world.pipelines:  # what is set stays, too
            for setting in ("enabled", "threshold"):
                retained.pop(f"{BASE}/{name}/{setting}/state", None)
        return stuck_states(retained, {f"{BASE}/status": "offline", **off}, self.world.pipelines)
