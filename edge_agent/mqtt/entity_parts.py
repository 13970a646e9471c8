"""What entities of several kinds are made of, and those of a composite."""

from __future__ import annotations

from typing import Any

from edge_agent.mqtt.topics import Topics, safe_name

Component = dict[str, Any]
Components = dict[str, Component]

PRESENT = "{{ 'ON' if value | int(0) > 0 else 'OFF' }}"
"""The state of what is there while it is counted."""

_EVENT_FIELDS = (
    "label", "sublabel", "sublabel_score", "kind", "score", "track", "zones", "entered_zones",
    "loitering", "stationary", "changes", "box", "id", "seq", "time",
)  # fmt: skip
_EVENT_ITEMS = ", ".join(f"'{name}': value_json.{name}" for name in _EVENT_FIELDS)
# An event that was held back is history: nobody wants the light on for who came an hour ago.
_EVENT = (
    "{% if not value_json.replayed %}"
    f"{{{{ {{'event_type': value_json.type, {_EVENT_ITEMS}}} | tojson }}}}"
    "{% endif %}"
)


def while_online(topics: Topics, name: str) -> Component:
    """Unavailable while the device is offline or the sources that it goes by are."""
    return {
        "availability": [{"topic": topics.status}, {"topic": topics.pipeline_status(name)}],
        "availability_mode": "all",
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
