"""The entities that Home Assistant shows of a device, as components of its discovery message."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from edge_agent.mqtt.entity_parts import (
    PRESENT,
    Component,
    Components,
    composite,
    event_entity,
    reading_entity,
    while_online,
)
from edge_agent.mqtt.topics import Topics, safe_name

_HEALTH_MISSED = 3  # reports after which a number is no longer shown
# What each platform cannot do without, besides an id.
_LEAST: Mapping[str, Component] = {
    "sensor": {"state_topic": "-"},
    "binary_sensor": {"state_topic": "-"},
    "event": {"state_topic": "-", "event_types": ["-"]},
    "switch": {"command_topic": "-"},
    "number": {"command_topic": "-"},
    "button": {"command_topic": "-"},
    "image": {"image_topic": "-"},
}


@dataclass(frozen=True, slots=True)
class PipelineEntities:
    """What a pipeline offers: labels that are counted, names of its zones and lines.

    `reading` is the unit of its readings, empty for a number without one, None for no readings.
    """

    labels: tuple[str, ...]
    zones: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    counts: bool = True
    events: bool = True
    snapshots: bool = False
    reading: str | None = None


@dataclass(frozen=True, slots=True)
class DeviceEntities:
    """What a device offers; `health_interval` is in seconds, `composites` are names.

    `temperature` and `throttling` tell whether this machine measures them. `complete` is False
    while labels of a model are not known yet: then nothing may be removed.
    """

    version: str
    model: str
    health_interval: float
    pipelines: Mapping[str, PipelineEntities]
    composites: tuple[str, ...] = ()
    temperature: bool = False
    throttling: bool = False
    complete: bool = True


def device_id(topics: Topics) -> str:
    """Id of the device in Home Assistant; every entity's id begins with it."""
    return safe_name(topics.base.replace("/", "_"))


def components(topics: Topics, device: DeviceEntities) -> Components:
    """Every entity by its key, which stays the same as long as the thing is there."""
    found = _of_device(topics, device)
    for name, pipeline in device.pipelines.items():
        seen = while_online(topics, name)
        own = {key: each | seen for key, each in _of_source(topics, name, pipeline).items()}
        own |= _controls(topics, name, pipeline)
        own |= _pipeline_diagnostics(topics, name, device.health_interval)
        for key, component in own.items():
            component["name"] = f"{name} {component['name']}"
            found[f"{safe_name(name)}-{key}"] = component
    for name in device.composites:
        found |= composite(topics, name)
    for key, component in found.items():
        component["unique_id"] = _unique_id(topics, key)
        component["qos"] = 1
    return found


def revived(topics: Topics, key: str, platform: str) -> Component:
    """The least component that Home Assistant takes for an entity that is no longer offered.

    It removes only what it has seen since its start: it must be shown once more before it goes.
    """
    least = _LEAST.get(platform, {})
    return {"platform": platform, "unique_id": _unique_id(topics, key), **least}


def _unique_id(topics: Topics, key: str) -> str:
    return f"{device_id(topics)}-{key}"


def _of_source(topics: Topics, name: str, pipeline: PipelineEntities) -> Components:
    """What is only true while the source is there."""
    found: Components = {}
    if pipeline.reading is not None:
        found["reading"] = reading_entity(topics, name, pipeline.reading)
    # A number that is out of bounds, or not as usual, is a problem; others are who is there.
    present = "occupancy" if pipeline.reading is None else "problem"
    for label in pipeline.labels if pipeline.counts else ():
        found |= _count(label, label, topics.counts(name, label), present)
        for zone in pipeline.zones:
            topic = topics.zone_counts(name, zone, label)
            found |= _count(f"{zone} {label}", f"{label}-in-{zone}", topic, present)
        for line in pipeline.lines:
            found |= _crossings(topics, name, line, label)
    return found


def _count(name: str, key: str, topic: str, device_class: str) -> Components:
    present = {
        "platform": "binary_sensor",
        "name": name,
        "device_class": device_class,
        "state_topic": topic,
        "value_template": PRESENT,
    }
    count = {
        "platform": "sensor",
        "name": f"{name} count",
        "state_class": "measurement",
        "state_topic": topic,
        "icon": "mdi:counter",
    }
    return {f"{safe_name(key)}-present": present, f"{safe_name(key)}-count": count}


def _crossings(topics: Topics, name: str, line: str, label: str) -> Components:
    icons: dict[Literal["in", "out"], str] = {"in": "mdi:import", "out": "mdi:export"}
    return {
        f"{safe_name(f'{label}-over-{line}')}-{direction}": {
            "platform": "sensor",
            "name": f"{line} {label} {direction}",
            "state_class": "total_increasing",  # begins anew each day
            "state_topic": topics.line_counts(name, line, label, direction),
            "icon": icon,
        }
        for direction, icon in icons.items()
    }


