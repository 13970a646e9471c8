"""Commands of cures do what they say when they are typed."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from edge_agent.runtime.doctor import commands
from edge_agent.runtime.doctor.commands import edge_agent, pip, set_in_unit
from tests.runtime.doctor.conftest import write_config
from tests.support.cures import do


def test_this_program_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a name on the path it is called by its Python, also in a folder with a blank."""
    folder = tmp_path / "my configs"
    folder.mkdir()
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    command = edge_agent("check", "-c", write_config(folder))
    if shutil.which("edge-agent") is None:
        assert command.startswith(f"{sys.executable} -m edge_agent check -c '")
    do(command)


def test_this_program_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the shell finds it, its name is enough; sudo looks elsewhere."""
    (tmp_path / "edge-agent").write_text("#!/bin/sh\n")
    (tmp_path / "edge-agent").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert edge_agent("doctor") == "edge-agent doctor"
    monkeypatch.setattr(commands, "_SUDO_LOOKS_IN", "")
    assert edge_agent("doctor", root=True) == f"sudo {sys.executable} -m edge_agent doctor"
    monkeypatch.setattr(commands, "_SUDO_LOOKS_IN", str(tmp_path))
    assert edge_agent("doctor", root=True) == "sudo edge-agent doctor"


def test_pip_of_this_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's pip would install elsewhere; one of root's needs sudo; one may be missing."""
    python = f"{sys.executable} -m"
    if os.access(sys.prefix, os.W_OK):
        assert pip("install", "numpy<2") == f"{python} pip install 'numpy<2'"
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "none"))
    assert pip("list") == f"sudo {python} pip list"
    monkeypatch.setattr(commands, "find_spec", lambda _: None)
    assert pip("list") == f"sudo {python} ensurepip && sudo {python} pip list"


def test_a_setting_of_a_unit(tmp_path: Path) -> None:
    """The file that systemd reads holds it, and systemd reads it at once."""
    log = tmp_path / "log"
    printed = f"systemctl() {{ echo $* >> {log}; }}\n"
    cure = set_in_unit("edge-agent@yard.service", "ProcSubset=all")
    do(printed + cure, {"/etc/systemd/system": tmp_path})
    file = tmp_path / "edge-agent@yard.service.d" / "60-procsubset.conf"
    assert file.read_text() == "[Service]\nProcSubset=all\n"
    assert log.read_text() == "daemon-reload\nrestart edge-agent@yard.service\n"
