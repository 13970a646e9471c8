"""The account at the end: every event that was made came, or it is known what became of it.

An event whose put returned is accounted for when one of these holds.

- The watcher got it.
- A broker acknowledged it and was killed afterwards. mosquitto acknowledges before it has
  delivered or written anything, so what it takes with it is its loss; the proxy saw the
  acknowledgement on the wire, and saw it in the life of a broker that was killed.
- The outbox counted it as dropped. That is reckoned life by life: as many as are missing.
- It was held in memory because the disk was full, and the agent was killed just then. Those are
  at most the mebibyte that the outbox holds, and only lives that were killed so may have any.

All others are missing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from tests.torture.journal import Life
from tests.torture.packets import Ledger
from tests.torture.watcher import Received

_HELD = 2**20 // 800  # events: their payload, topic and overhead are more than 800 bytes


@dataclass
class Account:
    """What became of the events; the numbers of the table."""

    made: int = 0
    received: int = 0
    missing: int = 0
    dropped: int = 0
    lost_by_broker: int = 0
    died_with_full_disk: int = 0
    overcounted: int = 0

    def add(self, life: Life, received: Received, ledger: Ledger) -> None:
        """Reckon up one life of the agent."""
        absent = {
            seq: number
            for seq, number in life.put.items()
            if seq not in received.numbers or number not in (None, received.numbers[seq])
        }
        taken = sum(_died_with_broker(seq, number, ledger) for seq, number in absent.items())
        left = len(absent) - taken
        self.made += len(life.put)
        self.received += len(life.put) - len(absent)
        self.lost_by_broker += taken
        self.dropped += life.drops
        unexplained = left - life.drops
        if life.disk_failed and 0 <= unexplained <= _HELD:
            self.died_with_full_disk += unexplained
        else:
            self.missing += max(0, unexplained)
            # An event of another life, or one never told of as put, may be among the counted.
            self.overcounted += max(0, -unexplained)


def _died_with_broker(seq: int, number: int | None, ledger: Ledger) -> bool:
    track, life = ledger.acked.get(seq, (None, ledger.life))
    return life < ledger.life and number in (None, track)


def stuck_states(
    retained: Mapping[str, str], wanted: Mapping[str, str], pipelines: Collection[str]
) -> list[str]:
    """Topics whose retained state is not the one that is wanted.

    Counts of which nothing is said must be 0, other states must be gone.
    """
    wrong = [topic for topic, value in wanted.items() if retained.get(topic) != value]
    for topic, value in retained.items():
        is_idle = value == "0" and topic.split("/")[2] in pipelines
        if topic not in wanted and not is_idle:
            wrong.append(topic)
    return wrong


@dataclass
class Verdict:
    """Everything that is printed; `violations` say what must not be."""

    account: Account = field(default_factory=Account)
    received: Received = field(default_factory=Received)
    stuck: Sequence[str] = ()
    unheard: int = 0
    cycles: int = 0
    lives: tuple[int, int] = (0, 0)
    faults: Mapping[str, int] = field(default_factory=dict)
    skipped: Sequence[str] = ()
    trouble: list[str] = field(default_factory=list)

    @property
    def violations(self) -> list[str]:
        """What is wrong, in words; empty when all is well."""
        counts = {
            "events are missing": self.account.missing,
            "drops were counted of events that came": self.account.overcounted,
            "events came out of order": self.received.disordered,
            "seqs came with two different events": self.received.reused,
            "states are stuck": len(self.stuck),
            "events were taken by a broker without the watcher's session": self.unheard,
        }
        said = [f"{count} {what}" for what, count in counts.items() if count]
        return [*said, *self.trouble]

    def table(self) -> str:
        """The figures, a row each."""
        account = self.account
        rows: dict[str, object] = {
            "events made": account.made,
            "events received": account.received,
            "  of them marked as replayed": self.received.replayed,
            "missing": account.missing,
            "repeated (same device and seq)": self.received.repeated,
            "out of order": self.received.disordered,
            "seqs used twice": self.received.reused,
            "counted drops (disk full)": account.dropped,
            "died in memory, agent killed with its disk full": account.died_with_full_disk,
            "acknowledged, then lost by the killed broker": account.lost_by_broker,
            "stuck states": len(self.stuck),
            "cycles": self.cycles,
            "lives of the agent": self.lives[0],
            "lives of the broker": self.lives[1],
            **{f"  {name}": count for name, count in self.faults.items()},
        }
        lines = [f"{what:<52}{value:>8}" for what, value in rows.items()]
        lines += [f"left out: {what} (see --help)" for what in self.skipped]
        lines += [f"VIOLATION: {what}" for what in self.violations]
        return "\n".join(lines)
