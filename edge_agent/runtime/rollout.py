"""Roll-outs by Eclipse hawkBit: each action is executed once and closed with what became of it."""

from __future__ import annotations

import dataclasses
import json
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_agent import __version__
from edge_agent.config.schema import Config
from edge_agent.errors import DownloadError, EdgeAgentError, StoreError
from edge_agent.event import ModelStep
from edge_agent.modelstore import ModelStore
from edge_agent.modelstore.ddi import Ddi, Deployment, Finished, Module
from edge_agent.modelstore.files import write_durably
from edge_agent.modelstore.keys import PublicKey
from edge_agent.modelstore.pull import bring, put_to_use, release_at
from edge_agent.modelstore.release import Release
from edge_agent.modelstore.web import Refused
from edge_agent.runtime.updates import Models, in_use, one_line

_log = logging.getLogger(__name__)

PATIENCE = 6 * 3600.0
"""Seconds without a word of a swap after which an action counts as failed."""

_TRIES = 10  # fetches that may be cut before an action counts as failed
_OVER = (404, 410)  # the server has no such action any more
_LONGEST_SLEEP = 24 * 3600.0


@dataclass(slots=True)
class Action:
    """An action of the server that was begun.

    `waits_for` are the SHA-256 of what models of the configuration have to run, before the action
    is done; `finished` is what became of it, `details` why.
    """

    id: str
    tries: int = 0
    installed: bool = False
    waits_for: dict[str, str] = field(default_factory=dict)
    finished: Finished = "none"
    details: list[str] = field(default_factory=list)
    closed: bool = False

    def end(self, finished: Finished, *details: str) -> None:
        """Settle what became of it, once."""
        if self.finished == "none":
            self.finished, self.details = finished, list(details)


