"""What entities of several kinds are made of, and those of a composite."""

from __future__ import annotations

from typing import Any

from edge_agent.mqtt.topics import Topics, safe_name

Component = dict[str, Any]
Components = dict[str, Component]

PRESENT = "{{ 'ON' if value | int(0) > 0 else 'OFF' }}"
"""The state of what is there while it is counted."""

_EVENT_FIELDS = (
    "label", "sublabel", "sublabel_score", "readings", "kind", "score", "track", "zones",
    "entered_zones", "loitering", "stationary", "changes", "box", "id", "seq", "time",
)  # fmt: skip
_EVENT_ITEMS = ", ".join(f"'{name}': value_json.{name}" for name in _EVENT_FIELDS)
# An event that was held back is history: nobody wants the light on for who came an hour ago.
_EVENT = (
    "{% if not value_json.replayed %}"
    f"{{{{ {{'event_type': value_json.type, {_EVENT_ITEMS}}} | tojson }}}}"
    "{% endif %}"
)


_DEVICE_CLASSES = {
    "temperature": ("°C", "°F", "K"),
    "voltage": ("V", "mV"),
    "current": ("A", "mA"),
    "power": ("W", "kW"),
    "frequency": ("Hz", "kHz"),
    "pressure": ("Pa", "hPa", "kPa", "bar", "mbar"),
    "illuminance": ("lx",),
}
_CLASS_OF = {unit: name for name, units in _DEVICE_CLASSES.items() for unit in units}
"""What a unit can only be that of; Home Assistant then shows it in the user's own unit."""


def while_online(topics: Topics, name: str) -> Component:
    """Unavailable while the device is offline or the sources that it goes by are."""
    return {
        "availability": [{"topic": topics.status}, {"topic": topics.pipeline_status(name)}],
        "availability_mode": "all",
    }


def reading_entity(topics: Topics, name: str, unit: str) -> Component:
    """The newest number of a pipeline; `unit` is empty for one without."""
    device_class = _CLASS_OF.get(unit)
    return {
        "platform": "sensor",
        "name": "reading",
        "state_topic": topics.reading(name),
        "value_template": "{{ value_json.value }}",
        "json_attributes_topic": topics.reading(name),
        "state_class": "measurement",
        **({"unit_of_measurement": unit} if unit else {}),
        **({"device_class": device_class} if device_class else {"icon": "mdi:gauge"}),
    }


def event_entity(topics: Topics, name: str) -> Component:
    """Fires for each event that was not held back."""
    return {
        "platform": "event",
        "name": "event",
        "state_topic": topics.events(name),
        "event_types": ["new", "update", "end"],
        "value_template": _EVENT,
        "icon": "mdi:motion-sensor",
    }


def composite(topics: Topics, name: str) -> Components:
    """On while all conditions hold."""
    holds = {
        "platform": "binary_sensor",
        "name": name,
        "state_topic": topics.counts(name, name),
        "value_template": PRESENT,
        "icon": "mdi:set-center",
        **while_online(topics, name),
    }
    event = {**event_entity(topics, name), "name": f"{name} event"}
    return {f"{safe_name(name)}-holds": holds, f"{safe_name(name)}-events": event}
