"""The folder of one version of a model: how it is filled, and whether it is sound."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Sequence
from pathlib import Path

from edge_agent.errors import StoreError
from edge_agent.modelstore.files import (
    copy_durably,
    sha256_of,
    write_durably,
)
from edge_agent.modelstore.manifest import (
    MANIFEST,
    Manifest,
    check_name,
    read_manifest,
)
from edge_agent.modelstore.release import RELEASE, SIGNATURE, Release, difference

_DIGITS = 12  # of the SHA-256, which is the version where none is given


def stage(
    staging: Path,
    manifest: Manifest,
    source: Path,
    golden: Sequence[Path] = (),
    move: bool = False,
    release: Release | None = None,
) -> Manifest:
    """Fill the folder of a version; returns the manifest with all that was found out."""
    file = staging / f"{manifest.name}{source.suffix}"
    if move:
        source.rename(file)
    else:
        copy_durably(source, file)
    sha256 = sha256_of(file)
    if manifest.sha256 and manifest.sha256 != sha256:
        raise StoreError(
            f"{source} has the SHA-256 {sha256}, not {manifest.sha256}", "get the file again"
        )
    samples = {f"golden-{number}{each.suffix}": each for number, each in enumerate(golden, 1)}
    for name, each in samples.items():
        copy_durably(each, staging / name)
    full = dataclasses.replace(
        manifest,
        version=check_name(manifest.version or sha256[:_DIGITS], "version"),
        file=file.name,
        sha256=sha256,
        size=file.stat().st_size,
        golden={name: sha256_of(staging / name) for name in samples},
        installed=time.time(),
    )
    write_durably(staging / MANIFEST, json.dumps(full.as_values(), indent=2).encode())
    if release is not None:
        _stage_release(staging, full, release)
    return full


def _stage_release(staging: Path, manifest: Manifest, release: Release) -> None:
    """Keep what was signed; raises StoreError where the files are not those that were."""
    if field := difference(manifest, release):
        raise StoreError(
            f"{manifest.name} {release.manifest.version} is not what was signed: "
            f"its {field} is another",
            "get the release again, whole, from its maker",
        )
    write_durably(staging / RELEASE, release.content)
    write_durably(staging / SIGNATURE, release.signature)


def fault_of(folder: Path) -> str:
    """What is wrong with the files of a version, empty where nothing is: all are hashed again."""
    try:
        manifest = read_manifest(folder)
    except StoreError as error:
        return str(error)
    for name, sha256 in manifest.files().items():
        try:
            found = sha256_of(folder / name)
        except OSError as error:
            return f"{folder / name}: {error.strerror or error}"
        if found != sha256:
            return f"{folder / name} has changed: its SHA-256 is {found}, not {sha256}"
    return ""
