"""What came of a replay, in a few numbers for each pipeline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from edge_agent.event import Event
from edge_agent.rules.base import CountKey
from edge_agent.runtime.metrics import Counts


@dataclass(slots=True)
class Heard:
    """What one pipeline told: events by type, and new objects by label."""

    events: Counter[str] = field(default_factory=Counter)
    objects: Counter[str] = field(default_factory=Counter)


class Summary:
    """Counts the events of each pipeline, whether or not they are published."""

    def __init__(self, pipelines: Iterable[str]) -> None:
        self._heard = {name: Heard() for name in pipelines}

    def note(self, events: Iterable[Event]) -> None:
        """Take in events."""
        for event in events:
            heard = self._heard[event.pipeline]
            heard.events[event.type] += 1
            if event.type == "new":
                heard.objects[event.label] += 1

    def rows(
        self, frames: Mapping[str, Counts], crossings: Mapping[str, Counter[CountKey]]
    ) -> list[dict[str, Any]]:
        """A row for each pipeline; `crossings` are those since the last midnight."""
        return [
            {
                "pipeline": name,
                "frames": frames[name].taken,
                "inferred": frames[name].inferred,
                "events": dict(heard.events),
                "objects": dict(heard.objects),
                "crossings": _crossings(crossings[name]),
            }
            for name, heard in self._heard.items()
        ]


def _crossings(counted: Counter[CountKey]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    for key, count in counted.items():
        line = found.setdefault(str(key.line), {"in": 0, "out": 0})
        line[str(key.direction)] += count
    return found


def as_text(row: Mapping[str, Any]) -> str:
    """A row as one line."""
    objects = ", ".join(f"{count} {label}" for label, count in row["objects"].items())
    text = (
        f"{row['pipeline']}: {row['frames']} frames, {row['inferred']} inferred, "
        f"{sum(row['events'].values())} events, objects: {objects or 'none'}"
    )
    for line, count in row["crossings"].items():
        text += f"; {line}: {count['in']} in, {count['out']} out"
    return text