class Rollout:
    """Does what hawkBit has for this device.

    An action is done once every model that it changes was swapped in and kept. `running` tells the
    SHA-256 of the open models; `state` is the file in which the action is remembered, so that a
    restart neither executes it again nor leaves it open. After `patience` seconds without a word
    of a swap it has failed.
    """

    def __init__(
        self,
        ddi: Ddi,
        store: ModelStore,
        keys: Sequence[PublicKey],
        models: Models,
        running: Callable[[], Mapping[str, str]],
        state: Path,
        patience: float = PATIENCE,
    ) -> None:
        self._ddi = ddi
        self._store = store
        self._keys = keys
        self._models = models
        self._running = running
        self._state = state
        self._patience = patience
        self._lock = threading.Lock()
        self._action = _remembered(state)
        self._own: str | None = None  # id of what this process installed, and so hears of
        self._began = time.monotonic()

    def look(self, step: Callable[[int], None]) -> float:
        """Ask the server and do what is due."""
        self._close()
        waiting = self._ddi.waiting()
        if waiting.cancel is not None:
            self._cancel(*self._ddi.cancelled(waiting.cancel))
        elif waiting.deployment is not None:
            self._execute(self._ddi.deployment(waiting.deployment), step)
        self._close()
        if waiting.wants_attributes:  # last: a server that does not take them holds up nothing
            self._ddi.tell(self._attributes())
        return min(waiting.sleep, _LONGEST_SLEEP)

    def note(self, step: ModelStep) -> bool:
        """Take note of what became of a model; True where an action is done with that."""
        with self._lock:
            action = self._action
            if action is None or action.waits_for.get(step.model) != step.sha256:
                return False
            if step.stage == "kept":
                self._arrived(action, step.model)
            elif step.stage in ("refused", "rolled_back"):
                action.end("failure", f"{step.model}: {step.stage}: {step.reason}")
            return action.finished != "none"

    def _execute(self, deployment: Deployment, step: Callable[[int], None]) -> None:
        if self._action is None or self._action.id != deployment.action:
            if deployment.window == "unavailable":
                return  # its time is still to come
            self._keep(Action(deployment.action))
            self._ddi.answer(
                "deploymentBase", deployment.action, "proceeding", "none", ["it is begun"]
            )
        action = self._action
        assert action is not None
        if action.closed:
            action.closed = False  # it did not reach the server, or that was set back
        elif action.installed:
            self._see_whether_it_runs(action)
        elif action.finished == "none":
            self._install(action, deployment, step)

    def _install(self, action: Action, deployment: Deployment, step: Callable[[int], None]) -> None:
        try:
            if deployment.update == "skip":
                raise StoreError("to fetch without installing is not known here")
            releases = self._fetched(deployment, step)
            if self._ddi.waiting().cancel is not None:
                return  # while it was fetched; the next look sees to that
            for release in releases:
                self._put_to_use(action, release)
            self._settle(action)
        except EdgeAgentError as error:
            self._failed(action, error)
        self._keep(action)

    def _settle(self, action: Action) -> None:
        """All is installed; what becomes of it is heard, or was heard already."""
        with self._lock:
            action.installed = True
            self._own, self._began = action.id, time.monotonic()
            if not action.waits_for:
                action.end("success", "it is in use")

    def _failed(self, action: Action, error: EdgeAgentError) -> None:
        """What can still come right is tried again; raises it to be told until then."""
        action.tries += 1
        if error.retriable and action.tries < _TRIES:
            self._keep(action)
            raise error
        reason = one_line(str(error))
        _log.warning("updates: action %s failed: %s", action.id, reason)
        with self._lock:
            action.end("failure", reason)

    def _fetched(self, deployment: Deployment, step: Callable[[int], None]) -> list[Release]:
        """All releases of a deployment, checked and here; nothing is installed before."""
        if not deployment.chunks:
            raise StoreError("the deployment has no software module")
        found: list[tuple[Release, Module]] = []
        for chunk in deployment.chunks:
            place = self._ddi.place(chunk)
            release = release_at(place, self._keys)
            name = release.manifest.name
            if name not in self._models():
                raise StoreError(f"no model of this device's configuration is {name} of its store")
            self._store.floor(name).raised(release)
            found.append((release, place))
        digests = [release.digest for release, _ in found]
        for release, place in found:
            if not self._has(release):
                bring(release, place, self._store, step, digests)
        return [release for release, _ in found]

    def _has(self, release: Release) -> bool:
        """Whether a release is in use already: nothing is installed twice."""
        name, manifest = release.manifest.name, release.manifest
        entry = self._store.find(name)
        return (
            entry is not None
            and entry.manifest.version == manifest.version
            and entry.manifest.sha256 == manifest.sha256
            and self._store.floor(name).digest == release.digest
        )

    def _put_to_use(self, action: Action, release: Release) -> None:
        manifest, is_new, running = release.manifest, not self._has(release), self._running()
        with self._lock:  # before it is installed: the swap may be quicker than this thread
            for model in self._models()[manifest.name]:
                if is_new or running.get(model) != manifest.sha256:
                    action.waits_for[model] = manifest.sha256
        self._keep(action)
        if is_new:
            put_to_use(release, self._store)
            _log.info("updates: %s %s is installed", manifest.name, manifest.version)

    def _see_whether_it_runs(self, action: Action) -> None:
        """After a restart nobody tells: then it counts what runs."""
        with self._lock:
            if self._own != action.id:
                running = self._running()
                used = {m: in_use(self._store, n) for n, ms in self._models().items() for m in ms}
                for model, sha256 in dict(action.waits_for).items():
                    if running.get(model) == sha256:
                        self._arrived(action, model)
                    elif used.get(model) != sha256:
                        action.end("failure", f"{model}: another version is in use")
            if not action.waits_for:
                action.end("success", "it is in use")
            elif time.monotonic() - self._began > self._patience:
                names = ", ".join(action.waits_for)
                action.end("failure", f"{names}: not swapped in within {self._patience:g} s")
        self._keep(action)

    @staticmethod
    def _arrived(action: Action, model: str) -> None:
        action.waits_for.pop(model)
        if action.installed and not action.waits_for:
            action.end("success", "it is in use")

    def _cancel(self, cancellation: str, stopped: str) -> None:
        """What is in use already is not taken back: the server can roll out the one before."""
        action = self._action
        if action is not None and action.id == stopped and action.installed:
            self._ddi.answer(
                "cancelAction", cancellation, "rejected", "none", ["it is installed already"]
            )
            self._see_whether_it_runs(action)
            return
        self._ddi.answer(
            "cancelAction", cancellation, "closed", "success", ["nothing of it was installed"]
        )
        if action is not None and action.id == stopped:
            self._keep(None)

    def _close(self) -> None:
        """Tell the server what became of the action, until it has heard it."""
        with self._lock:
            action = self._action
            if action is None or action.finished == "none" or action.closed:
                return
        self._keep(action)
        try:
            self._ddi.answer("deploymentBase", action.id, "closed", action.finished, action.details)
        except Refused as error:
            if error.status not in _OVER:
                raise
        action.closed = True
        self._keep(action)

    def _attributes(self) -> dict[str, str]:
        found = {"edge_agent": __version__}
        for name in self._models():
            try:
                entry = self._store.find(name)
            except StoreError:
                continue
            if entry is not None:
                manifest = entry.manifest
                found[f"model_{name}"] = f"{manifest.version} {manifest.sha256[:12]}"
        return found

    def _keep(self, action: Action | None) -> None:
        """Remember the action; raises DownloadError where that cannot be, before anything else."""
        with self._lock:
            self._action = action
            values = None if action is None else dataclasses.asdict(action)
        try:
            self._state.parent.mkdir(parents=True, exist_ok=True)
            write_durably(self._state, json.dumps(values).encode())
        except OSError as error:
            raise DownloadError(
                f"{self._state} cannot be written: {error.strerror or error}",
                "make room, or give this user access",
            ) from error


def ddi_of(config: Config, timeout: float) -> Ddi:
    """The hawkBit of a configuration that has one; raises StoreError where it cannot be asked."""
    options = config.updates.hawkbit
    assert options is not None
    controller = options.controller or config.agent.name
    return Ddi(options, controller, config.updates.ca_file, timeout)


def _remembered(state: Path) -> Action | None:
    try:
        values: Any = json.loads(state.read_bytes())
        return None if values is None else Action(**values)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        _log.warning("%s is begun anew: %s", state, error)
        return None
