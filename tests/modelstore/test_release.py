"""Signed releases: whatever was changed on the way, or in the store, is refused in one line."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.errors import ModelError, StoreError
from edge_agent.modelstore import Manifest, ModelStore
from edge_agent.modelstore.check import check_release, install_release
from edge_agent.modelstore.keys import PublicKey
from edge_agent.modelstore.release import RELEASE, SIGNATURE, parse_release, read_release
from edge_agent.modelstore.store import Entry
from tests.support.releases import Maker


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    """An empty store."""
    return ModelStore(tmp_path / "models")


def refused(store: ModelStore, folder: Path, key: PublicKey) -> str:
    """Why a release is not installed, in one line; the store is as it was before."""
    before = sorted(store.folder.rglob("*")) if store.folder.exists() else []
    with pytest.raises(StoreError) as caught:
        install_release(store, folder, [key])
    after = sorted(each for each in store.folder.rglob("*") if each.name != ".lock")
    assert after == [each for each in before if each.name != ".lock"]
    assert "\n" not in str(caught.value)
    assert caught.value.cure
    return str(caught.value)


def not_loaded(store: ModelStore, entry: Entry, *keys: PublicKey) -> str:
    """Why a model is not loaded, in one line."""
    with pytest.raises(ModelError) as caught:
        check_release(entry.path, keys, store.folder)
    assert "\n" not in str(caught.value)
    assert caught.value.cure
    return str(caught.value)


def test_release_install_and_check(maker: Maker, store: ModelStore) -> None:
    """What the maker said is what the device has, with the signature beside it."""
    folder = maker.release(labels=("cat", "Ä"), thresholds={"cat": 0.4}, licence="MIT", task="yolo")
    assert sorted(each.name for each in folder.iterdir()) == [
        "door.tflite", "golden-1.npz", RELEASE, SIGNATURE,
    ]  # fmt: skip
    latest = json.loads((folder.parent / "latest.json").read_bytes())
    assert (folder.parent.name, latest) == ("door", {"version": "1"})
    entry = install_release(store, folder, [maker.key])
    assert entry.path.read_bytes() == b"model"
    assert [each.read_bytes() for each in entry.golden] == [b"golden"]
    assert (entry.manifest.labels, entry.manifest.thresholds) == (("cat", "Ä"), {"cat": 0.4})
    for name in (RELEASE, SIGNATURE):
        assert (entry.folder / name).read_bytes() == (folder / name).read_bytes()
    check_release(entry.path, [maker.key], store.folder)


def test_a_version_is_released_once(maker: Maker) -> None:
    """Devices may have it already; nothing is left of the try."""
    maker.release()
    with pytest.raises(StoreError, match=r"is there already \(give this one another --version"):
        maker.release(b"other", serial=2)
    assert sorted(p.name for p in (maker.public / "door").iterdir()) == ["1", "latest.json"]


def test_key_rotation(tmp_path: Path, maker: Maker, store: ModelStore) -> None:
    """While two keys are trusted, both sign; the old one no longer once it is taken out."""
    new = Maker(tmp_path, "new")
    old = install_release(store, maker.release(version="1"), [maker.key, new.key])
    current = install_release(store, new.release(version="2", serial=2), [maker.key, new.key])
    for entry in (old, current):
        check_release(entry.path, [maker.key, new.key], store.folder)
    check_release(current.path, [new.key], store.folder)
    assert f"the key {maker.key.id} that signed it is not among updates.keys" in not_loaded(
        store, old, new.key
    )


@pytest.mark.parametrize("name", ["door.tflite", "golden-1.npz", RELEASE, SIGNATURE])
@pytest.mark.parametrize("change", ["flip", "cut", "more", "gone", "folder"])
def test_files_that_were_changed(
    maker: Maker, store: ModelStore, name: str, change: str
) -> None:  # fmt: skip
    """Neither on the way nor in the store: no file may be another, shorter, longer or missing."""
    folder = maker.release()
    entry = install_release(store, folder, [maker.key])
    for place in (folder, entry.folder):
        file = place / name
        content = file.read_bytes()
        file.unlink()
        if change == "folder":
            file.mkdir()
        elif change != "gone":
            flipped = bytes([content[0] ^ 1]) + content[1:]
            changed = {"flip": flipped, "cut": content[:-1], "more": content + b"\n"}
            file.write_bytes(changed[change])
    not_loaded(store, entry, maker.key)
    store.remove("door")
    refused(store, folder, maker.key)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("labels", ["dog"]),
        ("thresholds", {"cat": 0.1}),
        ("golden", {}),
        ("task", "classification"),
        ("licence", "mine"),
        ("version", "9"),
        ("size", 1),
    ],
)
def test_a_manifest_that_was_edited(
    maker: Maker, store: ModelStore, field: str, value: object
) -> None:
    """Every field of what the store knows is compared with what was signed."""
    entry = install_release(store, maker.release(labels=("cat",)), [maker.key])
    file = entry.folder / "manifest.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), field: value}))
    assert f"changed: {field} is not what was signed" in not_loaded(store, entry, maker.key)


def test_an_honest_edit_of_everything(maker: Maker, store: ModelStore) -> None:
    """Model and manifest that agree with each other are still not what was signed."""
    entry = install_release(store, maker.release(), [maker.key])
    other = store.folder.parent / "door.tflite"
    other.write_bytes(b"evil")
    store.remove("door")
    forged = store.install(Manifest("door", "1", "", "", 0), other)
    assert "has no release.json" in not_loaded(store, forged, maker.key)
    for name in (RELEASE, SIGNATURE):
        shutil.copy(maker.public / "door" / "1" / name, forged.folder)
    assert "sha256 is not what was signed" in not_loaded(store, entry, maker.key)


def test_another_model_in_its_place(maker: Maker, store: ModelStore) -> None:
    """A sound release of one model is not run under the name of another, or as another version."""
    gate = install_release(store, maker.release(b"gate", name="gate"), [maker.key])
    door = install_release(store, maker.release(b"door"), [maker.key])
    shutil.rmtree(door.folder)
    shutil.copytree(gate.folder, door.folder)
    moved = Entry(gate.manifest, door.folder, True)
    assert "its release is of gate 1" in not_loaded(store, moved, maker.key)
    shutil.copytree(gate.folder, gate.folder.parent / "2")
    moved = Entry(gate.manifest, gate.folder.parent / "2", True)
    assert "its release is of gate 1" in not_loaded(store, moved, maker.key)


def test_links_lead_nowhere(maker: Maker, store: ModelStore, tmp_path: Path) -> None:
    """A link into the store is checked, and so is one in the store that leads out of it."""
    entry = install_release(store, maker.release(), [maker.key])
    link = tmp_path / "link.tflite"
    link.symlink_to(entry.path)
    evil = tmp_path / "evil.tflite"
    evil.write_bytes(b"evil!")
    entry.path.unlink()
    entry.path.symlink_to(evil)
    not_loaded(store, entry, maker.key)
    entry.path.unlink()
    entry.path.write_bytes(b"other")
    with pytest.raises(ModelError, match="has changed"):
        check_release(link, [maker.key], store.folder)


def test_whose_business_it_is(maker: Maker, store: ModelStore, tmp_path: Path) -> None:
    """A file outside of the store is its owner's; without keys nothing is asked for."""
    own = tmp_path / "own.tflite"
    own.write_bytes(b"own")
    check_release(own, [maker.key], store.folder)
    unsigned = store.install(Manifest("own", "", "", "", 0), own)
    check_release(unsigned.path, [], store.folder)
    assert "has no release.json (updates.keys ask for a signed release" in not_loaded(
        store, unsigned, maker.key
    )


