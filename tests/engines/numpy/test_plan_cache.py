"""The plan cache: opens faster with the same answers, and is never in the way."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_agent.engines.numpy import findings, plan_cache, requantize
from edge_agent.engines.numpy.engine import NumpyEngine
from edge_agent.engines.numpy.findings import Findings
from edge_agent.engines.numpy.operators import lookup, pairs
from edge_agent.engines.numpy.plan_cache import MOST_FILES, PlanCache, cache_folder
from edge_agent.engines.numpy.requantize import Requantization
from tests.engines.numpy.branching import SHAPE, Branching
from tests.support import data
from tests.support.agent import ROOT
from tests.support.tflite_writer import GraphDef, OpDef, write_model

_OPEN = """
import sys; from pathlib import Path; from edge_agent.engines.numpy.engine import NumpyEngine
engine = NumpyEngine(Path(sys.argv[1])); sys.stdout.buffer.write(engine.run()[0].tobytes())
"""


def net() -> GraphDef:
    """A graph in which chains, pairs and a function are searched."""
    growing = Branching(np.random.default_rng(3))
    for step in (growing.conv, growing.depthwise, growing.add, growing.conv, growing.add):
        step()
    y = growing.new()
    growing.operators.append(OpDef("RELU", (growing.whole[-1],), (y,)))
    return GraphDef(growing.tensors, growing.operators, (0,), (y,))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """The graph as a file."""
    return write_model(tmp_path / "model.tflite", net())


@pytest.fixture
def no_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever searches now fails."""

    def refuse(*_: object) -> None:
        raise AssertionError("searched")

    monkeypatch.setattr(requantize, "find_chain", refuse)
    monkeypatch.setattr(pairs, "_proven", refuse)
    monkeypatch.setattr(lookup, "_factor", refuse)


def answer(path: Path) -> NDArray[Any]:
    """What the engine makes of numbers that are always the same."""
    x = np.random.default_rng(0).integers(-128, 128, SHAPE).astype(np.int8)
    return np.array(NumpyEngine(path).run(x)[0])


def entries() -> list[Path]:
    """Files of the cache."""
    return sorted(cache_folder().iterdir()) if cache_folder().exists() else []


def test_the_second_time_nothing_is_searched(model: Path, request: pytest.FixtureRequest) -> None:
    """A plan from the cache gives the same bytes, and no search is made for it."""
    first = answer(model)
    assert len(entries()) == 1
    request.getfixturevalue("no_searches")
    np.testing.assert_array_equal(answer(model), first)


@pytest.mark.data
@pytest.mark.parametrize("name", ["mlperf_kws_ref_int8", "mlperf_vww_96_int8"])
def test_real_models(name: str, request: pytest.FixtureRequest) -> None:
    """Nothing is left to search in real models either, and every tensor is the same."""
    path = data.data_file(f"models/{name}.tflite")
    engine = NumpyEngine(path, keep_all=True)
    x = np.random.default_rng(0).integers(-128, 128, engine.inputs[0].shape).astype(np.int8)
    engine.run(x)
    request.getfixturevalue("no_searches")
    again = NumpyEngine(path, keep_all=True)
    again.run(x)
    for operator in again._program.main.operators:
        for index in operator.outputs:
            np.testing.assert_array_equal(again.value(index), engine.value(index))


