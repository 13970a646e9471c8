"""Fewer frames under heat, load and want of power or memory; all of them again afterwards."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.runtime.governor import Governor, Limits, Load
from edge_agent.runtime.system import memory_available, memory_pressure, slowed
from tests.support.runtime import HandTime, Rig, cat, hold_time

FINE = Load(50.0, "", 0.0, 0.0)
LOOK = 5.0  # s


class Machine:
    """A machine whose load the test sets; `cores` are used all the time."""

    def __init__(self, hand: HandTime, limits: Limits) -> None:
        self.load = FINE
        self.cores = 0.0
        self._hand = hand
        self._used = 0.0
        self.governor = Governor(limits, self._measure)

    def _measure(self) -> Load:
        return replace(self.load, cpu_seconds=self._used)

    def looks(self, count: int) -> list[int]:
        """The divisor after each look."""
        found = []
        for _ in range(count):
            self._hand.now += LOOK
            self._used += LOOK * self.cores
            self.governor.look()
            found.append(self.governor.verdict.divisor)
        return found


@pytest.fixture
def hand(monkeypatch: pytest.MonkeyPatch) -> HandTime:
    """The time of the governor."""
    return hold_time(monkeypatch, "governor")


@pytest.mark.parametrize(
    ("load", "reason"),
    [
        (replace(FINE, temperature=81.0), "81 °C, more than 80"),
        (replace(FINE, slowed="under-voltage"), "under-voltage"),
        (replace(FINE, memory=30.0), "waiting for memory 30 % of the time"),
        (replace(FINE, available=3.0), "only 3 % of the memory is left"),
    ],
)
def test_each_trouble_halves_the_rate_with_its_reason(
    hand: HandTime, load: Load, reason: str
) -> None:
    """Not at the first look, then again and again down to an eighth, and no further."""
    machine = Machine(hand, Limits())
    machine.load = load
    assert machine.looks(9) == [1, 2, 2, 4, 4, 8, 8, 8, 8]
    assert machine.governor.verdict.reason == reason


def test_it_comes_back_step_by_step(hand: HandTime) -> None:
    """A minute well below the limits doubles the rate; between both limits nothing changes."""
    machine = Machine(hand, Limits())
    machine.load = replace(FINE, temperature=85.0)
    machine.looks(4)
    machine.load = replace(FINE, temperature=75.0)
    assert set(machine.looks(50)) == {4}
    machine.load = replace(FINE, temperature=70.0)
    assert machine.looks(24) == [4] * 11 + [2] * 12 + [1]
    assert machine.governor.verdict.reason == ""


def test_memory_that_is_just_enough(hand: HandTime) -> None:
    """Between scarce and ample nothing changes; with plenty all frames are inferred again."""
    machine = Machine(hand, Limits())
    machine.load = replace(FINE, available=4.0)
    machine.looks(2)
    machine.load = replace(FINE, available=7.0)
    assert set(machine.looks(30)) == {2}
    machine.load = replace(FINE, available=12.0)
    assert machine.looks(12)[-1] == 1


def test_the_budget_of_cores_does_not_swing(hand: HandTime) -> None:
    """Half the rate fits, and twice that would not: it stays at half."""
    machine = Machine(hand, Limits(cores=1.0))
    machine.cores = 1.4
    assert machine.looks(3)[-1] == 2
    machine.cores = 0.7
    assert set(machine.looks(100)) == {2}
    machine.cores = 0.3
    assert machine.looks(13)[-1] == 1


def test_without_a_budget_any_load_is_right(hand: HandTime) -> None:
    """A machine that is only for this may be busy."""
    machine = Machine(hand, Limits())
    machine.cores = 4.0
    assert set(machine.looks(10)) == {1}


def test_a_machine_that_tells_nothing(hand: HandTime) -> None:
    """No thermometer, no firmware, no pressure: nothing to slow down for."""
    machine = Machine(hand, Limits())
    machine.load = Load(None, "", 0.0, None)
    assert set(machine.looks(10)) == {1}


def test_a_pipeline_infers_one_of_so_many() -> None:
    """Of a live source; what is left out counts as held back, and no event is lost."""
    rig = Rig().begin()
    rig.pipeline.divisor = 4
    for _ in range(8):
        rig.see(cat())
    counts = rig.pipeline.metrics.counts
    assert (counts.inferred, counts.gated, counts.dropped) == (2, 6, 0)
    assert rig.outbox.types() == ["new"]


def test_a_recording_is_not_slowed() -> None:
    """It loses no frame."""
    rig = Rig(live=False).begin()
    rig.pipeline.divisor = 4
    for _ in range(8):
        rig.see(cat())
    assert rig.pipeline.metrics.counts.inferred == 8


def test_what_the_machine_says(tmp_path: Path) -> None:
    """The firmware's flags in words, the kernel's pressure as a number, or nothing."""
    assert slowed(tmp_path) == ""
    assert memory_pressure(tmp_path) is None
    flags = tmp_path / "sys/devices/platform/soc/soc:firmware/get_throttled"
    flags.parent.mkdir(parents=True)
    flags.write_text("50005\n")
    assert slowed(tmp_path) == "under-voltage, throttled"
    pressure = tmp_path / "proc/pressure/memory"
    pressure.parent.mkdir(parents=True)
    pressure.write_text("some avg10=12.50 avg60=1.00 avg300=0.10 total=5\nfull avg10=1.00\n")
    assert memory_pressure(tmp_path) == 12.5
    assert memory_available(tmp_path) is None
    meminfo = tmp_path / "proc/meminfo"
    meminfo.write_text("MemTotal:        1000000 kB\nMemAvailable:      45000 kB\n")
    assert memory_available(tmp_path) == 4.5
