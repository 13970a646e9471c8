"""What the agent under torture says it has done, one journal for each life of its process."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Life:
    """One process: `put` is the number by the seq of each event whose put has returned.

    A number of None is not known. `begun` is the last number that it had begun to put, `drops` the
    events it counted as lost. `disk_failed` is True when it was killed while its disk was full:
    then what it held in memory, a stated mebibyte at most, died with it.
    """

    begun: int = 0
    put: dict[int, int | None] = field(default_factory=dict)
    drops: int = 0
    states: dict[str, str] = field(default_factory=dict)
    depth: int | None = None
    disk_failed: bool = False


def read_life(path: Path) -> Life:
    """The journal of a life; the last line may be cut off."""
    life = Life()
    lines = path.read_text().split("\n")[:-1] if path.exists() else []
    for line in lines:
        word, *rest = line.split(maxsplit=2)
        if word == "begin":
            life.begun = int(rest[0])
        elif word == "put":
            life.put[int(rest[1])] = int(rest[0])
        elif word == "drops":
            drops: dict[str, int] = json.loads(rest[0])
            life.drops = sum(n for key, n in drops.items() if key.startswith("event_"))
        elif word == "state":
            life.states[rest[0]] = rest[1]
        elif word == "rest":
            life.depth = int(rest[0])
    return life
