"""`edge-agent doctor`: the whole examination, of good, bad and hanging parts."""

from __future__ import annotations

import socket
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from edge_agent.cli import doctor
from edge_agent.cli.doctor import as_lines
from edge_agent.runtime.doctor import broker_visit, checks, examine
from edge_agent.runtime.doctor.finding import ok, warn
from edge_agent.runtime.doctor.report import report, report_schema
from tests.support.agent import AgentProcess, belt_config
from tests.support.broker import Mosquitto, Subscriber, wait_until
from tests.support.cli import Answer, Terminal

_MACHINE = {
    "cpu", "engines", "clock", "power", "heat", "memory", "disk", "wear", "unit", "exposure",
}  # fmt: skip


@pytest.fixture(autouse=True)
def no_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The configuration of the service is one of the test's own, and not there at first."""
    file = tmp_path / "service.yaml"
    monkeypatch.setattr(doctor, "CONFIG", file)
    return file


def write(folder: Path, config: dict[str, Any], name: str = "c.yaml") -> Path:
    """A configuration as a file."""
    file = folder / name
    file.write_text(yaml.safe_dump(config))
    return file


def states(answer: Answer) -> dict[str, str]:
    """State of each check of a report, which fits its schema and the exit code."""
    found = answer.json
    Draft202012Validator(report_schema()).validate(found)
    assert answer.code == (0 if found["ok"] else 1)
    return {each["name"]: each["state"] for each in found["checks"]}


def test_a_configuration_in_order(terminal: Terminal, tmp_path: Path, mosquitto: Mosquitto) -> None:
    """All that it names is tried out, and is fine; nothing is made or left behind."""
    listener = Subscriber(mosquitto.port, "homeassistant/#")
    found = states(terminal("doctor", "-c", write(tmp_path, belt_config(mosquitto.port)), "--json"))
    listener.close()
    configured = {name: found[name] for name in found if name not in _MACHINE}
    assert configured == dict.fromkeys(
        (
            "configuration", "outbox", "permissions", "source clip", "model parts", "broker",
            "rights", "home assistant",
        ),
        "OK",
    )  # fmt: skip
    assert set(found) >= _MACHINE
    assert not (tmp_path / "state").exists()


def test_a_configuration_out_of_order(terminal: Terminal, tmp_path: Path) -> None:
    """Each fault has its line, with its cure below; the exit code is 1."""
    config = belt_config(1)
    config["sources"]["clip"] = {"type": "camera", "device": "/dev/video97"}
    config["models"]["parts"]["sha256"] = "0" * 64
    answer = terminal("doctor", "-c", write(tmp_path, config))
    assert answer.code == 1
    lines = answer.out.splitlines()
    for name in ("source clip", "model parts", "broker"):
        (row,) = [row for row, line in enumerate(lines) if line.startswith(f"FAIL  {name:<16}  ")]
        assert lines[row + 1].startswith(" " * 24 + "fix: ")
    assert "3 FAIL" in answer.err


def test_long_names_stay_in_line(terminal: Terminal, tmp_path: Path) -> None:
    """What was found begins in one column, whatever sources are called."""
    config = belt_config(1)
    name = "camera-behind-the-old-barn"
    config["sources"][name] = config["sources"].pop("clip")
    config["pipelines"]["belt"]["source"] = name
    lines = terminal("doctor", "-c", write(tmp_path, config)).out.splitlines()
    column = len(f"FAIL  source {name}  ")
    assert {line[column - 2 : column] for line in lines} == {"  "}
    assert " " not in {line[column] for line in lines}


def test_without_a_file(terminal: Terminal, no_service: Path) -> None:
    """The machine alone, and the service's own configuration where it is there."""
    answer = terminal("doctor", "--json")
    assert set(states(answer)) == _MACHINE
    assert answer.err == f"{no_service} does not exist: looking at the machine alone\n"
    no_service.symlink_to("nowhere")
    answer = terminal("doctor", "--json")
    assert answer.err == f"{no_service} cannot be read: looking at the machine alone\n"
    no_service.unlink()
    no_service.write_text("mqtt: {port: 0}")
    answer = terminal("doctor")
    assert answer.code == 78
    assert answer.out.startswith(f"{no_service}:1:14: mqtt.port: ")


def test_a_running_agent_keeps_its_source(
    terminal: Terminal, tmp_path: Path, mosquitto: Mosquitto
) -> None:
    """The agent is asked how its source does, since only one may open a camera."""
    agent = AgentProcess(tmp_path, belt_config(mosquitto.port, "loop"))
    subscriber = Subscriber(mosquitto.port)
    with agent:
        subscriber.expect("edge/dev/belt/status", b"online", 30.0)
        wait_until(lambda: subscriber.of("homeassistant/device/dev/config"))
        answer = terminal("doctor", "-c", agent.file, "--json")
        assert agent.alive
    subscriber.close()
    found = {each["name"]: each for each in answer.json["checks"]}
    used = f"in use by the running agent (process {agent.process.pid})"
    assert used in found["outbox"]["found"]
    assert found["source clip"]["found"].startswith(f"{used}: online, ")
    assert "announced with" in found["home assistant"]["found"]


