"""The Debian package on a machine with systemd and without internet: in, newer, out, gone."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.agent import ROOT
from tests.support.container import Container, container_to_test

SCRIPT = ROOT / "scripts" / "build_deb.sh"
FILES = (
    "find / -xdev \\( -path /proc -o -path /sys -o -path /run -o -path /tmp -o "
    "-path '/root/[!.]*' -o -path /var/log -o -path /var/lib/dpkg -o -path /var/cache -o "
    "-path /var/lib/mosquitto -o -path /var/lib/systemd \\) -prune -o -print | sort > "
)
RULES = "/etc/udev/rules.d/90-edge-agent-camera.rules"
BELT = """
install -m 0640 -g edge-agent edge_agent/assets/belt.mp4 /etc/edge-agent/
install -m 0640 -g edge-agent edge_agent/assets/belt.tflite /etc/edge-agent/models/
for name in edge-agent door; do
cat > /etc/edge-agent/$name.yaml << YAML
agent: {name: $name}
mqtt: {host: 127.0.0.1}
models: {belt: {file: models/belt.tflite}}
sources: {clip: {type: video, file: belt.mp4, pace: loop}}
pipelines: {belt: {source: clip, model: belt}}
YAML
chgrp edge-agent /etc/edge-agent/$name.yaml
chmod 0640 /etc/edge-agent/$name.yaml
done
systemctl enable --now --quiet edge-agent edge-agent@door
"""
EVENTS = """
for name in edge-agent door; do
    timeout 20 mosquitto_sub -h 127.0.0.1 -t edge/$name/belt/events -C 1 > /dev/null
done
"""
PIDS = "systemctl show -p MainPID --value edge-agent edge-agent@door"


def build(out: Path, *words: str) -> Path:
    """Build one package; what pip or dpkg-deb has to say is in the failure."""
    done = subprocess.run(
        [str(SCRIPT), "--out", str(out), *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return next(out.glob("*.deb"))


@pytest.fixture(scope="module")
def packages(machine: Container, tmp_path_factory: pytest.TempPathFactory) -> Container:
    """The machine with /root/1/*.deb and, newer, /root/2/*.deb, both built for it."""
    _, wheels = container_to_test()
    suite = machine.run("bash", "-c", ". /etc/os-release; echo -n $VERSION_CODENAME")
    arch = machine.run("dpkg", "--print-architecture").strip()
    for revision in "12":
        out = tmp_path_factory.mktemp(revision)
        words = ("--suite", suite, "--arch", arch, "--wheels", str(wheels), "--revision", revision)
        machine.put(out, [build(out, *words)], f"/root/{revision}")
    return machine


def test_a_life_of_the_package(packages: Container) -> None:
    """It waits for a configuration, runs, is upgraded, removed and put back, and leaves nothing."""
    machine = packages
    machine.shell("mkdir -p /etc/systemd/system.control;" + FILES + "/root/before")
    assert "now edit /etc/edge-agent/edge-agent.yaml" in machine.shell("dpkg -i /root/1/*.deb")
    assert machine.shell("stat -c '%a %U:%G' /etc/edge-agent/edge-agent.yaml").split() == [
        "640",
        "root:edge-agent",
    ]
    machine.shell(BELT + EVENTS)

    kept, pids = machine.shell("md5sum /etc/edge-agent/*.yaml"), machine.shell(PIDS).split()
    machine.shell("dpkg -i /root/2/*.deb < /dev/null" + EVENTS)
    assert machine.shell("md5sum /etc/edge-agent/*.yaml") == kept
    newer = machine.shell(PIDS).split()
    assert len({*pids, *newer}) == 4, (pids, newer)

    machine.shell("dpkg -r edge-agent; ! pgrep -f /opt/edge-agent; test ! -e /opt/edge-agent")
    assert machine.shell("md5sum /etc/edge-agent/*.yaml") == kept
    machine.shell("dpkg -i /root/2/*.deb" + EVENTS)

    machine.shell("systemctl set-property edge-agent@door MemoryMax=512M")
    machine.shell(f"install -Dm644 systemd/camera.rules {RULES}")
    machine.shell("dpkg --purge edge-agent")
    machine.shell(FILES + "/root/after")
    assert machine.shell("diff /root/before /root/after || true") == ""
    assert machine.shell("getent passwd edge-agent || getent group edge-agent || true") == ""
    assert machine.shell("systemctl list-units --all --no-legend 'edge-agent*'") == ""


def test_not_over_what_the_script_installed(packages: Container) -> None:
    """Where install.sh was before, the package says how to go on, and changes nothing."""
    unit = "/etc/systemd/system/edge-agent.service"
    said = packages.shell(f"touch {unit}; dpkg -i /root/1/*.deb 2>&1 || true; rm {unit}")
    assert "run its --uninstall first" in said
    packages.shell("test ! -e /opt/edge-agent; dpkg --purge edge-agent 2>/dev/null || true")


@pytest.mark.parametrize(
    ("words", "said"),
    [(("--suite", "sid"), "bookworm or trixie"), (("--arch", "armhf"), "amd64 or arm64")],
)
def test_what_cannot_be_built(words: tuple[str, str], said: str) -> None:
    """A suite without its Python, or a machine without wheels, is named at once."""
    done = subprocess.run([str(SCRIPT), *words], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert said in done.stderr


def test_the_scripts_of_the_package_are_sound() -> None:
    """Shellcheck has nothing to say."""
    program = shutil.which("shellcheck")
    if program is None:
        pytest.skip("shellcheck is missing: sudo apt install shellcheck")
    files = [SCRIPT, *sorted((ROOT / "scripts" / "deb").iterdir())]
    done = subprocess.run([program, *files], capture_output=True, text=True, check=False)
    assert done.stdout == ""
