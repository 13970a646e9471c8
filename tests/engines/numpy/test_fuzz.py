"""Damaged files: refused with a reason or run, never a crash, a hang or an endless hunger.

EDGE_AGENT_FUZZ sets how many damages of each model are tried; 2000 is the long mode.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import data
from tests.support.agent import ASSETS, ROOT

COUNT = int(os.environ.get("EDGE_AGENT_FUZZ", "40"))
LIMIT = 5.0
"""Seconds of the processor that one file may take."""


def _fuzz(model: Path) -> None:
    command = [sys.executable, "-m", "tests.engines.numpy.fuzz", str(model), "1", str(COUNT)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, timeout=2 * LIMIT * COUNT + 60, check=False
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    print(done.stdout.decode())
    answer = json.loads(done.stdout)
    assert set(answer["outcomes"]) <= {"ran", "refused"}
    assert answer["longest"] < LIMIT
    assert answer["outcomes"]["refused"] > 0


def test_bundled_model() -> None:
    """Damages of the bundled detector."""
    _fuzz(ASSETS / "belt.tflite")


@pytest.mark.data
@pytest.mark.parametrize("name", ["mlperf_kws_ref_int8", "mww_okay_nabu"])
def test_real_models(name: str) -> None:
    """Damages of a keyword spotter and of a streaming wake word."""
    _fuzz(data.data_file(f"models/{name}.tflite"))


@pytest.mark.data
def test_odd_and_malformed_models() -> None:
    """Each file of the test data's collection of horrors runs or is refused."""
    folder = data.test_data()
    if folder is None:
        pytest.skip("no test data: set EDGE_AGENT_TEST_DATA, or put it into ../shared/data")
    code = (
        "import sys; from pathlib import Path; from tests.engines.numpy.fuzz import outcome\n"
        "print(*sorted({outcome(Path(p)) for p in sys.argv[1:]}))"
    )
    files = sorted(str(file) for file in (folder / "models" / "robustness").iterdir())
    done = subprocess.run(
        [sys.executable, "-c", code, *files],
        cwd=ROOT,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    assert done.stdout.decode().strip() == "ran refused"
