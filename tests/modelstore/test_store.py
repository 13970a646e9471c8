"""The model store: whole or not at all, the versions before, what is damaged."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from edge_agent.errors import StoreError
from edge_agent.modelstore import Manifest, ModelStore
from edge_agent.modelstore import store as store_module
from edge_agent.modelstore.store import KEPT, Entry


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    """An empty store."""
    return ModelStore(tmp_path / "models")


def install(store: ModelStore, content: bytes, name: str = "door", **more: Any) -> Entry:
    """Install a model of that content, which comes from outside the store."""
    source = store.folder.parent / "new.tflite"
    source.write_bytes(content)
    return store.install(Manifest(name, more.pop("version", ""), "", "", 0, **more), source)


def leftovers(store: ModelStore) -> list[str]:
    """Names of everything in the store that belongs to no installed version."""
    known = {".lock", *store.names()}
    found = [each.name for each in store.folder.iterdir() if each.name not in known]
    for name in store.names():
        held = {entry.folder.name for entry in store.entries(name)} | {"index.json"}
        found += [e.name for e in (store.folder / name).iterdir() if e.name not in held]
    return found


def test_an_empty_store(store: ModelStore) -> None:
    """It can be asked, makes nothing on the disk, and says that it is empty."""
    assert store.names() == []
    assert store.find("door") is None
    assert list(store.verify()) == []
    with pytest.raises(StoreError, match=r"has no 'door' \(it is empty: edge-agent models get"):
        store.remove("door")
    assert not store.folder.exists()


def test_install_and_find(store: ModelStore) -> None:
    """The content, its hash and all that was said of it come back."""
    entry = install(store, b"one", licence="MIT", thresholds={"a": 0.5}, labels=("a", "b"))
    digest = hashlib.sha256(b"one").hexdigest()
    assert entry.path.read_bytes() == b"one"
    assert entry.path.name == "door.tflite"
    assert entry.manifest.version == digest[:12]
    assert (entry.manifest.sha256, entry.manifest.size) == (digest, 3)
    found = store.find("door")
    assert found == entry
    assert found is not None
    assert (found.manifest.licence, found.manifest.labels) == ("MIT", ("a", "b"))
    assert found.manifest.thresholds == {"a": 0.5}
    assert leftovers(store) == []


def test_versions_are_kept_but_not_for_ever(store: ModelStore) -> None:
    """The newest few, the newest in use."""
    for number in range(KEPT + 2):
        install(store, str(number).encode(), version=f"v{number}")
    held = [(entry.manifest.version, entry.in_use) for entry in store.entries("door")]
    assert held == [("v2", False), ("v3", False), ("v4", True)]
    assert leftovers(store) == []


def test_roll_back(store: ModelStore) -> None:
    """To the version that was in use before, until there is none."""
    install(store, b"one", version="1")
    install(store, b"two", version="2")
    assert store.rollback("door").path.read_bytes() == b"one"
    with pytest.raises(StoreError, match="there is no version of door before 1"):
        store.rollback("door")
    install(store, b"three", version="3")
    assert store.rollback("door").manifest.version == "1"


def test_an_old_version_can_come_again(store: ModelStore) -> None:
    """It is put to use once more, and the one that it took the place of is before it."""
    install(store, b"one")
    second = install(store, b"two")
    assert install(store, b"one").path.read_bytes() == b"one"
    assert [entry.path.read_bytes() for entry in store.entries("door")] == [b"two", b"one"]
    assert store.rollback("door") == second


def test_a_version_stands_for_one_model(store: ModelStore) -> None:
    """Another model of the same version is refused, unless the first is damaged."""
    entry = install(store, b"one", version="1")
    with pytest.raises(StoreError, match=r"door 1 is another model already \(give this one"):
        install(store, b"two", version="1")
    found = store.find("door")
    assert found is not None
    assert found.path.read_bytes() == b"one"
    entry.path.write_bytes(b"ene")
    assert install(store, b"two", version="1").path.read_bytes() == b"two"


def test_no_roll_back_to_what_is_damaged(store: ModelStore) -> None:
    """The version in use stays."""
    first = install(store, b"one", version="1")
    install(store, b"two", version="2")
    first.path.write_bytes(b"eno")
    with pytest.raises(StoreError, match=r"door 1 is damaged: .* has changed"):
        store.rollback("door")
    found = store.find("door")
    assert found is not None
    assert found.manifest.version == "2"


def test_verify(store: ModelStore) -> None:
    """Every version is hashed again: changed, cut off, gone, without manifest or index."""
    assert not install(store, b"good", "good").manifest.golden
    install(store, b"changed", "changed").path.write_bytes(b"Changed")
    install(store, b"gone", "gone").path.unlink()
    (install(store, b"bare", "bare").folder / "manifest.json").write_text("{")
    install(store, b"lost", "lost")
    (store.folder / "lost" / "index.json").write_text("[]")
    faults = {verdict.name: verdict.fault for verdict in store.verify()}
    assert faults.pop("good") == ""
    assert "has changed: its SHA-256 is" in faults["changed"]
    assert "No such file" in faults["gone"]
    assert "manifest.json cannot be used: it is damaged" in faults["bare"]
    assert "index.json is damaged (install the model again)" in faults["lost"]
    assert install(store, b"lost", "lost").path.read_bytes() == b"lost"


def test_golden_samples_are_kept_and_checked(store: ModelStore, tmp_path: Path) -> None:
    """They lie beside the model and have hashes of their own."""
    sample = tmp_path / "sample.npz"
    sample.write_bytes(b"arrays")
    source = tmp_path / "m.tflite"
    source.write_bytes(b"m")
    entry = store.install(Manifest("m", "", "", "", 0), source, [sample])
    assert [each.read_bytes() for each in entry.golden] == [b"arrays"]
    entry.golden[0].write_bytes(b"other")
    (verdict,) = store.verify()
    assert "golden-1.npz has changed" in verdict.fault


@pytest.mark.parametrize("name", ["", ".hidden", "a/b", "..", "x" * 65, "a b"])
def test_names_that_are_no_folders(store: ModelStore, name: str) -> None:
    """Nothing leaves the store by way of a name."""
    with pytest.raises(StoreError, match="cannot be the name of a model"):
        install(store, b"one", name)
    with pytest.raises(StoreError, match="cannot be the name of a version"):
        install(store, b"one", version=name or "/")


def test_a_manifest_points_nowhere_else(store: ModelStore, tmp_path: Path) -> None:
    """A file outside its folder is refused, even if it is there."""
    entry = install(store, b"one")
    manifest = entry.folder / "manifest.json"
    values = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**values, "file": "../../../new.tflite"}))
    with pytest.raises(StoreError, match="it is damaged"):
        store.find("door")


def test_the_hash_that_was_promised(store: ModelStore, tmp_path: Path) -> None:
    """A file that is not the one that was meant is not installed."""
    source = tmp_path / "m.tflite"
    source.write_bytes(b"m")
    with pytest.raises(StoreError, match="has the SHA-256 62c66a7a"):
        store.install(Manifest("m", "", "", "0" * 64, 1), source)
    assert (store.names(), leftovers(store)) == ([], [])


@pytest.mark.parametrize("call", ["fsync", "rename", "replace"])
def test_a_disk_that_fails_leaves_nothing_half(
    store: ModelStore, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """At whatever step it fails, one whole version is in use and nothing else is left."""
    install(store, b"one", version="1")
    real = getattr(os if call == "fsync" else Path, call)
    for failing in range(1, 40):
        calls = 0

        def fail(*words: Any, failing: int = failing) -> Any:
            nonlocal calls
            calls += 1
            if calls == failing:
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(*words)

        with monkeypatch.context() as patch:
            patch.setattr(os if call == "fsync" else Path, call, fail)
            try:
                install(store, b"two", version="2")
            except StoreError as error:
                assert "make room on the disk of" in str(error)  # noqa: PT017 - the last succeeds
            else:
                assert failing > 1
                return
        found = store.find("door")
        assert found is not None
        assert found.path.read_bytes() == (b"one" if found.manifest.version == "1" else b"two")
        assert leftovers(store) == []
    pytest.fail("it never succeeded")


def test_two_at_once(store: ModelStore) -> None:
    """Both are installed, one after the other."""
    store.folder.mkdir()
    sources = [store.folder.parent / f"{number}.tflite" for number in range(4)]
    for number, source in enumerate(sources):
        source.write_bytes(str(number).encode())
    threads = [
        threading.Thread(target=store.install, args=(Manifest(f"m{n}", "", "", "", 0), source))
        for n, source in enumerate(sources)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.names() == ["m0", "m1", "m2", "m3"]
    assert not any(verdict.fault for verdict in store.verify())


def test_what_a_killed_process_left_is_cleared(store: ModelStore) -> None:
    """By the next one that changes the store."""
    install(store, b"one")
    rest = store.folder / f"{store_module._STAGING}abc"
    rest.mkdir()
    (rest / "half").touch()
    install(store, b"two")
    assert leftovers(store) == []


def test_remove(store: ModelStore) -> None:
    """All versions go, other models stay."""
    install(store, b"one")
    install(store, b"two")
    install(store, b"other", "other")
    store.remove("door")
    assert (store.names(), leftovers(store)) == (["other"], [])
    with pytest.raises(StoreError, match=r"has no 'door' \(there is other\)"):
        store.rollback("door")


def test_a_version_is_put_to_use(store: ModelStore) -> None:
    """One that the store holds and that is sound; the number of changes is another one."""
    install(store, b"one", version="1")
    install(store, b"two", version="2")
    before = store.changed("door")
    assert store.use("door", "1").manifest.version == "1"
    assert store.changed("door") != before
    assert store.rollback("door").manifest.version == "2"
    with pytest.raises(StoreError, match=r"no version 9 of door \(it has 2\)"):
        store.use("door", "9")
    assert store.changed("none") == 0


def test_a_damaged_version_is_not_put_to_use(store: ModelStore) -> None:
    """It is hashed again first."""
    one = install(store, b"one", version="1")
    install(store, b"two", version="2")
    one.path.write_bytes(b"bad")
    with pytest.raises(StoreError, match="door 1 is damaged"):
        store.use("door", "1")
    assert [each.in_use for each in store.entries("door")] == [False, True]


def test_the_version_of_a_file(store: ModelStore, tmp_path: Path) -> None:
    """By its path; a file elsewhere is none of the store's."""
    one, two = install(store, b"one", version="1"), install(store, b"two", version="2")
    found = [store.entry_of(each.path) for each in (one, two)]
    assert [each and (each.manifest.version, each.in_use) for each in found] == [
        ("1", False),
        ("2", True),
    ]
    assert store.entry_of(tmp_path / "a.tflite") is None
    assert store.entry_of(store.folder / "door" / "3" / "door.tflite") is None
