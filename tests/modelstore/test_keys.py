"""Keys: what is one, who may read it, and what signs for everything."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from edge_agent.errors import StoreError
from edge_agent.modelstore.keys import is_signature, make_key, open_key, parse_key

# y = 1: the neutral element. With it as a key, S = 1 and R = the base point fit every text.
NEUTRAL = bytes([1]) + bytes(31)
FORGED = bytes.fromhex("58" + 31 * "66") + bytes([1]) + bytes(31)


def pem_of(private: Ed25519PrivateKey) -> str:
    """The public part as PEM."""
    return private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()  # fmt: skip


def test_make_and_open(tmp_path: Path) -> None:
    """Only its owner can read it, and the public part is that of what signs."""
    file = tmp_path / "key.pem"
    public = make_key(file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert is_signature(public, open_key(file).sign(b"text"), b"text")
    assert not is_signature(public, open_key(file).sign(b"text"), b"Text")


def test_a_key_is_never_replaced(tmp_path: Path) -> None:
    """The one that is there stays."""
    file = tmp_path / "key.pem"
    make_key(file)
    before = file.read_bytes()
    with pytest.raises(StoreError, match=r"is there already \(a key is never replaced"):
        make_key(file)
    assert file.read_bytes() == before


@pytest.mark.parametrize("form", ["raw", "der", "pem"])
def test_forms_of_a_public_key(form: str) -> None:
    """32 bytes, what OpenSSL writes, and the same in one line mean one key."""
    private = Ed25519PrivateKey.generate()
    raw = private.public_key().public_bytes(
        serialization.Encoding.Raw, serialization.PublicFormat.Raw
    )
    pem = pem_of(private)
    texts = {"raw": base64.b64encode(raw).decode(), "pem": pem, "der": pem.splitlines()[1]}
    assert parse_key(texts[form]).raw == raw
    assert parse_key(str(parse_key(texts[form]))).raw == raw


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "holds 0 bytes, and an Ed25519 public key has 32"),
        ("no key", "is no base64"),
        (base64.b64encode(bytes(31)).decode(), "holds 31 bytes"),
        ("-----BEGIN PRIVATE KEY-----\nMC4=\n-----END PRIVATE KEY-----", "is a private key"),
        (base64.b64encode(bytes(32)).decode(), "anyone can sign for it"),
        (base64.b64encode(NEUTRAL).decode(), "anyone can sign for it"),
    ],
)
def test_what_is_no_public_key(text: str, fault: str) -> None:
    """It is told."""
    with pytest.raises(ValueError, match=fault):
        parse_key(text)


def test_why_weak_keys_are_refused() -> None:
    """The library itself takes one signature for every text, if the key is the neutral element."""
    for content in (b"", b"whatever"):
        Ed25519PublicKey.from_public_bytes(NEUTRAL).verify(FORGED, content)


def test_files_that_hold_no_key_of_ours(tmp_path: Path) -> None:
    """Another kind, one with a password, garbage, one that others can read: one line each."""
    file = tmp_path / "key.pem"
    other = ec.generate_private_key(ec.SECP256R1())
    own = Ed25519PrivateKey.generate()
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    locked = own.private_bytes(pem, pkcs8, serialization.BestAvailableEncryption(b"x"))
    plain = other.private_bytes(pem, pkcs8, serialization.NoEncryption())
    for content in (plain, locked, b"-----BEGIN", pem_of(own).encode()):
        file.write_bytes(content)
        file.chmod(0o600)
        with pytest.raises(StoreError, match="holds no Ed25519 private key without a password"):
            open_key(file)
        file.chmod(0o644)
        with pytest.raises(StoreError, match="holds no Ed25519 private key without a password"):
            open_key(file)
    file.write_bytes(own.private_bytes(pem, pkcs8, serialization.NoEncryption()))
    with pytest.raises(StoreError, match=r"others can read .*key.pem \(chmod 600"):
        open_key(file)
    with pytest.raises(StoreError, match="cannot be read: No such file"):
        open_key(tmp_path / "none.pem")


def test_openssl_can_sign_too(tmp_path: Path) -> None:
    """What is signed are the bytes, so that a key may also live elsewhere."""
    file, text, signed = (tmp_path / name for name in ("key.pem", "text", "signed"))
    public = make_key(file)
    text.write_bytes(b"text")
    words = ["pkeyutl", "-sign", "-rawin", "-inkey", str(file), "-in", str(text)]
    done = subprocess.run(["openssl", *words, "-out", str(signed)], check=False)
    assert done.returncode == 0
    assert is_signature(public, signed.read_bytes(), b"text")