def test_whatever_hangs(
    terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker and a camera that take the connection and say nothing: it ends in time."""
    monkeypatch.setattr(broker_visit, "_TIMEOUT", 60.0)
    monkeypatch.setattr(checks, "_TRIAL", 60.0)
    monkeypatch.setattr(examine.examine, "__defaults__", (1.0,))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        config = belt_config(port)
        del config["mqtt"]["keepalive"]
        url = f"http://127.0.0.1:{port}/"
        config["sources"]["clip"] = {"type": "http", "url": url, "timeout": 60}
        began = monotonic()
        found = states(terminal("doctor", "-c", write(tmp_path, config), "--json"))
    assert monotonic() - began < 8.0
    assert [found[name] for name in ("source clip", "broker", "rights")] == ["FAIL"] * 3


def test_the_whole_ends_within_20_seconds() -> None:
    """The time of all checks together, with a margin for the start."""
    assert examine.WHOLE <= 18.0


@pytest.mark.parametrize("wrong", [{"type": "camra"}, {"type": "http", "url": "ftp://x"}])
def test_a_bad_configuration(terminal: Terminal, tmp_path: Path, wrong: dict[str, Any]) -> None:
    """Its mistakes as `check` prints them, exit code 78; in JSON they fit the schema."""
    config = belt_config(1)
    config["sources"]["clip"] = wrong
    file = write(tmp_path, config)
    answer = terminal("doctor", "-c", file)
    assert answer == terminal("check", "-c", file)
    assert answer.code == 78
    answer = terminal("doctor", "-c", file, "--json")
    assert answer.code == 78
    Draft202012Validator(report_schema()).validate(answer.json)
    assert answer.json["ok"] is False
    assert terminal("doctor", "-c", file, "--unit").code == 78


def test_the_drop_in(terminal: Terminal, tmp_path: Path) -> None:
    """--unit prints it, for a file that must be named and hosts that must be known."""
    answer = terminal("doctor", "--unit", "-c", write(tmp_path, belt_config(1)))
    assert (answer.code, answer.err) == (0, "")
    assert (
        "\n[Service]\nIPAddressDeny=any\nIPAddressAllow=\nIPAddressAllow=localhost\n" in answer.out
    )
    answer = terminal("doctor", "--unit")
    assert (answer.code, answer.complaint) == (2, "--unit needs -c FILE")
    config = belt_config(1)
    config["mqtt"]["host"] = "broker.invalid"
    answer = terminal("doctor", "--unit", "-c", write(tmp_path, config))
    assert (answer.code, answer.out) == (1, "")
    assert "no address is known for broker.invalid" in answer.complaint


def test_lines_for_people() -> None:
    """The cure stands below what was found, which is one line whatever it holds."""
    assert as_lines("clock", ok("fine")) == "OK    clock             fine"
    assert as_lines("clock", warn("a\n  b", "c")).splitlines() == [
        "WARN  clock             a b",
        "                        fix: c",
    ]


def test_the_schema_demands_a_cure() -> None:
    """A WARN or FAIL without a fix is no valid report."""
    validator = Draft202012Validator(report_schema())
    assert validator.is_valid(report([("clock", ok("fine")), ("disk", warn("slow", "new card"))]))
    assert not validator.is_valid(report([("disk", warn("slow", ""))]))


def test_privacy_is_told_without_looking_at_anything(terminal: Terminal, tmp_path: Path) -> None:
    """Neither the broker nor the source has to be there; the same as a table and as JSON."""
    config = belt_config(1, publish={"snapshots": "full"})
    config["mqtt"] |= {"username": "edge", "password": "Hidden"}
    config["sources"]["clip"]["file"] = str(tmp_path / "none.mp4")
    file = write(tmp_path, config)
    told, as_json = (
        terminal("doctor", "--privacy", "-c", file),
        terminal("doctor", "--privacy", "--json", "-c", file),
    )
    assert told.code == as_json.code == 0
    assert "Hidden" not in told.out + as_json.out
    sentence = "Pictures may leave this device: edge/dev/belt/snapshot (full, nothing masked)."
    assert told.out.splitlines()[-1] == as_json.json["pictures"] == sentence
    for row in as_json.json["topics"]:
        (line,) = [each for each in told.out.splitlines() if each.split()[:1] == [row["topic"]]]
        assert row["holds"] in line
    assert [(each["host"], each["port"]) for each in as_json.json["hosts"]] == [("127.0.0.1", 1)]


def test_privacy_needs_a_file(terminal: Terminal) -> None:
    """Without one there is nothing to tell: exit code 2."""
    assert terminal("doctor", "--privacy").code == 2
