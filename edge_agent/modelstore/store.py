"""The folder of installed models."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edge_agent.errors import StoreError
from edge_agent.modelstore.files import (
    sync_folder,
    told,
    write_durably,
)
from edge_agent.modelstore.floor import Floor
from edge_agent.modelstore.manifest import (
    MANIFEST,
    MISSHAPEN,
    Manifest,
    check_name,
    is_name,
    read_manifest,
)
from edge_agent.modelstore.release import Release
from edge_agent.modelstore.version import fault_of, stage
from edge_agent.state import state_folder

KEPT = 3
"""Versions of a model that are kept, the one in use among them."""

_INDEX = "index.json"
_LOCK = ".lock"
_STAGING = ".staging-"


def store_folder(state_dir: Path | None, environ: Mapping[str, str] = os.environ) -> Path:
    """Where the store of an agent is; raises RuntimeError where there is no home folder."""
    return state_folder(state_dir, environ) / "models"


@dataclass(frozen=True, slots=True)
class Entry:
    """A version that the store holds; `in_use` where its name stands for it."""

    manifest: Manifest
    folder: Path
    in_use: bool

    @property
    def path(self) -> Path:
        """The model file."""
        return self.folder / self.manifest.file

    @property
    def golden(self) -> tuple[Path, ...]:
        """The golden samples."""
        return tuple(self.folder / name for name in self.manifest.golden)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What checking a version found; `fault` is empty where it is sound."""

    name: str
    version: str
    fault: str


