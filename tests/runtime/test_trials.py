"""No model comes into this process before a child has outlived it."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_agent.config.schema import ModelConfig
from edge_agent.engines.delegate import DelegateOptions
from edge_agent.engines.modelfile import read_model_info
from edge_agent.engines.probe import Limits, try_out
from edge_agent.errors import EdgeAgentError, ModelError
from edge_agent.modelstore import Manifest, ModelStore
from edge_agent.runtime import trials as room
from edge_agent.runtime.opening import open_inference
from edge_agent.runtime.trials import Trials
from tests.support.cli import MODEL
from tests.support.data import data_file
from tests.support.tflite_writer import add_graph, int8_add_graph, write_model

CRASH = "import os, sys\nif 'edge_agent.engines.probe' in sys.orig_argv: os.kill(os.getpid(), 11)"
GREEDY = """
import sys
if 'edge_agent.engines.probe' in sys.orig_argv:
    import edge_agent.engines as engines
    engines.open_engine = lambda *_: bytearray(4 << 30)
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model that runs, with two inputs of 1x4 int8."""
    return write_model(tmp_path / "add.tflite", int8_add_graph())


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Which models a child was started for."""
    seen: list[Path] = []

    def noting(path: Path, *words: Any) -> Any:
        seen.append(path)
        return try_out(path, *words)

    monkeypatch.setattr(room, "try_out", noting)
    return seen


def sha256(path: Path) -> str:
    """SHA-256 of a model."""
    return read_model_info(path).sha256


def test_a_child_tells_the_tensors(model: Path) -> None:
    """What ran, on what, with which inputs and outputs."""
    tried = try_out(model, "auto")
    assert tried.engine == "tflite"
    assert len(tried.inputs) == 2
    assert tried.inputs[0].endswith(" int8")


def test_a_known_model_is_opened_at_once(tmp_path: Path, model: Path, started: list[Path]) -> None:
    """What was outlived once is not tried again, also after a restart."""
    for _ in range(2):
        Trials(tmp_path / "trials").check(model, sha256(model), "auto")
    assert started == [model]


def test_anything_else_is_tried_again(
    tmp_path: Path, model: Path, started: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another content, engine, limit or version of a library, and where nothing is kept."""
    trials = Trials(tmp_path / "trials")
    trials.check(model, sha256(model), "auto")
    trials.check(model, sha256(model), "tflite")
    Trials(tmp_path / "trials", Limits(seconds=30)).check(model, sha256(model), "auto")
    write_model(model, add_graph())
    trials.check(model, sha256(model), "auto")
    monkeypatch.setattr(room, "_version", lambda package: "99")
    trials.check(model, sha256(model), "auto")
    assert len(started) == 5
    for _ in range(2):
        Trials(None).check(model, sha256(model), "auto")
    assert len(started) == 7


def test_what_is_known_is_bounded(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The oldest makes room."""
    monkeypatch.setattr(room, "_KEPT", 2)
    for kind in ("auto", "tflite"):
        Trials(tmp_path / "trials").check(model, sha256(model), kind)
    kept = set((tmp_path / "trials").iterdir())
    Trials(tmp_path / "trials").check(model, "another", "auto")
    assert len(list((tmp_path / "trials").iterdir())) == 2
    assert len(kept & set((tmp_path / "trials").iterdir())) == 1


def test_our_own_models_need_no_child(started: list[Path]) -> None:
    """They are part of the package, as its code is."""
    Trials(None).check(Path(MODEL), sha256(Path(MODEL)), "auto")
    assert started == []


@pytest.mark.parametrize(
    ("site", "limits", "reason"),
    [
        (CRASH, Limits(), r"it crashes the runtime \(SIGSEGV\)"),
        (GREEDY, Limits(memory=64 << 20), "it needs more than 64 MiB of memory"),
        (CRASH.replace("11", "24"), Limits(), "it takes more than 60 s of processor time"),
        ("", Limits(seconds=0.05), r"it does not answer within 0.05 s"),
        ("print('x' * 10**6)", Limits(), ""),
        ("raise SystemExit(3)", Limits(), "its test ends with code 1: SystemExit: 3"),
    ],
)
def test_what_a_child_does_not_outlive(
    tmp_path: Path,
    model: Path,
    monkeypatch: pytest.MonkeyPatch,
    site: str,
    limits: Limits,
    reason: str,
) -> None:
    """A crash, too much memory, a hang: one line with the file and the cure, nothing is kept."""
    (tmp_path / "sitecustomize.py").write_text(site)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    trials = Trials(tmp_path / "trials", limits)
    if not reason:
        trials.check(model, sha256(model), "auto")
        return
    for _ in range(2):
        with pytest.raises(ModelError, match=f"add.tflite is not loaded: {reason}") as caught:
            trials.check(model, sha256(model), "auto")
        assert caught.value.cure
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "trials").exists()


