"""The units: systemd finds nothing to complain of, and they are shut as far as they can be."""

from __future__ import annotations

import itertools
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.agent import ROOT

FOLDER = ROOT / "systemd"
UNITS = ("edge-agent.service", "edge-agent@.service")
DROP_INS = sorted(file.stem for file in (FOLDER / "drop-ins").glob("*.conf"))
COMBINATIONS = [
    names for n in (0, 1, 2, len(DROP_INS)) for names in itertools.combinations(DROP_INS, n)
]
MOST, MOST_WITH_DEVICES = 1.0, 1.2  # exposure, of 10


def analyze(*words: str) -> str:
    """What systemd-analyze says, on both of its channels."""
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is missing: sudo apt install systemd")
    done = subprocess.run(
        [program, *words], capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout + done.stderr


def installed(folder: Path, unit: str, drop_ins: tuple[str, ...] = ()) -> Path:
    """The unit with drop-ins beside it, of a program that is there."""
    text = (FOLDER / unit).read_text()
    file = folder / unit.replace("@", "@door")
    file.write_text(
        re.sub(r"^ExecStart=\S+", f"ExecStart={shutil.which('true')}", text, flags=re.M)
    )
    beside = folder / f"{file.name}.d"
    beside.mkdir()
    for name in drop_ins:
        shutil.copy(FOLDER / "drop-ins" / f"{name}.conf", beside)
    return file


def exposure(file: Path) -> float:
    """How exposed a service is, of 10."""
    found = re.search(
        r"exposure level for \S+: ([0-9.]+)",
        text := analyze("security", "--offline=true", str(file)),
    )
    assert found, text
    return float(found[1])


@pytest.mark.parametrize("unit", UNITS)
def test_systemd_complains_of_nothing(tmp_path: Path, unit: str) -> None:
    """`verify` ends well even with keys it does not know: with any drop-ins its silence counts."""
    for number, names in enumerate(COMBINATIONS):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert analyze("verify", str(installed(folder, unit, names))) == "", names


@pytest.mark.parametrize("unit", UNITS)
def test_exposure(tmp_path: Path, unit: str) -> None:
    """Streams and files need next to nothing of the machine; all kinds of devices cost little."""
    for number, names in enumerate(COMBINATIONS):
        folder = tmp_path / str(number)
        folder.mkdir()
        most = MOST_WITH_DEVICES if names else MOST
        assert exposure(installed(folder, unit, names)) <= most, names


def test_both_units_are_the_same_but_for_their_names() -> None:
    """What is shut for one agent is shut for each of many."""
    one, many = ((FOLDER / unit).read_text().split("[Service]")[1] for unit in UNITS)
    expected = one.replace("/etc/edge-agent/edge-agent.yaml\n", "/etc/edge-agent/%i.yaml\n")
    assert many == expected.replace("StateDirectory=edge-agent\n", "StateDirectory=edge-agent/%i\n")


def test_a_drop_in_is_known() -> None:
    """There is one for each kind of device that a source or a delegate may need."""
    assert DROP_INS == ["audio", "camera", "edgetpu", "i2c", "iio", "picamera", "serial"]
