"""The running agent: starts everything, looks after it, stops everything."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from edge_agent.config.schema import Config, PipelineConfig
from edge_agent.errors import ConfigError
from edge_agent.event import ModelRef
from edge_agent.mqtt.client import MqttClient
from edge_agent.mqtt.commands import CommandListener
from edge_agent.mqtt.entities import DeviceEntities
from edge_agent.mqtt.messages import Messages
from edge_agent.outbox.base import Outbox
from edge_agent.runtime.assembly import Assembly, Change
from edge_agent.runtime.commands import CommandDesk, Wish
from edge_agent.runtime.composites import Composites
from edge_agent.runtime.describe import Description
from edge_agent.runtime.exporter import Exporter
from edge_agent.runtime.governor import Governor
from edge_agent.runtime.health import HealthReport
from edge_agent.runtime.heap import settle, tidy
from edge_agent.runtime.metrics import PipelineMetrics
from edge_agent.runtime.notify import Systemd
from edge_agent.runtime.pipeline import Pipeline
from edge_agent.runtime.supervisor import Ward
from edge_agent.runtime.swapping import Swaps
from edge_agent.runtime.watchdog import Watchdog

_log = logging.getLogger(__name__)

# Sections that all the rest stands on.
_ROOTS = ("agent", "mqtt", "outbox", "prometheus", "page", "updates")
_TICK = 0.1  # seconds between looks at everything
_SOON = 1.0  # seconds after which a reader who just came is told the health
_STOP_LIMIT = 4.5  # seconds in which everything has stopped
_GOODBYE = 2.0  # ... of which these are kept for the broker


class Agent:
    """All threads of one configuration.

    `run` returns 0 when it was asked to stop or every recording has come to its end, 1 when
    nothing is left that could still work. A service goes on trying instead.
    """

    def __init__(
        self,
        *,
        config: Config,
        assembly: Assembly,
        outbox: Outbox,
        messages: Messages,
        client: MqttClient | None,
        composites: Composites,
        desk: CommandDesk,
        commands: CommandListener,
        announce: Callable[[DeviceEntities], None],
        birth: threading.Event,
        systemd: Systemd,
        governor: Governor,
        health: HealthReport,
        exporters: Sequence[Exporter],
        swaps: Swaps,
    ) -> None:
        self._config = config
        self._assembly = assembly
        self._outbox = outbox
        self._messages = messages
        self._client = client
        self._composites = composites
        self._desk = desk
        self._commands = commands
        self._announce = announce
        self._birth = birth
        self._systemd = systemd
        self._governor = governor
        self._started = time.time()
        self._description = Description(config, self._started)
        self._health = health
        self._watchdog = Watchdog(assembly, systemd, outbox)
        self._exporters = tuple(exporters)
        self._swaps = swaps
        swaps.rebuild = self._fit
        self._health_due = time.monotonic() + config.agent.health_interval
        self._told_connects = 0
        self._told_models: tuple[ModelRef, ...] | None = None
        self._day = time.localtime().tm_yday
        self._stopped = False

    @property
    def pipelines(self) -> tuple[Pipeline, ...]:
        """All pipelines."""
        return self._assembly.pipelines

    @property
    def metrics(self) -> Mapping[str, PipelineMetrics]:
        """What each pipeline counted, by name."""
        return {pipeline.name: pipeline.metrics for pipeline in self.pipelines}

    def run(self, stop: threading.Event) -> int:
        """Work until `stop` is set or nothing is left to do; returns the exit code."""
        self.start()
        try:
            while not stop.wait(_TICK):
                self.look()
                if self.wish is not None:
                    return 0
                if (code := self._over()) is not None:
                    return code
            return 0
        finally:
            self.stop()

    @property
    def wish(self) -> Wish | None:
        """Set once a command asks that the agent ends and begins anew."""
        return self._desk.wish

    def reload_soon(self) -> None:
        """Read the configuration anew at the next look; safe in a signal handler."""
        self._desk.reload_soon()

    def start(self) -> None:
        """Start all threads; opening happens in them, so this returns at once."""
        self._swaps.recover()
        for pipeline in self.pipelines:  # puts right what a crash may have left on the broker
            self._outbox.put(self._messages.pipeline_status(pipeline.name, online=False))
        self._serve()
        if self._client is not None:
            self._client.start()
        for exporter in self._exporters:
            exporter.start()
        wards: tuple[Ward[Any], ...] = (*self._assembly.models, *self._assembly.sources)
        for ward in wards:
            ward.start()

    def look(self) -> None:
        """See to whatever is due; called every now and then by one thread."""
        self._watchdog.look()
        self._swaps.look()
        for pipeline in self.pipelines:
            pipeline.tick()
        self._composites.look({each.name: each.status.online for each in self.pipelines})
        self._govern()
        self._tell_info()
        self._tell_health()
        self._desk.work(self)
        self._begin_new_day()

    def apply(self, config: Config) -> bool:
        """Bring the agent in line with a changed configuration, while all that is the same goes on.

        False where that takes a new agent: the device, the broker, the outbox or the like changed.
        Raises ConfigError for values that only a stage can judge.
        """
        before = self._config
        if any(getattr(config, name) != getattr(before, name) for name in _ROOTS):
            return False
        if not config.running:
            raise ConfigError(("no pipeline is enabled: there would be nothing to do",))
        self._fit(self._swaps.hold(config))
        return True

    def renew_models(self) -> bool:
        """Try model files that are other ones under the same names; True where there are any."""
        return self._swaps.renew()

    def swap_model(self, name: str | None, version: str | None) -> Mapping[str, Any]:
        """Try another model in the place of that one; raises CommandRefused."""
        return self._swaps.request(name, version)

    def _fit(self, config: Config) -> None:
        try:
            change = self._assembly.fit(config)
        except ValueError as error:
            raise ConfigError((str(error),)) from error
        self._systemd.reloading()
        self._end(change)
        self._config = config
        self._description = Description(config, self._started)
        self._told_models = None
        for pipeline in change.fresh:
            if pipeline.name not in change.seamless:
                self._outbox.put(self._messages.pipeline_status(pipeline.name, online=False))
        self._serve()
        self._assembly.attach(change)
        for ward in change.started:
            ward.start()

    def inspect(self) -> Mapping[str, Any]:
        """What runs and how it does, as their messages tell."""
        refs = [model.ref for model in self._assembly.open_models]
        info = self._messages.info(self._description.info(refs))
        health = self._messages.health(self._health.take())
        return {"info": json.loads(info.payload), "health": json.loads(health.payload)}

    @staticmethod
    def _end(change: Change) -> None:
        for pipeline in change.gone:
            pipeline.close()
        _stop_all(change.stopped, time.monotonic() + _GOODBYE)
        heirs = {pipeline.name: pipeline for pipeline in change.fresh}
        for pipeline in change.gone:
            pipeline.stop()
            pipeline.leave_to(heirs.get(pipeline.name))

    def _serve(self) -> None:
        """Tell all who serve the pipelines which those are."""
        running = self._config.running
        self._commands.serve(running)
        self._desk.serve(self.pipelines)
        self._health.watch(self.pipelines)
        self._composites.serve(self._config.composites)
        if self._client is not None:
            # What an earlier run showed may be more than this one is allowed to.
            pictures = [name for name, item in running.items() if _shows_all(item)]
            self._client.serve((*running, *self._composites.names), pictures)

    def stop(self) -> None:
        """End everything within 5 s, objects first, so that no state stays on; safe twice."""
        if self._stopped:
            return
        if self.wish is None:
            self._systemd.stopping()
        else:  # the same process goes on: systemd must not wait for its end
            self._systemd.reloading()
        until = time.monotonic() + _STOP_LIMIT
        for exporter in self._exporters:
            exporter.stop()
        for pipeline in self.pipelines:
            pipeline.close()
        _stop_all(self._assembly.sources, until - _GOODBYE)
        _stop_all(self._assembly.models, until - _GOODBYE)
        self._swaps.stop()
        for pipeline in self.pipelines:
            was_online = pipeline.status.online
            pipeline.stop()
            if was_online:
                self._outbox.put(self._messages.pipeline_status(pipeline.name, online=False))
        self._composites.stop()
        if self._client is not None:
            self._client.stop(max(0.1, until - time.monotonic()))
        self._outbox.close()
        self._stopped = True

    def _over(self) -> int | None:
        """Exit code once nothing is left to do, None while there is."""
        hopeless = {
            name
            for ward in self._assembly.models
            if ward.hopeless and not self._swaps.busy_with(ward.unit.name)
            for name in ward.unit.serves
        }
        left = [p for p in self.pipelines if not p.finished.is_set() and p.name not in hopeless]
        if left:
            return None
        failed = [p.name for p in self.pipelines if not p.finished.is_set()]
        if failed and self._systemd.supervises:
            return None  # started anew at once, for months, it would keep device and broker busy
        if failed:
            _log.error("nothing is left to do: no model of %s can be used", ", ".join(failed))
        return 1 if failed else 0

    def _govern(self) -> None:
        """Infer less or more, and tell at once."""
        if self._governor.look():
            self._health_due = time.monotonic()
        for pipeline in self.pipelines:
            pipeline.divisor = self._governor.verdict.divisor

    def _tell_info(self) -> None:
        models = self._assembly.open_models
        refs = tuple(model.ref for model in models)
        if refs != self._told_models:
            before, self._told_models = self._told_models or (), refs
            # To settle holds up all threads: not where a model has taken another's place.
            is_swap = [ref.name for ref in refs] == [ref.name for ref in before]
            (tidy if is_swap else settle)()
            self._outbox.put(self._messages.info(self._description.info(refs)))
            known = {model.ref.name: model.labels for model in models}
            self._announce(self._description.entities(known))

    def _tell_health(self) -> None:
        """Report now and then, and soon after the broker or Home Assistant came back."""
        now = time.monotonic()
        connects = self._client.state.connects if self._client is not None else 0
        if connects != self._told_connects or self._birth.is_set():
            self._told_connects = connects
            self._birth.clear()
            self._health_due = min(self._health_due, now + _SOON)
        if now >= self._health_due:
            self._health_due = now + self._config.agent.health_interval
            self._outbox.put(self._messages.health(self._health.take()))

    def _begin_new_day(self) -> None:
        today = time.localtime().tm_yday
        if today != self._day:
            self._day = today
            for pipeline in self.pipelines:
                pipeline.new_day()


def _shows_all(item: PipelineConfig) -> bool:
    """Whether its pictures show as much as any could."""
    options = item.publish.snapshots
    return options.mode == "full" and options.area == "frame" and not item.privacy.mask


def _stop_all(wards: Sequence[Ward[Any]], until: float) -> None:
    """Ask all of them at once, then wait for each."""
    for ward in wards:
        ward.stop(0.0)
    for ward in wards:
        ward.stop(max(0.0, until - time.monotonic()))
