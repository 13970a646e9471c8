"""A release: a version of a model that its maker signed.

It is a folder with the model, its golden samples, `release.json` and `release.sig`. The signature
is over the very bytes of `release.json`, which holds all of the manifest, and so the SHA-256 of
every file, and a `serial` that rises with each release of a model.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_agent.errors import StoreError
from edge_agent.modelstore.files import told
from edge_agent.modelstore.keys import PublicKey, is_signature
from edge_agent.modelstore.manifest import MISSHAPEN, SUFFIXES, Manifest, is_name, manifest_of

RELEASE = "release.json"
SIGNATURE = "release.sig"
LARGEST = {RELEASE: 1 << 20, SIGNATURE: 256}
"""Bytes that these files have at most."""

_FORMAT = "edge-agent/release/1"
_SIGNED = re.compile(rb"ed25519 ([0-9a-f]{16}) ([A-Za-z0-9+/]{86}==)\n")
_MOST_SERIAL = 2**53  # all JSON readers agree on whole numbers below
_AGAIN = "get the release again, whole, from its maker"
_OWN = ("format", "serial", "golden_sizes")  # what a manifest does not have


@dataclass(frozen=True, slots=True)
class Release:
    """What a release says, and the bytes that say it.

    `golden_sizes` are bytes by file name; `signer` is the id of the trusted key that signed it,
    empty where no keys were asked for.
    """

    manifest: Manifest
    serial: int
    golden_sizes: Mapping[str, int]
    content: bytes
    signature: bytes
    signer: str

    @property
    def digest(self) -> str:
        """SHA-256 of `release.json`: no two releases have the same."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def sizes(self) -> dict[str, int]:
        """Bytes of the model and of each golden sample, by file name."""
        return {self.manifest.file: self.manifest.size, **self.golden_sizes}


def compose(manifest: Manifest, serial: int, golden_sizes: Mapping[str, int]) -> bytes:
    """The bytes of `release.json`."""
    values = manifest.as_values()
    del values["installed"]
    values = {"format": _FORMAT, "serial": serial, **values, "golden_sizes": dict(golden_sizes)}
    return json.dumps(values, indent=2).encode() + b"\n"


def signature_line(key: PublicKey, signature: bytes) -> bytes:
    """The bytes of `release.sig`."""
    return b"ed25519 %s %s\n" % (key.id.encode(), base64.b64encode(signature))


def read_release(folder: Path, keys: Sequence[PublicKey]) -> Release:
    """The release in a folder; its files are not looked at. Raises as `parse_release`."""
    parts = []
    for name, most in LARGEST.items():
        path = folder / name
        with told(folder, f"{path} cannot be read"):
            if not path.is_file():
                raise StoreError(f"{folder} has no {name}", _unsigned_cure(keys))
            with path.open("rb") as file:
                parts.append(file.read(most + 1))
    return parse_release(parts[0], parts[1], keys)


def parse_release(content: bytes, signature: bytes, keys: Sequence[PublicKey]) -> Release:
    """A release of its bytes; nothing in them is believed before one of the keys signed them.

    Without keys nobody is asked. Raises StoreError.
    """
    if len(content) > LARGEST[RELEASE]:
        raise StoreError(f"{RELEASE} is too large", _AGAIN)
    signer = _signer(content, signature, keys)
    try:
        values = json.loads(content, object_pairs_hook=_once, parse_constant=_no_number)
        return _release(values, content, signature, signer)
    except MISSHAPEN as error:
        reason = str(error) if isinstance(error, _Wrong) else "it does not have the form of one"
        raise StoreError(f"{RELEASE} cannot be used: {reason}", _AGAIN) from error


def difference(manifest: Manifest, release: Release) -> str:
    """The first field in which a manifest is not what was signed, empty where all are the same."""
    for each in dataclasses.fields(Manifest):
        mine, signed = (getattr(side, each.name) for side in (manifest, release.manifest))
        if each.name != "installed" and mine != signed:
            return each.name
    return ""


class _Wrong(ValueError):
    """With words of our own."""


def _signer(content: bytes, signature: bytes, keys: Sequence[PublicKey]) -> str:
    if not keys:
        return ""
    found = _SIGNED.fullmatch(signature)
    raw = base64.b64decode(found[2]) if found else b""
    if found is None or base64.b64encode(raw) != found[2]:
        raise StoreError(f"{SIGNATURE} is no signature: it was cut or changed", _AGAIN)
    name = found[1].decode()
    trusted = [key for key in keys if key.id == name]
    if not trusted:
        raise StoreError(
            f"the key {name} that signed it is not among updates.keys",
            "have it signed by a key of yours; add the key only if you trust its owner",
        )
    if not any(is_signature(key, raw, content) for key in trusted):
        raise StoreError(f"{SIGNATURE} is not of this {RELEASE}: one of them was changed", _AGAIN)
    return name


def _release(values: Any, content: bytes, signature: bytes, signer: str) -> Release:
    if not isinstance(values, dict) or values.get("format") != _FORMAT:
        raise _Wrong(f"it is not of the format {_FORMAT}; a newer edge-agent may know it")
    known = {each.name for each in dataclasses.fields(Manifest)} - {"installed"} | set(_OWN)
    if other := [key for key in values if key not in known]:
        raise _Wrong(f"it has {ascii(other[0])[:40]}, which a newer edge-agent may know")
    serial, sizes = values["serial"], values["golden_sizes"]
    if type(serial) is not int or not 0 < serial < _MOST_SERIAL:
        raise _Wrong("its serial is no whole number above 0")
    manifest = manifest_of({key: item for key, item in values.items() if key not in _OWN})
    _check_texts(manifest)
    _check_files(manifest, sizes)
    return Release(manifest, serial, sizes, content, signature, signer)


def _check_texts(manifest: Manifest) -> None:
    if not is_name(manifest.name) or not is_name(manifest.version):
        raise _Wrong("its name or version cannot be that of a folder")
    told_texts = (manifest.task, manifest.licence, manifest.source, *(manifest.labels or ()))
    if not all(isinstance(text, str) and text.isprintable() for text in told_texts):
        raise _Wrong("a text in it cannot be shown on one line")


def _check_files(manifest: Manifest, golden_sizes: Any) -> None:
    """The names are those that the store would give, so that they lead nowhere else."""
    if manifest.file not in [manifest.name + end for end in SUFFIXES]:
        raise _Wrong("its model file does not have the name of the model")
    if list(manifest.golden) != [golden_name(i + 1) for i in range(len(manifest.golden))]:
        raise _Wrong("its golden samples are not numbered")
    if list(golden_sizes) != list(manifest.golden):
        raise _Wrong("it does not tell the sizes of its golden samples")
    for size in (manifest.size, *golden_sizes.values()):
        if type(size) is not int or size < 0:
            raise _Wrong("a size in it is no whole number")


def golden_name(number: int) -> str:
    """The file name of a golden sample in a store and in a release, counted from 1."""
    return f"golden-{number}.npz"


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A key that stands twice means one thing to one reader and another to the next."""
    values = dict(pairs)
    if len(values) != len(pairs):
        raise _Wrong("a key in it stands twice")
    return values


def _no_number(text: str) -> Any:
    raise _Wrong(f"{text} is no number")


def _unsigned_cure(keys: Sequence[PublicKey]) -> str:
    if keys:
        return "updates.keys ask for a signed release: edge-agent models release FILE --key KEY"
    return "a release is a folder as `edge-agent models release` writes it"
