"""What systemd is told."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.runtime.notify import Systemd
from tests.support.runtime import HandTime, hold_time


class Manager:
    """Stands for systemd: a datagram socket that keeps what it is told."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._sock.bind(path if not path.startswith("@") else f"\0{path[1:]}")
        self._sock.setblocking(False)

    def told(self) -> list[str]:
        """The lines since the last call."""
        lines: list[str] = []
        while True:
            try:
                lines += self._sock.recv(4096).decode().splitlines()
            except BlockingIOError:
                return lines

    def close(self) -> None:
        """End it."""
        self._sock.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    """A systemd."""
    running = Manager(str(tmp_path / "notify"))
    yield running
    running.close()


@pytest.fixture
def hand(monkeypatch: pytest.MonkeyPatch) -> HandTime:
    """The time of the module."""
    return hold_time(monkeypatch, "notify")


def environment(manager: Manager, **more: str) -> dict[str, str]:
    """What systemd sets for a service with a watchdog of 5 s."""
    return {"NOTIFY_SOCKET": manager.path, "WATCHDOG_USEC": "5000000", **more}


def test_ready_once_then_pings_while_alive(manager: Manager, hand: HandTime) -> None:
    """READY comes once; a ping each quarter of a second, none while a frame hangs."""
    systemd = Systemd(environment(manager))
    assert systemd.beat_every == 0.25
    systemd.look(ready=True, alive=True, status=lambda: "fine")
    assert manager.told() == ["READY=1", "WATCHDOG=1", "STATUS=fine"]
    hand.now += 0.1
    systemd.look(ready=True, alive=True, status=lambda: "fine")
    assert manager.told() == []
    hand.now += 0.2
    systemd.look(ready=True, alive=True, status=lambda: "fine")
    assert manager.told() == ["WATCHDOG=1"]
    hand.now += 10.0
    systemd.look(ready=True, alive=False, status=lambda: "stuck")
    assert manager.told() == ["STATUS=stuck"]


def test_the_status_is_asked_for_only_when_due(manager: Manager, hand: HandTime) -> None:
    """It has a cost, and the agent looks ten times a second; without systemd nobody asks."""
    asked: list[int] = []

    def status() -> str:
        asked.append(1)
        return "fine"

    systemd = Systemd(environment(manager))
    for _ in range(20):
        systemd.look(ready=True, alive=True, status=status)
        Systemd({}).look(ready=True, alive=True, status=status)
        hand.now += 0.5
    assert len(asked) == 2


def test_a_long_start_is_extended_but_not_for_ever(manager: Manager, hand: HandTime) -> None:
    """While models open the limit is moved on; after ten minutes it is left to systemd."""
    systemd = Systemd(environment(manager))
    extensions = 0
    for _ in range(700):
        systemd.look(ready=False, alive=True, status=lambda: "")
        extensions += any(
            line.startswith("EXTEND_TIMEOUT_USEC=30000000") for line in manager.told()
        )
        hand.now += 1.0
    assert 55 <= extensions <= 65


def test_reload_and_stop(manager: Manager, hand: HandTime) -> None:
    """A reload is announced, and followed by READY; the end is announced."""
    systemd = Systemd(environment(manager))
    systemd.look(ready=True, alive=True, status=lambda: "")
    manager.told()
    systemd.reloading()
    assert manager.told()[0] == "RELOADING=1"
    systemd.look(ready=True, alive=True, status=lambda: "")
    assert manager.told() == ["READY=1"]
    systemd.stopping()
    assert manager.told() == ["STOPPING=1"]


def test_without_systemd_nothing_is_sent() -> None:
    """No socket, no watchdog, no error."""
    systemd = Systemd({})
    assert systemd.beat_every is None
    systemd.look(ready=True, alive=True, status=lambda: "")
    systemd.stopping()


@pytest.mark.parametrize("value", ["", "x", "0", "-1"])
def test_a_watchdog_that_is_none(manager: Manager, value: str) -> None:
    """A limit that makes no sense is no limit."""
    assert Systemd(environment(manager, WATCHDOG_USEC=value)).beat_every is None


def test_a_watchdog_for_another_process(manager: Manager) -> None:
    """Only the process that systemd waits for pings."""
    other = str(os.getpid() + 1)
    assert Systemd(environment(manager, WATCHDOG_PID=other)).beat_every is None


def test_an_abstract_socket() -> None:
    """A name that begins with @ is no file."""
    manager = Manager(f"@edge-agent-test-{os.getpid()}")
    Systemd({"NOTIFY_SOCKET": manager.path}).look(ready=True, alive=True, status=lambda: "s")
    assert manager.told() == ["READY=1", "STATUS=s"]
    manager.close()


def test_a_socket_that_is_gone(manager: Manager) -> None:
    """Nothing happens: the agent's work does not depend on who listens."""
    systemd = Systemd(environment(manager))
    manager.close()
    Path(manager.path).unlink()
    systemd.look(ready=True, alive=True, status=lambda: "")
