"""Each side falls and comes back; what Home Assistant shows is right again by itself."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Self

import pytest

from tests.home_assistant.camera import BeltCamera
from tests.home_assistant.house import UNAVAILABLE, House
from tests.support.broker import Subscriber, wait_until


def test_killed_agent_leaves_nothing_on(house: House) -> None:
    """SIGKILL makes everything unavailable; back again, what has left meanwhile is off."""
    gear = house.entity("binary_sensor", "hall/counts/gear")
    zone = house.entity("binary_sensor", "hall/zones/left/counts/gear")
    house.camera.has_parts = True
    house.expect(gear, "on")
    house.expect(zone, "on")
    house.agent.kill()
    house.wait(lambda: not house.available())
    house.camera.has_parts = False
    house.start()
    house.expect(gear, "off")
    house.expect(zone, "off")
    house.expect(house.entity("sensor", "hall/counts/gear"), "0")


def test_unplugged_camera_takes_its_values_along(house: House) -> None:
    """Without its camera a pipeline shows nobody as present, but can still be switched."""
    gear = house.entity("binary_sensor", "hall/counts/gear")
    house.camera.has_parts = True
    house.expect(gear, "on")
    house.camera.unplug()
    house.expect(house.entity("binary_sensor", "hall/status"), "off")
    house.expect(gear, UNAVAILABLE)
    house.expect(house.entity("switch", "hall/enabled/state"), "on")
    house.expect(house.entity("number", "hall/threshold/state"), "0.5")
    house.agent.kill()  # a crash before the camera is back must leave nothing on either
    house.agent.start()
    house.expect(house.entity("binary_sensor", "hall/status"), "off")
    with BeltCamera(house.camera.port):
        house.expect(gear, "off", timeout=30.0)


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_home_assistant_restarts(house: House, end: str) -> None:
    """Home Assistant is told everything anew when it is back, and shows it under the same ids."""
    gear = house.entity("binary_sensor", "hall/counts/gear")
    house.camera.has_parts = True
    house.expect(gear, "on")
    before = {each.id for each in house.entities()}
    announced = Subscriber(house.broker.port, f"homeassistant/device/{house.device}/config")
    wait_until(lambda: len(announced.messages) == 1)
    getattr(house.home, end)()
    house.home.start()
    house.wait_until_available(10.0)
    wait_until(lambda: len(announced.messages) >= 2, what="the agent does not announce again")
    announced.close()
    assert {each.id for each in house.entities()} == before
    assert house.state(gear) == "on"
    house.camera.has_parts = False
    house.expect(gear, "off")


def test_broker_forgets_everything(house: House) -> None:
    """A broker that comes back without its memory is given all of it again."""
    gear = house.entity("binary_sensor", "hall/counts/gear")
    house.camera.has_parts = True
    house.expect(gear, "on")
    house.broker.kill()
    house.wait(lambda: not house.available())
    house.camera.has_parts = False
    house.broker.start()
    topic = f"homeassistant/device/{house.device}/config"
    later = Subscriber(house.broker.port, topic)
    wait_until(lambda: later.of(topic), 30.0, lambda: house.agent.said)
    later.close()
    house.wait_until_available(40.0)  # Home Assistant tries again every 10 s
    house.expect(gear, "off")


@dataclass
class _Belt:
    """The pipeline `belt` of a house, as long as it is there."""

    house: House
    device: str
    ids: set[str]

    @classmethod
    def of(cls, house: House) -> Self:
        """Remember what Home Assistant shows of it."""
        (device,) = house.home.devices(house.device)
        topic = f"{house.base}/belt/"
        entities = house.entities()
        ids = {each.id for each in entities if any(topic in name for name in each.topics)}
        assert len(ids) > 10
        return cls(house, device["id"], ids)

    def leave_out(self) -> None:
        """Write a configuration without it."""
        config = self.house.config
        del config["pipelines"]["belt"], config["sources"]["clip"]
        self.house.write_config()

    def expect_gone(self) -> None:
        """Neither a state nor an entry of the registry is left of it; the other is there."""
        self.house.wait(lambda: not self.ids & set(self.house.home.registered(self.device)))
        assert not self.ids & set(self.house.home.states())
        self.house.wait_until_available()
        assert self.house.entity("binary_sensor", "hall/counts/gear")


def test_removed_pipeline_takes_its_entities_along(house: House) -> None:
    """A pipeline that left the YAML is gone from Home Assistant after the agent's restart."""
    belt = _Belt.of(house)
    assert house.agent.terminate() == 0
    belt.leave_out()
    house.agent.start()
    belt.expect_gone()


def test_reload_button_removes_a_pipeline(house: House) -> None:
    """The button makes the agent read the YAML anew, and what left it is gone."""
    belt = _Belt.of(house)
    belt.leave_out()
    house.home.call_service("button.press", house.entity("button", "cmd/reload").id)
    belt.expect_gone()
    assert house.agent.alive


def test_pipeline_removed_while_home_assistant_is_away(house: House) -> None:
    """Home Assistant, started after the removal, keeps no orphans of the pipeline."""
    belt = _Belt.of(house)
    house.home.stop()
    assert house.agent.terminate() == 0
    belt.leave_out()
    house.agent.start()
    subscriber = Subscriber(house.broker.port, f"{house.base}/status")
    subscriber.expect(f"{house.base}/status", b"online")
    subscriber.close()
    house.home.start()
    belt.expect_gone()


def test_discovery_off_takes_the_device_back(house: House) -> None:
    """With discovery switched off in the YAML the device leaves Home Assistant."""
    assert house.agent.terminate() == 0
    house.config["mqtt"]["homeassistant"] = {"discovery": False}
    house.write_config()
    house.agent.start()
    house.wait(lambda: not house.home.devices(house.device))


def test_a_device_that_was_deleted_comes_back(house: House) -> None:
    """Deleting an entity makes Home Assistant drop the device; the next start brings it back."""
    topic = f"homeassistant/device/{house.device}/config"
    subscriber = Subscriber(house.broker.port, topic)
    subscriber.paho.publish(topic, b"", 1, retain=True)
    house.wait(lambda: not house.home.devices(house.device))
    assert house.agent.terminate() == 0
    house.start()
    assert len(json.loads(subscriber.of(topic)[-1])) > 0
    subscriber.close()
