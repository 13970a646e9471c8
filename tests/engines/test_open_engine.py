"""Choosing an engine, trying one out in safety, and finding the library for it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edge_agent.engines as room
from edge_agent.engines import engine_support, open_engine
from edge_agent.engines.interpreter import find_runtime
from edge_agent.engines.modelfile import read_model_info
from edge_agent.engines.probe import probe
from edge_agent.engines.stderr import native_stderr
from edge_agent.errors import ModelError
from edge_agent.registry import Registry
from tests.support.tflite_writer import add_graph, custom_graph, write_model


class PickyEngine:
    """An engine that runs nothing."""

    def __init__(self, path: Path, threads: int, delegate: Any, rounding: Any) -> None:
        raise ModelError(f"{path.name} is not to my taste")


class CrashingEngine:
    """An engine that takes its process with it."""

    def __init__(self, path: Path, threads: int, delegate: Any, rounding: Any) -> None:
        os.abort()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A small sound model."""
    return write_model(tmp_path / "add.tflite", add_graph())


@pytest.mark.parametrize("kind", ["auto", "tflite"])
def test_engine_by_name(model: Path, kind: str) -> None:
    """The engine of that name is opened; "auto" takes the first that works; a text is a path."""
    assert open_engine(str(model), kind=kind).name == "tflite"


def test_unknown_engine_lists_the_known(model: Path) -> None:
    """A name that this version has not is an error that lists those it has."""
    with pytest.raises(ModelError, match=r"'magic' is not part of this version \(known: auto, tf"):
        open_engine(model, kind="magic")


def test_threads_below_one_are_refused(model: Path) -> None:
    """No threads cannot run anything."""
    with pytest.raises(ValueError, match="threads is 0"):
        open_engine(model, threads=0)


def test_auto_goes_on_to_the_next_engine(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that cannot run the model leaves it to the next; the last one's reason is told."""
    picky, tflite = f"{__name__}:PickyEngine", "edge_agent.engines.tflite:TfliteEngine"
    monkeypatch.setitem(sys.modules, __name__, sys.modules[PickyEngine.__module__])
    monkeypatch.setattr(room, "ENGINES", Registry("none", {"picky": picky, "tflite": tflite}))
    assert open_engine(model).name == "tflite"
    monkeypatch.setattr(room, "ENGINES", Registry("none", {"picky": picky}))
    with pytest.raises(ModelError, match="not to my taste"):
        open_engine(model)


def test_support_is_found_by_trying(model: Path, tmp_path: Path) -> None:
    """A model that runs is True; one that does not comes with the reason."""
    assert engine_support(read_model_info(model))["tflite"] is True
    odd = write_model(tmp_path / "odd.tflite", custom_graph("Frobnicate"))
    assert "Frobnicate" in str(engine_support(read_model_info(odd))["tflite"])


def test_probe_outlives_what_the_model_does(tmp_path: Path, model: Path) -> None:
    """A model that never answers is given up; a missing one is a reason, not an exception."""
    assert probe("tflite", model, timeout=0.001) == "it does not answer within 0.001 s"
    assert "does not exist" in probe("tflite", tmp_path / "none.tflite")


def test_probe_tells_of_a_crash(model: Path, tmp_path: Path) -> None:
    """A process that is killed is told with the signal's name."""
    (tmp_path / "sitecustomize.py").write_text("import os; os.abort()")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(tmp_path))
        assert probe("tflite", model) == "it crashes the runtime (SIGABRT)"


def test_neither_library_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a runtime the error says what to install on this Python."""
    for name in ("ai_edge_litert", "tflite_runtime"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ModelError, match=r"no TFLite runtime .*pip install 'edge-agent'.*Python 3"):
        find_runtime()


def test_old_library_with_new_numpy_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """tflite-runtime ends the process under NumPy 2, so it is not even imported."""
    package = tmp_path / "tflite_runtime"
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "ai_edge_litert", None)
    monkeypatch.delitem(sys.modules, "tflite_runtime", raising=False)
    monkeypatch.setattr(np, "__version__", "2.4.6")
    with pytest.raises(ModelError, match=r"needs numpy<2, here is 2\.4\.6 .*pip install 'numpy<2'"):
        find_runtime()


def test_broken_library_tells_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A runtime that cannot be imported is named with its reason."""
    package = tmp_path / "ai_edge_litert"
    package.mkdir()
    (package / "__init__.py").write_text("raise ImportError('GLIBC_2.99 not found')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "tflite_runtime", None)
    for name in [name for name in sys.modules if name.startswith("ai_edge_litert")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(ModelError, match=r"ai-edge-litert cannot be imported: GLIBC_2\.99"):
        find_runtime()


def test_only_lines_of_the_library_are_kept(capfd: pytest.CaptureFixture[str]) -> None:
    """Lines of others, who write to the same descriptor meanwhile, still reach stderr."""
    said: list[str] = []
    with native_stderr(said):
        os.write(2, b"INFO: Created delegate\nsomebody's log line\nERROR: bad\n")
    assert said == ["INFO: Created delegate", "ERROR: bad"]
    assert capfd.readouterr().err == "somebody's log line\n"
