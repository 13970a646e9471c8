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
