"""Models that the YAML takes from the model store."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from edge_agent.config.load import config_from_values, load_config
from edge_agent.modelstore import Manifest, ModelStore
from tests.support.configs import MINIMAL, good, problems, write


@pytest.fixture
def store(own_state: Path, tmp_path: Path) -> ModelStore:
    """The store of an agent whose YAML says nothing of where it is, with one model."""
    store = ModelStore(own_state / "models")
    source = tmp_path / "source" / "door.tflite"
    source.parent.mkdir()
    source.write_bytes(b"one")
    store.install(Manifest("door", "1", "", "", 0), source)
    return store


def text(file: str) -> str:
    """A configuration with that model file."""
    return MINIMAL.replace("m.tflite", file)


@pytest.mark.parametrize("file", ["door", "door.tflite", "models/door.tflite"])
def test_by_name(tmp_path: Path, store: ModelStore, file: str) -> None:
    """A relative file that is not there is the model of that name, with or without its ending."""
    model = good(tmp_path, text(file)).models["m"]
    assert model.file == store.folder / "door" / "1" / "door.tflite"


def test_what_is_beside_the_configuration_comes_first(tmp_path: Path, store: ModelStore) -> None:
    """The store is asked only for what is not there."""
    (tmp_path / "door.tflite").touch()
    assert good(tmp_path, text("door.tflite")).models["m"].file == tmp_path / "door.tflite"


def test_the_version_in_use(tmp_path: Path, store: ModelStore) -> None:
    """A reload sees the path of another version, so that the model is opened anew."""
    source = tmp_path / "source" / "door.tflite"
    source.write_bytes(b"two")
    store.install(Manifest("door", "2", "", "", 0), source)
    assert good(tmp_path, text("door")).models["m"].file.parent.name == "2"
    store.rollback("door")
    assert good(tmp_path, text("door")).models["m"].file.parent.name == "1"


def test_the_store_of_the_agent(tmp_path: Path, store: ModelStore) -> None:
    """`agent.state_dir` says where it is."""
    store.folder.parent.rename(tmp_path / "elsewhere")
    found = good(tmp_path, "agent: {state_dir: elsewhere}\n" + text("door")).models["m"].file
    assert found == tmp_path / "elsewhere" / "models" / "door" / "1" / "door.tflite"


def test_the_command_line_takes_names_too(tmp_path: Path, store: ModelStore) -> None:
    """A configuration of plain values is filled in the same way."""
    values = {
        "models": {"m": {"file": "door"}},
        "sources": {"s": {"type": "camera"}},
        "pipelines": {"p": {"source": "s", "model": "m"}},
    }
    assert config_from_values(values, tmp_path).models["m"].file.name == "door.tflite"


def test_neither_here_nor_there(tmp_path: Path, store: ModelStore) -> None:
    """Both places are named; an absolute path is never looked for in the store."""
    (problem,) = problems(tmp_path, text("gate.tflite"))
    assert problem.endswith(
        "models.m.file: no such file: gate.tflite (paths begin at the folder of this file; the "
        "model store state/edge-agent/models has no 'gate': edge-agent models list)"
    )
    (problem,) = problems(tmp_path, text("coco_ssd"))
    assert "has no 'coco_ssd': edge-agent models get coco_ssd)" in problem
    (problem,) = problems(tmp_path, text("/none/door.tflite"))
    assert "no such file: /none/door.tflite" in problem
    assert "the model store has one: write file: door" in problem


def test_gone_from_the_store(tmp_path: Path, store: ModelStore) -> None:
    """A model whose file somebody took away is told by its place in the store."""
    (store.folder / "door" / "1" / "door.tflite").unlink()
    (problem,) = problems(tmp_path, text("door"))
    assert "state/edge-agent/models/door/1/door.tflite" in problem
    assert "it is gone from the model store: edge-agent models verify" in problem


@pytest.mark.parametrize("file", ["a/..", '"a\\0b"', "x" * 300, ".hidden"])
def test_files_that_are_no_names(tmp_path: Path, store: ModelStore, file: str) -> None:
    """They are looked for beside the configuration only, and are one problem."""
    (problem,) = problems(tmp_path, text(file))
    assert "models.m.file: " in problem


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_store_of_somebody_else(store: ModelStore) -> None:
    """Who may not look into it is told so, with the cure."""
    with TemporaryDirectory() as folder:
        state = store.folder.parent.rename(Path(folder, "state"))
        state.chmod(0o700)
        config = write(Path(folder), "agent: {state_dir: state}\n" + text("door"))
        Path(folder).chmod(0o755)
        os.seteuid(65534)
        try:
            (problem,) = load_config(config, {}).problems
        finally:
            os.seteuid(0)
    assert "the model store cannot be read: Permission denied (run it as the user" in str(problem)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_model_that_root_installed(store: ModelStore) -> None:
    """The agent's own user is told who has to install, and how to put it right."""
    with TemporaryDirectory() as folder:
        store.folder.parent.rename(Path(folder, "state"))
        config = write(Path(folder), "agent: {state_dir: state}\n" + text("door"))
        Path(folder).chmod(0o755)
        os.seteuid(65534)
        try:
            (problem,) = load_config(config, {}).problems
        finally:
            os.seteuid(0)
    assert "Permission denied (install as the user who runs the agent; now: sudo" in str(problem)


def test_a_damaged_store(tmp_path: Path, store: ModelStore) -> None:
    """What is wrong with it stands in the message."""
    (store.folder / "door" / "index.json").write_text("{}")
    (problem,) = problems(tmp_path, text("door"))
    assert "door/index.json is damaged (install the model again)" in problem
