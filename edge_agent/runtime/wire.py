"""The one place where the stages are built and joined, from a checked configuration."""

from __future__ import annotations

import dataclasses
import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from edge_agent import __version__
from edge_agent.clock import boot_id
from edge_agent.config.schema import Config, ModelConfig, PipelineConfig
from edge_agent.decoders.base import Decoder
from edge_agent.decoders.choose import choose_decoder
from edge_agent.engines import open_engine
from edge_agent.engines.base import Rounding
from edge_agent.engines.modelfile import load_labels, read_model_info
from edge_agent.errors import ConfigError, ModelError, StateError, StateInUse
from edge_agent.event import ModelRef
from edge_agent.frame import Frame
from edge_agent.gates import GATES
from edge_agent.gates.chain import GateChain
from edge_agent.model import ModelInfo, TensorSpec
from edge_agent.mqtt.client import MqttClient
from edge_agent.mqtt.messages import Messages
from edge_agent.mqtt.payloads import Info, PipelineInfo
from edge_agent.mqtt.topics import Topics
from edge_agent.outbox.base import Outbox
from edge_agent.outbox.memory import MemoryOutbox
from edge_agent.outbox.sqlite import SqliteOutbox
from edge_agent.preprocess.image import ImagePreprocessor, NoPictures
from edge_agent.preprocess.mask import PrivacyMask
from edge_agent.result import Kind
from edge_agent.rules.lines import LineWatch
from edge_agent.rules.objects import ObjectRules
from edge_agent.rules.zones import ZoneWatch
from edge_agent.runtime.agent import Agent
from edge_agent.runtime.inbox import Inbox
from edge_agent.runtime.inference import Inference
from edge_agent.runtime.pipeline import Pipeline, PipelineSettings, StageFactory
from edge_agent.runtime.reporter import Identity, Reporter
from edge_agent.runtime.state import state_folder
from edge_agent.runtime.supervisor import Ward
from edge_agent.runtime.worker import ModelWorker
from edge_agent.sources import SOURCES
from edge_agent.sources.base import Source
from edge_agent.sources.reader import SourceReader, SourceStatus
from edge_agent.tracking.base import Tracker
from edge_agent.tracking.iou import IouTracker
from edge_agent.tracking.labels import LabelTracker
from edge_agent.tracking.options import TrackOptions

_log = logging.getLogger(__name__)


def open_inference(
    name: str, model: ModelConfig, rounding: Rounding | None = None, *, any_input: bool = False
) -> Inference:
    """A model made ready for pictures: checked, opened, with its preprocessing and decoder.

    `rounding` as for `open_engine`. With `any_input` a model that takes no picture opens as well,
    and complains only when it is given one. Raises ModelError or DelegateError that says what is
    wrong and what to do.
    """
    info, preprocessor, decoder, why, labels = _made_ready(name, model, any_input)
    engine = open_engine(model.file, model.engine, model.threads, model.delegate, rounding)
    ref = ModelRef(name, info.sha256, engine.name)
    return Inference(ref, info, engine, preprocessor, decoder, why, labels)


def check_model(name: str, model: ModelConfig) -> tuple[str, ...] | None:
    """Everything of `open_inference` but the engine; returns the labels. Raises ModelError."""
    return _made_ready(name, model)[-1]


def _made_ready(
    name: str, model: ModelConfig, any_input: bool = False
) -> tuple[ModelInfo, ImagePreprocessor | NoPictures, Decoder, str, tuple[str, ...] | None]:
    info = read_model_info(model.file)
    if model.sha256 is not None and model.sha256 != info.sha256:
        raise ModelError(
            f"{model.file} is not the file that models.{name}.sha256 names: it has {info.sha256}",
            "restore the file, or write its new sha256 into the configuration",
        )
    labels = model_labels(model, info)
    preprocessor = _preprocessor(name, model, info, any_input)
    options = dataclasses.asdict(model.task.options) if model.task.name else {}
    decoder, why = choose_decoder(info, labels, model.task.name, options)
    return info, preprocessor, decoder, why, labels


def model_labels(model: ModelConfig, info: ModelInfo) -> tuple[str, ...] | None:
    """Names of the classes, wherever the configuration takes them from; raises ModelError."""
    if model.labels == "auto":
        return info.labels
    if isinstance(model.labels, list):
        return tuple(model.labels)
    return load_labels(model.labels)


