"""One Home Assistant for all tests here, and an agent of its own for each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.home_assistant.camera import BeltCamera
from tests.home_assistant.hass import HomeAssistant
from tests.home_assistant.house import House
from tests.support.broker import Mosquitto


@pytest.fixture(scope="package")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """A real mosquitto that forgets everything when it ends."""
    mosquitto = Mosquitto(tmp_path_factory.mktemp("broker"), log_type="information").start()
    yield mosquitto
    mosquitto.kill()


@pytest.fixture(scope="package")
def home(tmp_path_factory: pytest.TempPathFactory, broker: Mosquitto) -> Iterator[HomeAssistant]:
    """A running Home Assistant."""
    hass = HomeAssistant(tmp_path_factory.mktemp("home"), broker.port)
    hass.start()
    yield hass
    hass.stop()


@pytest.fixture
def house(
    request: pytest.FixtureRequest, home: HomeAssistant, broker: Mosquitto, tmp_path: Path
) -> Iterator[House]:
    """A device named after the test, its camera shows a bare belt and its agent runs."""
    device = request.node.name.removeprefix("test_").translate(str.maketrans("[]", "--"))
    with BeltCamera() as camera:
        place = House(home, broker, camera, device, tmp_path)
        try:
            place.start()
            yield place
        finally:
            if place.agent.alive:
                place.agent.kill()
