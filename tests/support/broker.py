"""A real mosquitto of the test's own, on a free loopback port, that can be killed and restarted."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge_agent.mqtt.broker import HOST, find_mosquitto, free_port


def wait_until(
    condition: Callable[[], object], timeout: float = 10.0, what: Callable[[], str] | str = ""
) -> None:
    """Wait until the condition holds; after `timeout` s fail the test and say what is wrong."""
    until = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > until:
            raise AssertionError(what() if callable(what) else what or "it did not happen")
        time.sleep(0.005)


@dataclass
class Mosquitto:
    """A broker in `folder` with extra lines of configuration.

    `passwords` (user to password) turn anonymous access off, `acl` is an access file's text,
    `tls` are lines for the listener, `persistent` keeps sessions and retained messages on disk.
    """

    folder: Path
    lines: tuple[str, ...] = ()
    passwords: dict[str, str] = field(default_factory=dict)
    acl: str = ""
    tls: tuple[str, ...] = ()
    persistent: bool = False
    log_type: str = "all"
    port: int = 0
    _process: subprocess.Popen[bytes] | None = None

    def start(self) -> Mosquitto:
        """Start it, at the same port as before, and wait until it accepts connections."""
        program = find_mosquitto()
        if program is None:
            pytest.skip("mosquitto is not installed: sudo apt install mosquitto")
        self.port = self.port or free_port()
        config = self.folder / "mosquitto.conf"
        config.write_text("\n".join(self._config()) + "\n")
        with (self.folder / "mosquitto.log").open("ab") as log:
            said = log.tell()
            self._process = subprocess.Popen([program, "-c", str(config)], stdout=log, stderr=log)
        wait_until(
            lambda: self._accepts(said), what=lambda: f"mosquitto does not start: {self.log}"
        )
        return self

    def kill(self) -> None:
        """Kill it as a power cut would; safe twice."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def stop(self) -> None:
        """End it in good order, so that it writes its sessions and retained messages."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            process.wait(10)

    def pause(self, signal_number: int) -> None:
        """Send it SIGSTOP or SIGCONT."""
        assert self._process is not None
        self._process.send_signal(signal_number)

    def change_passwords(self, passwords: dict[str, str]) -> None:
        """Let other users in from now on, while it runs."""
        self.passwords = passwords
        self._password_file()
        self.pause(signal.SIGHUP)

    @property
    def log(self) -> str:
        """What it has said."""
        return (self.folder / "mosquitto.log").read_text(errors="replace")

    def _accepts(self, said: int) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log
        return "running" in self.log[said:]

    def _config(self) -> list[str]:
        lines = [f"listener {self.port} {HOST}", *self.tls, "log_dest stderr"]
        lines.append(f"log_type {self.log_type}")
        lines.append("max_queued_messages 0")  # a slow subscriber of the test must lose nothing
        lines.append(f"allow_anonymous {'false' if self.passwords else 'true'}")
        if os.geteuid() == 0:
            lines.append("user root")
        if self.passwords:
            lines.append(f"password_file {self._password_file()}")
        if self.acl:
            (self.folder / "acl").write_text(self.acl)
            (self.folder / "acl").chmod(0o600)
            lines.append(f"acl_file {self.folder / 'acl'}")
        if self.persistent:
            lines += ["persistence true", f"persistence_location {self.folder}/"]
            lines += ["autosave_on_changes true", "autosave_interval 1"]
        return [*lines, *self.lines]

    def _password_file(self) -> Path:
        path = self.folder / "passwords"
        path.write_text("".join(f"{user}:{word}\n" for user, word in self.passwords.items()))
        path.chmod(0o600)
        subprocess.run(["mosquitto_passwd", "-U", str(path)], check=True)
        return path


class Subscriber:
    """A real subscriber that keeps what it receives; `v5` False speaks MQTT 3.1.1.

    With `session` it has a persistent session of that name and comes back by itself.
    """

    def __init__(
        self,
        port: int,
        topic: str = "#",
        *,
        v5: bool = True,
        session: str = "",
        qos: int = 1,
        login: tuple[str, str] | None = None,
    ) -> None:
        self.messages: list[MQTTMessage] = []
        self._filter = topic
        self._qos = qos
        self._ready = False
        protocol = MQTTProtocolVersion.MQTTv5 if v5 else MQTTProtocolVersion.MQTTv311
        clean = None if v5 else not session
        self.paho = Client(CallbackAPIVersion.VERSION2, session, clean, protocol=protocol)
        if login:
            self.paho.username_pw_set(*login)
        self.paho.reconnect_delay_set(0.1, 0.1)  # type: ignore[arg-type]
        self.paho.on_connect = self._on_connect
        self.paho.on_subscribe = self._on_subscribe
        self.paho.on_message = lambda _client, _data, message: self.messages.append(message)
        self._connect(port, v5, session)
        self.paho.loop_start()
        wait_until(lambda: self._ready, what="the subscriber does not get its subscription")

    def _connect(self, port: int, v5: bool, session: str) -> None:
        if not v5:
            self.paho.connect(HOST, port)
            return
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = 3600 if session else 0
        self.paho.connect(HOST, port, clean_start=not session, properties=properties)

    def _on_connect(self, client: Client, *_: Any) -> None:
        client.subscribe(self._filter, self._qos)

    def _on_subscribe(self, *_: Any) -> None:
        self._ready = True

    def of(self, topic: str) -> list[bytes]:
        """Payloads received so far on one topic."""
        return [bytes(each.payload) for each in list(self.messages) if each.topic == topic]

    def expect(self, topic: str, payload: bytes, timeout: float = 10.0) -> None:
        """Wait until the newest payload on a topic is this one."""
        wait_until(
            lambda: self.of(topic)[-1:] == [payload],
            timeout,
            lambda: f"{topic} is not {payload!r}: {self.of(topic)[-3:]}",
        )

    def close(self) -> None:
        """Disconnect; safe twice."""
        self.paho.disconnect()
        self.paho.loop_stop()
