"""`edge-agent schema`: schemas that are sound, and a reference that is up to date."""

from __future__ import annotations

import pytest
from jsonschema import Draft202012Validator

from edge_agent.config.json_schema import config_schema
from edge_agent.mqtt.payloads import SCHEMAS, load_schema
from edge_agent.runtime.doctor.report import report_schema
from tests.support.agent import ROOT
from tests.support.cli import Terminal

REFERENCE = ROOT / "docs" / "configuration.md"
MQTT = ROOT / "docs" / "mqtt.md"


@pytest.mark.parametrize("name", ["config", *SCHEMAS, "doctor"])
def test_each_schema_is_sound(terminal: Terminal, name: str) -> None:
    """It is JSON Schema of the draft that it names, and takes objects."""
    answer = terminal("schema", name)
    assert (answer.code, answer.err) == (0, "")
    assert answer.json["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    Draft202012Validator.check_schema(answer.json)
    assert not Draft202012Validator(answer.json).is_valid(3)


def test_it_is_the_schema_that_the_agent_uses(terminal: Terminal) -> None:
    """What is printed is what payloads and configuration are checked against."""
    assert terminal("schema", "config").json == config_schema()
    assert terminal("schema", "doctor").json == report_schema()
    for name in SCHEMAS:
        assert terminal("schema", name).json == load_schema(name)


def test_the_reference_is_up_to_date(terminal: Terminal) -> None:
    """docs/configuration.md is what `edge-agent schema config --markdown` prints."""
    answer = terminal("schema", "config", "--markdown")
    assert answer.code == 0
    assert REFERENCE.read_text("utf-8") == answer.out


def test_the_reference_has_every_section(terminal: Terminal) -> None:
    """Each top key of the configuration has its heading."""
    lines = terminal("schema", "config", "--markdown").out.splitlines()
    sections = config_schema()["properties"]
    assert {"agent", "mqtt", "models", "sources", "pipelines"} <= set(sections)
    assert all(any(line.startswith(f"## `{key}") for line in lines) for key in sections)


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_payload_reference_is_up_to_date(terminal: Terminal, name: str) -> None:
    """docs/mqtt.md holds what `edge-agent schema NAME --markdown` prints: paste it there."""
    answer = terminal("schema", name, "--markdown")
    assert answer.code == 0
    assert answer.out in MQTT.read_text("utf-8")


def test_the_report_of_doctor_has_no_reference(terminal: Terminal) -> None:
    """It is wrong usage, told in one line."""
    answer = terminal("schema", "doctor", "--markdown")
    assert answer.code == 2
    assert "--markdown" in answer.err


def test_an_unknown_schema(terminal: Terminal) -> None:
    """Wrong usage: the message lists what there is."""
    answer = terminal("schema", "evnt")
    assert answer.code == 2
    assert all(name in answer.err for name in ("config", *SCHEMAS, "doctor"))
