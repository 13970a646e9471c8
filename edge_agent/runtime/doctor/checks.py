"""The checks, one line each, in the order in which they are told."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Iterator
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from edge_agent.clock import clock_synchronized
from edge_agent.config.load import Loaded
from edge_agent.config.schema import NO_MODEL, Config
from edge_agent.errors import StateError
from edge_agent.outbox.options import OutboxOptions
from edge_agent.outbox.store import owner
from edge_agent.runtime.doctor import broker, disk, engines, memory, models, power, sources, systemd
from edge_agent.runtime.doctor.broker_visit import BrokerVisit
from edge_agent.runtime.doctor.clock import judge_clock
from edge_agent.runtime.doctor.commands import edge_agent
from edge_agent.runtime.doctor.devices import kinds, permissions
from edge_agent.runtime.doctor.finding import Check, Finding, fail, ok, skip, warn
from edge_agent.runtime.doctor.machine import Machine
from edge_agent.runtime.doctor.outbox import outbox
from edge_agent.runtime.doctor.trial import trial
from edge_agent.runtime.doctor.updates import STUCK, updates
from edge_agent.state import state_folder

_TRIAL = 12.0  # seconds
_LONG = 16.0  # seconds
_DMESG = "sudo dmesg | tail, and: sudo reboot"
_CAMERA = "look at the camera's power and cable, and at: sudo dmesg | tail"


def checks(loaded: Loaded | None, file: Path | None, machine: Machine) -> list[Check]:
    """All checks of a machine and, where there is one, of the configuration in a file."""
    patient = _Patient(loaded, file, machine)
    found = list(_of_machine(patient))
    if loaded is not None and loaded.config is not None and file is not None:
        found += _Configured(patient, loaded, loaded.config, file).all()
    return found


class _Patient:
    """The machine with the service on it."""

    def __init__(self, loaded: Loaded | None, file: Path | None, machine: Machine) -> None:
        self.machine = machine
        self.config = loaded.config if loaded is not None else None
        self.unit = systemd.unit_name(file.absolute() if file is not None else None)
        self._file = file
        self._is_of_service = file is None or file.absolute().parent == systemd.ETC

    @cached_property
    def state(self) -> Path:
        """Where the agent keeps its state; a service's own folder is not told to others.

        Raises RuntimeError where there is not even a home folder.
        """
        chosen = self.config.agent.state_dir if self.config is not None else None
        if self._is_of_service and chosen is None and "STATE_DIRECTORY" not in os.environ:
            return systemd.state_of_unit(self.machine, self.unit) or state_folder(None)
        return state_folder(chosen)

    @property
    def as_root(self) -> str:
        """The same examination by someone who may look everywhere."""
        words = () if self._file is None else ("-c", self._file)
        return edge_agent("doctor", *words, root=True)

    @property
    def outbox(self) -> Path:
        """The file of the outbox."""
        assert self.config is not None
        return self.state / f"{self.config.agent.name}.outbox"

    def look_at_unit(self) -> Finding:
        """The unit, with the groups that the configuration needs."""
        served = self.config if self._is_of_service else None
        needed = kinds(served).values() if served is not None else ()
        properties = systemd.unit_properties(self.machine, self.unit)
        groups = {kind.group for kind in needed}
        return systemd.judge_unit(self.unit, properties, groups, self._file)

    def look_at_disk(self) -> Finding:
        """The disk of the state."""
        user = self.machine.identity.user
        wanted = (self.config.outbox if self.config is not None else OutboxOptions()).max_bytes
        try:
            facts = disk.measure_disk(self.state)
        except PermissionError as error:
            return skip(f"{user} may not look into {error.filename}", self.as_root)
        except (OSError, RuntimeError) as error:
            return fail(f"no folder for the state: {error}", "set agent.state_dir")
        if facts.error == errno.EACCES and self._is_of_service:
            return skip(f"{user} may not write into {facts.place}: the service may", self.as_root)
        return disk.judge_disk(facts, wanted, user)

    def look_at_memory(self) -> Finding:
        """The memory, and what an agent that does not run yet would take."""
        needed = 0 if self.config is None or self._runs() else self._memory_needed(self.config)
        return memory.judge_memory(self.machine.text("proc/meminfo"), needed)

    def _runs(self) -> bool:
        try:
            return owner(self.outbox) is not None
        except (StateError, RuntimeError):
            return False

    @staticmethod
    def _memory_needed(config: Config) -> int:
        used = {model for each in config.running.values() for model in each.models}
        used.discard(NO_MODEL)
        return memory.memory_needed(sum(_size(config.models[name].file) for name in used))

    def look_at_engines(self) -> Finding:
        """The runtime, tried out."""
        all_models = self.config.models.values() if self.config is not None else ()
        needed = any(each.engine == "tflite" or each.delegate for each in all_models)
        return engines.engines(partial(trial, "runtime", limit=_TRIAL), needed)


def _of_machine(patient: _Patient) -> Iterator[Check]:
    machine, reinstall = patient.machine, engines.runtime_cure() or _DMESG
    yield Check("cpu", lambda: engines.cpu(machine, patient.unit), _DMESG)
    yield Check("engines", patient.look_at_engines, reinstall, _TRIAL + 1.0)
    yield Check("clock", lambda: judge_clock(clock_synchronized(), time.time()), _DMESG)
    yield Check("power", lambda: power.power(machine), _DMESG)
    yield Check("heat", lambda: power.heat(machine), _DMESG)
    yield Check("memory", patient.look_at_memory, _DMESG)
    yield Check("disk", patient.look_at_disk, _DMESG, 8.0)
    yield Check("wear", lambda: disk.wear(machine), _DMESG)
    yield Check("unit", patient.look_at_unit, "sudo systemctl daemon-reexec")
    yield Check("exposure", lambda: systemd.exposure(machine, patient.unit), _DMESG, 10.0)


class _Configured:
    """The checks of what a configuration names."""

    def __init__(self, patient: _Patient, loaded: Loaded, config: Config, file: Path) -> None:
        self._patient = patient
        self._loaded = loaded
        self._config = config
        self._file = file
        self._visit = BrokerVisit(config)
        self._turns = threading.Semaphore(max(1, (os.cpu_count() or 1) // 2))

    def all(self) -> Iterator[Check]:
        """In order."""
        check = edge_agent("check", "-c", self._file)
        network = broker.network_cure(self._config.mqtt)
        yield Check("configuration", self._look_at_configuration, check)
        yield Check("outbox", self._look_at_outbox, _DMESG)
        yield Check("permissions", self._look_at_permissions, _DMESG)
        for name in self._config.sources:
            yield Check(f"source {name}", partial(self._look_at_source, name), _CAMERA, _LONG)
        for name, model in self._config.models.items():
            bench = edge_agent("bench", "-m", model.file)
            yield Check(f"model {name}", partial(self._look_at_model, name), bench, _LONG)
        yield Check("broker", self._look_at_broker, network, _LONG)
        yield Check("rights", self._look_at_rights, network, _LONG)
        yield Check("home assistant", self._look_at_discovery, network, _LONG)
        if self._config.updates.server is not None:
            yield Check("updates", lambda: updates(self._config, _TRIAL), STUCK, _LONG)

    def _look_at_broker(self) -> Finding:
        return broker.judge_broker(self._config.mqtt, self._visit.facts())

    def _look_at_rights(self) -> Finding:
        return broker.judge_rights(self._config.mqtt, self._visit.topics, self._visit.facts())

    def _look_at_discovery(self) -> Finding:
        return broker.judge_discovery(self._config.mqtt, self._visit, self._visit.facts())

    def _look_at_outbox(self) -> Finding:
        patient = self._patient
        return outbox(patient.outbox, patient.machine.identity.user, patient.as_root)

    def _look_at_permissions(self) -> Finding:
        return permissions(self._patient.machine, self._config)

    def _look_at_configuration(self) -> Finding:
        cure = f"correct it there; {edge_agent('check', '-c', self._file)} shows the lines"
        if problems := [str(each) for each in self._loaded.problems]:
            return fail("; ".join(problems), cure)
        if warnings := [str(each) for each in self._loaded.warnings]:
            return warn("; ".join(warnings), cure)
        names = ", ".join(name for name, each in self._config.pipelines.items() if each.enabled)
        return ok(f"{self._file}: device {self._config.agent.name}, pipelines {names}")

    def _look_at_source(self, name: str) -> Finding:
        chosen = self._config.sources[name]
        used = any(each.enabled and each.source == name for each in self._config.pipelines.values())
        if used and (who := self._agent()) is not None:
            facts = self._visit.facts()
            told = broker.health_of(facts, name)
            why = str(facts.problem or facts.lost or "it does not answer over MQTT")
            return sources.judge_used(who, told, why)
        return sources.source(name, chosen, partial(self._try, "source", name))

    def _agent(self) -> str | None:
        """The agent that runs; the broker is asked where the state is not ours to look at."""
        try:
            return owner(self._patient.outbox)
        except (StateError, RuntimeError):
            return "seen at the broker" if self._visit.facts().online else None

    def _look_at_model(self, name: str) -> Finding:
        with self._turns:  # else they slow each other down
            return models.model(self._config, name, partial(self._try, "model", name))

    def _try(self, kind: str, name: str) -> dict[str, Any]:
        return trial(kind, self._file.absolute(), name, limit=_TRIAL)


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0