def test_no_more_memory_than_there_is(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine whose memory is taken gives a model little."""
    (tmp_path / "sitecustomize.py").write_text(GREEDY)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(room, "memory_available", lambda: 0.0)
    with pytest.raises(ModelError, match="it needs more than 64 MiB of memory"):
        Trials(None).check(model, sha256(model), "auto")


def test_the_daemon_never_sees_it(
    tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`open_inference` stops before the engine of this process."""
    (tmp_path / "sitecustomize.py").write_text(CRASH)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def opened(*_: Any) -> None:
        raise AssertionError("it came into this process")

    monkeypatch.setattr("edge_agent.runtime.opening.open_engine", opened)
    with pytest.raises(ModelError, match="crashes the runtime"):
        open_inference("m", ModelConfig(file=model), any_input=True, trials=Trials(None))


def test_an_accelerator_that_is_not_there_is_left_to_who_opens_it(model: Path) -> None:
    """It may be allowed to do without: that is decided where the model is opened."""
    Trials(None).check(model, sha256(model), "tflite", DelegateOptions("none.so"))


def store_with_sample(tmp_path: Path, model: Path, save: Callable[[Path], None]) -> Path:
    """The path of the model in a store, with a golden sample."""
    sample = tmp_path / "sample.npz"
    save(sample)
    store = ModelStore(tmp_path / "models")
    return store.install(Manifest("add", "", "", "", 0), model, [sample]).path


def test_golden_samples_are_run(tmp_path: Path, model: Path) -> None:
    """A model of the store is tried out on what it was stored with."""
    specs = read_model_info(model).inputs
    arrays = [np.ones(spec.shape, spec.dtype) for spec in specs]
    path = store_with_sample(tmp_path, model, lambda file: np.savez(file, *arrays))
    open_inference("m", ModelConfig(file=path), any_input=True, trials=Trials(None)).close()


def test_a_golden_sample_that_does_not_fit(tmp_path: Path, model: Path) -> None:
    """The model is not the one that the sample was made for."""
    path = store_with_sample(tmp_path, model, lambda file: np.savez(file, np.ones((3, 3), "i1")))
    with pytest.raises(ModelError, match=r"golden-1.npz does not fit the model"):
        open_inference("m", ModelConfig(file=path), any_input=True, trials=Trials(None))


def test_labels_of_the_store(tmp_path: Path, model: Path) -> None:
    """A model without labels inside has those that it was stored with."""
    store = ModelStore(tmp_path / "models")
    path = store.install(Manifest("add", "", "", "", 0, labels=("a", "b")), model).path
    inference = open_inference("m", ModelConfig(file=path), any_input=True)
    assert inference.labels == ("a", "b")
    inference.close()


def harmless(path: Path) -> None:
    """Opened, or refused in one line."""
    said = ""
    try:
        config = ModelConfig(file=path)
        open_inference("m", config, any_input=True, trials=Trials(None)).close()
    except EdgeAgentError as error:
        said = str(error)
    assert said == "" or (path.name in said and len(said.splitlines()) == 1)


@pytest.mark.parametrize(
    "name",
    [
        "coral_model_invoking_error.tflite",
        "tflite__testdata__conv_huge_im2col.bin",
        "tflite__testdata__multi_subgraphs_while.bin",
        "tflite__testdata__no_subgraphs.bin",
        "tflite__testdata__segment_sum_invalid_buffer.bin",
        "tflite__testdata__test_model_broken.bin",
        "tflite__testdata__test_model_versioned_ops.bin",
        "tflite__testdata__tensor_string_data_type.bin",
        "tflm_person_detect_bad_quant_dim.tflite",
    ],
)
def test_odd_files(name: str) -> None:
    """Those of the test data that other programs fall over."""
    harmless(data_file(f"models/robustness/{name}"))


def test_truncated_and_damaged_files(tmp_path: Path) -> None:
    """Cut anywhere, or with bits turned over where its structure is."""
    content = data_file("models/micro_speech_quantized.tflite").read_bytes()
    chance = random.Random(3)
    for number in range(12):
        damaged = bytearray(content)
        if number % 2:
            damaged = damaged[: chance.randrange(len(damaged))]
        else:
            for _ in range(8):
                damaged[-1 - chance.randrange(3000)] ^= 1 << chance.randrange(8)
        file = tmp_path / f"{number}.tflite"
        file.write_bytes(damaged)
        harmless(file)
