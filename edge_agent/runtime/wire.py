"""The one place where the stages are built and joined, from a checked configuration."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import NamedTuple

from edge_agent.clock import boot_id
from edge_agent.config.schema import AgentConfig, Config, PrometheusConfig
from edge_agent.errors import (
    ConfigError,
    StateError,
    StateInUse,
)
from edge_agent.message import Message
from edge_agent.mqtt.client import MqttClient
from edge_agent.mqtt.commands import CommandListener
from edge_agent.mqtt.device_payloads import Info
from edge_agent.mqtt.dialect import Dialect, JsonDialect
from edge_agent.mqtt.homeassistant import Announcer, Retraction
from edge_agent.mqtt.listener import Listener, Received
from edge_agent.mqtt.messages import Messages
from edge_agent.mqtt.options import MqttOptions
from edge_agent.mqtt.topics import Topics
from edge_agent.outbox.base import Outbox
from edge_agent.outbox.memory import MemoryOutbox
from edge_agent.outbox.sqlite import SqliteOutbox
from edge_agent.page.server import PageServer
from edge_agent.runtime.agent import Agent
from edge_agent.runtime.assembly import Assembly
from edge_agent.runtime.commands import CommandDesk
from edge_agent.runtime.composites import Composites
from edge_agent.runtime.describe import Description
from edge_agent.runtime.exporter import Exporter
from edge_agent.runtime.governor import Governor, Limits, Load
from edge_agent.runtime.health import HealthReport
from edge_agent.runtime.maker import both
from edge_agent.runtime.metrics import PipelineMetrics
from edge_agent.runtime.notify import Systemd
from edge_agent.runtime.opening import open_for
from edge_agent.runtime.overrides import Overrides
from edge_agent.runtime.reporter import Identity
from edge_agent.runtime.scoring import ScorerFactory, make_scorer
from edge_agent.runtime.system import (
    cpu_seconds,
    cpu_temperature,
    memory_available,
    memory_pressure,
    slowed,
)
from edge_agent.runtime.updaters import ModelNews, swaps_of, updaters_of
from edge_agent.runtime.viewing import RecentEvents, View
from edge_agent.state import state_folder

_log = logging.getLogger(__name__)


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

    Without `publish` nothing is sent and no broker is needed: for benchmarks. Without `follow` the
    model store is let alone: it may be that of an agent beside it. `reload` as for `CommandDesk`;
    `metrics` are those of the agent before it; `scorer` makes the scorers of the pipelines. Raises
    ConfigError for values that only a stage itself can judge.
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
        on_events = both(recent.note, composites.note)
        assembly = Assembly(identity, messages, outbox, open_for, on_events, metrics, scorer)
        assembly.fit(config)
        news = ModelNews(lambda step: outbox.put(messages.model_step(step)))
        desk = CommandDesk(overrides or Overrides(), messages, outbox, reload)
        line = _line(config, topics, messages, outbox, desk)
    except ValueError as error:
        raise ConfigError((str(error),)) from error
    governor = _governor(config.agent)
    client = line.client if publish else None
    health = HealthReport(config.agent.name, assembly.pipelines, outbox, client, governor)
    return Agent(
        config=config,
        assembly=assembly,
        outbox=outbox,
        messages=messages,
        client=client,
        composites=composites,
        desk=desk,
        commands=line.commands,
        announce=line.announcer.announce,
        birth=line.birth,
        systemd=Systemd(),
        governor=governor,
        health=health,
        exporters=[
            *_prometheus(config.prometheus, health, assembly),
            *_page(config, assembly, messages, line.client, recent, outbox, governor),
            *(updaters_of(assembly, news) if publish else ()),
        ],
        swaps=swaps_of(assembly, open_for, news, follow=follow),
    )


class _Line(NamedTuple):
    """The line to the broker, with who listens; `birth` is set when Home Assistant has begun."""

    client: MqttClient
    commands: CommandListener
    announcer: Announcer | Retraction
    birth: threading.Event


def _line(
    config: Config, topics: Topics, messages: Messages, outbox: Outbox, desk: CommandDesk
) -> _Line:
    options, birth = config.mqtt, threading.Event()
    announcer = announcer_of(options, topics, outbox.put, birth.set)
    births = (options.homeassistant.prefix,)
    commands = CommandListener(topics, messages, config.running, desk.hand_over, births)
    dialect, theirs = dialect_of(options, topics, commands.receive)
    listeners = (commands, announcer, *theirs)
    client = MqttClient(options, topics, outbox, dialect=dialect, listeners=listeners)
    return _Line(client, commands, announcer, birth)


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
