"""Keys of model updates in the YAML."""

from __future__ import annotations

import builtins
import importlib.util
from pathlib import Path
from typing import Any

import pytest

from edge_agent.config import update_checks
from edge_agent.modelstore.keys import make_key
from tests.support.configs import MINIMAL, good, problems


def updates(text: str) -> str:
    """A configuration with this section."""
    return f"updates: {text}\n{MINIMAL}"


def test_keys(tmp_path: Path) -> None:
    """As they are printed, and as a PEM file beside the configuration."""
    key = make_key(tmp_path / "key.pem")
    config = good(tmp_path, updates(f"{{keys: [{key}]}}"))
    assert config.updates.trusted == (key,)
    assert good(tmp_path, MINIMAL).updates.trusted == ()


@pytest.mark.parametrize(
    ("key", "fault"),
    [
        ("hello", "is no base64"),
        ("aGVsbG8=", "holds 5 bytes, and an Ed25519 public key has 32"),
        ("A" * 43 + "=", "is no key that protects: anyone can sign for it"),
    ],
)
def test_keys_that_are_none(tmp_path: Path, key: str, fault: str) -> None:
    """Each with its place and the cure; a sound one beside it is not told."""
    sound = make_key(tmp_path / "key.pem")
    (text,) = problems(tmp_path, updates(f"{{keys: [{sound}, {key}]}}"))
    assert f"updates.keys[1]: {fault} (write it as `edge-agent models keygen` prints it)" in text


def test_without_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a mistake to ask for signatures that nothing can check, and only then."""
    key = make_key(tmp_path / "key.pem")
    real = importlib.util.find_spec

    def hidden(name: str, package: str | None = None) -> Any:
        return None if name == "cryptography" else real(name, package)

    monkeypatch.setattr(update_checks, "find_spec", hidden)
    (text,) = problems(tmp_path, updates(f"{{keys: [{key}]}}"))
    assert "updates.keys: the library cryptography is not installed (pip install" in text
    good(tmp_path, MINIMAL)


def test_nothing_is_imported_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading keys needs no library, so that `check` is quick and tells what is missing."""
    key = make_key(tmp_path / "key.pem")
    real = builtins.__import__

    def refuse(name: str, *words: Any) -> Any:
        assert not name.startswith("cryptography")
        return real(name, *words)

    monkeypatch.setattr(builtins, "__import__", refuse)
    assert good(tmp_path, updates(f"{{keys: [{key}]}}")).updates.trusted == (key,)


@pytest.mark.parametrize("place", ["url: {}", "hawkbit: {{url: {}}}"])
def test_servers(tmp_path: Path, place: str) -> None:
    """With keys, over HTTP with or without TLS; the password in an address is not shown."""
    key = make_key(tmp_path / "key.pem")
    for url in ("https://models.local/fleet", "http://me:pw@10.0.0.1:8000"):
        options = good(tmp_path, updates(f"{{keys: [{key}], {place.format(url)}}}")).updates
        assert options.server == url
        assert "pw" not in repr(options)


@pytest.mark.parametrize("place", ["url: {}", "hawkbit: {{url: {}}}"])
@pytest.mark.parametrize("url", ["ftp://host/x", "host", "https://", "http://h:x/", "file:///etc"])
def test_addresses_that_are_none(tmp_path: Path, place: str, url: str) -> None:
    """They are told, and nothing of them is repeated."""
    key = make_key(tmp_path / "key.pem")
    text = updates(f"{{keys: [{key}], {place.format(url)}}}")
    (told,) = problems(tmp_path, text)
    assert "url: is no address" in told
    assert "write https://HOST/PATH; in a user name or password write @ as %40" in told


def test_a_server_needs_keys(tmp_path: Path) -> None:
    """Whatever it sends must be signed by someone who is trusted, also over TLS."""
    (text,) = problems(tmp_path, updates("{url: https://models.local}"))
    assert (
        "updates.url: is of no use without updates.keys: what comes from a server must be" in text
    )
    assert "(make a key: edge-agent models keygen -o FILE)" in text


def test_keys_of_another_form(tmp_path: Path) -> None:
    """They are told once, not as missing as well."""
    (text,) = problems(tmp_path, updates("{url: https://models.local, keys: abc}"))
    assert "updates.keys: expected a list of texts" in text


def test_one_server(tmp_path: Path) -> None:
    """Two would be at odds, and so would two tokens."""
    key = make_key(tmp_path / "key.pem")
    both = f"{{keys: [{key}], url: https://a, hawkbit: {{url: https://b, token: x}}}}"
    (text,) = problems(tmp_path, updates(both))
    assert "updates.hawkbit.url: stands beside updates.url (keep one of them)" in text
    tokens = f"{{keys: [{key}], hawkbit: {{url: https://b, token: x, gateway_token: y}}}}"
    (text,) = problems(tmp_path, updates(tokens))
    assert "updates.hawkbit.gateway_token: stands beside token (keep one of them)" in text


def test_an_authority_that_is_not_there(tmp_path: Path) -> None:
    """Its file begins at the folder of the configuration."""
    key = make_key(tmp_path / "key.pem")
    text = updates(f"{{keys: [{key}], url: https://a, ca_file: ca.pem}}")
    assert (
        "updates.ca_file: no such file: ca.pem (paths begin at the folder"
        in problems(tmp_path, text)[0]
    )
