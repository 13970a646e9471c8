"""Findings on disk: one .npz per model file, engine format, NumPy version and rounding.

A cache must never be in the way: what cannot be read is searched again, what cannot be written is
not kept, and both are told only to those who debug.
"""

from __future__ import annotations

import json
import logging
import os
import struct
import tempfile
import time
import zipfile
import zlib
from collections.abc import Mapping
from contextlib import suppress
from hashlib import file_digest
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.engines.numpy.findings import Arrays, Findings, digest

FORMAT = 1
"""Counts up when a search, a chain or what they are kept as changes."""

MOST_FILES = 32
_MOST_BYTES = 64 << 20
_OLD = 3600.0  # seconds after which a file that was never finished is nobody's
_KINDS = ("<f4", "<f8", "<i8", "<i4")
_DAMAGED = (
    OSError, ValueError, LookupError, TypeError, EOFError, OverflowError, MemoryError,
    RuntimeError, SyntaxError, struct.error, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
_log = logging.getLogger(__name__)


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Within $STATE_DIRECTORY of systemd, else the user's cache; RuntimeError without a home."""
    if given := environ.get("STATE_DIRECTORY"):
        return Path(given.split(":")[0]) / "plans"
    xdg = environ.get("XDG_CACHE_HOME", "")
    base = Path(xdg) if xdg.startswith("/") else Path.home() / ".cache"
    return base / "edge-agent" / "plans"


class PlanCache:
    """What is kept for one model file."""

    def __init__(self, model: Path, rounding: str) -> None:
        self._file: Path | None = None
        with suppress(OSError, RuntimeError):
            with model.open("rb") as file:
                content = file_digest(file, "sha256").hexdigest()
            key = digest((content, FORMAT, np.__version__, rounding))
            self._file = cache_folder() / f"{key}.npz"

    def read(self) -> tuple[Findings, bool]:
        """What was found before, and whether it was read at all: then the model ran already."""
        if self._file is None:
            return Findings(), False
        try:
            findings = Findings(_read(self._file))
        except FileNotFoundError:
            return Findings(), False
        except _DAMAGED as error:
            _log.debug("plan cache: %s is not used: %s", self._file, error)
            return Findings(), False
        with suppress(OSError):
            os.utime(self._file)  # the one used least recently goes first
        return findings, True

    def write(self, findings: Findings) -> None:
        """Keep what was used; at once or not at all, whoever else writes."""
        if self._file is None:
            return
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            _write(self._file, findings.used)
            _clean(self._file.parent)
        except OSError as error:
            _log.debug("plan cache: %s is not written: %s", self._file, error)


def _read(file: Path) -> dict[str, Arrays]:
    if file.stat().st_size > _MOST_BYTES:
        raise ValueError("it is too large")
    with np.load(file, allow_pickle=False) as archive:
        index = json.loads(archive["index"].astype(np.uint8).tobytes())
        data = archive["data"].astype(np.uint8).tobytes()
    return {key: tuple(_part(data, *entry) for entry in entries) for key, entries in index.items()}


def _part(data: bytes, kind: str, shape: list[int], start: int) -> NDArray[Any]:
    if kind not in _KINDS or any(side < 0 for side in shape) or start < 0:
        raise ValueError(f"an array of {kind} and shape {shape}")
    size = int(np.prod(shape, dtype=np.int64))
    return np.frombuffer(data, kind, size, start).reshape(shape).copy()


def _write(file: Path, findings: Mapping[str, Arrays]) -> None:
    index: dict[str, list[tuple[str, tuple[int, ...], int]]] = {}
    data = bytearray()
    for key, arrays in findings.items():
        index[key] = []
        for array in arrays:
            index[key].append((array.dtype.str, array.shape, len(data)))
            data += array.tobytes()
    text = np.frombuffer(json.dumps(index).encode(), np.uint8)
    with tempfile.NamedTemporaryFile(dir=file.parent, suffix=".tmp", delete=False) as temporary:
        try:
            np.savez(temporary, index=text, data=np.frombuffer(bytes(data), np.uint8))
            temporary.flush()
            Path(temporary.name).replace(file)
        except BaseException:
            Path(temporary.name).unlink(missing_ok=True)
            raise


def _clean(folder: Path) -> None:
    """The oldest files go, and what a process left that was killed while it wrote."""
    for left in folder.glob("*.tmp"):
        with suppress(FileNotFoundError):
            if time.time() - left.stat().st_mtime > _OLD:
                left.unlink()
    ages = []
    for file in folder.glob("*.npz"):
        with suppress(FileNotFoundError):
            ages.append((file.stat().st_mtime_ns, file))
    for _, file in sorted(ages)[:-MOST_FILES]:
        file.unlink(missing_ok=True)
