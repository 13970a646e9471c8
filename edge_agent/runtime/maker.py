"""Makes pipelines: the stages of each, joined as the configuration says."""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from edge_agent.config.schema import Config, PipelineConfig
from edge_agent.event import Event
from edge_agent.mqtt.messages import Messages
from edge_agent.outbox.base import Outbox
from edge_agent.preprocess.mask import PrivacyMask
from edge_agent.runtime.inbox import Inbox
from edge_agent.runtime.metrics import PipelineMetrics
from edge_agent.runtime.pipeline import Pipeline
from edge_agent.runtime.recording import Recorded, build_recorder
from edge_agent.runtime.refine import Refinement, Refiner
from edge_agent.runtime.reporter import Identity, Reporter
from edge_agent.runtime.scoring import ScorerFactory, event_kind
from edge_agent.runtime.settings import PipelineSettings
from edge_agent.runtime.stages import build_snapshots, medium_of, stage_factory
from edge_agent.runtime.status import STARTING
from edge_agent.runtime.tiling import tiling
from edge_agent.runtime.viewing import Preview
from edge_agent.sources.base import Source

_log = logging.getLogger(__name__)
_ROOM = 64  # windows of a live signal, or lines, that may wait: one that is left out is missed

OnEvents = Callable[[Sequence[Event]], None]


class PipelineMaker:
    """Makes the pipelines of one agent; `on_events` is told of all events."""

    def __init__(
        self,
        identity: Identity,
        messages: Messages,
        outbox: Outbox,
        on_events: OnEvents,
        scorer: ScorerFactory,
    ) -> None:
        self._identity = identity
        self._messages = messages
        self._outbox = outbox
        self._on_events = on_events
        self._scorer = scorer
        self._ids = itertools.count(1)

    def make(
        self,
        config: Config,
        name: str,
        item: PipelineConfig,
        source: Source,
        ready: Mapping[str, threading.Condition],
        metrics: PipelineMetrics,
        seamless: bool,
    ) -> Pipeline:
        """A pipeline of that source; `ready` is by model.

        `seamless` says that it comes in the place of one that was online. Raises ValueError for
        options that a stage refuses.
        """
        labels = frozenset(item.labels) if item.labels is not None else None
        medium = medium_of(source)
        scorer = partial(self._scorer, config, name)
        stages = stage_factory(
            config, item, medium, source.live, self._ids, metrics.crossings, scorer
        )
        recorder = build_recorder(config, name, item)
        on_events = self._on_events
        if recorder is not None:
            on_events = both(on_events, recorder.note)
        reporter = Reporter(
            self._identity, name, item.publish, self._messages, self._outbox, on_events
        )
        snapshots = build_snapshots(item.publish.snapshots, reporter.snapshot)
        if recorder is not None:
            snapshots = Recorded(snapshots, recorder)
        has_preview = config.page is not None and config.page.preview and medium == "picture"
        return Pipeline(
            PipelineSettings(
                name,
                labels,
                item.threshold,
                source.live,
                item.publish.detections,
                item.filters,
                item.max_age,
                tiling(item.tiles),
                event_kind(item, medium),
            ),
            PrivacyMask(item.privacy.mask),
            stages,
            reporter,
            Inbox(ready[item.model_name], 1 if medium == "picture" else _ROOM),
            self._status_publisher(name, seamless),
            Preview(snapshots) if has_preview else snapshots,
            metrics,
            Refinement(
                [
                    Refiner(name, model, options, Inbox(ready[model]))
                    for model, options in item.refine.items()
                ]
            ),
        )

    def _status_publisher(self, pipeline: str, told: bool) -> Callable[[bool, str], None]:
        """Publishes only changes between online and offline; another reason goes to the log.

        `told` is what the broker was told before; at the start the agent says offline.
        """

        def publish(online: bool, reason: str) -> None:
            nonlocal told
            # Whoever is out of order has logged its reason as a warning already.
            _log.log(
                logging.INFO if online else logging.DEBUG,
                "pipeline %s is %s", pipeline, "online" if online else f"offline: {reason}",
            )  # fmt: skip
            if online != told and reason != STARTING:  # what was told before it holds until then
                told = online
                self._outbox.put(self._messages.pipeline_status(pipeline, online))

        return publish


def both(first: OnEvents, second: OnEvents) -> OnEvents:
    """One that tells two."""

    def tell(events: Sequence[Event]) -> None:
        first(events)
        second(events)

    return tell
