"""Home Assistant: the whole device in one discovery message, its entities by pipeline.

The message follows "Device discovery payload" of Home Assistant's MQTT integration (2024.11 and
newer). An entity is unavailable while the device is offline, those that show what a source sees
also while the source is, so none sticks ON after a crash. Entities that left the configuration
are named once more with their platform alone, which makes Home Assistant remove them; they stay
named until it has started once more, since it may have been away.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from threading import Lock
from typing import Any

from edge_agent.message import Delivery, Message
from edge_agent.mqtt.entities import DeviceEntities, components, device_id, revived
from edge_agent.mqtt.entity_parts import Components
from edge_agent.mqtt.listener import Received
from edge_agent.mqtt.options import HomeAssistantOptions
from edge_agent.mqtt.topics import Topics, check_prefix, safe_name

_log = logging.getLogger(__name__)

_ORIGIN = "edge-agent"
_LARGEST = 2**20  # bytes of an earlier message that is looked at


class Announcer:
    """Announces a device to Home Assistant, anew when that starts; removes what is gone.

    What was announced earlier is read back from the broker, the only place that is sure to know.
    `publish` queues a message. `on_birth` is called in the client's thread when Home Assistant
    starts.
    """

    def __init__(
        self,
        topics: Topics,
        options: HomeAssistantOptions,
        publish: Callable[[Message], None],
        on_birth: Callable[[], None],
    ) -> None:
        self._topics = topics
        self._publish = publish
        self._topic = config_topic(topics, options)
        self._birth = f"{options.prefix}/status"
        self._on_birth = on_birth
        self._device: DeviceEntities | None = None
        self._earlier: dict[str, str] = {}  # platforms by key
        self._message: Message | None = None
        self._lock = Lock()
        self.filters = (self._topic, self._birth)

    def announce(self, device: DeviceEntities) -> None:
        """Publish what the device offers now, unless it is the same as before."""
        with self._lock:
            if self._device is not None:
                own = components(self._topics, self._device)
                self._earlier |= {key: each["platform"] for key, each in own.items()}
            self._device = device
            self._renew()

    def receive(self, received: Received) -> Iterable[Message]:
        """Read back what was announced before; announce again when Home Assistant starts."""
        with self._lock:
            if received.topic == self._birth:
                if received.payload != b"online" or received.retained:
                    return ()
                self._on_birth()
                return self._announced_again()
            if received.retained:
                self._earlier |= announced(received.payload)
                self._renew()
            return ()

    def _renew(self) -> None:
        if self._device is None:
            return
        before, self._message = self._message, self._make(self._device)
        if self._message != before:
            # Behind what waits already: the newest must come last.
            self._publish(self._message)

    def _announced_again(self) -> list[Message]:
        """All that Home Assistant, which has just started, must hear; then nothing is gone."""
        if self._message is None or self._device is None:
            return []
        messages = [self._message]
        if gone := self._gone(components(self._topics, self._device)):
            once_more = {key: revived(self._topics, key, gone[key]) for key in gone}
            messages.insert(0, replace(self._make(self._device, once_more), retain=False))
            self._earlier.clear()
            messages.append(renewed := self._make(self._device))
            self._message = renewed
        return messages

    def _gone(self, present: Components) -> dict[str, str]:
        if self._device is None or not self._device.complete:
            return {}
        return {key: each for key, each in self._earlier.items() if key not in present}

    def _make(self, device: DeviceEntities, once_more: Components | None = None) -> Message:
        present = components(self._topics, device)
        stubs = {key: {"platform": each} for key, each in self._gone(present).items()}
        payload = {
            "device": {
                "identifiers": [device_id(self._topics)],
                "name": self._topics.device,
                "manufacturer": "edge-agent",
                "model": device.model,
                "sw_version": device.version,
            },
            "origin": {"name": _ORIGIN, "sw_version": device.version},
            "availability": [{"topic": self._topics.status}],
            "components": present | (once_more or stubs),
        }
        return _state(self._topic, payload)


class Retraction:
    """In place of the announcer where discovery is off: takes back what was announced before."""

    def __init__(self, topics: Topics, options: HomeAssistantOptions) -> None:
        self._topic = config_topic(topics, options)
        self.filters = (self._topic,)

    def announce(self, device: DeviceEntities) -> None:
        """Announce nothing."""

    def receive(self, received: Received) -> Iterable[Message]:
        """Empty the topic, if it is ours: Home Assistant removes the device."""
        if received.retained and announced(received.payload):
            _log.info("taking back the Home Assistant discovery of an earlier run")
            return (_state(self._topic, None),)
        return ()


def config_topic(topics: Topics, options: HomeAssistantOptions) -> str:
    """Where the device is announced; raises ValueError for a prefix that cannot be one."""
    check_prefix(options.prefix, "mqtt.homeassistant.prefix")
    return f"{options.prefix}/device/{safe_name(topics.device)}/config"


def _state(topic: str, payload: dict[str, Any] | None) -> Message:
    text = b"" if payload is None else json.dumps(payload, separators=(",", ":")).encode()
    return Message(topic, text, Delivery.STATE, qos=1, retain=True, content_type="application/json")


def announced(payload: bytes) -> dict[str, str]:
    """Platforms by key of what a message of ours announced, also of what it removed.

    Home Assistant may have been away when that was removed.
    """
    try:
        if len(payload) > _LARGEST:
            return {}
        message = json.loads(payload)
        if message["origin"]["name"] != _ORIGIN:
            return {}
        found = {key: each["platform"] for key, each in message["components"].items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}  # somebody else's: it is theirs to remove
    return {key: each for key, each in found.items() if isinstance(each, str)}
