"""The faults: what each does, for how long, and what it must have for itself meanwhile."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.torture.world import World

_BURST = 2200  # events of about 900 bytes: more than the mebibyte that waits without a disk
_HOUR = 3600.0


@dataclass(frozen=True)
class Fault:
    """`begin` and `end` with `seconds` (least and most) between them.

    Faults that share a part in `needs` never overlap.
    """

    name: str
    needs: frozenset[str]
    seconds: tuple[float, float]
    begin: Callable[[World], object]
    end: Callable[[World], object]


def _nothing(_: World) -> None:
    """Over as soon as it has begun."""


def _kill_and_empty(world: World) -> None:
    world.kill_broker()
    world.empty_broker()


def _fill_disk(world: World) -> None:
    world.disk.fill()
    world.agent.order("burst", _BURST)


def _jump(world: World) -> None:
    hour = _HOUR if world.agent.offset < 0 else -_HOUR if world.agent.offset > 0 else 0.0
    world.agent.jump(hour or random.choice((-_HOUR, _HOUR)))


FAULTS: Sequence[Fault] = (
    Fault("agent killed", frozenset({"agent"}), (0.0, 1.0),
          lambda world: world.agent.kill(), lambda world: world.start_agent()),
    Fault("agent stopped and started", frozenset({"agent"}), (0.0, 0.5),
          lambda world: world.agent.stop(), lambda world: world.start_agent()),
    Fault("broker killed, with persistence", frozenset({"broker", "watcher"}), (0.0, 1.5),
          lambda world: world.kill_broker(), lambda world: world.start_broker()),
    Fault("broker killed, without persistence", frozenset({"broker", "watcher", "line"}),
          (0.0, 1.5), _kill_and_empty,
          lambda world: world.start_broker_watched()),
    Fault("silent network cut", frozenset({"line"}), (0.5, 4.0),
          lambda world: world.proxy.cut(), lambda world: world.proxy.heal()),
    Fault("TCP reset", frozenset({"line"}), (0.0, 0.0),
          lambda world: world.proxy.reset(), _nothing),
    Fault("stalled broker", frozenset({"broker"}), (0.5, 4.0),
          lambda world: world.broker.pause(signal.SIGSTOP),
          lambda world: world.broker.pause(signal.SIGCONT)),
    Fault("slow link", frozenset({"line"}), (1.0, 3.0),
          lambda world: world.proxy.slow(random.uniform(2_000, 20_000)),
          lambda world: world.proxy.heal()),
    Fault("refused login", frozenset({"broker"}), (0.5, 2.5),
          lambda world: world.refuse(), lambda world: world.let_in()),
    Fault("disk full", frozenset({"disk"}), (1.0, 3.0),
          _fill_disk, lambda world: world.disk.free()),
    Fault("clock jump of an hour", frozenset({"clock"}), (0.0, 0.0), _jump, _nothing),
    Fault("subscriber away", frozenset({"broker", "watcher"}), (0.2, 2.0),
          lambda world: world.watcher.leave(), lambda world: world.watcher.start()),
)  # fmt: skip


class Deck:
    """Deals faults so that each comes as often as the others, in random company.

    Its own `rng` makes the hands depend on nothing else.
    """

    def __init__(self, faults: Sequence[Fault], rng: random.Random) -> None:
        self._faults = tuple(faults)
        self._rng = rng
        self._waiting: list[Fault] = []

    def deal(self, most: int) -> list[Fault]:
        """One to `most` faults that may overlap."""
        hand: list[Fault] = []
        if len(self._waiting) < most:
            self._waiting += self._rng.sample(self._faults, len(self._faults))
        wanted = self._rng.randint(1, most)
        for fault in list(self._waiting):
            if len(hand) < wanted and not any(fault.needs & other.needs for other in hand):
                hand.append(fault)
                self._waiting.remove(fault)
        return hand
