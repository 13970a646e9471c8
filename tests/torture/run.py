"""The run: cycle after cycle of overlapping faults, then quiet, then the account."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.torture.faults import FAULTS, Deck, Fault
from tests.torture.verdict import Account, Verdict, stuck_states
from tests.torture.world import BASE, World

_AT_ONCE = 3  # most faults of a cycle
_LATEST = 1.0  # s after the beginning of a cycle in which its faults begin
_CALM = 0.5  # most s between two cycles
_REACTION = 30.0  # s in which all is delivered once nothing is wrong any more
_HEALED = 15.0  # s in which no state is stuck any more
_TOP_UP = 500


@dataclass(frozen=True)
class Plan:
    """How long and how much; `rate` is events/s, `timeout` seconds for all of the cycles."""

    cycles: int
    events: int
    rate: float
    timeout: float


@dataclass
class Torturer:
    """Does the faults to a world and remembers what it did and saw."""

    world: World
    plan: Plan
    faults: Counter[str] = field(default_factory=Counter)
    trouble: list[str] = field(default_factory=list)
    cycles: int = 0

    def run(self) -> Verdict:
        """All of it; what remains is the account."""
        world = self.world
        world.agent.order("rate", self.plan.rate)
        world.start_agent()
        faults = [each for each in FAULTS if world.can_fill or "disk" not in each.needs]
        deck = Deck(faults)
        until = time.monotonic() + self.plan.timeout
        while self.cycles < self.plan.cycles and time.monotonic() < until:
            self._cycle(deck.deal(_AT_ONCE))
        if self.cycles < self.plan.cycles:
            self.trouble.append(f"only {self.cycles} cycles in {self.plan.timeout:g} s")
        self._top_up(until)
        return self._reckon([each.name for each in FAULTS if each not in faults])

    def _cycle(self, hand: Sequence[Fault]) -> None:
        """Begin and end each fault in its own time, so that they overlap; then calm, perhaps."""
        for action in _timeline(hand):
            action.wait()
            action.do(self.world)
        self.cycles += 1
        self.faults.update(fault.name for fault in hand)
        if random.random() < 0.3:
            self._expect_delivery()
        else:
            time.sleep(random.uniform(0.0, _CALM))

    def _expect_delivery(self) -> None:
        newest = max(self.world.agent.life.put, default=0)
        if not self.world.has_caught_up(newest, _REACTION):
            self.trouble.append(
                f"cycle {self.cycles}: seq {newest} was not delivered {_REACTION:g} s after all"
                f" was well; the newest is {self.world.watcher.received.newest}"
            )

    def _top_up(self, until: float) -> None:
        """Make as many events as were asked for."""
        world = self.world
        world.agent.order("rate", 0)
        while (made := world.made()) < self.plan.events and time.monotonic() < until:
            world.agent.order("burst", min(_TOP_UP, self.plan.events - made))
            time.sleep(0.5)

    def _reckon(self, skipped: Sequence[str]) -> Verdict:
        """Let everything come to rest, look at the states, stop, and count."""
        world = self.world
        world.agent.order("rest")
        if not _holds(lambda: world.agent.life.depth == 0, _REACTION):
            self.trouble.append(f"{world.agent.life.depth} messages were not delivered at the end")
        self._expect_delivery()
        stuck = self._stuck()
        if world.agent.stop(10.0) != 0:
            self.trouble.append("the agent could not deliver everything before it stopped")
        if world.retained().get(f"{BASE}/status") != "offline":
            self.trouble.append("the agent is not offline after its end")
        account = Account()
        for life in world.agent.lives:
            account.add(life, world.watcher.received, world.ledger)
        return Verdict(
            account=account,
            received=world.watcher.received,
            stuck=stuck,
            unheard=len(world.ledger.unheard),
            cycles=self.cycles,
            lives=(len(world.agent.lives), world.ledger.life + 1),
            faults={fault.name: self.faults[fault.name] for fault in FAULTS},
            skipped=[f"{name}: needs root, for a small file system" for name in skipped],
            trouble=self.trouble,
        )

    def _stuck(self) -> list[str]:
        """Topics that are still wrong when there was time to heal them."""
        world = self.world
        stuck: list[str] = []

        def is_healed() -> bool:
            stuck[:] = stuck_states(
                world.retained(), world.agent.life.states, BASE, world.pipelines
            )
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


def torture(folder: Path, plan: Plan, mounted: bool) -> Verdict:
    """Build a world in a folder, torture it and take it down."""
    world = World(folder, mounted)
    try:
        return Torturer(world, plan).run()
    finally:
        world.disk.free()
        world.close()
