"""A real Home Assistant as a child process, on loopback, with MQTT set up."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from edge_agent.mqtt.broker import HOST, free_port
from tests.home_assistant.prepared import prepare
from tests.home_assistant.websocket import HomeAssistantSocket
from tests.support.broker import Subscriber, wait_until

_START_LIMIT = 120.0  # s; usually 8
_TOPICS = ("state_topic", "command_topic", "image_topic")


@dataclass(frozen=True, slots=True)
class Entity:
    """An entity of a device, with what the discovery message said of it."""

    id: str
    config: dict[str, Any]

    @property
    def domain(self) -> str:
        """Kind of entity, such as binary_sensor."""
        return self.id.partition(".")[0]

    @property
    def topics(self) -> set[str]:
        """Where its value comes from and where its commands go."""
        return {self.config[key] for key in _TOPICS if key in self.config}

    @property
    def template(self) -> str:
        """How its value is taken out of a payload; may be empty."""
        return str(self.config.get("value_template", ""))


class HomeAssistant:
    """Keeps its settings in `folder` over restarts; skips the test where HA_VENV names none."""

    def __init__(self, folder: Path, mqtt_port: int) -> None:
        self._program = _find_program()
        self._folder = folder
        self._mqtt_port = mqtt_port
        self._port = free_port()
        self._token = prepare(folder, self._port, mqtt_port)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it has announced itself over MQTT."""
        listener = Subscriber(self._mqtt_port, "homeassistant/status")
        command = [self._program, "-c", str(self._folder), "--skip-pip"]
        with (self._folder / "output").open("ab") as out:
            self._process = subprocess.Popen(command, stdout=out, stderr=out)
        wait_until(
            lambda: self._is_ready(listener),
            _START_LIMIT,
            lambda: f"Home Assistant does not start: {self.log}",
        )
        listener.close()

    def stop(self) -> None:
        """End it in good order; safe without start and twice."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            process.wait(60)

    def kill(self) -> None:
        """SIGKILL, as a power cut would; safe without start and twice."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    @property
    def log(self) -> str:
        """What it has logged since its start, from warnings upwards."""
        file = self._folder / "home-assistant.log"
        return file.read_text(errors="replace") if file.exists() else ""

    def states(self) -> dict[str, dict[str, Any]]:
        """Every state by entity id: `state`, `attributes` and more."""
        return {state["entity_id"]: state for state in self._get("states")}

    def call_service(self, name: str, entity_id: str, **data: Any) -> None:
        """Do as a press on the dashboard would; `name` is such as switch.turn_on."""
        body = json.dumps({"entity_id": entity_id, **data}).encode()
        self._request(f"services/{name.replace('.', '/')}", body)

    def picture(self, entity_id: str) -> bytes:
        """What an image entity shows."""
        return self._request(f"image_proxy/{entity_id}")

    def devices(self, name: str) -> list[dict[str, Any]]:
        """Registered devices of that name."""
        with HomeAssistantSocket(self._port, self._token) as socket:
            found = socket.ask("config/device_registry/list")
        return [device for device in found if device["name"] == name]

    def registered(self, device_id: str) -> dict[str, dict[str, Any]]:
        """The entity registry of a device by entity id, also what nobody announces any more."""
        with HomeAssistantSocket(self._port, self._token) as socket:
            found = socket.ask("config/entity_registry/list")
        return {each["entity_id"]: each for each in found if each["device_id"] == device_id}

    def entities(self, device_id: str) -> list[Entity]:
        """What MQTT discovery has made of a device."""
        with HomeAssistantSocket(self._port, self._token) as socket:
            found = socket.ask("mqtt/device/debug_info", device_id=device_id)["entities"]
        return [Entity(each["entity_id"], each["discovery_data"]["payload"]) for each in found]

    def _is_ready(self, listener: Subscriber) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._folder / "output").read_text()
        if listener.of("homeassistant/status")[-1:] != [b"online"]:
            return False
        try:
            return bool(self._get("config")["state"] == "RUNNING")
        except urllib.error.URLError:
            return False

    def _get(self, path: str) -> Any:
        return json.loads(self._request(path))

    def _request(self, path: str, body: bytes | None = None) -> bytes:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"http://{HOST}:{self._port}/api/{path}", body, headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            content: bytes = answer.read()
        return content


def _find_program() -> str:
    venv = os.environ.get("HA_VENV", "")
    program = Path(venv) / "bin" / "hass"
    if not venv or not program.is_file():
        pytest.skip("no Home Assistant: set HA_VENV as tests/home_assistant/__init__.py says")
    return str(program)
