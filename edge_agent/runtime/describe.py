"""What others are told about the agent: what it runs, and what Home Assistant can show of it."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence

from edge_agent import __version__
from edge_agent.clock import boot_id
from edge_agent.config.schema import NO_MODEL, Config, PipelineConfig
from edge_agent.event import ModelRef
from edge_agent.mqtt.device_payloads import Info, PipelineInfo
from edge_agent.mqtt.entities import DeviceEntities, PipelineEntities
from edge_agent.runtime.scoring import labels_of
from edge_agent.runtime.settings import few_labels
from edge_agent.runtime.system import cpu_temperature, throttled


class Description:
    """Describes the agent of a configuration; `started` is epoch seconds."""

    def __init__(self, config: Config, started: float) -> None:
        self._config = config
        self._pipelines = config.running
        self._started = started

    def info(self, models: Sequence[ModelRef]) -> Info:
        """What runs, with the models that are open."""
        made_of = {
            name: PipelineInfo(item.source, item.model_name)
            for name, item in self._pipelines.items()
        }
        device = self._config.agent.name
        files = [model for model in models if model.name != NO_MODEL]
        return Info(device, __version__, boot_id(), self._started, made_of, files)

    def entities(self, known: Mapping[str, Sequence[str] | None]) -> DeviceEntities:
        """What can be shown; `known` are labels by model, of the models that are open."""
        pipelines = self._pipelines
        return DeviceEntities(
            version=__version__,
            model=platform.machine(),
            health_interval=self._config.agent.health_interval,
            pipelines={
                name: _pipeline(item, known.get(item.model_name))
                for name, item in pipelines.items()
            },
            composites=tuple(self._config.composites),
            temperature=cpu_temperature() is not None,
            throttling=throttled() is not None,
            complete=all(
                labels_of(item) or item.model_name in known for item in pipelines.values()
            ),
        )


def _pipeline(item: PipelineConfig, known: Sequence[str] | None) -> PipelineEntities:
    return PipelineEntities(
        labels=tuple(labels_of(item) or few_labels(known)),
        zones=tuple(item.zones),
        lines=tuple(item.lines),
        counts=item.publish.counts,
        events=item.publish.events,
        snapshots=item.publish.snapshots.allowed,
        reading=_reading_unit(item),
    )


def _reading_unit(item: PipelineConfig) -> str | None:
    """Unit of the readings, empty for none; None where there are no readings."""
    if not item.publish.readings or (item.reading is None and item.anomaly is None):
        return None
    return "" if item.reading is None else item.reading.unit
