"""Makes releases: a folder that a web server can serve as it is, signed."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from edge_agent.errors import StoreError
from edge_agent.modelstore.files import sync_folder, told, write_durably
from edge_agent.modelstore.floor import Floor
from edge_agent.modelstore.keys import open_key, public_part
from edge_agent.modelstore.manifest import MANIFEST, Manifest, check_name
from edge_agent.modelstore.release import (
    RELEASE,
    SIGNATURE,
    compose,
    parse_release,
    signature_line,
)
from edge_agent.modelstore.version import stage

LATEST = "latest.json"
"""Beside the versions of a model: which of them devices shall have."""

_STAGING = ".release-"


def publish(
    target: Path,
    manifest: Manifest,
    source: Path,
    golden: Sequence[Path],
    key: Path,
    serial: int | None = None,
) -> tuple[Path, int]:
    """Write `target/NAME/VERSION/` and then `target/NAME/latest.json`; returns folder and serial.

    The serial is the seconds since 1970 where none is given, and above those that are there. A
    version that is there already is never changed: devices may have it. Raises StoreError.
    """
    private = open_key(key)
    check_name(manifest.name)
    if serial is None:
        newest = Floor.of_releases(target / manifest.name)
        serial = max(int(time.time()), newest.serial + 1)
    with told(target, "the release cannot be written"):
        place = target / manifest.name
        place.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=_STAGING, dir=place))
        try:
            full = stage(staging, manifest, source, golden)
            (staging / MANIFEST).unlink()  # a device makes its own
            content = compose(full, serial, {n: (staging / n).stat().st_size for n in full.golden})
            signature = signature_line(public_part(private), private.sign(content))
            parse_release(content, signature, [public_part(private)])
            write_durably(staging / RELEASE, content)
            write_durably(staging / SIGNATURE, signature)
            staging.chmod(0o755)
            folder = _put(staging, place / full.version)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        write_durably(place / LATEST, json.dumps({"version": full.version}).encode() + b"\n")
    return folder, serial


def _put(staging: Path, folder: Path) -> Path:
    if folder.exists():
        raise StoreError(f"{folder} is there already", "give this one another --version")
    sync_folder(staging)
    staging.rename(folder)
    sync_folder(folder.parent)
    return folder
