"""The pipelines of a configuration and the threads that serve them, changed piece by piece."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from edge_agent.config.schema import NO_MODEL, Config, ModelConfig, PipelineConfig
from edge_agent.frame import Frame
from edge_agent.mqtt.messages import Messages
from edge_agent.outbox.base import Outbox
from edge_agent.runtime.inference import Inference
from edge_agent.runtime.maker import OnEvents, PipelineMaker
from edge_agent.runtime.metrics import PipelineMetrics
from edge_agent.runtime.pipeline import Pipeline
from edge_agent.runtime.reporter import Identity
from edge_agent.runtime.scoring import ScorerFactory, make_scorer
from edge_agent.runtime.stages import build_source
from edge_agent.runtime.supervisor import Ward
from edge_agent.runtime.tiling import why_not
from edge_agent.runtime.worker import Customer, ModelWorker
from edge_agent.sources.reader import SourceReader, SourceStatus

_log = logging.getLogger(__name__)

OpenModel = Callable[[Config, str], Inference]


@dataclass(frozen=True, slots=True)
class Change:
    """What a new configuration changed: pipelines that came and went, threads to stop and start.

    `seamless` are the names of those that came in the place of one that was online, with the same
    source and model.
    """

    fresh: tuple[Pipeline, ...]
    gone: tuple[Pipeline, ...]
    seamless: frozenset[str]
    stopped: tuple[Ward[Any], ...]
    started: tuple[Ward[Any], ...]


class Assembly:
    """Builds the pipelines, then the threads that serve them: one per source, one per model.

    `fit` and `attach` belong to the agent's thread; what they replace, other threads read whole.
    `metrics` by pipeline are those of an agent before this one: counters go on.
    """

    def __init__(
        self,
        identity: Identity,
        messages: Messages,
        outbox: Outbox,
        open_model: OpenModel,
        on_events: OnEvents,
        metrics: Mapping[str, PipelineMetrics] | None = None,
        scorer: ScorerFactory = make_scorer,
    ) -> None:
        self._maker = PipelineMaker(identity, messages, outbox, on_events, scorer)
        self._open_model = open_model
        self._metrics = metrics or {}  # by pipeline
        self._config = Config()
        self._chosen: Mapping[str, PipelineConfig] = {}
        self._built: Mapping[str, Pipeline] = {}
        self._ready: Mapping[str, threading.Condition] = {}
        self._sources: Mapping[str, Ward[SourceReader]] = {}
        self._models: Mapping[str, Ward[ModelWorker]] = {}
        self._fed: Mapping[str, tuple[Pipeline, ...]] = {}  # by source
        self._served: Mapping[str, tuple[Customer, ...]] = {}  # by model
        self._statuses: dict[str, SourceStatus] = {}
        self._spare: dict[str, Inference] = {}  # by model
        self._status_lock = threading.Lock()

    @property
    def config(self) -> Config:
        """The configuration that it fits."""
        return self._config

    @property
    def pipelines(self) -> tuple[Pipeline, ...]:
        """All pipelines, in the order of the configuration."""
        return tuple(self._built.values())

    @property
    def sources(self) -> tuple[Ward[SourceReader], ...]:
        """The threads of the sources in use."""
        return tuple(self._sources.values())

    @property
    def models(self) -> tuple[Ward[ModelWorker], ...]:
        """The threads of the models in use."""
        return tuple(self._models.values())

    def customers(self, model: str) -> tuple[Customer, ...]:
        """Who uses the model of that name."""
        return self._served.get(model, ())

    def model(self, name: str) -> Ward[ModelWorker] | None:
        """The thread of the model of that name; None where it is not in use."""
        return self._models.get(name)

    def users(self, model: str) -> Mapping[str, Pipeline]:
        """The pipelines whose own model that is, by name."""
        chosen = self._chosen.items()
        return {name: self._built[name] for name, item in chosen if item.model_name == model}

    def adopt(self, name: str, model: ModelConfig, spare: Inference | None = None) -> None:
        """From now on open the model as this says; `spare` is open and used the next time."""
        models = {**self._config.models, name: model}
        self._config = self._config.model_copy(update={"models": models})
        before = self._spare.pop(name, None)
        if before is not None:
            before.close()
        if spare is not None:
            self._spare[name] = spare

    @property
    def open_models(self) -> tuple[Inference, ...]:
        """The models in use that are open at this moment."""
        return tuple(ward.unit.inference for ward in self.models if ward.unit.inference)

    def fit(self, config: Config) -> Change:
        """Bring everything in line with a configuration, without touching what stays the same.

        Nothing is stopped or started: that is the caller's, who then calls `attach`. Raises
        ValueError for options that a stage refuses; then nothing has changed.
        """
        chosen = config.running
        sources = dict.fromkeys(item.source for item in chosen.values())
        models = dict.fromkeys(model for item in chosen.values() for model in item.models)
        same_sources = _same(self._sources, sources, self._config.sources, config.sources)
        same_models = _same(self._models, models, self._config.models, config.models)
        ready = {m: self._ready[m] if m in same_models else threading.Condition() for m in models}
        built = {name: build_source(config, name) for name in sources}
        steady = {
            name: item
            for name, item in chosen.items()
            if item.source in same_sources
            and item.model_name in same_models
            and name in self._built
        }
        kept = {
            n: self._built[n]
            for n, item in steady.items()
            if self._chosen[n] == item and same_models.issuperset(item.models)
        }
        seamless = frozenset(
            n for n, item in steady.items() if n not in kept and self._is_seamless(n, item)
        )
        metrics = {name: self._metrics.get(name) or PipelineMetrics() for name in chosen}
        fresh = {
            name: self._maker.make(
                config,
                name,
                item,
                built[item.source],
                ready,
                metrics[name],
                name in seamless,
            )
            for name, item in chosen.items()
            if name not in kept
        }
        gone = [each for name, each in self._built.items() if name not in kept]
        before = (self._sources, self._models)
        self._config, self._chosen, self._ready = config, chosen, ready
        self._metrics = metrics
        self._built = {name: kept.get(name) or fresh[name] for name in chosen}
        self._man(sources, same_sources, models, same_models)
        now = (self._sources, self._models)
        return Change(
            tuple(fresh.values()),
            tuple(gone),
            seamless,
            _missing(before, now),
            _missing(now, before),
        )

    def _man(
        self,
        sources: Iterable[str],
        same_sources: Collection[str],
        models: Iterable[str],
        same_models: Collection[str],
    ) -> None:
        """A thread for each source and each model of what is built; the same ones go on."""
        self._fed = {each: self._those_of(each) for each in sources}
        self._served = {each: self._customers(each) for each in models}
        self._sources = {
            name: self._sources[name] if name in same_sources else self._source_ward(name)
            for name in self._fed
        }
        self._models = {
            name: self._models[name] if name in same_models else self._model_ward(name)
            for name in self._served
        }

    def _is_seamless(self, name: str, item: PipelineConfig) -> bool:
        """Whether the one in whose place it comes is online, with the same source and model."""
        before = self._chosen[name]
        same = (item.source, item.model) == (before.source, before.model)
        return same and self._built[name].status.online

    def _those_of(self, source: str) -> tuple[Pipeline, ...]:
        """The pipelines with that source."""
        chosen = self._chosen.items()
        return tuple(self._built[name] for name, item in chosen if item.source == source)

    def _customers(self, model: str) -> tuple[Customer, ...]:
        """Who uses that model: pipelines, and what looks closer at their objects."""
        chosen = self._chosen.items()
        main = [self._built[name] for name, item in chosen if item.model_name == model]
        refiners = (each for built in self._built.values() for each in built.refinement.refiners)
        return (*main, *(each for each in refiners if each.model == model))

    def attach(self, change: Change) -> None:
        """Let threads that went on serve the pipelines that came."""
        for name, ward in self._models.items():
            ward.unit.serve(self._served[name])
        with self._status_lock:
            for pipeline in change.fresh:
                status = self._statuses.get(self._chosen[pipeline.name].source)
                if status is not None:
                    pipeline.source_changed(status)

    def _source_ward(self, name: str) -> Ward[SourceReader]:
        with self._status_lock:
            self._statuses.pop(name, None)

        def tell(status: SourceStatus) -> None:
            with self._status_lock:
                self._statuses[name] = status
                for pipeline in self._fed.get(name, ()):
                    pipeline.source_changed(status)

        def deliver(frame: Frame) -> None:
            for pipeline in self._fed.get(name, ()):
                pipeline.intake(frame)

        def fail(reason: str) -> None:
            tell(SourceStatus(False, reason))

        def build() -> SourceReader:
            return SourceReader(build_source(self._config, name), deliver, tell)

        return Ward(f"source {name}", build, fail)

    def _model_ward(self, name: str) -> Ward[ModelWorker]:
        def fail(reason: str) -> None:
            for customer in self._served.get(name, ()):
                customer.model_failed(reason)

        def build() -> ModelWorker:
            served, ready = self._served[name], self._ready[name]
            return ModelWorker(name, partial(self._open, name), served, ready)

        return Ward(f"model {name}", build, fail)

    def _open(self, name: str) -> Inference:
        inference = self._spare.pop(name, None) or self._open_model(self._config, name)
        if name != NO_MODEL:
            _log.info(
                "model %s: %s on %s, %s",
                name, inference.engine.runtime, inference.engine.device, inference.decoder_why,
            )  # fmt: skip
        for pipeline, item in self._chosen.items():
            if item.model_name == name:
                _warn_of_unknown_labels(pipeline, item, inference)
                if item.tiles is not None and (reason := why_not(inference)):
                    _log.warning("pipeline %s: tiles are of no use: %s", pipeline, reason)
        return inference


def _same(
    running: Mapping[str, object],
    wanted: Mapping[str, object],
    before: Mapping[str, object],
    now: Mapping[str, object],
) -> set[str]:
    """Names that run, are wanted, and are configured as before."""
    return {name for name in wanted if name in running and before.get(name) == now.get(name)}


def _missing(
    of: tuple[Mapping[str, Ward[Any]], ...], others: tuple[Mapping[str, Ward[Any]], ...]
) -> tuple[Ward[Any], ...]:
    """The threads of one state that are not in the other."""
    rest = {id(ward) for each in others for ward in each.values()}
    return tuple(ward for each in of for ward in each.values() if id(ward) not in rest)


def _warn_of_unknown_labels(pipeline: str, item: PipelineConfig, inference: Inference) -> None:
    """A label that the model does not know would never be seen, and nobody would know why."""
    known = inference.labels
    hidden = item.publish.snapshots.labels or ()
    looked_at = [label for each in item.refine.values() for label in each.labels or ()]
    named = dict.fromkeys([*(item.labels or ()), *item.filters, *hidden, *looked_at])
    unknown = [label for label in named if known and label not in known]
    if unknown:
        _log.warning(
            "pipeline %s: the model has no label %s; see them all: edge-agent inspect --labels %s",
            pipeline, ", ".join(map(repr, unknown)), inference.info.path,
        )  # fmt: skip
