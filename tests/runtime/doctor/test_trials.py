"""The runtime, tried out in real child processes."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from edge_agent.engines.interpreter import find_runtime
from edge_agent.errors import ModelError
from edge_agent.runtime.doctor import engines as module
from edge_agent.runtime.doctor.engines import engines, has_litert
from edge_agent.runtime.doctor.finding import failed
from edge_agent.runtime.doctor.trial import TrialFailed, trial
from tests.support.agent import ROOT

_LIMIT = 30.0


def has_xnnpack() -> bool:
    """Whether the runtime that is installed here runs int8 models with XNNPACK."""
    try:
        return find_runtime().name.startswith("ai-edge-litert")
    except ModelError:
        return False


def test_the_runtime_that_is_installed() -> None:
    """LiteRT runs the bundled int8 model with XNNPACK; the forerunner does not, and says so."""
    finding = engines(partial(trial, "runtime", limit=_LIMIT), needed=True)
    if has_xnnpack():
        assert (finding.state, "XNNPACK on" in finding.found) == ("OK", True)
    elif platform.machine() == "x86_64":
        assert finding.state in ("WARN", "FAIL")


def test_a_hidden_cpuinfo_switches_xnnpack_off() -> None:
    """In a process that sees no /proc/cpuinfo, as under ProcSubset=pid, it is found out."""
    if not has_xnnpack():
        pytest.skip("needs ai-edge-litert: pip install ai-edge-litert")
    command = f"{sys.executable} -m edge_agent.runtime.doctor.trial runtime 20"
    hidden = ["unshare", "-m", "sh", "-c", f"mount -t proc -o subset=pid proc /proc && {command}"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(hidden, capture_output=True, text=True, check=False, env=env)
    if "mount" in done.stderr or "unshare" in done.stderr:
        pytest.skip(f"needs root for a mount of its own: {done.stderr.strip()}")
    answer = yaml.safe_load(done.stdout)
    finding = engines(lambda: answer, needed=False)
    assert (finding.state, "XNNPACK is off" in finding.found) == ("WARN", True)
    assert "`cpu`" in finding.fix


def test_no_runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A runtime that cannot be imported costs speed, or the models that ask for it."""
    for name in ("ai_edge_litert", "tflite_runtime"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise ImportError('libfoo.so is missing')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(TrialFailed) as caught:
        trial("runtime", limit=_LIMIT)

    def broken() -> dict[str, Any]:
        raise caught.value

    finding = engines(broken, needed=False)
    assert finding.state == "WARN"
    assert caught.value.message in finding.found
    assert "pip install" in finding.fix
    assert engines(broken, needed=True).state == "FAIL"
    assert "engine: auto" in engines(broken, needed=True).fix


def test_what_is_to_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cure is what has wheels for this Python; its bits count, not those of the kernel."""
    assert has_litert(is_64_bit=True) == ((3, 11) <= sys.version_info[:2] <= (3, 14))
    assert not has_litert(is_64_bit=False)

    def problem(text: str) -> dict[str, Any]:
        raise TrialFailed(text, "run: pip install something")

    def fix(text: str, needed: bool = False) -> tuple[str, str]:
        finding = engines(partial(problem, text), needed)
        return finding.state, finding.fix

    monkeypatch.setattr(module, "has_litert", lambda: True)
    litert = f"{sys.executable} -m pip install --force-reinstall ai-edge-litert"
    assert fix("none is installed") == ("WARN", litert)
    needs = "tflite-runtime 2.14.0 needs numpy<2, here is 2.1"
    assert fix(needs)[1] == f"{sys.executable} -m pip install 'numpy<2'"
    monkeypatch.setattr(module, "has_litert", lambda: False)
    monkeypatch.setattr(sys, "version_info", (3, 11, 2))
    assert "tflite-runtime 'numpy<2'" in fix("none")[1]
    monkeypatch.setattr(sys, "version_info", (3, 13, 5))
    assert fix("none") == ("OK", "")
    state, cure = fix("none", needed=True)
    assert (state, "pip" in cure) == ("FAIL", False)
    assert cure.startswith("set engine: auto")


def test_xnnpack_on_and_off() -> None:
    """It may be off for a reason that another line tells, or because the runtime is old."""
    found = {"runtime": "ai-edge-litert 2.3.0", "xnnpack": True}
    assert engines(lambda: found, needed=True).state == "OK"
    finding = engines(lambda: {**found, "xnnpack": False}, needed=True)
    assert (finding.state, "`cpu`" in finding.fix) == ("WARN", True)


def test_tflite_runtime_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no XNNPACK for int8; on a 32-bit system there is nothing better."""
    found = {"runtime": "tflite-runtime 2.14.0", "xnnpack": False}
    monkeypatch.setattr(module, "has_litert", lambda: True)
    finding = engines(lambda: found, needed=False)
    assert (finding.state, "pip install ai-edge-litert" in finding.fix) == ("WARN", True)
    assert "uninstall -y tflite-runtime" in finding.fix
    monkeypatch.setattr(module, "has_litert", lambda: False)
    assert engines(lambda: found, needed=False).state == "OK"


def test_a_trial_that_hangs_or_crashes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What hangs in native code is killed in time; what crashes is named."""
    (tmp_path / "ai_edge_litert").mkdir()
    stub = tmp_path / "ai_edge_litert" / "__init__.py"
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    stub.write_text("import time; time.sleep(60)")
    with pytest.raises(TrialFailed, match=r"no answer within 0.5 s"):
        trial("runtime", limit=0.5)
    stub.write_text(f"import os; os.kill(os.getpid(), {int(signal.SIGSEGV)})")
    with pytest.raises(TrialFailed, match="crashes: SIGSEGV") as caught:
        trial("runtime", limit=_LIMIT)
    assert failed(caught.value, "see the log").fix == "see the log"
