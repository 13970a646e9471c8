"""No model comes into this process before a child has outlived it.

What a child found is kept by the model's SHA-256, so that a known model is opened at once.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import os
import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path

from edge_agent import __version__
from edge_agent.engines.delegate import DelegateOptions
from edge_agent.engines.probe import Limits, try_out
from edge_agent.errors import DelegateError, InferenceError, ModelError
from edge_agent.modelstore.files import sha256_of, write_durably
from edge_agent.runtime.system import memory_available

_log = logging.getLogger(__name__)

_KEPT = 100  # models that are known
_SHARE = 0.75  # of the memory that is free
_LEAST_MEMORY = 64 << 20
_RUNTIMES = ("ai-edge-litert", "tflite-runtime", "numpy")


class Trials:
    """Tries models out; `folder` keeps what was found, None for nowhere."""

    def __init__(self, folder: Path | None, limits: Limits | None = None) -> None:
        self._folder = folder
        self._limits = limits

    def check(
        self,
        path: Path,
        sha256: str,
        kind: str,
        delegate: DelegateOptions | None = None,
        golden: Sequence[Path] = (),
    ) -> None:
        """Raise ModelError where loading this model would do harm, or a golden sample fails.

        An accelerator that cannot be used, or made-up input that the model does not like, does no
        harm and is left to the one who opens it.
        """
        if _is_ours(path):
            return
        mark = self._mark(sha256, kind, delegate, golden)
        if mark is not None and mark.exists():
            return
        try:
            tried = try_out(path, kind, delegate, golden, self._limits or _affordable())
        except DelegateError:
            return
        except InferenceError as error:
            if golden:
                raise _refusal(path, error.message, error.cure) from error
            return
        except ModelError as error:
            raise _refusal(path, error.message, error.cure) from error
        _log.info("%s: tried out on %s", path, tried.runtime)
        if mark is not None:
            _keep(mark, json.dumps(dataclasses.asdict(tried)))

    def _mark(
        self, sha256: str, kind: str, delegate: DelegateOptions | None, golden: Sequence[Path]
    ) -> Path | None:
        """The file that stands for having outlived all this, with these libraries."""
        if self._folder is None:
            return None
        words = (
            *(sha256, kind, delegate, self._limits, __version__, platform.machine()),
            *map(_version, _RUNTIMES),
            *(sha256_of(each) for each in golden if each.is_file()),
        )
        return self._folder / f"{hashlib.sha256(repr(words).encode()).hexdigest()[:24]}.json"


def _affordable() -> Limits:
    """The usual limits, but never so much memory that the machine is in need."""
    usual, percent = Limits(), memory_available()
    if percent is None:
        return usual
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    spare = int(_SHARE * percent / 100 * total)
    return Limits(memory=min(usual.memory, max(_LEAST_MEMORY, spare)))


def _refusal(path: Path, why: str, cure: str) -> ModelError:
    """One line that names the file once."""
    if str(path) in why:
        return ModelError(why, cure)
    return ModelError(f"{path} is not loaded: {why}", cure)


def _is_ours(path: Path) -> bool:
    """A model of the package is tested with it."""
    return path.absolute().is_relative_to(Path(str(files("edge_agent") / "assets")))


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _keep(mark: Path, content: str) -> None:
    try:
        mark.parent.mkdir(parents=True, exist_ok=True)
        write_durably(mark, content.encode())
        marks = sorted(mark.parent.glob("*.json"), key=lambda each: each.stat().st_mtime)
        for old in marks[:-_KEPT]:
            old.unlink(missing_ok=True)
    except OSError as error:
        _log.debug("%s cannot be kept: %s", mark, error)