def test_an_older_release_comes_again(maker: Maker, store: ModelStore) -> None:
    """A mirror that plays back what was signed long ago is refused, also after a roll-back."""
    first, second = maker.release(b"one", serial=10), maker.release(b"two", version="2", serial=11)
    install_release(store, first, [maker.key])
    install_release(store, second, [maker.key])
    text = refused(store, first, maker.key)
    assert "door 1 is older than what was here already: its serial is 10, and 11 was acc" in text
    assert store.rollback("door").manifest.version == "1"
    assert "is older" in refused(store, first, maker.key)
    assert install_release(store, second, [maker.key]).manifest.version == "2"


@pytest.mark.parametrize("index", [None, b"", b"[]", b"{}", b'{"history": ["2"], "newest": {}}'])
def test_a_damaged_index_lets_no_older_release_in(
    maker: Maker, store: ModelStore, index: bytes | None
) -> None:
    """What lies beside it tells which was the newest."""
    old = maker.release(b"one")
    install_release(store, old, [maker.key])
    new = maker.release(b"two", version="2", serial=2)
    install_release(store, new, [maker.key])
    file = store.folder / "door" / "index.json"
    file.unlink()
    if index is not None:
        file.write_bytes(index)
    assert "is older" in refused(store, old, maker.key)
    assert install_release(store, new, [maker.key]).manifest.version == "2"


def test_serials_rise_by_themselves(maker: Maker) -> None:
    """Also within a second, and if the clock of the maker goes back."""
    serials = []
    for version in ("1", "2", "3"):
        folder = maker.release(version=version, serial=2**40 if version == "2" else None)
        serials.append(read_release(folder, [maker.key]).serial)
    assert 1_700_000_000 < serials[0] < serials[1]
    assert serials[2] == 2**40 + 1


def test_one_serial_stands_for_one_release(maker: Maker, store: ModelStore) -> None:
    """The same again is nothing new; other bytes with its serial are refused."""
    first = maker.release(b"one")
    for _ in range(2):
        install_release(store, first, [maker.key])
    assert "has the serial 1 of another release" in refused(
        store, maker.release(b"two", version="2"), maker.key
    )
    assert install_release(store, first, [maker.key]).path.read_bytes() == b"one"


