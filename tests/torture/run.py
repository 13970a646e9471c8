"""The run: cycle after cycle of overlapping faults, then quiet, then the account."""

from __future__ import annotations

import random
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.torture.faults import FAULTS, Deck, Fault
from tests.torture.parts import DrivenAgent
from tests.torture.verdict import Account, Verdict, stuck_states
from tests.torture.world import BASE, World

_AT_ONCE = 4  # most faults of a cycle
_LATEST = 1.0  # s after the beginning of a cycle in which its faults begin
_CALM = 0.5  # most s between two cycles
_REACTION = 45.0  # s in which all is delivered once nothing is wrong any more
_HEALED = 15.0  # s in which no state is stuck any more
_TOP_UP = 500
_DELETED = 2.0  # s after which what was delivered has left the disk
_LAST_EVENTS = 40


@dataclass(frozen=True)
class Plan:
    """How long and how much; `rate` is events/s, `timeout` seconds for all of the cycles."""

    cycles: int
    events: int
    rate: float
    timeout: float


class Torturer(ABC):
    """Does the faults to a world and remembers what it did and saw."""

    def __init__(self, world: World, plan: Plan, faults: Sequence[Fault]) -> None:
        self.world = world
        self.trouble: list[str] = []
        self._plan = plan
        self._faults = faults
        self._done: Counter[str] = Counter()
        self._cycles = 0

    def run(self) -> Verdict:
        """All of it."""
        deck = Deck(self._faults, random.Random(random.random()))
        self.world.start_agent()
        until = time.monotonic() + self._plan.timeout
        while self._cycles < self._plan.cycles and time.monotonic() < until:
            self._cycle(deck.deal(_AT_ONCE))
        if self._cycles < self._plan.cycles:
            self.trouble.append(f"only {self._cycles} cycles in {self._plan.timeout:g} s")
        self._top_up(until)
        return self.reckon()

    @abstractmethod
    def reckon(self) -> Verdict:
        """Let everything come to rest, stop the agent, and count."""

    def expect_delivery(self) -> None:
        """Note it as trouble when what was made so far does not arrive in good time."""
        newest = self.world.agent.newest
        if not self.world.has_caught_up(newest, _REACTION):
            self.trouble.append(
                f"cycle {self._cycles}: seq {newest} was not delivered {_REACTION:g} s after all"
                f" was well; the newest to come is {self.world.watcher.received.newest}, to be"
                f" acknowledged {max(self.world.ledger.acked, default=0)};"
                f" {self.world.agent.autopsy()}"
            )
            self.world.start_agent()

    def verdict(self, account: Account, lives: int, stuck: Sequence[str]) -> Verdict:
        """All figures together."""
        world = self.world
        left_out = [fault.name for fault in FAULTS if fault not in self._faults]
        return Verdict(
            account=account,
            received=world.watcher.received,
            stuck=stuck,
            unheard=len(world.ledger.unheard),
            cycles=self._cycles,
            lives=(lives, world.ledger.life + 1),
            faults={fault.name: self._done[fault.name] for fault in self._faults},
            skipped=left_out,
            trouble=self.trouble,
        )

    def _cycle(self, hand: Sequence[Fault]) -> None:
        """Begin and end each fault in its own time, so that they overlap; then calm, perhaps."""
        pace = random.choice((0.0, 0.5, 1.0, 1.5)) * self._plan.rate
        self.world.agent.order("rate", pace)
        for action in _timeline(hand):
            action.wait()
            action.do(self.world)
        self._cycles += 1
        self._done.update(fault.name for fault in hand)
        if random.random() < 0.3:
            self.expect_delivery()
        else:
            time.sleep(random.uniform(0.0, _CALM))

    def _top_up(self, until: float) -> None:
        """Make as many events as were asked for."""
        agent = self.world.agent
        agent.order("rate", 0)
        while (made := agent.made) < self._plan.events and time.monotonic() < until:
            agent.order("burst", min(_TOP_UP, self._plan.events - made))
            time.sleep(0.5)


class DriverTorturer(Torturer):
    """Tortures the driver, which says what it has made."""

    def __init__(self, world: World, agent: DrivenAgent, plan: Plan) -> None:
        faults = [each for each in FAULTS if world.can_fill or "disk" not in each.needs]
        super().__init__(world, plan, faults)
        self._agent = agent

    def reckon(self) -> Verdict:
        """Look at the states while it is quiet, stop it, and count life by life."""
        agent = self._agent
        self._begin_last_life()
        stuck = self._stuck()
        self.world.kill_broker()  # so that states are lost, for the last life to put again
        self.world.empty_broker()
        self.world.start_broker_watched()
        agent.order("rest")
        if not _holds(lambda: agent.life.depth == 0, _REACTION):
            self.trouble.append(f"{agent.life.depth} messages were not delivered at the end")
        self.expect_delivery()
        stuck += self._stuck()
        if agent.stop() != 0:
            self.trouble.append("the agent could not deliver everything before it stopped")
        if self.world.retained().get(f"{BASE}/status") != "offline":
            self.trouble.append("the agent is not offline after its end")
        account = Account()
        for life in agent.lives:
            account.add(life, self.world.watcher.received, self.world.ledger)
        return self.verdict(account, len(agent.lives), stuck)

    def _begin_last_life(self) -> None:
        """Kill the agent when nothing waits: its numbers must go on, its states be healed."""
        self._make_events()
        self.expect_delivery()
        time.sleep(_DELETED)
        self._agent.kill()
        self.world.start_agent()
        self._make_events()

    def _make_events(self) -> None:
        agent = self._agent
        wanted = agent.made + _LAST_EVENTS
        agent.order("burst", _LAST_EVENTS)
        if not _holds(lambda: agent.made >= wanted, _REACTION):
            self.trouble.append("the agent makes no events at the end")

    def _stuck(self) -> list[str]:
        """Topics that are still wrong when there was time to heal them."""
        world = self.world
        wanted = {**self._agent.life.states, f"{BASE}/status": "online"}
        stuck: list[str] = []

        def is_healed() -> bool:
            stuck[:] = stuck_states(world.retained(), wanted, world.pipelines)
            return not stuck

        _holds(is_healed, _HEALED)
        return stuck


@dataclass(frozen=True)
class _Action:
    at: float
    do: Callable[[World], object]

    def wait(self) -> None:
        time.sleep(max(0.0, self.at - time.monotonic()))


def _timeline(hand: Sequence[Fault]) -> list[_Action]:
    now = time.monotonic()
    actions = []
    for fault in hand:
        begin = now + random.uniform(0.0, _LATEST)
        actions.append(_Action(begin, fault.begin))
        actions.append(_Action(begin + random.uniform(*fault.seconds), fault.end))
    return sorted(actions, key=lambda action: action.at)


def _holds(condition: Callable[[], bool], timeout: float) -> bool:
    until = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(0.1)
    return True
