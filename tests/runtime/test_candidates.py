"""What may take the place of a model."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_agent.config.schema import ModelConfig
from edge_agent.errors import StoreError
from edge_agent.modelstore import Manifest, ModelStore
from edge_agent.runtime.candidates import Candidate, Candidates


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    """A store with two versions of a model."""
    store = ModelStore(tmp_path / "models")
    for version in "12":
        (tmp_path / "m.tflite").write_text(version)
        store.install(Manifest("door", version, "", "", 0), tmp_path / "m.tflite")
    return store


def in_use(store: ModelStore) -> ModelConfig:
    """The model as the YAML has it."""
    found = store.find("door")
    assert found is not None
    return ModelConfig(file=found.path)


def versions(*found: Candidate | None) -> list[str | None]:
    """Of each; None where there is none."""
    return [each.entry.manifest.version if each and each.entry else None for each in found]


def test_what_does_not_open_is_refused_once(store: ModelStore) -> None:
    """Then come the ones before, as long as there are any."""
    candidates, refused = Candidates(store, False), list[Candidate]()
    model = in_use(store)
    first = candidates.fallback("m", model, refused.append)
    assert first is not None
    assert first.entry is not None
    candidates.give_up(first.entry)
    assert versions(first, candidates.fallback("m", model, refused.append)) == ["1", None]
    assert versions(*refused) == ["2"]


def test_a_store_without_another_is_let_alone_until_it_changes(
    store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A damaged one too: it is looked at, and complained of, once."""
    candidates, model = Candidates(store, False), in_use(store)
    (model.file.parent / "manifest.json").write_text("damaged")
    with pytest.raises(StoreError):
        candidates.fallback("m", model, lambda _: None)
    monkeypatch.setattr(store, "entries", None)
    assert candidates.fallback("m", model, lambda _: None) is None
