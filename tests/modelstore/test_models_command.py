"""`edge-agent models`: what the user sees of the store."""

from __future__ import annotations

import hashlib
import re
import shlex
import shutil
from pathlib import Path

import pytest

from edge_agent.config.load import load_or_raise
from edge_agent.errors import ModelError
from edge_agent.modelstore.store import ModelStore
from edge_agent.runtime.opening import open_for
from tests.support.agent import ROOT
from tests.support.cli import MODEL, Terminal, belt_frame
from tests.support.releases import Maker
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


def test_samples_of_the_version_before(terminal: Terminal, tmp_path: Path) -> None:
    """They are not those of the next one, which is said."""
    picture = belt_frame(tmp_path / "belt.png")
    assert terminal("models", "add", MODEL, "--version", "1", "--golden", picture).err == ""
    told = terminal("models", "add", MODEL, "--version", "2").complaint
    assert told == "the version before has golden samples, this one has none: give --golden"
    assert terminal("models", "add", MODEL, "--version", "3").err == ""


def test_a_file_name_with_a_space(terminal: Terminal, tmp_path: Path) -> None:
    """It gives no name; the option for one is named."""
    file = tmp_path / "my door.tflite"
    shutil.copy(MODEL, file)
    told = terminal("models", "add", file).complaint
    assert told.startswith("'my door.tflite' cannot be the name of a model (give --name, of ")
    assert terminal("models", "add", file, "--name", "door").code == 0


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


def test_a_configuration_that_waits_for_the_model(
    terminal: Terminal, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is said of a model that is not there yet: the command installs it."""
    config = tmp_path / "c.yaml"
    config.write_text(
        "models: {m: {file: parts}}\nsources: {s: {type: images, files: x.png}}\n"
        "pipelines: {p: {source: s, model: m}}\n"
    )
    answer = terminal("models", "add", MODEL, "--name", "parts", "-c", config)
    assert (answer.code, answer.err, caplog.messages) == (0, "", [])


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


def test_sign_install_and_load(terminal: Terminal, tmp_path: Path, store: ModelStore) -> None:
    """From a key and a file to a model that an agent with that key loads, and no other."""
    key, public, config = (tmp_path / name for name in ("key.pem", "public", "c.yaml"))
    line = terminal("models", "keygen", "-o", key).out
    config.write_text(line)
    words = ("models", "release", MODEL, "--name", "parts", "--key", key, "-o", public)
    folder = terminal(*words, "--version", "2", "--json").json["folder"]
    assert folder == str(public / "parts" / "2")
    added = terminal("models", "add", folder, "-c", config)
    assert (added.code, added.out.splitlines()[0]) == (
        0,
        f"parts 2 is in use: {store.folder / 'parts' / '2' / 'parts.tflite'}",
    )
    config.write_text(
        line
        + "models: {m: {file: parts}}\nsources: {s: {type: images, files: x.png}}\n"
        + "pipelines: {p: {source: s, model: m}}\n"
    )
    loaded = load_or_raise(config)
    open_for(loaded, "m").close()
    manifest = store.folder / "parts" / "2" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"bolt"', '"nut"'))
    with pytest.raises(ModelError, match="labels is not what was signed"):
        open_for(loaded, "m")


def test_what_is_not_signed_well(terminal: Terminal, tmp_path: Path, store: ModelStore) -> None:
    """Nothing is installed for an agent with keys that it would not load."""
    maker, other = Maker(tmp_path), Maker(tmp_path, "other")
    config = tmp_path / "c.yaml"
    config.write_text(f"updates: {{keys: [{maker.key}]}}\n")
    folder = other.release()
    complaints: dict[tuple[str | Path, ...], str] = {
        ("add", MODEL): "has updates.keys, so its agent loads signed releases only (sign it: ",
        ("get", "coco_ssd"): "has updates.keys, so its agent loads signed releases only",
        ("add", folder): f"the key {other.key.id} that signed it is not among updates.keys",
    }
    for words, complaint in complaints.items():
        assert complaint in terminal("models", *words, "-c", config).complaint
    assert store.names() == []
    told = terminal("models", "add", folder, "--name", "gate", "-c", config).complaint
    assert told == f"--name is of no use: the release {folder} says it itself"


def test_a_private_key_is_never_shown(terminal: Terminal, tmp_path: Path) -> None:
    """Not when it is made, not when it signs, and not when its file is damaged."""
    key = tmp_path / "key.pem"
    made = terminal("models", "keygen", "-o", key, "--json")
    secret = key.read_text().splitlines()[1]
    words = ("models", "release", MODEL, "--key", key, "-o", tmp_path / "public")
    said = [made, terminal(*words), terminal(*words)]
    key.write_text(key.read_text().replace("PRIVATE", "PRIVAT"))
    said.append(terminal(*words, "--version", "2"))
    assert [each.code for each in said] == [0, 0, 1, 1]
    assert not any(secret[-20:] in each.out + each.err for each in said)


def test_a_release_without_keys(terminal: Terminal, tmp_path: Path, store: ModelStore) -> None:
    """It is installed, since nobody asks for a signature, but that is said."""
    answer = terminal("models", "add", Maker(tmp_path).release())
    assert answer.code == 0
    assert answer.complaint.startswith("its signature was not looked at: give -c with a YAML")
    assert store.floor("door").serial == 0


def test_the_commands_of_the_docs(
    terminal: Terminal, tmp_path: Path, store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Signing as docs/models.md tells it works as it stands there."""
    text = (ROOT / "docs" / "models.md").read_text("utf-8")
    section = text.partition("## Signed releases")[2].partition("\n## ")[0]
    commands = re.findall(r"^    edge-agent (.*)$", section, re.M)
    assert [words.split()[1] for words in commands] == ["keygen", "release", "add"]
    monkeypatch.chdir(tmp_path)
    shutil.copy(MODEL, "door.tflite")
    for words in commands:
        answer = terminal(*shlex.split(words))
        assert (answer.code, answer.err) == (0, "")
        if "keygen" in words:
            Path("edge-agent.yaml").write_text(answer.out)
    assert store.floor("door").serial > 0
    tree = sorted(str(each.relative_to("public")) for each in Path("public").rglob("*.*"))
    assert tree == [
        "door/2/door.tflite", "door/2/release.json", "door/2/release.sig", "door/latest.json",
    ]  # fmt: skip


def test_verify_looks_at_signatures(terminal: Terminal, tmp_path: Path, store: ModelStore) -> None:
    """Those of an agent with keys; without them only at the hashes."""
    maker, config = Maker(tmp_path), tmp_path / "c.yaml"
    config.write_text(f"updates: {{keys: [{maker.key}]}}\n")
    terminal("models", "add", MODEL, "--version", "1")
    terminal("models", "add", maker.release(), "-c", config)
    assert terminal("models", "verify").code == 0
    answer = terminal("models", "verify", "-c", config)
    unsigned, signed = answer.out.splitlines()
    assert answer.code == 1
    assert "has no release.json (updates.keys ask for a signed release" in unsigned
    assert signed == "door 1: sound"
