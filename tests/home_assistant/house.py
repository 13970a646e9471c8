"""A house with Home Assistant, a camera over a belt, and an agent whose two pipelines it shows."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.home_assistant.camera import BeltCamera
from tests.home_assistant.hass import Entity, HomeAssistant
from tests.support.agent import ASSETS, AgentProcess
from tests.support.broker import Mosquitto, wait_until

UNAVAILABLE = "unavailable"
_LEFT = [[0, 0], [0.6, 0], [0.6, 0.6], [0, 0.6]]
_RIGHT = [[0.6, 0], [1, 0], [1, 0.6], [0.6, 0.6]]


def agent_config(device: str, mqtt_port: int, camera_url: str) -> dict[str, Any]:
    """`hall` counts the camera's gears in two zones, `belt` the clip's bolts and nuts at a line."""
    return {
        "agent": {"name": device, "health_interval": 1},
        "mqtt": {"host": "127.0.0.1", "port": mqtt_port, "keepalive": 2},
        "models": {"parts": {"file": str(ASSETS / "belt.tflite")}},
        "sources": {
            "camera": {"type": "http", "url": camera_url, "fps": 10, "timeout": 2},
            "clip": {"type": "video", "file": str(ASSETS / "belt.mp4"), "pace": "loop"},
        },
        "pipelines": {
            "hall": {
                "source": "camera",
                "model": "parts",
                "labels": ["gear"],
                "track": {"lost": 0.5},
                "zones": {"left": {"polygon": _LEFT}, "right": {"polygon": _RIGHT}},
                "publish": {"snapshots": "full"},
            },
            "belt": {
                "source": "clip",
                "model": "parts",
                "labels": ["bolt", "nut"],
                "lines": {"middle": {"from": [0.5, 0], "to": [0.5, 1]}},
            },
        },
    }


@dataclass
class House:
    """Everything of one test; the agent runs once `start` was called."""

    home: HomeAssistant
    broker: Mosquitto
    camera: BeltCamera
    device: str
    folder: Path
    config: dict[str, Any] = field(init=False)
    agent: AgentProcess = field(init=False)

    def __post_init__(self) -> None:
        self.config = agent_config(self.device, self.broker.port, self.camera.url)
        self.agent = AgentProcess(self.folder, self.config)

    @property
    def base(self) -> str:
        """First part of the device's topics."""
        return f"edge/{self.device}"

    def start(self) -> None:
        """Start the agent and wait until Home Assistant shows everything as available."""
        self.agent.start()
        self.wait_until_available()

    def write_config(self) -> None:
        """Write the configuration as it is now, for the agent's next start or reload."""
        self.agent.file.write_text(yaml.safe_dump(self.config))

    def wait_until_available(self, timeout: float = 20.0) -> None:
        """Wait until there are entities of every pipeline and none is unavailable."""
        self.wait(lambda: self._has_all_pipelines() and not self.unavailable(), timeout)

    def wait(self, condition: Callable[[], object], timeout: float = 15.0) -> None:
        """Wait for a condition on Home Assistant; fails with what it shows instead."""
        wait_until(condition, timeout, lambda: f"{self.shown()}\n{self.agent.said}")

    def entities(self) -> list[Entity]:
        """What discovery has made of the device; empty while it is unknown."""
        devices = self.home.devices(self.device)
        assert len(devices) <= 1, devices
        return self.home.entities(devices[0]["id"]) if devices else []

    def entity(self, domain: str, topic: str, template: str = "") -> Entity:
        """The one entity of that domain at a topic below the device's own.

        `template` is a pattern for its value template, where the topic carries several values.
        """
        full = f"{self.base}/{topic}"
        found = [
            each
            for each in self.entities()
            if each.domain == domain and full in each.topics and re.search(template, each.template)
        ]
        assert len(found) == 1, f"{domain} at {topic} {template}: {found}\n{self.shown()}"
        return found[0]

    def state(self, entity: Entity) -> str:
        """What Home Assistant shows; `unavailable` for an entity that is not there."""
        state: str = self.home.states().get(entity.id, {"state": UNAVAILABLE})["state"]
        return state

    def number(self, entity: Entity) -> float:
        """What Home Assistant shows; not a number where that is none."""
        try:
            return float(self.state(entity))
        except ValueError:
            return math.nan

    def expect(self, entity: Entity, *states: str, timeout: float = 15.0) -> None:
        """Wait until an entity has one of these states."""
        self.wait(lambda: self.state(entity) in states, timeout)

    def available(self) -> set[str]:
        """Ids of the entities that have a value or may have one."""
        states = self.home.states()
        ids = {each.id for each in self.entities()}
        return {id_ for id_ in ids if states.get(id_, {}).get("state", UNAVAILABLE) != UNAVAILABLE}

    def unavailable(self) -> set[str]:
        """Ids of the entities that are not there now."""
        return {each.id for each in self.entities()} - self.available()

    def shown(self) -> str:
        """A line for each entity of the device with its state."""
        states = self.home.states()
        return "\n".join(
            f"{each.id} = {states.get(each.id, {}).get('state')}" for each in self.entities()
        )

    def _has_all_pipelines(self) -> bool:
        topics = {topic for each in self.entities() for topic in each.topics}
        return {f"{self.base}/{name}/status" for name in self.config["pipelines"]} <= topics
