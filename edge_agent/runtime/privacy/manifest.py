"""Everything that may leave this process, from the configuration, for people and for machines."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from edge_agent.config.schema import Config
from edge_agent.page.options import is_own
from edge_agent.runtime.privacy.hosts import Host, hosts
from edge_agent.runtime.privacy.topics import Outgoing, Pixels, outgoing
from edge_agent.runtime.recording import clip_folder

_CLEARNESS: tuple[Pixels, ...] = ("no", "blurred", "partly blurred", "full")


@dataclass(frozen=True, slots=True)
class Kept:
    """Clips of a pipeline, which stay on this device: full frames, `masks` areas blackened."""

    pipeline: str
    folder: str
    masks: int
    max_bytes: int
    max_age: float

    def __str__(self) -> str:
        size, days = self.max_bytes / 2**20, self.max_age / 86400.0
        return (
            f"{self.pipeline}: clips of events are kept on this device, in {self.folder} "
            f"(full, {masked(self.masks)}, at most {size:g} MiB and {days:g} d); "
            "nothing sends them."
        )


@dataclass(frozen=True, slots=True)
class Manifest:
    """What may leave: `hosts` by whom it can go, `topics` what goes to the broker.

    `masks` are by pipeline how many areas nothing behind its source ever sees, `kept` the pictures
    that stay on this device's disk.
    """

    hosts: tuple[Host, ...]
    topics: tuple[Outgoing, ...]
    masks: Mapping[str, int]
    kept: tuple[Kept, ...] = ()

    @property
    def pictures(self) -> str:
        """Which pictures may leave this device, and which it shows to who sits at it."""
        shown = [
            f"{each.topic} ({each.pixels}, {masked(each.masks)})"
            for each in self.topics
            if each.pixels != "no"
        ]
        pages = [each for each in self.hosts if each.way == "listens" and each.pixels != "no"]
        shown += [_seen_at(each) for each in pages if not is_own(each.host)]
        here = [_seen_at(each) for each in pages if is_own(each.host)]
        said = f"Pictures may leave this device: {'; '.join(shown)}."
        said = said if shown else "No picture leaves this device."
        return said + (f" Seen on this device alone: {'; '.join(here)}." if here else "")

    def as_values(self) -> dict[str, Any]:
        """The same as plain values."""
        return {
            "hosts": [dataclasses.asdict(each) for each in self.hosts],
            "topics": [dataclasses.asdict(each) for each in self.topics],
            "masks": dict(self.masks),
            "kept": [dataclasses.asdict(each) for each in self.kept],
            "pictures": self.pictures,
        }


def masked(areas: int) -> str:
    """How much of a picture is blackened, in words."""
    return f"{areas} area{'s' * (areas != 1)} masked" if areas else "nothing masked"


def _seen_at(page: Host) -> str:
    return f"the {page.role} at {page.host}:{page.port} ({page.pixels}, masks applied)"


def manifest(config: Config) -> Manifest:
    """What may leave by a configuration; raises ConfigError or ValueError where it cannot run."""
    topics = outgoing(config)
    most = max((each.pixels for each in topics), key=_CLEARNESS.index)
    masks = {name: len(item.privacy.mask) for name, item in config.running.items()}
    return Manifest(hosts(config, most), topics, masks, tuple(_kept(config)))


def _kept(config: Config) -> Iterator[Kept]:
    for name, item in config.running.items():
        if item.record is not None:
            folder, bounds = str(clip_folder(config, name)), item.record
            yield Kept(name, folder, len(item.privacy.mask), bounds.max_bytes, bounds.max_age)
