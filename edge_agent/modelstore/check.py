"""Whether a model of the store may be loaded, and releases on their way into it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edge_agent.errors import ModelError, StoreError
from edge_agent.modelstore.keys import PublicKey
from edge_agent.modelstore.manifest import read_manifest
from edge_agent.modelstore.release import Release, difference, read_release
from edge_agent.modelstore.store import Entry, ModelStore
from edge_agent.modelstore.version import fault_of

_CURE = "install a release: edge-agent models add FOLDER; or go back: edge-agent models rollback"


def check_release(file: Path, keys: Sequence[PublicKey], store: Path) -> None:
    """Raise ModelError unless one of the keys signed this model and all that is told of it.

    A file outside of the folder `store` is its owner's business; without keys everything is.
    """
    place = _place_in(store.absolute(), file)
    if not keys or place is None:
        return
    try:
        _check(place, keys, store.absolute())
    except StoreError as error:
        raise ModelError(f"{file} is not loaded: {error.message}", error.cure) from error


def install_release(store: ModelStore, folder: Path, keys: Sequence[PublicKey]) -> Entry:
    """Install the release in a folder; raises StoreError where anything of it is wrong.

    Without keys its signature is kept, but not looked at.
    """
    return install_read(store, folder, read_release(folder, keys))


def install_read(store: ModelStore, folder: Path, release: Release, *, move: bool = False) -> Entry:
    """The same for a release that was read; what is checked are the copies in the store."""
    manifest = release.manifest
    for name, size in release.sizes.items():
        if not (folder / name).is_file() or (folder / name).stat().st_size != size:
            raise StoreError(
                f"{folder / name} is not there with its {size} bytes",
                "get the release again, whole, from its maker",
            )
    golden = [folder / name for name in manifest.golden]
    return store.install(manifest, folder / manifest.file, golden, move=move, release=release)


def _place_in(store: Path, file: Path) -> Path | None:
    """Where in the store a file is: by its name, or behind a link; None where it is elsewhere."""
    if file.absolute().is_relative_to(store):
        return file.absolute()
    target = file.resolve()
    return target if target.is_relative_to(store.resolve()) else None


def _check(file: Path, keys: Sequence[PublicKey], store: Path) -> None:
    folder = file.parent
    release = read_release(folder, keys)
    manifest = read_manifest(folder)
    signed = release.manifest
    place = store / signed.name / signed.version / signed.file
    # A release of another model, or of another version, is sound, but not meant here.
    if file.resolve() != place.resolve():
        raise StoreError(f"its release is of {signed.name} {signed.version}", _CURE)
    if field := difference(manifest, release):
        raise StoreError(f"its manifest was changed: {field} is not what was signed", _CURE)
    if fault := fault_of(folder):
        raise StoreError(fault, _CURE)
