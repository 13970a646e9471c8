"""What the status page shows: the health, the last events, the end of the log, and pictures."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from edge_agent.config.schema import Config, PipelineConfig
from edge_agent.event import Event
from edge_agent.frame import Frame
from edge_agent.mqtt.client import MqttClient
from edge_agent.mqtt.device_payloads import Info
from edge_agent.mqtt.messages import Messages
from edge_agent.options import without_credentials
from edge_agent.result import Kind
from edge_agent.rules.options import SnapshotOptions
from edge_agent.runtime.health import HealthReport
from edge_agent.runtime.pictures import Seen
from edge_agent.runtime.pipeline import Pipeline
from edge_agent.runtime.snapshots import JpegSnapshots, Snapshots

_EVENTS = 30
_LINES = 60
_PATIENCE = 1.0  # s to wait for the next frame
_FRESH = 1.0  # s for which all who look share one state
_PAUSE = 0.2  # s for which all who look share one picture


class RecentEvents:
    """Keeps the newest events of all pipelines."""

    def __init__(self) -> None:
        self._newest: deque[Event] = deque(maxlen=_EVENTS)

    def note(self, events: Iterable[Event]) -> None:
        """Take in events; any thread may call it."""
        self._newest.extend(events)

    def as_rows(self) -> list[dict[str, Any]]:
        """The newest first, as plain values."""
        names = ("time", "pipeline", "type", "label", "track", "score", "zones")
        return [
            {name: getattr(event, name) for name in names} for event in reversed([*self._newest])
        ]


class LogTail(logging.Handler):
    """Keeps the newest lines of the log, without credentials."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S"))
        self.lines: deque[str] = deque(maxlen=_LINES)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record."""
        self.lines.append(without_credentials(self.format(record)))


class Preview(JpegSnapshots):
    """Makes a picture only when somebody looks, and not more often for more of them.

    Passes all else on to the pipeline's snapshots.
    """

    def __init__(self, others: Snapshots) -> None:
        super().__init__(SnapshotOptions("full"), self._keep)
        self.options = others.options
        self.allowed = others.allowed
        self.least_score = others.least_score
        self._others = others
        self._fresh = threading.Condition()
        self._jpeg: bytes | None = None
        self._made = float("-inf")

    def request(self) -> None:
        """Take a picture for subscribers."""
        self._others.request()

    def look(self) -> bytes | None:
        """A JPEG of the next frame, or one just made; None where none comes in time."""
        with self._fresh:
            before = self._made
            if time.monotonic() - before >= _PAUSE:
                super().request()
                if not self._fresh.wait_for(lambda: self._made > before, _PATIENCE):
                    return None
            return self._jpeg

    def frame(self, frame: Frame) -> None:
        """Take in a frame of the source."""
        self._others.frame(frame)
        super().frame(frame)

    def model_opened(self, kind: Kind, labels: Sequence[str] | None) -> None:
        """Take note of what the model can see."""
        self._others.model_opened(kind, labels)

    def inferred(self, frame: Frame, seen: Seen) -> None:
        """Take in what is seen; for the page that alone is no reason for a picture."""
        self._others.inferred(frame, seen)
        super().inferred(frame, replace(seen, fresh=()))

    def close(self) -> None:
        """The pipeline has ended."""
        self._others.close()

    def _keep(self, jpeg: bytes) -> None:
        with self._fresh:
            self._jpeg, self._made = jpeg, time.monotonic()
            self._fresh.notify_all()


class View:
    """Puts together what the page asks for; `info` and `config` tell what runs now."""

    def __init__(
        self,
        pipelines: Callable[[], Sequence[Pipeline]],
        health: HealthReport,
        messages: Messages,
        client: MqttClient,
        info: Callable[[], Info],
        config: Callable[[], Config],
        recent: RecentEvents,
        preview: bool,
    ) -> None:
        self._pipelines = pipelines
        self._health = health
        self._messages = messages
        self._client = client
        self._info = info
        self._config = config
        self._recent = recent
        self._preview = preview
        self._lock = threading.Lock()
        self._log = LogTail()
        self._taken = float("-inf")
        self._newest: Mapping[str, Any] = {}

    def start(self) -> None:
        """Begin to keep the log."""
        logging.getLogger().addHandler(self._log)

    def stop(self) -> None:
        """Keep it no more; safe without `start` and twice."""
        logging.getLogger().removeHandler(self._log)

    def state(self) -> Mapping[str, Any]:
        """Everything but pictures, as plain values.

        Rates are over the time since it was last taken, so that viewers who each took their own
        would see those of moments.
        """
        with self._lock:
            if time.monotonic() - self._taken >= _FRESH:
                self._newest = self._take()
                self._taken = time.monotonic()
            return self._newest

    def _take(self) -> Mapping[str, Any]:
        pipelines, config = self._pipelines(), self._config()
        self._health.watch(pipelines)
        health = self._messages.health(self._health.take())
        connection = self._client.state
        return {
            "info": json.loads(self._messages.info(self._info()).payload),
            "health": json.loads(health.payload),
            "settings": {
                each.name: {"enabled": each.enabled, "threshold": each.threshold}
                for each in pipelines
            },
            "sources": {name: source.type for name, source in config.sources.items()},
            "shapes": {name: _shapes(item) for name, item in config.running.items()},
            "mqtt": {"connected": connection.connected, "reason": connection.reason},
            "events": self._recent.as_rows(),
            "log": list(self._log.lines),
            "preview": self._preview,
        }

    def picture(self, name: str) -> bytes | None:
        """What a pipeline sees now, masks applied; None where nothing comes."""
        for pipeline in self._pipelines():
            if pipeline.name == name and isinstance(pipeline.snapshots, Preview):
                return pipeline.snapshots.look()
        return None


def _shapes(item: PipelineConfig) -> list[dict[str, Any]]:
    """Zones and lines with their points; the last of a zone is joined to the first."""
    zones = [
        {"name": name, "points": zone.polygon, "closed": True} for name, zone in item.zones.items()
    ]
    lines = [
        {"name": name, "points": (line.from_, *line.via, line.to), "closed": False}
        for name, line in item.lines.items()
    ]
    return zones + lines
