"""Each line of the doctor is shown in each of its states; this comes last, and sees what was."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edge_agent.config.load import load_config
from edge_agent.mqtt.broker import find_mosquitto
from edge_agent.runtime.doctor.checks import checks
from edge_agent.runtime.doctor.finding import fail
from edge_agent.runtime.doctor.machine import Machine
from edge_agent.runtime.doctor.power import judge_power
from tests.runtime.doctor.conftest import write_config
from tests.support.verdicts import Seen, verdicts

_JUDGES = {
    "cpu": {"cpu"},
    "engines": {"engines", "_judge_none"},
    "clock": {"judge_clock"},
    "power": {"judge_power"},
    "heat": {"judge_heat"},
    "memory": {"judge_memory", "_judge_rest"},
    "disk": {"judge_disk"},
    "wear": {"wear", "_chip"},
    "unit": {"judge_unit", "_judge_loaded", "_judge_running"},
    "exposure": {"judge_exposure"},
    "configuration": {"_look_at_configuration"},
    "outbox": {"outbox"},
    "permissions": {"permissions"},
    "source": {"source", "judge_source", "_picture", "_size", "_rate", "judge_used"},
    "model": {"model", "judge_model"},
    "broker": {"judge_broker"},
    "rights": {"judge_rights"},
    "home": {"judge_discovery"},
}


@pytest.fixture
def whole(request: pytest.FixtureRequest, seen: Seen) -> Seen:
    """What all tests of the doctor saw; skips where only some of them run."""
    config = request.config
    folder = Path(__file__).parent
    chosen = {item.path for item in request.session.items}
    if config.option.keyword or config.option.markexpr or not chosen >= {*folder.glob("test_*.py")}:
        pytest.skip(f"needs all tests of the doctor: pytest {folder.relative_to(config.rootpath)}")
    if find_mosquitto() is None or shutil.which("openssl") is None:
        pytest.skip("needs the tests with a broker: sudo apt install mosquitto openssl")
    return seen


def test_each_verdict_is_shown(whole: Seen) -> None:
    """Whoever adds a verdict to the doctor adds a test that shows it."""
    unseen = [str(verdict) for verdict in verdicts() if not whole.saw(verdict)]
    assert not unseen, "not shown by any test: " + ", ".join(unseen)


def test_each_line_is_shown_failing_and_passing(whole: Seen, tmp_path: Path) -> None:
    """Whoever adds a line to the doctor says here who judges it; both states were seen."""
    file = write_config(tmp_path)
    names = {check.name.split()[0] for check in checks(load_config(file), file, Machine())}
    assert names == _JUDGES.keys()
    for name, judges in _JUDGES.items():
        given = [each for each in verdicts() if each.function in judges and whole.saw(each)]
        assert {each.function for each in given} == judges
        states = {each.state for each in given}
        assert "OK" in states, name
        assert states & {"WARN", "FAIL"}, name


def test_nobody_is_left_alone(whole: Seen) -> None:
    """Each WARN and FAIL that any test saw says what to do."""
    assert whole.given
    assert whole.helpless == []


def test_verdicts_are_found_and_seen() -> None:
    """The code of a line is found by its states, and counts as seen once it has given them."""
    power = [each for each in verdicts() if each.module == "power.py"]
    assert {each.state for each in power} == {"OK", "WARN", "FAIL", "SKIP"}
    noted = Seen()
    with noted.watching():
        judge_power(0, None)
        fail("by a test", "")
    assert {each.state for each in power if noted.saw(each)} == {"OK"}
    assert noted.helpless == []