def test_only_what_was_verified_counts(maker: Maker, store: ModelStore, tmp_path: Path) -> None:
    """A release that nobody vouched for does not lock out those that are to come."""
    forger = Maker(tmp_path, "forger")
    forged = forger.release(b"evil", version="9", serial=2**52)
    install_release(store, forged, [])
    assert store.floor("door").serial == 0
    assert install_release(store, maker.release(), [maker.key]).manifest.version == "1"
    assert store.floor("door").serial == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"file": "../../door.tflite"},
        {"file": "manifest.json"},
        {"file": "gate.tflite"},
        {"golden": {"release.json": 64 * "0"}, "golden_sizes": {"release.json": 1}},
        {"golden": {"/etc/passwd": 64 * "0"}, "golden_sizes": {"/etc/passwd": 1}},
        {"golden": {"golden-2.npz": 64 * "0"}, "golden_sizes": {"golden-2.npz": 1}},
        {"golden_sizes": {}},
        {"golden": None},
        {"name": "../door"},
        {"name": "door\u2024"},
        {"name": "d\u043eor"},
        {"version": ""},
        {"version": ".."},
        {"serial": 0},
        {"serial": True},
        {"serial": "7"},
        {"serial": 1.5},
        {"serial": 2**53},
        {"size": -1},
        {"sha256": "abc"},
        {"thresholds": {"a": 10**400}},
        {"licence": "\x1b[2J"},
        {"labels": ["a\nb"]},
        {"labels": 3},
        {"task": ["a"]},
        {"format": "edge-agent/release/9"},
        {"needs": "something new"},
    ],
)
def test_what_no_release_says(
    maker: Maker, store: ModelStore, changes: dict[str, object]
) -> None:  # fmt: skip
    """Also with a good signature: names that lead elsewhere, numbers that are none, new words."""
    folder = maker.edit(maker.release(), **changes)
    assert "release.json cannot be used: " in refused(store, folder, maker.key)


@pytest.mark.parametrize(
    "content", [b"", b"null", b"[]", b"{", b"\xff", b"[" * 100_000, b'{"a": NaN}', b"1" * 5000]
)
def test_what_is_no_json(maker: Maker, store: ModelStore, content: bytes) -> None:
    """Signed garbage is one line as well."""
    folder = maker.sign(maker.release(), content)
    assert "release.json cannot be used: " in refused(store, folder, maker.key)


def test_a_key_that_stands_twice(maker: Maker, store: ModelStore) -> None:
    """One reader takes the first and another the last, so it is refused."""
    folder = maker.release()
    content = (folder / RELEASE).read_bytes().replace(b"{", b'{"serial": 9,', 1)
    maker.sign(folder, content)
    assert "a key in it stands twice" in refused(store, folder, maker.key)


def test_files_that_are_too_large(maker: Maker, store: ModelStore) -> None:
    """They are not read to their end, and a model of another size is not copied."""
    folder = maker.release()
    os.truncate(folder / "door.tflite", 1 << 40)
    assert "is not there with its 5 bytes" in refused(store, folder, maker.key)
    os.truncate(folder / RELEASE, 1 << 40)
    assert "release.json is too large" in refused(store, folder, maker.key)
    os.truncate(folder / SIGNATURE, 1 << 40)
    refused(store, folder, maker.key)


def test_a_disk_that_fails_while_releasing(maker: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing half is left where the web server looks."""

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StoreError, match="the release cannot be written: No space"):
        maker.release()
    assert list((maker.public / "door").iterdir()) == []


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes, PublicKey]:
    """Both files of a release and the key that signed it."""
    folder = tmp_path_factory.mktemp("signed")
    maker = Maker(folder)
    release = read_release(maker.release(), [maker.key])
    return release.content, release.signature, maker.key


@given(st.data())
def test_no_byte_can_be_changed(
    signed: tuple[bytes, bytes, PublicKey], data: st.DataObject
) -> None:  # fmt: skip
    """One byte of either file that is another, missing or added: refused."""
    content, signature, key = signed
    parse_release(content, signature, [key])
    which = data.draw(st.sampled_from([0, 1]))
    whole = (content, signature)[which]
    at = data.draw(st.integers(0, len(whole) - 1))
    new = data.draw(st.binary(max_size=2).filter(lambda each: each != whole[at : at + 1]))
    changed = [content, signature]
    changed[which] = whole[:at] + new + whole[at + 1 :]
    with pytest.raises(StoreError):
        parse_release(changed[0], changed[1], [key])


def test_every_single_bit_of_the_signature(signed: tuple[bytes, bytes, PublicKey]) -> None:
    """Also those that base64 leaves unused."""
    content, signature, key = signed
    for at in range(len(signature)):
        for bit in range(8):
            changed = bytearray(signature)
            changed[at] ^= 1 << bit
            with pytest.raises(StoreError):
                parse_release(content, bytes(changed), [key])
