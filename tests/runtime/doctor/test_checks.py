"""The checks of a configuration, joined."""

from __future__ import annotations

import errno
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from edge_agent.config.load import load_config
from edge_agent.outbox.sqlite import SqliteOutbox
from edge_agent.runtime.doctor import broker_visit, checks, disk, systemd
from edge_agent.runtime.doctor.commands import edge_agent
from edge_agent.runtime.doctor.disk import DiskFacts
from edge_agent.runtime.doctor.finding import Finding
from edge_agent.runtime.doctor.machine import Machine
from tests.support.agent import belt_config
from tests.support.broker import Mosquitto, Subscriber


def write(folder: Path, config: dict[str, Any], name: str = "c.yaml") -> Path:
    """A configuration as a file."""
    file = folder / name
    file.write_text(yaml.safe_dump(config))
    return file


def look(file: Path, name: str) -> Finding:
    """The finding of one check of a configuration."""
    listed = checks.checks(load_config(file), file, Machine())
    (finding,) = [check.look() for check in listed if check.name == name]
    return finding


def test_an_agent_that_cannot_be_asked(tmp_path: Path, own_state: Path) -> None:
    """Without a broker its source is left alone all the same."""
    with closing(SqliteOutbox(own_state / "dev.outbox")):
        finding = look(write(tmp_path, belt_config(1)), "source clip")
    assert (finding.state, "which does not tell more" in finding.found) == ("SKIP", True)


def test_an_agent_of_another_user(
    tmp_path: Path, mosquitto: Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where its state may not be looked at, the broker tells that it runs."""
    config = belt_config(mosquitto.port)
    (tmp_path / "shut").touch()
    config["agent"]["state_dir"] = str(tmp_path / "shut")
    agent = Subscriber(mosquitto.port, "none")
    agent.paho.publish("edge/dev/status", b"online", 1, retain=True).wait_for_publish(5)
    monkeypatch.setattr(broker_visit, "_AGENT", 0.1)
    file = write(tmp_path, config)
    assert look(file, "outbox").state == "SKIP"
    finding = look(file, "source clip")
    agent.close()
    assert finding.state == "SKIP"
    assert "the running agent (seen at the broker)" in finding.found


def test_warnings_of_a_configuration(tmp_path: Path) -> None:
    """What `check` warns of is a WARN here."""
    config = belt_config(1)
    config["sources"]["idle"] = {"type": "picamera"}
    finding = look(write(tmp_path, config), "configuration")
    assert (finding.state, "no pipeline uses it" in finding.found) == ("WARN", True)


def test_a_configuration_that_is_fine(tmp_path: Path) -> None:
    """The device and its pipelines are named."""
    finding = look(write(tmp_path, belt_config(1)), "configuration")
    assert (finding.state, "device dev, pipelines belt" in finding.found) == ("OK", True)


def test_a_state_that_cannot_be_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may; a folder that cannot be is to be another one; the service's is not ours."""
    file = write(tmp_path, belt_config(1))

    def finding_of(error: Exception) -> Finding:
        def measure(_: Path) -> DiskFacts:
            raise error

        monkeypatch.setattr(disk, "measure_disk", measure)
        return look(file, "disk")

    shut = finding_of(PermissionError(errno.EACCES, "Permission denied", "/var/lib/private"))
    assert (shut.state, "may not look into /var/lib/private" in shut.found) == ("SKIP", True)
    assert shut.fix.startswith("sudo ")
    assert shut.fix.endswith(f" doctor -c {file}")
    broken = finding_of(OSError(errno.ENOTDIR, "Not a directory"))
    assert (broken.state, broken.fix) == ("FAIL", "set agent.state_dir")


def test_the_state_of_the_service_is_not_taken_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its folder is shut to others on purpose: nobody is told to make it their own."""
    facts = DiskFacts(tmp_path, tmp_path, 2**40, False, None, errno.EACCES)
    monkeypatch.setattr(disk, "measure_disk", lambda _: facts)
    file = write(tmp_path, belt_config(1))
    assert look(file, "disk").state == "FAIL"
    monkeypatch.setattr(systemd, "ETC", tmp_path)
    finding = look(file, "disk")
    assert (finding.state, "the service may" in finding.found) == ("SKIP", True)
    assert finding.fix == edge_agent("doctor", "-c", file, root=True)


def test_a_model_that_is_missing(tmp_path: Path) -> None:
    """It takes out its own pipelines only, so the other checks go on."""
    config = belt_config(1)
    config["models"]["gone"] = {"file": "gone.tflite"}
    config["pipelines"]["other"] = {"source": "clip", "model": "gone"}
    file = write(tmp_path, config)
    finding = look(file, "configuration")
    assert (finding.state, "models.gone.file" in finding.found) == ("FAIL", True)
    assert f"check -c {file}" in finding.fix
    assert look(file, "model gone").state == "FAIL"
