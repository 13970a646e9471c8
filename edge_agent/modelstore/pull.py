"""Brings a signed release from a server into the store."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Protocol

from edge_agent.errors import DownloadError, StoreError
from edge_agent.modelstore.check import install_read
from edge_agent.modelstore.download import Step, download
from edge_agent.modelstore.fetch import downloads
from edge_agent.modelstore.files import told
from edge_agent.modelstore.keys import PublicKey
from edge_agent.modelstore.manifest import MISSHAPEN, is_name
from edge_agent.modelstore.publish import LATEST
from edge_agent.modelstore.release import LARGEST, RELEASE, SIGNATURE, Release, parse_release
from edge_agent.modelstore.store import Entry, ModelStore
from edge_agent.modelstore.web import Web

_SPARE = 64 << 20  # bytes that stay free on the disk
_LARGEST_LATEST = 1 << 10


class Place(Protocol):
    """Where the files of one release are."""

    def small(self, name: str, most: int) -> bytes:
        """All of a file of at most so many bytes; raises DownloadError, StoreError."""

    def large(self, name: str, part: Path, sha256: str, size: int, step: Step) -> None:
        """Make `part` this file, as `download` does."""


class Folder:
    """The release in a folder of a web server: `URL/NAME/VERSION/`."""

    def __init__(self, web: Web, name: str, version: str) -> None:
        self._web = web
        self._place = (name, version)

    def small(self, name: str, most: int) -> bytes:
        """All of a file."""
        return self._web.get(self._web.url(*self._place, name), most).content or b""

    def large(self, name: str, part: Path, sha256: str, size: int, step: Step) -> None:
        """Make `part` this file."""
        url = self._web.url(*self._place, name)
        download(url, part, sha256, size, self._web.timeout, step, self._web.ask)


def latest(web: Web, name: str, etag: str) -> tuple[str | None, str]:
    """The version that devices shall have, with its mark; None where it is as it was.

    Raises DownloadError, StoreError.
    """
    url = web.url(name, LATEST)
    answer = web.get(url, _LARGEST_LATEST, etag)
    if answer.content is None:
        return None, etag
    try:
        version = json.loads(answer.content)["version"]
        if is_name(version):
            return version, answer.etag
    except MISSHAPEN:
        pass  # told below
    raise StoreError(f"{url} names no version", "write it with edge-agent models release")


def release_at(place: Place, keys: Sequence[PublicKey]) -> Release:
    """What a release says; nothing but that is fetched. Raises DownloadError, StoreError."""
    content, signature = (place.small(name, LARGEST[name]) for name in (RELEASE, SIGNATURE))
    return parse_release(content, signature, keys)


def bring(
    release: Release, place: Place, store: ModelStore, step: Step, kept: Collection[str] = ()
) -> None:
    """Fetch the files of a release, so that `put_to_use` has them.

    What is there from an earlier try is not fetched again; `kept` are digests of other releases
    that were brought and are still needed. Raises DownloadError after which another try goes on,
    and StoreError.
    """
    hashes = release.manifest.files()
    with downloads(store) as parent, told(parent, "the release cannot be kept"):
        _clear(parent, {release.digest, *kept})
        folder = parent / release.digest
        folder.mkdir(exist_ok=True)
        _check_room(release, folder)
        for name, size in release.sizes.items():
            place.large(name, folder / name, hashes[name], size, step)


def put_to_use(release: Release, store: ModelStore) -> Entry:
    """Install a release that was brought; raises StoreError."""
    with downloads(store) as parent:
        folder = parent / release.digest
        entry = install_read(store, folder, release, move=True)
        shutil.rmtree(folder, ignore_errors=True)
        return entry


def _clear(parent: Path, kept: Collection[str]) -> None:
    """What is left of other releases will not be gone on with."""
    for each in parent.iterdir():
        if each.is_dir() and each.name not in kept:
            shutil.rmtree(each, ignore_errors=True)


def _check_room(release: Release, folder: Path) -> None:
    have = sum(each.stat().st_size for each in folder.iterdir())
    samples = sum(release.golden_sizes.values())  # these are copied
    needed = sum(release.sizes.values()) + samples + _SPARE - have
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DownloadError(
            f"{release.manifest.name} {release.manifest.version} needs {needed >> 20} MiB of free "
            f"disk, and there are {free >> 20}",
            f"make room on the disk of {folder.parent}",
        )
