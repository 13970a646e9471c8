"""The metrics of a Sparkplug node or device: names, aliases, newest values with their times."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from edge_agent.mqtt.sparkplug_pb import DataType, Metric, get_value, set_value

EVENT = {
    "event/type": DataType.STRING,
    "event/label": DataType.STRING,
    "event/score": DataType.DOUBLE,
    "event/seq": DataType.UINT64,
    "event/id": DataType.STRING,
    "event/json": DataType.STRING,
}
SETTINGS = {"enabled": DataType.BOOLEAN, "threshold": DataType.DOUBLE}
DEVICE = {"online": DataType.BOOLEAN, **SETTINGS, **EVENT}
_REPORTS: dict[str, dict[str, tuple[DataType, tuple[str, ...]]]] = {
    "info": {
        "properties/version": (DataType.STRING, ("version",)),
        "properties/boot_id": (DataType.STRING, ("boot_id",)),
    },
    "health": {
        "health/uptime": (DataType.DOUBLE, ("uptime",)),
        "health/outbox/depth": (DataType.INT64, ("outbox", "depth")),
        "health/outbox/drops": (DataType.INT64, ("outbox", "drops")),
        "health/cpu_temperature": (DataType.DOUBLE, ("cpu_temperature",)),
        "health/throttled": (DataType.BOOLEAN, ("throttled",)),
        "health/rss_bytes": (DataType.INT64, ("rss_bytes",)),
    },
}
NODE = dict.fromkeys(_REPORTS, DataType.STRING) | {
    name: kind for table in _REPORTS.values() for name, (kind, _) in table.items()
}


def made(kind: DataType, value: Any, when: int) -> Any:
    """A metric with a value and its time (epoch ms).

    Raises TypeError or ValueError for a value of another type.
    """
    metric = Metric(timestamp=when)
    set_value(metric, kind, value)
    return metric


def report_metrics(report: str, payload: bytes, when: int) -> dict[str, Any]:
    """The JSON of an `info` or `health` as it is, and the numbers in it.

    Raises ValueError, KeyError or TypeError for one that is of another make.
    """
    fields = json.loads(payload)
    found = {report: made(DataType.STRING, payload.decode(), when)}
    for name, (kind, path) in _REPORTS[report].items():
        value = fields
        for key in path:
            value = value[key]
        total = sum(value.values()) if isinstance(value, dict) else value
        found[name] = made(kind, total, when)
    return found


def event_metrics(payload: bytes) -> dict[str, Any]:
    """The metrics of an event, with the time at which it happened.

    Raises ValueError, KeyError or TypeError for one that is of another make.
    """
    event = json.loads(payload)
    when = round(event["time"] * 1000)
    values = [event[key] for key in ("type", "label", "score", "seq", "id")] + [payload.decode()]
    pairs = zip(EVENT.items(), values, strict=True)
    return {name: made(kind, value, when) for (name, kind), value in pairs}


class Metrics:
    """All metrics of a node or a device.

    `aliases` are numbers that no other metric of the node gets. Metrics of events have none: a host
    that missed a birth can read them all the same.
    """

    def __init__(self, aliases: Iterator[int], kinds: Mapping[str, DataType], now: int) -> None:
        self._aliases = aliases
        self._alias: dict[str, int | None] = {}
        self._newest: dict[str, Any] = {}
        self.note({name: made(kind, None, now) for name, kind in kinds.items()})

    def note(self, metrics: Mapping[str, Any]) -> bool:
        """Keep what is newest; True when one of them was not there before."""
        fresh = [name for name in metrics if name not in self._newest]
        for name in fresh:
            self._alias[name] = None if name in EVENT else next(self._aliases)
        self._newest.update(metrics)
        return bool(fresh)

    def value(self, name: str) -> Any:
        """The newest value of a metric; None for null."""
        return get_value(self._newest[name])

    def name_of(self, metric: Any) -> str:
        """The name of a metric that came in by name or by alias; empty if unknown."""
        if metric.name:
            return str(metric.name)
        found = (name for name, alias in self._alias.items() if alias == metric.alias)
        return next(found, "")

    def birth(self) -> list[Any]:
        """All of them in the order of their times, with name, alias and type."""
        found = [self._metric(name, named=True) for name in self._newest]
        return sorted(found, key=lambda metric: metric.timestamp)

    def some(self, names: Iterable[str], historical: bool = False) -> list[Any]:
        """Some of them, by alias alone where they have one."""
        found = [self._metric(name, named=False) for name in names]
        for metric in found if historical else ():
            metric.is_historical = True
        return found

    def _metric(self, name: str, named: bool) -> Any:
        alias = self._alias[name]
        metric = Metric()
        metric.CopyFrom(self._newest[name])
        if alias is not None:
            metric.alias = alias
        if named or alias is None:
            metric.name = name
        else:
            metric.ClearField("datatype")
        return metric