class ModelStore:
    """Installs, finds, checks and takes back models; nothing is made before `install`.

    Two processes may use it at once. Raises StoreError.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def names(self) -> list[str]:
        """Names of the models, in order."""
        with told(self.folder, "the model store cannot be read"):
            if not self.folder.is_dir():
                return []
            return sorted(each.name for each in self.folder.iterdir() if _is_model(each))

    def find(self, name: str) -> Entry | None:
        """The version of a model that is in use; None where there is no such model."""
        with told(self.folder, "the model store cannot be read"):
            if not is_name(name) or not (self.folder / name / _INDEX).is_file():
                return None
        folder = self.folder / name / self._history(name)[-1]
        return Entry(read_manifest(folder), folder, True)

    def entries(self, name: str) -> list[Entry]:
        """Versions of a model that can be used, the newest in use last."""
        history = self._history(name)
        folders = [self.folder / name / version for version in history]
        return [
            Entry(read_manifest(each), each, each.name == history[-1])
            for each in folders
            if each.is_dir()
        ]

    def install(
        self,
        manifest: Manifest,
        source: Path,
        golden: Sequence[Path] = (),
        *,
        move: bool = False,
        release: Release | None = None,
    ) -> Entry:
        """Copy (or move) a model file into the store and put it to use, whole or not at all.

        What the manifest says of file, size, SHA-256 and golden samples is found out here; a
        version that is empty becomes the beginning of the SHA-256. A version that is there already
        must be the same model; it is put to use again. With a `release` it must be all that the
        release says, and not older than the newest one that was accepted.
        """
        check_name(manifest.name)
        with told(self.folder, f"{manifest.name} cannot be installed"), self._locked():
            floor = None if release is None else self.floor(manifest.name).raised(release)
            staging = Path(tempfile.mkdtemp(prefix=_STAGING, dir=self.folder))
            try:
                full = stage(staging, manifest, source, golden, move, release)
                self._put_in_place(staging, full, floor)
            finally:
                shutil.rmtree(staging, ignore_errors=True)
        found = self.find(full.name)
        assert found is not None
        return found

    def entry_of(self, path: Path) -> Entry | None:
        """The version that a file is the model of; None for a file outside of the store."""
        name, folder = self.model_of(path), path.parent
        with told(self.folder, "the model store cannot be read"):
            if not name or not (folder / MANIFEST).is_file():
                return None
        return Entry(read_manifest(folder), folder, self._history(name)[-1] == folder.name)

    def model_of(self, path: Path) -> str:
        """The name of the model that a file is a version of; empty for a file outside of the store.

        The version may be gone.
        """
        folder = path.parent.parent
        return folder.name if folder.parent == self.folder else ""

    def changed(self, name: str) -> int:
        """A number that is another one after the version in use has changed; 0 without a model."""
        try:
            return (self.folder / name / _INDEX).stat().st_mtime_ns
        except OSError:
            return 0

    def use(self, name: str, version: str) -> Entry:
        """Put a version that the store holds to use."""
        with told(self.folder, f"{name} cannot be put to use"), self._locked():
            if version not in self._known(name):
                kept = ", ".join(self._known(name))
                raise StoreError(f"the store has no version {version} of {name}", f"it has {kept}")
            if fault := fault_of(self.folder / name / version):
                raise StoreError(f"{name} {version} is damaged: {fault}", "install it again")
            self._put_to_use(name, version)
        found = self.find(name)
        assert found is not None
        return found

    def rollback(self, name: str) -> Entry:
        """Put the version to use that was in use before; the newer one is used no more."""
        with told(self.folder, f"{name} cannot be rolled back"), self._locked():
            history = self._known(name)
            if len(history) < 2:
                raise StoreError(
                    f"there is no version of {name} before {history[-1]}",
                    "install one: edge-agent models add FILE --name NAME",
                )
            if fault := fault_of(self.folder / name / history[-2]):
                raise StoreError(f"{name} {history[-2]} is damaged: {fault}", "install it again")
            self._write_history(name, history[:-1])
        found = self.find(name)
        assert found is not None
        return found

    def remove(self, name: str) -> None:
        """Take a model away with all its versions."""
        if name not in self.names():
            raise self._unknown(name)
        with told(self.folder, f"{name} cannot be removed"), self._locked():
            self._discard(self.folder / name)

    def verify(self) -> Iterator[Verdict]:
        """Hash everything again: one verdict for each version of each model."""
        for name in self.names():
            try:
                history = self._history(name)
            except StoreError as error:
                yield Verdict(name, "", str(error))
                continue
            for version in history:
                yield Verdict(name, version, fault_of(self.folder / name / version))

    def floor(self, name: str) -> Floor:
        """The newest signed release of a model that was accepted; it outlives being rolled back."""
        try:
            return Floor.of(json.loads((self.folder / name / _INDEX).read_bytes()))
        except (OSError, *MISSHAPEN):  # damaged: what is here was accepted
            return Floor.of_releases(self.folder / name)

    def _put_in_place(self, staging: Path, manifest: Manifest, floor: Floor | None) -> None:
        target = self.folder / manifest.name / manifest.version
        target.parent.mkdir(exist_ok=True)
        if target.is_dir():
            if not fault_of(target) and read_manifest(target).sha256 != manifest.sha256:
                raise StoreError(
                    f"{manifest.name} {manifest.version} is another model already",
                    "give this one another --version",
                )
            self._discard(target)
        sync_folder(staging)
        staging.rename(target)
        try:
            sync_folder(target.parent)
            self._put_to_use(manifest.name, manifest.version, floor)
        except OSError:
            if manifest.version not in self._history_or_none(manifest.name):
                self._discard(target)
            raise

    def _put_to_use(self, name: str, version: str, floor: Floor | None = None) -> None:
        kept = [*(each for each in self._history_or_none(name) if each != version), version]
        self._write_history(name, kept[-KEPT:], floor)
        sync_folder(self.folder)
        for each in (self.folder / name).iterdir():
            if each.is_dir() and each.name not in kept[-KEPT:]:
                self._discard(each)

    def _history_or_none(self, name: str) -> list[str]:
        """A damaged history is begun anew by installing."""
        try:
            return self._history(name)
        except StoreError:
            return []

    def _write_history(self, name: str, history: Sequence[str], floor: Floor | None = None) -> None:
        """In one step with the floor, which stays as it is where none is given."""
        newest = (floor or self.floor(name)).as_values()
        content = json.dumps({"history": list(history), **newest}).encode()
        write_durably(self.folder / name / _INDEX, content)

    def _history(self, name: str) -> list[str]:
        """Versions in the order that they came to use, the one in use last."""
        path = self.folder / name / _INDEX
        try:
            history = [str(each) for each in json.loads(path.read_bytes())["history"]]
            for version in history:
                check_name(version, "version")
            if history:
                return history
        except (OSError, ValueError, KeyError, TypeError, StoreError):
            pass  # told below
        raise StoreError(f"{path} is damaged", "install the model again")

    def _known(self, name: str) -> list[str]:
        if name not in self.names():
            raise self._unknown(name)
        return self._history(name)

    def _unknown(self, name: str) -> StoreError:
        known = ", ".join(self.names())
        cure = f"there is {known}" if known else "it is empty: edge-agent models get NAME"
        return StoreError(f"the model store {self.folder} has no {name!r}", cure)

    def _discard(self, folder: Path) -> None:
        """Take a folder away in one step, then empty it."""
        rest = Path(tempfile.mkdtemp(prefix=_STAGING, dir=self.folder))
        try:
            folder.rename(rest / folder.name)
            sync_folder(folder.parent)
        finally:
            shutil.rmtree(rest, ignore_errors=True)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One process at a time changes the store; leftovers of one that died are cleared."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / _LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for rest in self.folder.glob(f"{_STAGING}*"):
                shutil.rmtree(rest, ignore_errors=True)
            yield


def _is_model(folder: Path) -> bool:
    return not folder.name.startswith(".") and (folder / _INDEX).is_file()