def damages(good: bytes) -> list[bytes]:
    """Empty, cut off, bytes changed here and there, and something else."""
    changed = []
    for place in range(0, len(good), max(1, len(good) // 40)):
        bad = bytearray(good)
        bad[place] ^= 0x55
        changed.append(bytes(bad))
    return [b"", good[:-30], good[: len(good) // 2], b"PK\x03\x04", b"no archive", *changed]


def test_damaged_entries_are_searched_again(model: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever is in the file, the answer is right and nobody is told who does not debug."""
    caplog.set_level(logging.INFO)
    right = answer(model)
    (entry,) = entries()
    for bad in damages(entry.read_bytes()):
        entry.write_bytes(bad)
        np.testing.assert_array_equal(answer(model), right)
    assert not caplog.records


def test_a_damaged_entry_is_written_anew(model: Path) -> None:
    """The next opening finds a good one."""
    answer(model)
    (entry,) = entries()
    entry.write_bytes(b"rubbish")
    answer(model)
    assert PlanCache(model, "reference").read()[1]


@pytest.mark.parametrize(
    "change",
    [
        lambda arrays: arrays[:2],
        lambda arrays: (*arrays[:3], arrays[3].astype(np.int32)),
        lambda arrays: tuple(each[:-1] for each in arrays),
        lambda arrays: (arrays[0].astype(np.float64), *arrays[1:]),
        lambda arrays: (*arrays[:3], np.array([10_000], np.intp)),
        lambda arrays: (),
    ],
)
def test_findings_of_the_wrong_form_are_searched_again(model: Path, change: Any) -> None:
    """An intact file with other arrays than those expected does no harm."""
    right = answer(model)
    cache = PlanCache(model, "reference")
    kept = Findings(plan_cache._read(entries()[0]))
    kept.used = {
        key: change(arrays) if len(arrays) == 4 else () for key, arrays in kept._kept.items()
    }
    cache.write(kept)
    np.testing.assert_array_equal(answer(model), right)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("bias", np.array([1, 3])),
        ("multiplier", np.array([1 << 30, 1 << 29])),
        ("shift", np.array([-7, -9])),
        ("low", -127),
        ("high", 126),
        ("bound", np.array([100, 201])),
    ],
)
def test_another_layer_is_another_question(name: str, values: Any) -> None:
    """A chain is found again only for the very same numbers and type."""
    whole = {
        "bias": np.array([1, 2]),
        "multiplier": np.array([1 << 30, 1 << 30]),
        "shift": np.array([-7, -8]),
        "low": -128,
        "high": 127,
        "bound": np.array([100, 200]),
    }
    known = Findings()
    known.chain(Requantization(**whole), np.float32)  # type: ignore[arg-type]
    known.chain(Requantization(**whole), np.float32)  # type: ignore[arg-type]
    assert known.misses == 1
    known.chain(Requantization(**(whole | {name: values})), np.float32)  # type: ignore[arg-type]
    assert known.misses == 2
    known.chain(Requantization(**whole), np.float64)  # type: ignore[arg-type]
    assert known.misses == 3


def test_digest_knows_types_and_shapes() -> None:
    """Arrays of the same bytes but another type or shape are other questions."""
    numbers = np.arange(4, dtype=np.int32)
    same = [numbers, numbers.view(np.float32), numbers.reshape(2, 2), "0123", 123, "123"]
    assert len({findings.digest((each,)) for each in same}) == len(same)


def test_other_versions_are_other_entries(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another NumPy, engine format, rounding or content of the file has an entry of its own."""
    answer(model)
    monkeypatch.setattr(np, "__version__", "9.9.9")
    answer(model)
    monkeypatch.setattr(plan_cache, "FORMAT", 999)
    answer(model)
    PlanCache(model, "xnnpack").write(Findings())
    model.write_bytes(model.read_bytes() + bytes(16))
    answer(model)
    assert len(entries()) == 5


def test_a_copy_of_the_model_shares_the_entry(model: Path) -> None:
    """The content counts, not the name."""
    answer(model)
    copy = model.with_name("copy.tflite")
    copy.write_bytes(model.read_bytes())
    answer(copy)
    assert len(entries()) == 1


@pytest.mark.parametrize("what", ["file", "missing home", "full"])
def test_a_cache_that_cannot_be_written(
    what: str, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine opens and answers all the same."""
    if what == "file":
        (tmp_path / "file").write_bytes(b"")
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    elif what == "missing home":
        monkeypatch.setenv("XDG_CACHE_HOME", "relative")
        monkeypatch.setattr(Path, "home", lambda: Path("/proc/nobody"))
    else:

        def fail(*_: object, **__: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(np, "savez", fail)
    np.testing.assert_array_equal(answer(model), answer(model))
    if what == "full":
        assert entries() == []


def test_no_home_at_all(monkeypatch: pytest.MonkeyPatch, model: Path) -> None:
    """Where there is no home folder, nothing is kept."""

    def refuse() -> Path:
        raise RuntimeError("no home")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", refuse)
    NumpyEngine(model)


def test_where_it_lies() -> None:
    """The folder of systemd first, then the user's cache by XDG; a relative path counts as none."""
    assert cache_folder({"STATE_DIRECTORY": "/a:/b"}) == Path("/a/plans")
    assert cache_folder({"XDG_CACHE_HOME": "/c"}) == Path("/c/edge-agent/plans")
    home = Path.home() / ".cache" / "edge-agent" / "plans"
    assert cache_folder({"XDG_CACHE_HOME": "c"}) == cache_folder({}) == home


def test_tests_stay_out_of_the_real_cache(tmp_path: Path) -> None:
    """The settings of all tests lead to the test's own folder."""
    assert cache_folder().is_relative_to(tmp_path)


def test_the_oldest_go(model: Path) -> None:
    """At most 32 files stay, those used last; what a killed process left goes, too."""
    answer(model)
    (entry,) = entries()
    for age in range(40):
        other = entry.with_name(f"{age}.npz")
        other.write_bytes(b"")
        os.utime(other, (1000 - age, 1000 - age))
    left, fresh = entry.with_name("left.tmp"), entry.with_name("fresh.tmp")
    left.write_bytes(b"")
    os.utime(left, (0, 0))
    fresh.write_bytes(b"")
    os.utime(entry, (0, 0))
    NumpyEngine(model)
    known = Findings()
    known.used = {"": ()}
    PlanCache(model, "xnnpack").write(known)
    names = {file.name for file in entries()}
    assert len(names) == MOST_FILES + 1
    assert {entry.name, "0.npz", fresh.name} <= names
    assert not {"39.npz", left.name} & names


def test_processes_at_once(model: Path) -> None:
    """Several that open the model at the same time all answer alike and leave one good entry."""
    command = [sys.executable, "-c", _OPEN, str(model)]
    running = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) for _ in range(4)]
    answers = {process.communicate(timeout=120)[0] for process in running}
    assert len(answers) == 1
    assert len(entries()) == 1
    assert answers == {NumpyEngine(model).run()[0].tobytes()}
    assert PlanCache(model, "reference").read()[1]
