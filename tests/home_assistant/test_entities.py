"""What Home Assistant shows of a device, and what it can do with it."""

from __future__ import annotations

import json
import time
from typing import Any

import cv2
import numpy as np

from tests.home_assistant.house import House
from tests.support.broker import Subscriber, wait_until

_OCCUPANCY = {"device_class": "occupancy"}
_COUNT = {"state_class": "measurement"}
_CROSSED = {"state_class": "total_increasing"}
_CONNECTIVITY = {"device_class": "connectivity"}
_FPS = {"state_class": "measurement", "unit_of_measurement": "fps"}
_MS = {"state_class": "measurement", "unit_of_measurement": "ms"}

_NEVER_YET = ("button", "event", "image")  # unknown until the first press, event or picture

Expected = list[tuple[str, str, str, dict[str, Any]]]


def _of_pipeline(name: str, labels: list[str], zones: list[str], lines: list[str]) -> Expected:
    found: Expected = [
        ("event", f"{name}/events", "", {"event_types": ["new", "update", "end"]}),
        ("switch", f"{name}/enabled/state", "", {}),
        ("number", f"{name}/threshold/state", "", {"min": 0.0, "max": 1.0, "step": 0.01}),
        ("binary_sensor", f"{name}/status", "", _CONNECTIVITY),
    ]
    for label in labels:
        counts = [f"{name}/counts/{label}"]
        counts += [f"{name}/zones/{zone}/counts/{label}" for zone in zones]
        for count in counts:
            found += [("binary_sensor", count, "", _OCCUPANCY), ("sensor", count, "", _COUNT)]
        for line in lines:
            crossed = f"{name}/lines/{line}/counts/{label}"
            found += [("sensor", f"{crossed}/{way}", "", _CROSSED) for way in ("in", "out")]
    found += [("sensor", "health", rf"\b{name}\b.*\b{way}\b", _FPS) for way in ("in", "inferred")]
    found += [("sensor", "health", rf"\b{name}\b.*total.*{part}", _MS) for part in ("p50", "p99")]
    return found


def _of_device(health: dict[str, Any]) -> Expected:
    found: Expected = [
        ("sensor", "health", "outbox.depth", _COUNT),
        ("sensor", "health", "outbox.drops", _CROSSED),
        ("sensor", "health", "rss_bytes", {"device_class": "data_size"}),
        ("button", "cmd/restart", "", {"device_class": "restart"}),
        ("button", "cmd/reload", "", {}),
    ]
    if health["cpu_temperature"] is not None:
        found += [("sensor", "health", "cpu_temperature", {"device_class": "temperature"})]
    if health["throttled"] is not None:
        found += [("binary_sensor", "health", "throttled", {"device_class": "problem"})]
    return found


def _health(house: House) -> dict[str, Any]:
    topic = f"{house.base}/health"
    subscriber = Subscriber(house.broker.port, topic)
    wait_until(lambda: subscriber.of(topic), what=lambda: house.agent.said)
    subscriber.close()
    health: dict[str, Any] = json.loads(subscriber.of(topic)[-1])
    return health


def test_one_device_shows_everything(house: House) -> None:
    """One device with every entity of both pipelines, each with its class, unit and limits."""
    expected = _of_device(_health(house))
    expected += _of_pipeline("hall", ["gear"], ["left", "right"], [])
    expected += _of_pipeline("belt", ["bolt", "nut"], [], ["middle"])
    expected += [("image", "hall/snapshot", "", {})]
    states = house.home.states()
    for domain, topic, template, attributes in expected:
        state = states[house.entity(domain, topic, template).id]
        assert state["attributes"].items() >= attributes.items(), state
        assert state["state"] != "unknown" or domain in _NEVER_YET, state
    print(f"\n{house.shown()}")
    assert "WARNING (MainThread) [homeassistant.components.mqtt" not in house.home.log
    assert "ERROR" not in house.home.log


def test_registry_is_in_order(house: House) -> None:
    """Names are unique, settings and diagnostics are filed as such, the device says what it is."""
    (device,) = house.home.devices(house.device)
    assert device["manufacturer"] == "edge-agent"
    assert device["sw_version"]
    registered = house.home.registered(device["id"])
    assert set(registered) == {entity.id for entity in house.entities()}
    names = [each["original_name"] for each in registered.values()]
    assert sorted(set(names)) == sorted(names)
    for entity in house.entities():
        category = registered[entity.id]["entity_category"]
        if f"{house.base}/health" in entity.topics:
            assert category == "diagnostic"
        if entity.domain in ("switch", "number"):
            assert category == "config"
        if "occupancy" in entity.config.get("device_class", ""):
            assert category is None


