"""The installed service on a machine with systemd: what it survives, how fast, what it leaves."""

from __future__ import annotations

import re

import pytest

from tests.support.container import Container

INSTALL = "./scripts/install.sh --wheels /root/wheels"
CONFIGURE = """
install -d /etc/edge-agent/models
install -m 0644 edge_agent/assets/belt.mp4 /etc/edge-agent/
install -m 0644 edge_agent/assets/belt.tflite /etc/edge-agent/models/
cat > /etc/edge-agent/edge-agent.yaml << 'YAML'
agent: {name: lab}
mqtt: {host: 127.0.0.1}
models: {belt: {file: models/belt.tflite}}
sources: {clip: {type: video, file: belt.mp4, pace: loop}}
pipelines: {belt: {source: clip, model: belt}}
YAML
"""
CREDENTIAL = """
cp /etc/edge-agent/edge-agent.yaml /root/kept.yaml
login='username: edge, password: "${credential:pw}"'
sed -i "s/127.0.0.1/127.0.0.1, $login/" /etc/edge-agent/edge-agent.yaml
install -m 0600 /dev/stdin /etc/edge-agent/pw <<< secret
install -Dm644 /dev/stdin /etc/systemd/system/edge-agent.service.d/pw.conf << UNIT
[Service]
LoadCredential=pw:/etc/edge-agent/pw
UNIT
systemctl daemon-reload
"""
MOST_SECONDS = {
    "start to READY": 2.0,
    "kill -9 to an event": 3.0,
    "SEGV to an event": 3.0,
    "ABRT to an event": 3.0,
    "hang to running again": 6.0,
    "memory again to an event": 3.0,
}


@pytest.fixture(scope="module")
def faults(machine: Container) -> str:
    """What faults.sh prints of the service that install.sh started."""
    machine.shell(f"{CONFIGURE}\n{INSTALL}\nchgrp edge-agent /etc/edge-agent/edge-agent.yaml")
    assert machine.run("systemctl", "is-active", "edge-agent").strip() == "active"
    said = machine.shell("tests/systemd/faults.sh 2>&1", seconds=300)
    print(said)
    return said


@pytest.mark.parametrize("name", MOST_SECONDS)
def test_it_is_back_in_time(faults: str, name: str) -> None:
    """After a start or a hang it runs in time; killed, crashed or starved, it publishes in time."""
    found = re.search(rf"^{re.escape(name)}: ([0-9.]+) s$", faults, re.M)
    assert found, faults
    assert float(found[1]) <= MOST_SECONDS[name], faults


def test_a_wrong_file(faults: str) -> None:
    """On reload it is refused and the old one goes on; at the start it is 78 and stays down."""
    assert "a wrong file on reload: refused, it goes on" in faults
    at_start = next(line for line in faults.splitlines() if "a wrong file at the start" in line)
    assert "ActiveState=failed" in at_start
    assert "ExecMainStatus=78" in at_start
    assert "NRestarts=0" in at_start


def test_out_of_memory(faults: str) -> None:
    """It is the kernel that kills it, again and again while there is too little memory."""
    found = re.search(r"^out of memory: the kernel killed it (\d+) times$", faults, re.M)
    assert found, faults
    assert int(found[1]) >= 3


def test_little_memory_and_half_a_core(faults: str) -> None:
    """256 MB and half a core carry it without a restart."""
    line = next(line for line in faults.splitlines() if line.startswith("in 256 MB"))
    assert "ActiveState=active" in line
    assert "NRestarts=0" in line


def test_a_password_that_only_root_reads(machine: Container, faults: str) -> None:
    """A new version starts with it as well: the configuration is checked as the service sees it."""
    pid = "systemctl show -p MainPID --value edge-agent"
    before = machine.shell(f"{CREDENTIAL}systemctl restart edge-agent; {pid}")
    after = machine.shell(f"{INSTALL} > /dev/null; systemctl is-active -q edge-agent; {pid}")
    assert after != before
    machine.shell(
        "cat /root/kept.yaml > /etc/edge-agent/edge-agent.yaml; systemctl stop edge-agent"
    )


def test_it_is_gone_without_a_trace(machine: Container, faults: str) -> None:
    """Uninstalling keeps the configuration; purging leaves neither file, user nor unit."""
    machine.shell("./scripts/install.sh --uninstall && test -e /etc/edge-agent/edge-agent.yaml")
    machine.shell("./scripts/install.sh --purge")
    left = machine.shell(
        "ls -d /opt/edge-agent /etc/edge-agent /var/lib/edge-agent /usr/local/bin/edge-agent"
        " /etc/systemd/system/*edge-agent* /etc/systemd/system/*/*edge-agent* 2>/dev/null || true;"
        " getent passwd edge-agent || getent group edge-agent || true;"
        " systemctl list-units --all --no-legend 'edge-agent*'"
    )
    assert left == ""
