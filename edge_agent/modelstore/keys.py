"""Who may sign releases: public keys as text, private keys as files. Ed25519."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_agent.errors import StoreError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

NOT_INSTALLED = "pip install 'edge-agent[signing]', or apt install python3-cryptography"
"""What to do where the library of signatures is missing."""

_ID_DIGITS = 16
_PEM = re.compile(r"-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----")
_DER_START = bytes.fromhex("302a300506032b6570032100")  # RFC 8410: the key follows
# Points of small order (RFC 8032 has no rule against them): with one of them as the key there are
# signatures that fit every text, and a placeholder such as AAAA... is one.
_WEAK = frozenset(
    bytes.fromhex(text + end)
    for text, ends in {
        "01" + 30 * "00": ("00", "80"),
        "ec" + 30 * "ff": ("7f", "ff"),
        "00" + 30 * "00": ("00", "80"),
        "ed" + 30 * "ff": ("7f", "ff"),
        "ee" + 30 * "ff": ("7f", "ff"),
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc": ("05", "85"),
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03": ("7a", "fa"),
    }.items()
    for end in ends
)


@dataclass(frozen=True, slots=True)
class PublicKey:
    """The 32 bytes that tell whether a signature is of its owner."""

    raw: bytes

    @property
    def id(self) -> str:
        """A short name of it that signatures carry."""
        return hashlib.sha256(self.raw).hexdigest()[:_ID_DIGITS]

    def __str__(self) -> str:
        return base64.b64encode(self.raw).decode()


def parse_key(text: str) -> PublicKey:
    """A key of its base64, raw or as PEM; raises ValueError that says what is wrong."""
    if "PRIVATE KEY" in text:
        raise ValueError("is a private key, which no device may have: its public part belongs here")
    found = _PEM.fullmatch(text.strip())
    try:
        raw = base64.b64decode("".join((found[1] if found else text).split()), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("is no base64") from None
    raw = raw.removeprefix(_DER_START) if len(raw) == len(_DER_START) + 32 else raw
    if len(raw) != 32:
        raise ValueError(f"holds {len(raw)} bytes, and an Ed25519 public key has 32")
    if raw in _WEAK:
        raise ValueError("is no key that protects: anyone can sign for it")
    return PublicKey(raw)


def make_key(path: Path) -> PublicKey:
    """Write a private key that only its owner may read; raises StoreError, also if it is there."""
    private = _ed25519().Ed25519PrivateKey.generate()
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - optional

    content = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as file:  # noqa: PTH123 - of a descriptor
            file.write(content)
            os.fsync(descriptor)
    except FileExistsError as error:
        raise StoreError(
            f"{path} is there already", "a key is never replaced: name another file"
        ) from error
    except OSError as error:
        raise StoreError(
            f"{path} cannot be written: {error.strerror}", "name another file"
        ) from error
    return public_part(private)


def open_key(path: Path) -> Ed25519PrivateKey:
    """The private key in a file that nobody else can read; raises StoreError."""
    ed25519 = _ed25519()
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - optional
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    try:
        mode = path.stat().st_mode
        private = load_pem_private_key(path.read_bytes(), None)
    except OSError as error:
        raise StoreError(
            f"{path} cannot be read: {error.strerror}", "name the file of the key"
        ) from error
    except (ValueError, TypeError, UnsupportedAlgorithm):
        private = None  # whatever the library says could show a part of the file
    if not isinstance(private, ed25519.Ed25519PrivateKey):
        raise StoreError(
            f"{path} holds no Ed25519 private key without a password",
            "make one: edge-agent models keygen -o FILE",
        )
    if mode & 0o077:
        raise StoreError(f"others can read {path}", f"chmod 600 {path}")
    found: Ed25519PrivateKey = private
    return found


def public_part(private: Ed25519PrivateKey) -> PublicKey:
    """What belongs into the YAML of the devices."""
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - optional

    return PublicKey(
        private.public_key().public_bytes(
            serialization.Encoding.Raw, serialization.PublicFormat.Raw
        )
    )


def is_signature(key: PublicKey, signature: bytes, content: bytes) -> bool:
    """Whether the owner of the key signed this content; raises StoreError without the library."""
    ed25519 = _ed25519()
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - optional

    try:
        ed25519.Ed25519PublicKey.from_public_bytes(key.raw).verify(signature, content)
    except (InvalidSignature, ValueError):
        return False
    return True


def _ed25519() -> Any:
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415 - optional
    except ImportError as error:
        raise StoreError("the library cryptography is not installed", NOT_INSTALLED) from error
    return ed25519