def _controls(topics: Topics, name: str, pipeline: PipelineEntities) -> Components:
    found: Components = {
        "enabled": {
            "platform": "switch",
            "name": "enabled",
            "state_topic": topics.enabled(name),
            "command_topic": topics.enabled_set(name),
            "icon": "mdi:power",
            "entity_category": "config",
        },
        "threshold": {
            "platform": "number",
            "name": "threshold",
            "state_topic": topics.threshold(name),
            "command_topic": topics.threshold_set(name),
            "min": 0,
            "max": 1,
            "step": 0.01,
            "mode": "slider",
            "icon": "mdi:tune",
            "entity_category": "config",
        },
    }
    if pipeline.events:
        found["events"] = event_entity(topics, name)
    if pipeline.snapshots:
        found |= _snapshot(topics, name)
    return found


def _snapshot(topics: Topics, name: str) -> Components:
    picture = {
        "platform": "image",
        "name": "snapshot",
        "image_topic": topics.snapshot(name),
        "content_type": "image/jpeg",
    }
    button = {
        "platform": "button",
        "name": "take snapshot",
        "command_topic": topics.command("snapshot"),
        "payload_press": json.dumps({"pipeline": name}),
        "icon": "mdi:camera",
    }
    return {"snapshot": picture, "take-snapshot": button}


def _pipeline_diagnostics(topics: Topics, name: str, health_interval: float) -> Components:
    source = {
        "platform": "binary_sensor",
        "name": "source",
        "device_class": "connectivity",
        "state_topic": topics.pipeline_status(name),
        "payload_on": "online",
        "payload_off": "offline",
        "entity_category": "diagnostic",
    }
    here = f"value_json.pipelines[{json.dumps(name)}]"
    total = f"({here}.latency_ms.total | default({{}}))"
    health = _health(topics, health_interval)
    numbers = {
        key: {
            **health,
            "name": title,
            "value_template": f"{{{{ {value} | default(none) }}}}",
            "unit_of_measurement": unit,
            "suggested_display_precision": 1,
            "icon": icon,
        }
        for key, title, value, unit, icon in (
            ("fps-in", "frames", f"{here}.fps['in']", "fps", "mdi:video"),
            ("fps-inferred", "inferences", f"{here}.fps.inferred", "fps", "mdi:brain"),
            ("fps-dropped", "dropped frames", f"{here}.fps.dropped", "fps", "mdi:trash-can"),
            ("latency", "latency", f"{total}.p50", "ms", "mdi:timer"),
            ("latency-p99", "latency p99", f"{total}.p99", "ms", "mdi:timer"),
        )
    }
    return {"source": source, **numbers}


def _of_device(topics: Topics, device: DeviceEntities) -> Components:
    health = _health(topics, device.health_interval)
    found: Components = {
        "outbox": {
            **health,
            "name": "outbox",
            "value_template": "{{ value_json.outbox.depth }}",
            "icon": "mdi:tray-full",
        },
        "drops": {
            **health,
            "name": "lost messages",
            "value_template": "{{ value_json.outbox.drops.values() | sum }}",
            "state_class": "total_increasing",
            "icon": "mdi:tray-remove",
        },
        "memory": {
            **health,
            "name": "memory",
            "value_template": "{{ value_json.rss_bytes }}",
            "device_class": "data_size",
            "unit_of_measurement": "B",
            "suggested_unit_of_measurement": "MiB",
            "suggested_display_precision": 0,
        },
        "restart": _button(topics, "restart", {"device_class": "restart"}),
        "reload": _button(topics, "reload", {"icon": "mdi:reload"}),
    }
    if device.temperature:
        found["temperature"] = {
            **health,
            "name": "CPU temperature",
            "value_template": "{{ value_json.cpu_temperature }}",
            "device_class": "temperature",
            "unit_of_measurement": "°C",
        }
    if device.throttling:
        found["throttled"] = {
            **{key: value for key, value in health.items() if key != "state_class"},
            "platform": "binary_sensor",
            "name": "throttled",
            "value_template": "{{ 'ON' if value_json.throttled else 'OFF' }}",
            "device_class": "problem",
        }
    return found


def _button(topics: Topics, command: str, look: Component) -> Component:
    return {
        "platform": "button",
        "name": command,
        "command_topic": topics.command(command),
        "entity_category": "config",
        **look,
    }


def _health(topics: Topics, interval: float) -> Component:
    """A number out of the health reports."""
    return {
        "platform": "sensor",
        "state_topic": topics.health,
        "state_class": "measurement",
        "expire_after": max(1, round(_HEALTH_MISSED * interval)),
        "entity_category": "diagnostic",
    }