def test_values_follow_what_the_camera_sees(house: House) -> None:
    """A gear comes and goes: occupancy, counts, zones, events and the picture tell it."""
    gear = house.entity("binary_sensor", "hall/counts/gear")
    event = house.entity("event", "hall/events")
    house.expect(gear, "off")
    house.camera.has_parts = True
    house.expect(gear, "on")
    house.expect(house.entity("sensor", "hall/counts/gear"), "1")
    house.expect(house.entity("binary_sensor", "hall/zones/left/counts/gear"), "on")
    house.expect(house.entity("binary_sensor", "hall/zones/right/counts/gear"), "off")
    house.wait(lambda: _event(house, event.id) in (("new", "gear"), ("update", "gear")))
    house.wait(lambda: _is_picture(house))
    house.camera.has_parts = False
    house.expect(gear, "off")
    house.expect(house.entity("sensor", "hall/counts/gear"), "0")
    house.wait(lambda: _event(house, event.id) == ("end", "gear"))


def _event(house: House, entity_id: str) -> tuple[str, str]:
    attributes = house.home.states()[entity_id]["attributes"]
    return attributes.get("event_type"), attributes.get("label")


def _is_picture(house: House) -> bool:
    image = house.entity("image", "hall/snapshot")
    if house.state(image) == "unknown":
        return False
    data = np.frombuffer(house.home.picture(image.id), np.uint8)
    return cv2.imdecode(data, cv2.IMREAD_COLOR) is not None


def test_line_counters_rise(house: House) -> None:
    """Parts that cross the line of the clip are counted, all of them in one direction."""
    line = "belt/lines/middle/counts/bolt"
    crossed = [house.entity("sensor", f"{line}/{way}") for way in ("in", "out")]
    house.wait(lambda: any(house.number(each) >= 2 for each in crossed), 40.0)
    assert any(house.number(each) == 0 for each in crossed), house.shown()


def test_switch_outlives_a_restart_of_the_agent(house: House) -> None:
    """Switched off, a pipeline infers nothing and shows nobody, also after the agent's restart."""
    gear = house.entity("binary_sensor", "hall/counts/gear")
    switch = house.entity("switch", "hall/enabled/state")
    rate = house.entity("sensor", "health", r"\bhall\b.*\binferred\b")
    house.camera.has_parts = True
    house.expect(gear, "on")
    house.home.call_service("switch.turn_off", switch.id)
    for _ in range(2):
        house.expect(switch, "off")
        house.expect(gear, "off")
        house.wait(lambda: house.number(rate) == 0.0)
        _restart_agent(house)
    house.home.call_service("switch.turn_on", switch.id)
    house.expect(switch, "on")
    house.expect(gear, "on")
    house.wait(lambda: house.number(rate) > 1.0)


def test_threshold_outlives_a_restart_of_the_agent(house: House) -> None:
    """With a threshold above the gear's score it is gone, also after the agent's restart."""
    gear = house.entity("binary_sensor", "hall/counts/gear")
    threshold = house.entity("number", "hall/threshold/state")
    assert house.number(threshold) == 0.5
    house.camera.has_parts = True
    house.expect(gear, "on")
    house.home.call_service("number.set_value", threshold.id, value=1.0)
    for _ in range(2):
        house.wait(lambda: house.number(threshold) == 1.0)
        house.expect(gear, "off")
        _restart_agent(house)
    house.home.call_service("number.set_value", threshold.id, value=0.45)
    house.expect(gear, "on")
    house.expect(threshold, "0.45")


def _restart_agent(house: House) -> None:
    assert house.agent.terminate() == 0
    house.wait(lambda: not house.available())
    house.start()


def test_restart_button(house: House) -> None:
    """A press on the button begins the agent anew, without a hand on the process."""
    status, info = f"{house.base}/status", f"{house.base}/info"
    subscriber = Subscriber(house.broker.port, f"{house.base}/#")
    wait_until(lambda: subscriber.of(info))
    before = json.loads(subscriber.of(info)[-1])["started"]
    house.home.call_service("button.press", house.entity("button", "cmd/restart").id)
    wait_until(lambda: subscriber.of(status)[-2:] == [b"offline", b"online"], 20.0)
    wait_until(lambda: json.loads(subscriber.of(info)[-1])["started"] > before, 20.0)
    subscriber.close()
    house.wait_until_available()
    assert house.agent.alive


def test_reports_come_before_their_numbers_expire(house: House) -> None:
    """With nothing going on every value stays there, and an empty scene stays empty."""
    gear = house.entity("binary_sensor", "hall/counts/gear")
    expiry = max(int(each.config.get("expire_after", 0)) for each in house.entities())
    assert expiry > 0
    changed = house.home.states()[gear.id]["last_changed"]
    until = time.monotonic() + expiry + 1.0
    while time.monotonic() < until:
        assert not house.unavailable()
        time.sleep(0.1)
    assert house.home.states()[gear.id]["last_changed"] == changed
