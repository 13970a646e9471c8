"""From the catalogue into the store."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from edge_agent.errors import DownloadError
from edge_agent.modelstore.catalogue import Offer, RemoteFile
from edge_agent.modelstore.download import Step, download
from edge_agent.modelstore.files import told
from edge_agent.modelstore.manifest import Manifest
from edge_agent.modelstore.store import Entry, ModelStore

_FOLDER = ".downloads"

ReadLabels = Callable[[Path], tuple[str, ...]]


def fetch(
    offer: Offer,
    store: ModelStore,
    read_labels: ReadLabels,
    mirror: str | None,
    timeout: float,
    step: Step,
) -> Entry:
    """Fetch and install a model; `read_labels` reads its file of labels.

    `timeout` and `step` as for `download`. Raises DownloadError, StoreError.
    """
    with downloads(store) as folder:
        labels = None
        if offer.labels is not None:
            file = _fetched(offer.labels, folder, mirror, timeout, step)
            labels = read_labels(file)
        model = _fetched(offer.file, folder, mirror, timeout, step)
        manifest = Manifest(
            name=offer.name,
            version="",
            file="",
            sha256=offer.file.sha256,
            size=offer.file.size,
            labels=labels,
            licence=offer.licence,
            source=offer.file.url(),
        )
        entry = store.install(manifest, model, move=True)
        if offer.labels is not None:
            file.unlink(missing_ok=True)
    return entry


def _fetched(
    remote: RemoteFile, folder: Path, mirror: str | None, timeout: float, step: Step
) -> Path:
    part = folder / f"{remote.sha256}{Path(remote.path).suffix}"
    with told(folder, "the model cannot be kept"):
        download(remote.url(mirror), part, remote.sha256, remote.size, timeout, step)
    return part


@contextmanager
def downloads(store: ModelStore) -> Iterator[Path]:
    """Where beginnings of files lie, for one process at a time."""
    folder = store.folder / _FOLDER
    with told(store.folder, "the model cannot be kept"):
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("w")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DownloadError(
                "another command fetches a model", "wait until it is done"
            ) from error
        try:
            yield folder
        finally:
            # Closing is not enough: a child that is just being started has the file open as well.
            fcntl.flock(lock, fcntl.LOCK_UN)
