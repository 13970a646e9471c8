"""What may take the place of a model: versions of the store, and files that have changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edge_agent.config.schema import ModelConfig
from edge_agent.errors import StoreError
from edge_agent.modelstore import Entry, ModelStore
from edge_agent.modelstore.files import sha256_of
from edge_agent.modelstore.release import read_release
from edge_agent.mqtt.commands import CommandRefused


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model that is to be tried; `entry` is its version in the store, if it has one."""

    model: ModelConfig
    sha256: str
    entry: Entry | None
    by_reload: bool = False


class Candidates:
    """Finds them, and brings the store in line with what became of them.

    `store` is None where there is no folder for it; `are_signed` says that its models have to be.
    """

    def __init__(self, store: ModelStore | None, are_signed: bool) -> None:
        self._store = store
        self._are_signed = are_signed
        self._given_up: set[tuple[str, float]] = set()
        self._seen: dict[str, int] = {}
        self._hopeless: dict[str, int] = {}

    def asked_for(self, model: ModelConfig, version: str | None) -> Candidate:
        """What a command means: a version of the store, or what the store or the file has now.

        Raises CommandRefused where there is none, StoreError and OSError.
        """
        entry = self.entry(model)
        if version is None and entry is None:
            return self.of_file(model)
        if entry is None or self._store is None:
            raise CommandRefused(f"{model.file} is no model of the store, so it has no versions")
        entries = self._store.entries(entry.manifest.name)
        for each in entries:
            if each.manifest.version == version or (version is None and each.in_use):
                self._refuse_older(each)
                return self.of_entry(model, each)
        known = ", ".join(each.manifest.version for each in entries)
        raise CommandRefused(
            f"the store has no such version of {entry.manifest.name}; it has {known}"
        )

    def _refuse_older(self, entry: Entry) -> None:
        """Where models are signed, no message from afar leads back to an older one."""
        if not self._are_signed or entry.in_use or self._store is None:
            return
        manifest = entry.manifest
        if self._store.floor(manifest.name).serial > read_release(entry.folder, ()).serial:
            raise CommandRefused(
                f"version {manifest.version} is older than what was accepted already (on the "
                f"device: edge-agent models rollback {manifest.name})"
            )

    def of_file(self, model: ModelConfig, by_reload: bool = False) -> Candidate:
        """What the file of a model has now; raises StoreError and OSError."""
        return Candidate(model, sha256_of(model.file), self.entry(model), by_reload)

    @staticmethod
    def of_entry(model: ModelConfig, entry: Entry) -> Candidate:
        """A version of the store in the place of the one that a model has."""
        return Candidate(
            model.model_copy(update={"file": entry.path}), entry.manifest.sha256, entry
        )

    def entry(self, model: ModelConfig) -> Entry | None:
        """The version of the store that a model has, if it is of the store; raises StoreError."""
        return None if self._store is None else self._store.entry_of(model.file)

    def newer(self, name: str, model: ModelConfig) -> Candidate | None:
        """What the store has put to use since the last look, for a model of that name.

        Raises StoreError.
        """
        stored = self.stored(model)
        if self._store is None or not stored:
            return None
        changed = self._store.changed(stored)
        if changed == self._seen.get(name):
            return None
        self._seen[name] = changed
        found = self._store.find(stored)
        if found is None or found.folder == model.file.parent or self.is_given_up(found):
            return None
        return self.of_entry(model, found)

    def fallback(
        self, name: str, model: ModelConfig, refuse: Callable[[Candidate], None]
    ) -> Candidate | None:
        """What was in use before, where the version in use does not open: that is refused, once.

        Where there is none the store is let alone until it changes. Raises StoreError.
        """
        stored = self.stored(model)
        if self._store is None or not stored:
            return None
        changed = self._store.changed(stored)
        if changed == self._hopeless.get(name):
            return None
        self._hopeless[name] = changed
        entry = self.entry(model)
        if entry is not None and not self.is_given_up(entry):
            self.give_up(entry)
            refuse(self.of_entry(model, entry))
        for each in reversed(self._store.entries(stored)):
            if not self.is_given_up(each):
                del self._hopeless[name]  # the one before that may be next
                return self.of_entry(model, each)
        return None

    def stored(self, model: ModelConfig) -> str:
        """The name in the store that a model's file is of, empty for none."""
        return "" if self._store is None else self._store.model_of(model.file)

    def has_others(self, entry: Entry) -> bool:
        """Whether the store holds a version beside this one; raises StoreError."""
        return self._store is not None and len(self._store.entries(entry.manifest.name)) > 1

    def give_up(self, entry: Entry) -> None:
        """Propose a version no more, unless it is installed again."""
        self._given_up.add((entry.manifest.sha256, entry.manifest.installed))

    def is_given_up(self, entry: Entry) -> bool:
        """Whether it did no good."""
        return (entry.manifest.sha256, entry.manifest.installed) in self._given_up

    def take_out_of_use(self, entry: Entry) -> Entry:
        """The version that the store has in use without this one; raises StoreError."""
        assert self._store is not None
        found = self._store.find(entry.manifest.name)
        if found is not None and found.folder != entry.folder:
            return found
        return self._store.rollback(entry.manifest.name)

    def put_to_use(self, entry: Entry) -> None:
        """Have the store use a version; raises StoreError where it has changed meanwhile."""
        if self._store is None:
            return
        if not entry.in_use:
            self._store.use(entry.manifest.name, entry.manifest.version)
        elif why := self.left(entry):
            raise StoreError(why)

    def left(self, entry: Entry | None) -> str:
        """Why that is not the version that the store has in use any more; empty where it is."""
        if entry is None or self._store is None:
            return ""
        try:
            found = self._store.find(entry.manifest.name)
        except StoreError:
            return ""
        if found is None or found.folder == entry.folder:
            return ""
        return f"the store has version {found.manifest.version} in use by now"
