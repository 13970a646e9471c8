"""Files that are there whole or not at all, also after a power cut."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge_agent.errors import StoreError

_BLOCK = 1 << 20
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's content; raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def copy_durably(source: Path, target: Path) -> None:
    """A copy that is on the disk when this returns; raises OSError."""
    with source.open("rb") as reader, target.open("wb") as writer:
        while block := reader.read(_BLOCK):
            writer.write(block)
        writer.flush()
        os.fsync(writer.fileno())


def write_durably(target: Path, content: bytes) -> None:
    """The file with this content, or as it was before; raises OSError."""
    part = target.with_name(f".{target.name}.part")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    """Make what was renamed in a folder last; raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def told(folder: Path, doing: str) -> Iterator[None]:
    """Turns an OSError into a StoreError that names the place and the cure."""
    try:
        yield
    except OSError as error:
        raise store_error(error, folder, doing) from error


def store_error(error: OSError, folder: Path, doing: str) -> StoreError:
    """What became of `doing`, with the cure."""
    if error.errno in _FULL:
        cure = f"make room on the disk of {folder}, or set agent.state_dir to another"
    elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        cure = f"run it as the user whom {folder} belongs to, or set agent.state_dir"
    else:
        cure = f"look at {error.filename or folder}"
    return StoreError(f"{doing}: {error.strerror or error}", cure)