def _preprocessor(
    name: str, model: ModelConfig, info: ModelInfo, any_input: bool
) -> ImagePreprocessor | NoPictures:
    """For the first input; the others, and one that is no picture, are let pass on request."""
    try:
        spec = _picture_input(info, any_input)
        return ImagePreprocessor(spec, info.metadata, model.preprocess)
    except ModelError as error:
        if not any_input:
            raise
        return NoPictures(error)
    except ValueError as error:
        raise ModelError(f"models.{name}.preprocess: {error}") from error


def _picture_input(info: ModelInfo, may_have_others: bool) -> TensorSpec:
    if not info.inputs or (len(info.inputs) > 1 and not may_have_others):
        raise ModelError(
            f"{info.path} has {len(info.inputs)} inputs",
            "use a model whose one input is a picture",
        )
    return info.inputs[0]


def open_outbox(config: Config) -> Outbox:
    """The outbox on disk, or in memory where no folder can be used; raises StateInUse."""
    try:
        folder = state_folder(config.agent.state_dir)
        return SqliteOutbox(folder / f"{config.agent.name}.outbox", config.outbox)
    except StateInUse:
        raise
    except (StateError, RuntimeError) as error:
        _log.error("events wait in memory only and end with the agent: %s (set state_dir)", error)
        # Milliseconds: numbers that subscribers have seen must not come again.
        return MemoryOutbox(config.outbox, first_seq=time.time_ns() // 10**6)


def build_agent(config: Config, outbox: Outbox | None = None, publish: bool = True) -> Agent:
    """The whole agent, nothing started yet; without `outbox` events wait in memory.

    Without `publish` nothing is sent and no broker is needed: for benchmarks. Raises ConfigError
    for values that only a stage itself can judge.
    """
    pipelines = {name: item for name, item in config.pipelines.items() if item.enabled}
    if not pipelines:
        raise ConfigError(("no pipeline is enabled: there is nothing to do",))
    outbox = outbox or MemoryOutbox(config.outbox)
    try:
        topics = Topics(config.mqtt.topic_prefix, config.agent.name)
        client = MqttClient(config.mqtt, topics, outbox, pipelines=pipelines) if publish else None
        messages = Messages(topics, boot_id(), round(config.outbox.max_age))
        joined = _Joiner(config, pipelines, messages, outbox).join()
    except ValueError as error:
        raise ConfigError((str(error),)) from error
    return Agent(
        device=config.agent.name,
        health_interval=config.agent.health_interval,
        pipelines=joined.pipelines,
        sources=joined.sources,
        models=joined.models,
        outbox=outbox,
        messages=messages,
        client=client,
        info=_info_maker(config, pipelines),
    )


def _info_maker(
    config: Config, pipelines: Mapping[str, PipelineConfig]
) -> Callable[[Sequence[ModelRef]], Info]:
    made_of = {name: PipelineInfo(item.source, item.model) for name, item in pipelines.items()}
    started = time.time()

    def make(models: Sequence[ModelRef]) -> Info:
        return Info(config.agent.name, __version__, boot_id(), started, made_of, models)

    return make


@dataclasses.dataclass(slots=True)
class _Joined:
    pipelines: list[Pipeline]
    sources: list[Ward[SourceReader]]
    models: list[Ward[ModelWorker]]


class _Joiner:
    """Builds the pipelines, then the threads that serve them: one per source, one per model."""

    def __init__(
        self,
        config: Config,
        pipelines: Mapping[str, PipelineConfig],
        messages: Messages,
        outbox: Outbox,
    ) -> None:
        self._config = config
        self._chosen = pipelines
        self._messages = messages
        self._outbox = outbox
        self._identity = Identity(config.agent.name, boot_id())
        self._ids = itertools.count(1)
        self._ready = {item.model: threading.Condition() for item in pipelines.values()}
        self._built: dict[str, Pipeline] = {}

    def join(self) -> _Joined:
        """Everything, joined; raises ValueError for options that a stage refuses."""
        used_sources = dict.fromkeys(item.source for item in self._chosen.values())
        live = {name: self._source(name).live for name in used_sources}
        for name, item in self._chosen.items():
            self._built[name] = self._pipeline(name, item, live[item.source])
        return _Joined(
            list(self._built.values()),
            [self._source_ward(name) for name in used_sources],
            [self._model_ward(name) for name in self._ready],
        )

    def _source(self, name: str) -> Source:
        source = self._config.sources[name]
        try:
            return SOURCES.load(source.type)(name, source.options)
        except ValueError as error:
            raise ValueError(f"sources.{name}: {error}") from error

    def _source_ward(self, name: str) -> Ward[SourceReader]:
        served = [self._built[p] for p, item in self._chosen.items() if item.source == name]

        def deliver(frame: Frame) -> None:
            for pipeline in served:
                pipeline.intake(frame)

        def tell(status: SourceStatus) -> None:
            for pipeline in served:
                pipeline.source_changed(status)

        def fail(reason: str) -> None:
            tell(SourceStatus(False, reason))

        return Ward(f"source {name}", lambda: SourceReader(self._source(name), deliver, tell), fail)

    def _model_ward(self, name: str) -> Ward[ModelWorker]:
        served = [self._built[p] for p, item in self._chosen.items() if item.model == name]

        def fail(reason: str) -> None:
            for pipeline in served:
                pipeline.model_failed(reason)

        def build() -> ModelWorker:
            return ModelWorker(name, partial(self._open, name), served, self._ready[name])

        return Ward(f"model {name}", build, fail)

    def _open(self, name: str) -> Inference:
        inference = open_inference(name, self._config.models[name])
        _log.info(
            "model %s: %s on %s, %s",
            name, inference.engine.runtime, inference.engine.device, inference.decoder_why,
        )  # fmt: skip
        for pipeline, item in self._chosen.items():
            if item.model == name:
                _warn_of_unknown_labels(pipeline, item, inference)
        return inference

    def _pipeline(self, name: str, item: PipelineConfig, live: bool) -> Pipeline:
        labels = frozenset(item.labels) if item.labels is not None else None
        stages = StageFactory(
            gate=partial(_gates, item),
            tracker=partial(_tracker, self._track_options(item), self._ids),
            rules=partial(_rules, item),
        )
        stages.gate(), stages.tracker("object")  # refuses bad options now, not in a thread
        return Pipeline(
            PipelineSettings(name, labels, item.threshold, live, item.publish.detections),
            PrivacyMask(item.privacy.mask),
            stages,
            Reporter(self._identity, name, item.publish, self._messages, self._outbox),
            Inbox(self._ready[item.model]),
            self._status_publisher(name),
        )

    def _track_options(self, item: PipelineConfig) -> TrackOptions:
        """As the YAML says; single pictures are believed at once where it says nothing."""
        if "track" not in item.model_fields_set and self._config.sources[item.source].is_pictures:
            return TrackOptions(hits=1, of=1)
        return item.track

    def _status_publisher(self, pipeline: str) -> Callable[[bool, str], None]:
        """Publishes only changes between online and offline; another reason goes to the log."""
        told = False  # the agent says offline before anything else

        def publish(online: bool, reason: str) -> None:
            nonlocal told
            # Whoever is out of order has logged its reason as a warning already.
            _log.log(
                logging.INFO if online else logging.DEBUG,
                "pipeline %s is %s", pipeline, "online" if online else f"offline: {reason}",
            )  # fmt: skip
            if online != told:
                told = online
                self._outbox.put(self._messages.pipeline_status(pipeline, online))

        return publish


def _gates(item: PipelineConfig) -> GateChain:
    return GateChain([GATES.load(name)(options) for name, options in item.gate.items()])


def _tracker(options: TrackOptions, ids: Iterator[int], kind: Kind) -> Tracker:
    return LabelTracker(options, ids) if kind == "class" else IouTracker(options, ids)


def _rules(item: PipelineConfig) -> ObjectRules:
    return ObjectRules(
        ZoneWatch(item.zones), LineWatch(item.lines), item.labels or (), item.publish.update_every
    )


def _warn_of_unknown_labels(pipeline: str, item: PipelineConfig, inference: Inference) -> None:
    """A label that the model does not know would never be seen, and nobody would know why."""
    known = inference.labels
    unknown = [label for label in item.labels or () if known and label not in known]
    if unknown:
        _log.warning(
            "pipeline %s: the model has no label %s; see them all: edge-agent inspect %s",
            pipeline, ", ".join(map(repr, unknown)), inference.info.path,
        )  # fmt: skip
