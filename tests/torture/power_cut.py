"""What a power cut costs: with `durability: full` no event whose put returned.

It cuts the power of the machine on which it runs, so it needs a virtual machine whose files may be
lost. Run it there as root at each boot; OUTBOX is a folder on the machine's own disk, TOLD a file
that outlives the cut, such as one on a folder shared with the host:

    python -m tests.torture.power_cut cycle OUTBOX TOLD --durability full --within 8

verifies what the boot before has left, then puts numbered events, and cuts the power by
/proc/sysrq-trigger at a random moment in the given number of seconds. Afterwards, anywhere:

    python -m tests.torture.power_cut table TOLD

prints a row for each cut and ends with 1 if one has lost an event that `full` must keep, or has
made a number come again. Only the standard library and the outbox are needed.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from edge_agent.message import Delivery, Message
from edge_agent.outbox.base import Outbox
from edge_agent.outbox.options import OutboxOptions
from edge_agent.outbox.sqlite import SqliteOutbox

_WRITERS = 3
_KEPT = 200  # events that the broker, played by a thread, leaves in the outbox
_PAYLOAD = 600  # bytes, as of a real event


class Told:
    """A file of lines that are on their disk when `say` returns."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_SYNC, 0o600)

    def say(self, *words: object) -> None:
        """Write a line, in one piece."""
        os.write(self._file, (" ".join(map(str, words)) + "\n").encode("ascii"))


@dataclass
class Account:
    """What the lines of a file say.

    `put` and `acked` are since the last cut was verified, `highest` is the highest seq ever told.
    """

    put: set[int] = field(default_factory=set)
    acked: set[int] = field(default_factory=set)
    highest: int = 0
    verified: list[dict[str, str]] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> Account:
        """The account so far; an empty one where there is no file."""
        account = cls()
        lines = path.read_text("ascii").split("\n")[:-1] if path.exists() else []
        for word, *rest in (line.split() for line in lines):
            if word == "put":
                account.put.update(map(int, rest))
                account.highest = max(account.highest, *map(int, rest))
            elif word == "ack":
                account.acked.update(map(int, rest))
            elif word == "verified":
                account.put.clear()
                account.acked.clear()
                account.verified.append(dict(pair.split("=", 1) for pair in rest))
        return account


def write(outbox: Outbox, told: Told) -> None:
    """Put events for ever, and tell of each whose put returned; a broker takes the older ones."""
    for _ in range(_WRITERS):
        threading.Thread(target=_put, args=(outbox, told), daemon=True).start()
    threading.Thread(target=_deliver, args=(outbox, told), daemon=True).start()


def _put(outbox: Outbox, told: Told) -> None:
    while True:
        if random.random() < 0.1:
            told.say("put", *outbox.put_events([_event] * 5))
        else:
            told.say("put", outbox.put_event(_event))


def _event(seq: int) -> Message:
    return Message("edge/dev/door/events", b"%0*d" % (_PAYLOAD, seq), Delivery.EVENT, qos=1)


def _deliver(outbox: Outbox, told: Told) -> None:
    while True:
        if outbox.depth > _KEPT:
            _settle(outbox, told, 20)
        time.sleep(0.02)


def _settle(outbox: Outbox, told: Told, limit: int) -> list[int]:
    entries = outbox.take(limit)
    numbers = [int(entry.message.payload) for entry in entries]
    if entries:
        told.say("ack", *numbers)
        outbox.ack([entry.id for entry in entries])
    return numbers


def verify(outbox: Outbox, told: Told, before: Account, durability: str) -> None:
    """Compare what is in the outbox with what was told, and begin with an empty one."""
    found: list[int] = []
    while numbers := _settle(outbox, told, 500):
        found += numbers
    must = before.put - before.acked
    first = outbox.put_event(_event)
    jump = first - max(before.highest, *found, 0) - 1
    told.say(
        "verified",
        f"durability={durability}",
        f"told={len(must)}",
        f"found={len(found)}",
        f"lost={len(must - set(found))}",
        f"ordered={found == sorted(set(found))}",
        f"reused={max(0, -jump)}",
        f"jump={max(0, jump)}",
    )
    told.say("put", first)


def cycle(folder: Path, told_path: Path, durability: str, within: float) -> None:
    """Verify what is there, then write until the power goes, which is at a random moment."""
    before = Account.read(told_path)
    told = Told(told_path)
    options = OutboxOptions("full" if durability == "full" else "normal")
    outbox = SqliteOutbox(folder / "dev.outbox", options)
    if before.highest:
        verify(outbox, told, before, durability)
    write(outbox, told)
    time.sleep(random.uniform(0.5, within))
    told.say("cut")
    Path("/proc/sysrq-trigger").write_text("b", "ascii")
    time.sleep(60)
    sys.exit("the power is still on: is this a machine whose power root can cut?")


def table(told_path: Path) -> int:
    """Print a row for each verified cut; 1 where one broke a promise."""
    rows = Account.read(told_path).verified
    if not rows:
        print("no cut was verified")
        return 1
    print("  ".join(f"{name:>10}" for name in rows[0]))
    for row in rows:
        print("  ".join(f"{value:>10}" for value in row.values()))
    lost = sum(int(row["lost"]) for row in rows)
    print(f"{len(rows)} cuts, {lost} events lost whose put had returned")
    broken = [row for row in rows if _is_broken(row)]
    return 1 if broken else 0


def _is_broken(row: dict[str, str]) -> bool:
    lost_in_full = row["durability"] == "full" and row["lost"] != "0"
    return lost_in_full or row["ordered"] != "True" or row["reused"] != "0"


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture.power_cut", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    roles = parser.add_subparsers(dest="role", required=True)
    cycle_role = roles.add_parser("cycle", help="verify, write, cut the power of this machine")
    cycle_role.add_argument("folder", type=Path)
    cycle_role.add_argument("told", type=Path)
    cycle_role.add_argument("--durability", choices=("normal", "full"), default="full")
    cycle_role.add_argument("--within", type=float, default=8.0, help="seconds")
    roles.add_parser("table", help="what all cuts have cost").add_argument("told", type=Path)
    arguments = parser.parse_args()
    if arguments.role == "table":
        return table(arguments.told)
    cycle(arguments.folder, arguments.told, arguments.durability, arguments.within)
    return 1


if __name__ == "__main__":
    sys.exit(main())
