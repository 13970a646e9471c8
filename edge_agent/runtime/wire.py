"""The one place where the stages are built and joined, from a checked configuration."""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from edge_agent.clock import boot_id
from edge_agent.config.schema import NO_MODEL, AgentConfig, Config, ModelConfig, PrometheusConfig
from edge_agent.decoders.base import Decoder, known_labels, picture_notes
from edge_agent.decoders.choose import choose_decoder
from edge_agent.engines import open_engine
from edge_agent.engines.base import Engine, Rounding
from edge_agent.engines.modelfile import load_labels, read_model_info
from edge_agent.engines.state import StatefulEngine, Wire, state_wires, without_state
from edge_agent.engines.streams import EnginePerStream, Forgetful
from edge_agent.errors import ConfigError, EdgeAgentError, ModelError, StateError, StateInUse
from edge_agent.event import ModelRef, ModelStep
from edge_agent.message import Message
from edge_agent.model import ModelInfo, TensorSpec
from edge_agent.modelstore import ModelStore, golden_samples, store_folder, stored_labels
from edge_agent.mqtt.client import MqttClient
from edge_agent.mqtt.commands import CommandListener
from edge_agent.mqtt.dialect import Dialect, JsonDialect
from edge_agent.mqtt.homeassistant import Announcer, Retraction
from edge_agent.mqtt.listener import Listener, Received
from edge_agent.mqtt.messages import Messages
from edge_agent.mqtt.options import MqttOptions
from edge_agent.mqtt.payloads import Info
from edge_agent.mqtt.topics import Topics
from edge_agent.outbox.base import Outbox
from edge_agent.outbox.memory import MemoryOutbox
from edge_agent.outbox.sqlite import SqliteOutbox
from edge_agent.page.server import PageServer
from edge_agent.preprocess.image import ImagePreprocessor, NoPictures
from edge_agent.result import Kind
from edge_agent.runtime.agent import Agent
from edge_agent.runtime.assembly import Assembly, both
from edge_agent.runtime.commands import CommandDesk
from edge_agent.runtime.composites import Composites
from edge_agent.runtime.describe import Description
from edge_agent.runtime.enrolment import enroll
from edge_agent.runtime.exporter import Exporter
from edge_agent.runtime.golden import check_golden
from edge_agent.runtime.governor import Governor, Limits, Load
from edge_agent.runtime.health import HealthReport
from edge_agent.runtime.inference import Inference
from edge_agent.runtime.marks import Marks
from edge_agent.runtime.metrics import PipelineMetrics
from edge_agent.runtime.no_model import WithoutModel
from edge_agent.runtime.notify import Systemd
from edge_agent.runtime.overrides import Overrides
from edge_agent.runtime.reporter import Identity
from edge_agent.runtime.scoring import ScorerFactory, make_scorer
from edge_agent.runtime.swapping import Swaps
from edge_agent.runtime.system import (
    cpu_seconds,
    cpu_temperature,
    memory_available,
    memory_pressure,
    slowed,
)
from edge_agent.runtime.trials import Trials
from edge_agent.runtime.viewing import RecentEvents, View
from edge_agent.state import state_folder

_log = logging.getLogger(__name__)


def open_inference(
    name: str,
    model: ModelConfig,
    rounding: Rounding | Callable[[ModelInfo, Kind], Rounding] | None = None,
    *,
    any_input: bool = False,
    kept: Path | None = None,
    trials: Trials | None = None,
) -> Inference:
    """A model made ready for pictures: checked, opened, with its preprocessing and decoder.

    `rounding` as for `open_engine`, or what chooses it for a model; `kept` is a folder for what
    need not be worked out again; `trials` have a child process outlive the model first. With
    `any_input` a model that takes no picture opens as well, and complains only when it is given
    one. Raises ModelError or DelegateError that says what is wrong and what to do.
    """
    info, preprocessor, decoder, why, labels, wires = _made_ready(name, model, any_input)
    golden = golden_samples(model.file) if trials is not None else ()
    if trials is not None:
        trials.check(model.file, info.sha256, model.engine, model.delegate, golden)
    if callable(rounding):
        rounding = rounding(info, decoder.kind)
    engine = _engine(model, info, partial(_opened, model, rounding, wires))
    ref = ModelRef(name, info.sha256, engine.name)
    inference = Inference(ref, info, engine, preprocessor, decoder, why, labels)
    try:
        enroll(inference, repr(model.preprocess), kept)
        check_golden(inference, golden)
    except EdgeAgentError:
        inference.close()
        raise
    return inference


