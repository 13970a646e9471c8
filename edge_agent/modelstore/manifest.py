"""What the store knows of one version of a model."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_agent.errors import StoreError

MANIFEST = "manifest.json"
SUFFIXES = (".tflite", ".npz")
"""Endings of model files; a model's name is without them."""

MISSHAPEN = (ValueError, TypeError, KeyError, AttributeError, ArithmeticError, RecursionError)
"""What reading JSON of another form than expected raises."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Manifest:
    """A version of a model and where it is from.

    `file` is the model's file name beside the manifest, `size` its bytes, `installed` epoch
    seconds. `thresholds` are scores by label. `golden` maps file names of golden samples (.npz of
    input tensors) to their SHA-256.
    """

    name: str
    version: str
    file: str
    sha256: str
    size: int
    task: str = "auto"
    labels: tuple[str, ...] | None = None
    licence: str = ""
    source: str = ""
    thresholds: Mapping[str, float] = field(default_factory=dict)
    golden: Mapping[str, str] = field(default_factory=dict)
    installed: float = 0.0

    def as_values(self) -> dict[str, Any]:
        """Plain values, as JSON has them."""
        return dataclasses.asdict(self)

    def files(self) -> dict[str, str]:
        """SHA-256 of the model file and of each golden sample, by file name."""
        return {self.file: self.sha256, **self.golden}


def check_name(name: str, what: str = "model") -> str:
    """The name itself, where it can be that of a folder; raises StoreError."""
    if not is_name(name):
        raise StoreError(
            f"{name!r} cannot be the name of a {what}",
            "use 1 to 64 letters, digits, '.', '_' and '-', beginning with a letter or a digit",
        )
    return name


def is_name(name: str) -> bool:
    """Whether a text can be the name of a model or of a version, and so of its folder."""
    return _NAME.fullmatch(name) is not None


def name_of(file: str | Path) -> str:
    """The name that a file stands for in the store: without folders and ending."""
    base = Path(file).name
    return next((base.removesuffix(end) for end in SUFFIXES if base.endswith(end)), base)


def read_manifest(folder: Path) -> Manifest:
    """The manifest in the folder of a version; raises StoreError where it is damaged."""
    path = folder / MANIFEST
    try:
        values = json.loads(path.read_bytes())
        manifest = manifest_of(values)
    except (OSError, *MISSHAPEN) as error:
        reason = getattr(error, "strerror", None) or "it is damaged"
        cure = "install the model again, or roll back"
        if isinstance(error, PermissionError):
            cure = (
                f"install as the user who runs the agent; now: sudo chown -R USER {folder.parent}"
            )
        raise StoreError(f"{path} cannot be used: {reason}", cure) from error
    return manifest


def manifest_beside(file: Path) -> Manifest | None:
    """What the store says of a model file; None for a file outside a store.

    Raises StoreError where it is damaged.
    """
    if not (file.parent / MANIFEST).is_file():
        return None
    manifest = read_manifest(file.parent)
    return manifest if manifest.file == file.name else None


def stored_labels(file: Path) -> tuple[str, ...] | None:
    """Names of the classes that were stored with a model."""
    manifest = manifest_beside(file)
    return None if manifest is None else manifest.labels


def golden_samples(file: Path) -> tuple[Path, ...]:
    """Samples of its input that were stored with a model."""
    manifest = manifest_beside(file)
    return () if manifest is None else tuple(file.parent / name for name in manifest.golden)


def manifest_of(values: dict[str, Any]) -> Manifest:
    """A manifest of plain values; raises one of MISSHAPEN for what none holds."""
    known = {each.name for each in dataclasses.fields(Manifest)}
    given = {key: value for key, value in values.items() if key in known}
    labels = given.get("labels")
    manifest = Manifest(
        **{
            **given,
            "labels": None if labels is None else tuple(map(str, labels)),
            "thresholds": {str(k): float(v) for k, v in given.get("thresholds", {}).items()},
        }
    )
    for file, sha256 in manifest.files().items():
        # It names files beside itself and nothing else.
        if not is_name(file) or not _SHA256.fullmatch(sha256):
            raise ValueError(file)
    return manifest
