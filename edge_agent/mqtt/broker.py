"""A private broker for the demo: mosquitto where it is installed, else amqtt.

It listens on a free port of the loopback address only, keeps nothing on disk and dies with this
process.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Literal

from edge_agent.errors import EdgeAgentError

HOST = "127.0.0.1"

_TRIES = 5  # another program may take the free port before the broker does
_START_LIMIT = 10.0  # s
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


class BrokerUnavailable(EdgeAgentError):
    """No broker can be started on this machine."""


class PrivateBroker:
    """A broker for this process alone, at `host`:`port`, speaking `protocol`.

    Call `start` from a thread that lives as long as the broker is needed: Linux ends a child
    together with the thread that made it.
    """

    def __init__(self) -> None:
        self.host = HOST
        self.port = 0
        self.protocol: Literal["5", "3.1.1"] = "5"
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def start(self) -> None:
        """Start it and wait until it accepts connections; raises BrokerUnavailable."""
        if self._process is not None:
            return
        folder = self._folder = tempfile.TemporaryDirectory(prefix="edge-agent-broker-")
        for _ in range(_TRIES):
            self.port = free_port()
            command = self._command(Path(folder.name))
            if self._launch(command, Path(folder.name) / "log"):
                return
        said = (Path(folder.name) / "log").read_text("utf-8", "replace").strip().splitlines()
        self.stop()
        raise BrokerUnavailable(f"the private broker did not start: {said[-1] if said else ''}")

    def stop(self) -> None:
        """End it; safe without start and twice."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
        folder, self._folder = self._folder, None
        if folder is not None:
            folder.cleanup()

    def _command(self, folder: Path) -> list[str]:
        mosquitto = find_mosquitto()
        if mosquitto:
            self.protocol = "5"
            config = folder / "mosquitto.conf"
            config.write_text(_mosquitto_config(self.port), "utf-8")
            return [mosquitto, "-c", str(config)]
        if importlib.util.find_spec("amqtt") is not None:
            self.protocol = "3.1.1"
            return [sys.executable, "-m", "edge_agent.mqtt.amqtt_broker", HOST, str(self.port)]
        self.stop()
        raise BrokerUnavailable(
            "no MQTT broker is installed for the demo",
            "sudo apt install mosquitto, or pip install amqtt",
        )

    def _launch(self, command: list[str], log: Path) -> bool:
        with log.open("wb") as out:
            process = subprocess.Popen(  # noqa: S603 - our own command line
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - it only makes one system call
            )
        self._process = process
        until = monotonic() + _START_LIMIT
        while process.poll() is None and monotonic() < until:
            with suppress(OSError), socket.create_connection((HOST, self.port), timeout=1.0):
                return True
            sleep(0.01)
        process.kill()
        process.wait()
        self._process = None
        return False


def find_mosquitto() -> str | None:
    """Path of the mosquitto program, also where it is not in a user's PATH; None if absent."""
    path = os.environ.get("PATH", os.defpath)
    return shutil.which("mosquitto", path=f"{path}:/usr/sbin:/usr/local/sbin")


def free_port() -> int:
    """A TCP port of the loopback address that is free now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _mosquitto_config(port: int) -> str:
    lines = [
        f"listener {port} {HOST}",
        "allow_anonymous true",
        "persistence false",
        "log_dest stderr",
        "log_type error",
        "max_queued_messages 100000",
    ]
    if os.geteuid() == 0:
        # Changing the user would undo the order to die with the parent.
        lines.append("user root")
    return "\n".join(lines) + "\n"


def _die_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