def _engine(model: ModelConfig, info: ModelInfo, open_one: Callable[[], Engine]) -> Engine:
    """One that keeps streams apart, where the model remembers any."""
    if not info.remembers:
        return open_one()
    return EnginePerStream(open_one(), open_one) if model.state != {} else Forgetful(open_one())


def _opened(model: ModelConfig, rounding: Rounding | None, wires: Sequence[Wire]) -> Engine:
    engine = open_engine(model.file, model.engine, model.threads, model.delegate, rounding)
    return StatefulEngine(engine, wires) if wires else engine


def open_for(config: Config, name: str, *, may_crash: bool = False) -> Inference:
    """A model of the configuration, for what its pipelines give it; raises as `open_inference`.

    Where this process `may_crash` no other tries the model out first.
    """
    if name == NO_MODEL and name not in config.models:
        return WithoutModel()
    any_input = not config.takes_pictures(name)
    state_dir = config.agent.state_dir
    return open_inference(
        name,
        config.models[name],
        any_input=any_input,
        kept=_kept(state_dir, "galleries"),
        trials=None if may_crash else trials_of(state_dir),
    )


def trials_of(state_dir: Path | None) -> Trials:
    """Those of the agent with this folder for its state."""
    return Trials(_kept(state_dir, "trials"))


class Checked(NamedTuple):
    """What a model finds, and the labels that it knows."""

    kind: Kind
    labels: tuple[str, ...] | None


def check_model(config: Config, name: str) -> Checked:
    """Everything of `open_for` but the engine; raises ModelError."""
    ready = _made_ready(name, config.models[name], not config.takes_pictures(name))
    return Checked(ready.decoder.kind, ready.labels)


class _Ready(NamedTuple):
    """All of a model but the engine; `info` is without the inputs that it feeds itself."""

    info: ModelInfo
    preprocessor: ImagePreprocessor | NoPictures
    decoder: Decoder
    why: str
    labels: tuple[str, ...] | None
    wires: tuple[Wire, ...]


def _made_ready(name: str, model: ModelConfig, any_input: bool = False) -> _Ready:
    info = read_model_info(model.file)
    if model.sha256 is not None and model.sha256 != info.sha256:
        raise ModelError(
            f"{model.file} is not the file that models.{name}.sha256 names: it has {info.sha256}",
            "restore the file, or write its new sha256 into the configuration",
        )
    wires = state_wires(info, model.state)
    info = without_state(info, wires)
    labels = model_labels(model, info)
    options = dataclasses.asdict(model.task.options) if model.task.name else {}
    decoder, why = choose_decoder(info, labels, model.task.name, options)
    preprocessor = _preprocessor(name, model, info, picture_notes(decoder, info), any_input)
    return _Ready(info, preprocessor, decoder, why, known_labels(decoder, labels), wires)


def model_labels(model: ModelConfig, info: ModelInfo) -> tuple[str, ...] | None:
    """Names of the classes, wherever the configuration takes them from; raises ModelError."""
    if model.labels == "auto":
        return info.labels or stored_labels(model.file)
    if isinstance(model.labels, list):
        return tuple(model.labels)
    return load_labels(model.labels)


