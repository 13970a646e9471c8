"""Carries out the commands that come in over MQTT, one after the other, in the agent's thread."""

from __future__ import annotations

import json
import logging
import queue
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Protocol

from edge_agent.config.schema import Config
from edge_agent.errors import ConfigError
from edge_agent.mqtt.commands import Command, CommandRefused
from edge_agent.mqtt.messages import Messages
from edge_agent.outbox.base import Outbox
from edge_agent.runtime.overrides import Overrides
from edge_agent.runtime.pipeline import Pipeline

_log = logging.getLogger(__name__)

_WAITING = 32  # commands
_MOST_PROBLEMS = 10  # mistakes of a configuration that an answer lists

Wish = Literal["reload", "restart"]
Result = Mapping[str, Any]


class Workplace(Protocol):
    """The running agent, as far as commands go."""

    def inspect(self) -> Result:
        """What runs and how it does."""

    def apply(self, config: Config) -> bool:
        """Bring it in line with a configuration; False where that takes a new agent."""

    def renew_models(self) -> bool:
        """Try model files that are other ones under the same names; True where there are any."""

    def swap_model(self, name: str | None, version: str | None) -> Result:
        """Try another model in the place of that one; raises CommandRefused."""


class CommandDesk:
    """Where commands wait until the agent carries them out.

    `reload` reads the configuration anew and returns it if it differs; it raises ConfigError with
    the mistakes. None where there is no file. Where the running agent cannot be brought in line
    with it, and after `restart`, the `wish` is set: whoever runs the agent ends it and begins anew.
    """

    def __init__(
        self,
        overrides: Overrides,
        messages: Messages,
        outbox: Outbox,
        reload: Callable[[], Config | None] | None = None,
    ) -> None:
        self.wish: Wish | None = None
        self._pipelines: Mapping[str, Pipeline] = {}
        self._overrides = overrides
        self._messages = messages
        self._outbox = outbox
        self._reload = reload
        self._asked_to_reload = False
        self._waiting: queue.Queue[Command] = queue.Queue(_WAITING)
        self._started = time.monotonic()

    def hand_over(self, command: Command) -> bool:
        """Let a command wait for its turn; False when there is no room. Any thread may call it."""
        try:
            self._waiting.put_nowait(command)
        except queue.Full:
            return False
        return True

    def reload_soon(self) -> None:
        """Reload at the next turn, as a signal asks for; safe in a signal handler."""
        self._asked_to_reload = True  # without a lock, which the interrupted thread may hold

    def serve(self, pipelines: Sequence[Pipeline]) -> None:
        """Command these from now on: set what earlier commands set, and publish the settings."""
        before = self._pipelines.values()
        self._pipelines = {pipeline.name: pipeline for pipeline in pipelines}
        for pipeline in pipelines:
            if pipeline in before:
                continue
            settings = pipeline.settings
            enabled = self._overrides.get(pipeline.name, "enabled", True)
            threshold = self._overrides.get(pipeline.name, "threshold", settings.threshold)
            self._set(pipeline, "enabled", enabled)
            self._set(pipeline, "threshold", threshold)

    def work(self, place: Workplace) -> None:
        """Carry out what waits."""
        if self._asked_to_reload:
            self._asked_to_reload = False
            self._reload_by_signal(place)
        while not self._waiting.empty():
            command = self._waiting.get_nowait()
            try:
                result, error = self._do(command, place), ""
            except CommandRefused as refusal:
                result, error = {}, str(refusal)
            _log.info("command %s: %s", _named(command), error or "done")
            reply = command.reply
            self._outbox.put(
                self._messages.answer(reply.topic, reply.correlation, command.name, error, result)
            )

    def _reload_now(self, place: Workplace) -> Result:
        if self._reload is None:
            raise CommandRefused("this agent runs without a configuration file")
        try:
            fresh = self._reload()
            if fresh is not None and not place.apply(fresh):
                self.wish = "reload"
        except ConfigError as error:
            raise CommandRefused(_mistakes(error)) from error
        has_models = self.wish is None and place.renew_models()
        return {"changed": fresh is not None or has_models}

    def _reload_by_signal(self, place: Workplace) -> None:
        try:
            changed = self._reload_now(place)["changed"]
        except CommandRefused as refusal:
            _log.error("not reloaded, the old configuration stays:\n%s", refusal)
        else:
            _log.info("reloaded" if changed else "the configuration has not changed")

    def _do(self, command: Command, place: Workplace) -> Result:
        match command.name:
            case "enabled" | "threshold":
                return self._change(command)
            case "snapshot":
                return self._snapshot(command.pipeline)
            case "ping":
                return {"uptime": round(time.monotonic() - self._started, 3)}
            case "inspect":
                return {**place.inspect(), "settings": self._settings()}
            case "reload":
                return self._reload_now(place)
            case "model":
                return place.swap_model(command.model, command.version)
        return self._restart()

    def _restart(self) -> Result:
        try:
            if self._reload is not None:
                self._reload()  # a file with mistakes would end the agent for good
        except ConfigError as error:
            raise CommandRefused(_mistakes(error)) from error
        self.wish = "restart"
        return {}

    def _change(self, command: Command) -> Result:
        assert command.pipeline is not None
        assert command.value is not None
        pipeline = self._served(command.pipeline)
        configured = True if command.name == "enabled" else pipeline.settings.threshold
        self._set(pipeline, command.name, command.value)
        self._overrides.set(pipeline.name, command.name, command.value, configured)
        return {"pipeline": pipeline.name, command.name: command.value}

    def _set(self, pipeline: Pipeline, name: str, value: bool | float) -> None:
        if name == "enabled":
            pipeline.enable(bool(value))
            self._outbox.put(self._messages.enabled(pipeline.name, bool(value)))
        else:
            pipeline.threshold = float(value)
            self._outbox.put(self._messages.threshold(pipeline.name, float(value)))

    def _snapshot(self, name: str | None) -> Result:
        asked = list(self._pipelines.values()) if name is None else [self._served(name)]
        allowed = [pipeline for pipeline in asked if pipeline.snapshots.allowed]
        if not allowed:
            cure = "publish: {snapshots: full} in the pipeline does"
            raise CommandRefused(f"the configuration allows no pictures ({cure})")
        enabled = [pipeline for pipeline in allowed if pipeline.enabled]
        if not enabled:
            raise CommandRefused(f"{allowed[0].name} is switched off")
        online = [pipeline for pipeline in enabled if pipeline.status.online]
        if not online:
            raise CommandRefused(f"offline: {enabled[0].status.reason}")
        for pipeline in online:
            pipeline.snapshots.request()
        return {"pipelines": [pipeline.name for pipeline in online]}

    def _served(self, name: str) -> Pipeline:
        pipeline = self._pipelines.get(name)
        if pipeline is None:  # a reload removed it while the command waited
            raise CommandRefused(f"there is no pipeline {name}")
        return pipeline

    def _settings(self) -> Result:
        return {
            name: {"enabled": pipeline.enabled, "threshold": pipeline.threshold}
            for name, pipeline in self._pipelines.items()
        }


def _named(command: Command) -> str:
    where = f" of {command.pipeline}" if command.pipeline else ""
    what = f" = {json.dumps(command.value)}" if command.value is not None else ""
    return f"{command.name}{where}{what}"


def _mistakes(error: ConfigError) -> str:
    lines = error.problems
    left = len(lines) - _MOST_PROBLEMS
    return "\n".join(lines[:_MOST_PROBLEMS] + ((f"... and {left} more",) if left > 0 else ()))
