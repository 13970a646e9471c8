"""`edge-agent models`: what the user sees of the store."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from edge_agent.modelstore.store import ModelStore
from tests.support.cli import MODEL, Terminal, belt_frame
from tests.support.variants import write_other


@pytest.fixture
def terminal(capsys: pytest.CaptureFixture[str]) -> Terminal:
    """Calls commands in this process."""
    return Terminal(capsys)


@pytest.fixture
def store(own_state: Path) -> ModelStore:
    """The store that commands use."""
    return ModelStore(own_state / "models")


def test_add_list_and_remove(terminal: Terminal, store: ModelStore) -> None:
    """A model of one's own goes in with all that is said of it, and out again."""
    added = terminal(
        "models", "add", MODEL, "--licence", "MIT", "--threshold", "bolt=0.4", "--json"
    )  # fmt: skip
    digest = hashlib.sha256(Path(MODEL).read_bytes()).hexdigest()
    assert (added.code, added.err) == (0, "")
    assert added.json["name"] == "belt"
    assert added.json["sha256"] == digest
    assert added.json["labels"] == ["bolt", "nut", "washer", "gear"]
    assert added.json["thresholds"] == {"bolt": 0.4}
    listed = terminal("models", "list", "--json").json
    assert listed == {"folder": str(store.folder), "models": [added.json]}
    rows = terminal("models", "list").out.splitlines()
    assert rows[2].split()[:5] == ["belt", digest[:12], "yes", "257015", "MIT"]
    assert terminal("models", "remove", "belt").out == "belt is removed\n"
    assert terminal("models", "list").out.startswith(f"{store.folder} is empty")


def test_by_name_in_other_commands(terminal: Terminal) -> None:
    """What is in the store is run without a path."""
    terminal("models", "add", MODEL, "--name", "parts")
    answer = terminal("bench", "-m", "parts", "--json")
    assert answer.code == 0, answer.err


def test_verify_and_roll_back(terminal: Terminal, tmp_path: Path, store: ModelStore) -> None:
    """Damage is told with exit code 1; the version before is put to use."""
    terminal("models", "add", MODEL, "--version", "1")
    other = tmp_path / "belt.tflite"
    other.write_bytes(Path(MODEL).read_bytes() + bytes(4))
    assert "belt 2 is in use" in terminal("models", "add", other, "--version", "2").out
    assert terminal("models", "verify").out == "belt 1: sound\nbelt 2: sound\n"
    found = store.find("belt")
    assert found is not None
    found.path.write_bytes(b"damaged")
    answer = terminal("models", "verify", "--json")
    assert answer.code == 1
    assert [bool(each["fault"]) for each in answer.json["models"]] == [False, True]
    assert "belt 1 is in use" in terminal("models", "rollback", "belt").out
    assert terminal("models", "verify").code == 0


def test_golden_samples_are_recorded(terminal: Terminal, tmp_path: Path) -> None:
    """A picture becomes the input tensors with what the model makes of them; another is refused."""
    picture = belt_frame(tmp_path / "belt.png")
    answer = terminal("models", "add", MODEL, "--name", "door", "--golden", picture, "--json")
    assert list(answer.json["golden"]) == ["golden-1.npz"]
    recorded = Path(answer.json["path"]).with_name("golden-1.npz")
    other = write_other(tmp_path / "other.tflite")
    refusal = terminal("models", "add", other, "--name", "door", "--golden", recorded)
    assert refusal.code == 1
    assert "does not give the results of its golden sample" in refusal.complaint
    again = terminal("models", "add", MODEL, "--name", "again", "--golden", recorded, "--json")
    assert Path(again.json["path"]).with_name("golden-1.npz").read_bytes() == recorded.read_bytes()


def test_what_is_no_model(terminal: Terminal, tmp_path: Path, store: ModelStore) -> None:
    """It does not come into the store."""
    file = tmp_path / "x.tflite"
    file.write_bytes(b"no model at all, but long enough to be read as one")
    answer = terminal("models", "add", file)
    assert answer.code == 1
    assert str(file) in answer.complaint
    assert store.names() == []


def test_the_store_of_a_configuration(terminal: Terminal, tmp_path: Path) -> None:
    """-c takes that of its agent."""
    config = tmp_path / "c.yaml"
    config.write_text("agent: {state_dir: mine}\n")
    answer = terminal("models", "add", MODEL, "-c", config, "--json")
    assert Path(answer.json["path"]).is_relative_to(tmp_path / "mine" / "models")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("rollback", "door"), "has no 'door' (it is empty: edge-agent models get NAME)"),
        (("get", "coco_sdd"), "the catalogue has no model 'coco_sdd' (did you mean coco_ssd?)"),
        (("add", MODEL, "--golden", "none.npz"), "--golden none.npz: there is no such file"),
    ],
)
def test_mistakes(terminal: Terminal, words: tuple[str, ...], complaint: str) -> None:
    """One line that says what to do."""
    assert complaint in terminal("models", *words).complaint


def test_what_can_be_fetched(terminal: Terminal) -> None:
    """Every entry has an open licence, a hash, a size and an address that names its commit."""
    offers = terminal("models", "list", "--available", "--json").json["models"]
    assert len({each["name"] for each in offers}) == len(offers) >= 20
    for each in offers:
        assert each["licence"] in ("Apache-2.0", "MIT", "Zlib")
        assert len(each["file"]["sha256"]) == 64
        assert each["file"]["size"] > 0
        assert each["file"]["commit"] in each["url"]
    assert "coco_ssd" in terminal("models", "list", "--available").out