def _preprocessor(
    name: str, model: ModelConfig, info: ModelInfo, notes: Mapping[str, Any], any_input: bool
) -> ImagePreprocessor | NoPictures:
    """For the first input; the others, and one that is no picture, are let pass on request."""
    try:
        spec = _picture_input(info, any_input)
        return ImagePreprocessor(spec, notes, model.preprocess)
    except ModelError as error:
        if not any_input:
            raise
        return NoPictures(error)
    except ValueError as error:
        raise ModelError(f"models.{name}.preprocess: {error}") from error


def _picture_input(info: ModelInfo, may_have_others: bool) -> TensorSpec:
    if not info.inputs or (len(info.inputs) > 1 and not may_have_others):
        raise ModelError(
            f"{info.path} has {len(info.inputs)} inputs: "
            + (", ".join(repr(spec.name) for spec in info.inputs) or "none"),
            "use a model whose one input is a picture; where it is to be given back what it put "
            "out, write state: {OUTPUT: INPUT}",
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


def open_overrides(config: Config) -> Overrides:
    """What commands changed, kept beside the outbox, or in memory where no folder can be used."""
    try:
        folder = state_folder(config.agent.state_dir)
    except RuntimeError:
        return Overrides()
    return Overrides(folder / f"{config.agent.name}.overrides.json")


def build_agent(
    config: Config,
    outbox: Outbox | None = None,
    publish: bool = True,
    overrides: Overrides | None = None,
    reload: Callable[[], Config | None] | None = None,
    metrics: Mapping[str, PipelineMetrics] | None = None,
    scorer: ScorerFactory = make_scorer,
    follow: bool = True,
) -> Agent:
    """The whole agent, nothing started yet; without `outbox` events wait in memory.

    Without `publish` nothing is sent and no broker is needed: for benchmarks. `reload` as for
    `CommandDesk`; `metrics` are those of the agent before it; `scorer` makes the scorers of the
    pipelines. Without `follow` the model store is let alone: for whoever may run beside the agent
    whose store it is. Raises ConfigError for values that only a stage itself can judge.
    """
    if not config.running:
        raise ConfigError((_nothing_to_do(config),))
    outbox = outbox or MemoryOutbox(config.outbox)
    try:
        topics = Topics(config.mqtt.topic_prefix, config.agent.name)
        messages = Messages(topics, boot_id(), round(config.outbox.max_age))
        identity = Identity(config.agent.name, boot_id())
        recent = RecentEvents()
        composites = Composites(identity, messages, outbox, recent.note)
        note = both(recent.note, composites.note)
        assembly = Assembly(identity, messages, outbox, open_for, note, metrics, scorer)
        store = _store_of(config) if follow else None
        marks = Marks(_marks_of(config) if follow else None)

        def tell(step: ModelStep) -> None:
            outbox.put(messages.model_step(step))

        assembly.fit(config)
        swaps = Swaps(assembly, open_for, store, config.updates, marks, tell)
        desk = CommandDesk(overrides or Overrides(), messages, outbox, reload)
        birth = threading.Event()
        announcer = announcer_of(config.mqtt, topics, outbox.put, birth.set)
        births = (config.mqtt.homeassistant.prefix,)
        commands = CommandListener(topics, messages, config.running, desk.hand_over, births)
        dialect, theirs = dialect_of(config.mqtt, topics, commands.receive)
        listeners = (commands, announcer, *theirs)
        client = MqttClient(config.mqtt, topics, outbox, dialect=dialect, listeners=listeners)
    except ValueError as error:
        raise ConfigError((str(error),)) from error
    governor = _governor(config.agent)
    reached = client if publish else None
    health = HealthReport(config.agent.name, assembly.pipelines, outbox, reached, governor)
    exporters = [
        *_prometheus(config.prometheus, health, assembly),
        *_page(config, assembly, messages, client, recent, outbox, governor),
    ]
    return Agent(
        config=config,
        assembly=assembly,
        outbox=outbox,
        messages=messages,
        client=reached,
        composites=composites,
        desk=desk,
        commands=commands,
        announce=announcer.announce,
        birth=birth,
        systemd=Systemd(),
        governor=governor,
        health=health,
        exporters=exporters,
        swaps=swaps,
    )


def _store_of(config: Config) -> ModelStore | None:
    try:
        return ModelStore(store_folder(config.agent.state_dir))
    except RuntimeError:
        return None


def _marks_of(config: Config) -> Path | None:
    return _kept(config.agent.state_dir, f"{config.agent.name}.probation.json")


def _kept(state_dir: Path | None, what: str) -> Path | None:
    """Where something that was worked out once is kept; None where no folder can be used."""
    try:
        return state_folder(state_dir) / what
    except RuntimeError:
        return None


def _nothing_to_do(config: Config) -> str:
    if config.pipelines:
        return "pipelines: none is enabled, so there is nothing to do (set enabled: true in one)"
    source, model = (next(iter(names), "...") for names in (config.sources, config.models))
    example = f"pipelines: {{door: {{source: {source}, model: {model}}}}}"
    return f"pipelines: there are none, so there is nothing to do (write {example})"


def _governor(options: AgentConfig) -> Governor:
    return Governor(
        Limits(options.max_temperature, options.cpu_budget),
        lambda: Load(
            cpu_temperature(), slowed(), cpu_seconds(), memory_pressure(), memory_available()
        ),
    )


def _page(
    config: Config,
    assembly: Assembly,
    messages: Messages,
    client: MqttClient,
    recent: RecentEvents,
    outbox: Outbox,
    governor: Governor,
) -> Iterator[Exporter]:
    if config.page is None:
        return
    view = View(
        lambda: assembly.pipelines,
        # Of its own: rates are since it was last asked.
        HealthReport(config.agent.name, (), outbox, client, governor),
        messages,
        client,
        partial(_info, assembly, time.time()),
        lambda: assembly.config,
        recent,
        config.page.preview,
    )
    yield view
    try:
        yield PageServer(config.page, view.state, view.picture)
    except ValueError as error:
        raise ConfigError((str(error),)) from error


def _info(assembly: Assembly, started: float) -> Info:
    refs = [model.ref for model in assembly.open_models]
    return Description(assembly.config, started).info(refs)


def _prometheus(
    options: PrometheusConfig | None, health: HealthReport, assembly: Assembly
) -> Iterator[Exporter]:
    if options is None:
        return
    try:
        from edge_agent.runtime.prometheus import PrometheusExporter  # noqa: PLC0415 - optional
    except ImportError as error:
        cure = "pip install prometheus-client, or remove the section"
        raise ConfigError((f"prometheus: prometheus-client is not installed ({cure})",)) from error
    yield PrometheusExporter(
        options.address, options.port, health.device, lambda: assembly.pipelines
    )


def announcer_of(
    options: MqttOptions,
    topics: Topics,
    publish: Callable[[Message], None],
    on_birth: Callable[[], None],
) -> Announcer | Retraction:
    """Who tells Home Assistant what there is, or takes it back; `publish` queues a message."""
    if options.homeassistant.discovery and options.encoding == "json":
        return Announcer(topics, options.homeassistant, publish, on_birth)
    return Retraction(topics, options.homeassistant)


def dialect_of(
    options: MqttOptions, topics: Topics, command: Callable[[Received], Iterable[Message]]
) -> tuple[Dialect, tuple[Listener, ...]]:
    """How the device speaks, and who listens to what that brings.

    `command` is `receive` of the listener of commands. Raises ConfigError without protobuf.
    """
    if options.encoding == "json":
        return JsonDialect(topics), ()
    try:
        from edge_agent.mqtt.sparkplug import SparkplugDialect  # noqa: PLC0415 - optional
    except ImportError as error:
        cure = "pip install protobuf, or set mqtt.encoding: json"
        raise ConfigError((f"mqtt.encoding: protobuf is not installed ({cure})",)) from error
    dialect = SparkplugDialect(topics, command)
    return dialect, (dialect,)
