"""Models that take another's place while the agent runs: who asked for it, and what is kept of it.

A command, a reload, the model store or a failure proposes; `Swap` does it; what it says goes out as
an event. The store is brought in line: what does worse is in use there no more, so that the next
start opens the right one.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from edge_agent.config.schema import Config, ModelConfig
from edge_agent.errors import ConfigError, EdgeAgentError, ModelError, StoreError
from edge_agent.event import ModelStep, SwapStage
from edge_agent.modelstore import Entry, ModelStore
from edge_agent.modelstore.options import UpdatesOptions
from edge_agent.modelstore.version import fault_of
from edge_agent.mqtt.commands import CommandRefused
from edge_agent.runtime.assembly import Assembly, OpenModel
from edge_agent.runtime.candidates import Candidate, Candidates
from edge_agent.runtime.inference import Inference
from edge_agent.runtime.marks import Marks, marked
from edge_agent.runtime.proving import Proving
from edge_agent.runtime.supervisor import Ward
from edge_agent.runtime.swap import Outcome, Swap
from edge_agent.runtime.worker import ModelWorker

_log = logging.getLogger(__name__)

_FOLLOW = 1.0  # seconds between looks at the store


class Swaps:
    """Lets models take the place of others; all methods belong to the agent's thread.

    `store` is None where there is no folder for it. `rebuild` brings the agent in line with a
    configuration as if it began anew; it is called where a reload makes a model another kind.
    """

    def __init__(
        self,
        assembly: Assembly,
        open_model: OpenModel,
        store: ModelStore | None,
        options: UpdatesOptions,
        marks: Marks,
        tell: Callable[[ModelStep], None],
    ) -> None:
        self.rebuild: Callable[[Config], None] = lambda _config: None
        self._assembly = assembly
        self._open_model = open_model
        self._candidates = Candidates(store, bool(options.keys))
        self._options = options
        self._marks = marks
        self._tell = tell
        self._proving = Proving(assembly, marks, options.watch)
        self._wishes: dict[str, Candidate] = {}
        self._swaps: dict[str, tuple[Swap, Candidate, str]] = {}
        self._follow_at = 0.0

    def recover(self) -> None:
        """Do without the versions on probation under which the agent ended: before any is opened.

        They may have been the cause, so the store goes back to the ones before.
        """
        for name, mark in self._marks.read().items():
            model = self._assembly.config.models.get(name)
            try:
                entry = None if model is None else self._candidates.entry(model)
                if entry is not None and mark == marked(entry):
                    assert model is not None
                    self._recover_from(name, model, entry)
            except StoreError as error:
                _log.warning("model %s: %s", name, error)
        self._marks.forget()
        self._prove_what_is_new()

    def _prove_what_is_new(self) -> None:
        for ward in self._assembly.models:
            name = ward.unit.name
            model = self._assembly.config.models.get(name)
            try:
                entry = None if model is None else self._candidates.entry(model)
                if entry is not None and entry.in_use and self._candidates.has_others(entry):
                    self._proving.begin(name, entry)
            except StoreError as error:
                _log.warning("model %s: %s", name, error)

    def _recover_from(self, name: str, model: ModelConfig, entry: Entry) -> None:
        before = self._candidates.take_out_of_use(entry)
        self._candidates.give_up(entry)
        self._marks.prove(name, before)  # another crash is no reason to go back further
        self._assembly.adopt(name, model.model_copy(update={"file": before.path}))
        reason = "the agent ended while it was watched, so it may be the cause"
        wish = self._candidates.of_entry(model, entry)
        self._say(name, wish, before.manifest.sha256, "rolled_back", reason)

    def request(self, name: str | None, version: str | None) -> Mapping[str, Any]:
        """Try what the store or the file has now, or a version of the store; for a command.

        Returns what is tried. Raises CommandRefused.
        """
        models = [ward.unit.name for ward in self._assembly.models]
        if name is None and len(models) == 1:
            (name,) = models
        if name not in models or name not in self._assembly.config.models:
            raise CommandRefused(f"name one of the models in use: {', '.join(models)}")
        if name in self._swaps:
            raise CommandRefused(f"another model is on its way into the place of {name}")
        try:
            wish = self._candidates.asked_for(self._assembly.config.models[name], version)
        except (EdgeAgentError, OSError) as error:
            raise CommandRefused(str(error)) from error
        changed = wish.sha256 != self._running(name)
        if changed:
            self._wishes[name] = wish
        return {"model": name, "sha256": wish.sha256, "changed": changed}

    def hold(self, config: Config) -> Config:
        """A configuration with the models in use left as they are: those that changed are tried."""
        models = dict(config.models)
        for ward in self._open():
            name = ward.unit.name
            present, wanted = self._assembly.config.models.get(name), models.get(name)
            if present is None or wanted is None:
                continue
            if present == wanted and not self.busy_with(name):
                continue
            try:
                self._wishes[name] = self._candidates.of_file(wanted, by_reload=True)
            except (EdgeAgentError, OSError):
                continue  # told by whoever opens it
            models[name] = present
        return config.model_copy(update={"models": models})

    def renew(self) -> bool:
        """Try model files that are other ones under the same names; True where there are any."""
        for ward in self._open():
            name = ward.unit.name
            model = self._assembly.config.models.get(name)
            if model is None or name in self._swaps or name in self._wishes:
                continue
            try:
                wish = self._candidates.of_file(model, by_reload=True)
            except (EdgeAgentError, OSError) as error:
                _log.warning("model %s: %s", name, error)
                continue
            if wish.sha256 != self._running(name):
                self._wishes[name] = wish
        return bool(self._wishes)

    def look(self) -> None:
        """Go on with all that is under way, and see what the store has."""
        is_due = time.monotonic() >= self._follow_at
        if is_due:
            self._follow_at = time.monotonic() + _FOLLOW
        for name, (swap, wish, before) in list(self._swaps.items()):
            outcome = swap.look()
            if outcome is None and is_due and (why := self._candidates.left(wish.entry)):
                outcome = swap.withdraw(why)
            if outcome is None:
                continue
            del self._swaps[name]
            self._end(name, wish, before, outcome)
        self._follow(is_due)
        self._proving.look(self.busy_with)
        for name in [each for each in self._wishes if each not in self._swaps]:
            wish = self._wishes.pop(name)
            if self._is_due(name, wish):
                self._begin(name, wish)

    def busy_with(self, name: str) -> bool:
        """Whether a model is on its way into the place of that one."""
        return name in self._swaps or name in self._wishes

    def stop(self) -> None:
        """The agent ends in good order, its models are stopped: what it has stays in use.

        But what hangs may hang again, so the next start does without it.
        """
        for name, (swap, *_) in self._swaps.items():
            if swap.stop():
                self._marks.clear(name)
        self._proving.stop()

    # How it begins and ends

    def _end(self, name: str, wish: Candidate, before: str, outcome: Outcome) -> None:
        if outcome == "rebuild":
            self._other_kind(name, wish, before)
        elif outcome in ("refused", "rolled_back"):
            self._give_up(wish)
            again = self._wishes.get(name)  # asked for once more while it was under way
            if again is not None and (again.model, again.sha256) == (wish.model, wish.sha256):
                del self._wishes[name]
        self._proving.leave(name)
        if outcome == "kept" and wish.entry is not None:
            self._marks.prove(name, wish.entry)
        self._marks.clear(name)

    def _is_due(self, name: str, wish: Candidate) -> bool:
        """Whether it is still used, and not there already."""
        present = self._assembly.config.models.get(name)
        is_there = present == wish.model and self._running(name) == wish.sha256
        return present is not None and not is_there

    def _begin(self, name: str, wish: Candidate) -> None:
        before = self._running(name)

        def open_model() -> Inference:
            if wish.entry is not None and (fault := fault_of(wish.entry.folder)):
                raise ModelError(f"it is damaged in the store: {fault}", "install it again")
            config = self._assembly.config
            models = {**config.models, name: wish.model}
            return self._open_model(config.model_copy(update={"models": models}), name)

        def enter(is_watched: bool) -> None:
            if wish.entry is None:
                return
            try:
                if is_watched:
                    self._note(name, wish.entry)
                self._candidates.put_to_use(wish.entry)
            except StoreError as error:
                if is_watched:
                    raise
                _log.warning("model %s: %s", name, error)

        def tell(stage: SwapStage, reason: str) -> None:
            self._say(name, wish, before, stage, reason)

        swap = Swap(
            self._assembly, name, wish.model, open_model, self._options, enter, tell
        )  # fmt: skip
        self._swaps[name] = (swap, wish, before)

    def _say(self, name: str, wish: Candidate, before: str, stage: SwapStage, reason: str) -> None:
        version = None if wish.entry is None else wish.entry.manifest.version
        told = f"version {version}" if version else str(wish.model.file)
        level = logging.WARNING if reason else logging.INFO
        _log.log(level, "model %s, %s: %s%s", name, told, stage, f": {reason}" if reason else "")
        self._tell(ModelStep(name, stage, wish.sha256, version, before, reason, time.time()))

    def _other_kind(self, name: str, wish: Candidate, before: str) -> None:
        reason = "its results are of another kind (name it in the YAML, then reload)"
        if wish.by_reload:
            config = self._assembly.config
            models = {**config.models, name: wish.model}
            # What runs is another one than what is wanted now, also where only the file changed.
            present = config.models[name]
            self._assembly.adopt(name, present.model_copy(update={"sha256": before}))
            try:
                self.rebuild(config.model_copy(update={"models": models}))
            except ConfigError as error:
                reason = str(error)
                self._assembly.adopt(name, present)
            else:
                self._say(name, wish, before, "swapped", "")
                self._say(name, wish, before, "kept", "")
                return
        self._say(name, wish, before, "refused", reason)
        self._give_up(wish)

    def _give_up(self, wish: Candidate) -> None:
        """The store goes back to the version before, where it put this one to use."""
        if wish.entry is None:
            return
        self._candidates.give_up(wish.entry)
        try:
            self._candidates.take_out_of_use(wish.entry)
        except StoreError as error:
            _log.warning("%s", error)

    def _note(self, name: str, entry: Entry) -> None:
        try:
            self._marks.set(name, entry)
        except OSError as error:
            reason = error.strerror or str(error)
            raise StoreError(
                f"it cannot be noted on the disk that it is watched: {reason}",
                "without that a crash would come again and again",
            ) from error

    def _follow(self, is_due: bool) -> None:
        """See which models do not open, and where it `is_due` which versions the store has."""
        for ward in self._assembly.models:
            name = ward.unit.name
            model = self._assembly.config.models.get(name)
            is_hopeless = ward.hopeless and isinstance(ward.unit.failure, ModelError)
            if model is None or self.busy_with(name) or not (is_due or is_hopeless):
                continue
            try:
                if is_hopeless:
                    found = self._fallback(name, model, str(ward.unit.failure))
                else:
                    found = self._candidates.newer(name, model)
            except StoreError as error:
                _log.warning("model %s: %s", name, error)
            else:
                if found is not None:
                    self._wishes[name] = found

    def _fallback(self, name: str, model: ModelConfig, reason: str) -> Candidate | None:
        """What is in use in the store does not open here: what was in use before may."""

        def refuse(wish: Candidate) -> None:
            self._say(name, wish, "", "refused", reason)

        return self._candidates.fallback(name, model, refuse)

    def _open(self) -> list[Ward[ModelWorker]]:
        """The models that are open and work."""
        wards = self._assembly.models
        return [each for each in wards if each.unit.inference is not None and not each.failed]

    def _running(self, name: str) -> str:
        """SHA-256 of the model in use, empty where none is open."""
        ward = self._assembly.model(name)
        inference = None if ward is None or ward.failed else ward.unit.inference
        return "" if inference is None else inference.ref.sha256
