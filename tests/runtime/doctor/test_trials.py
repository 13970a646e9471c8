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
from edge_agent.runtime.doctor.engines import engines
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


def test_tflite_runtime_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no XNNPACK for int8; on 32-bit ARM there is nothing better."""
    found = {"runtime": "tflite-runtime 2.14.0", "xnnpack": False}
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    finding = engines(lambda: found, needed=False)
    assert (finding.state, "pip install ai-edge-litert" in finding.fix) == ("WARN", True)
    monkeypatch.setattr(platform, "machine", lambda: "armv7l")
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
    with pytest.raises(TrialFailed, match="crashes"):
        trial("runtime", limit=_LIMIT)
