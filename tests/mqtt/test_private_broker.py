"""The demo's own broker."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from edge_agent.mqtt import broker as broker_module
from edge_agent.mqtt.broker import BrokerUnavailable, PrivateBroker, find_mosquitto
from tests.mqtt.conftest import Factory
from tests.support.broker import wait_until

ROOT = Path(__file__).resolve().parents[2]

needs_mosquitto = pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed")


@needs_mosquitto
def test_it_serves_on_loopback_until_stopped(agents: Factory) -> None:
    """It accepts a client, is gone after stop(), and both may be called twice."""
    private = PrivateBroker()
    private.start()
    try:
        port = private.port
        private.start()
        assert private.port == port
        agent = agents(port, protocol=private.protocol)
        agent.wait_connected()
    finally:
        private.stop()
    private.stop()
    wait_until(lambda: not agent.client.state.connected)
    agent.wait_reason("refused")


def test_stop_without_start_is_harmless() -> None:
    """Nothing to stop, nothing happens."""
    PrivateBroker().stop()


def test_without_any_broker_both_cures_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line tells what to install."""
    monkeypatch.setattr(broker_module, "find_mosquitto", lambda: None)
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(BrokerUnavailable, match=r"apt install mosquitto.*pip install amqtt"):
        PrivateBroker().start()


def test_a_broker_that_does_not_start_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its last words are in the error."""
    fake = tmp_path / "mosquitto"
    fake.write_text("#!/bin/sh\necho out of order\nexit 3\n")
    fake.chmod(0o755)
    monkeypatch.setattr(broker_module, "find_mosquitto", lambda: str(fake))
    with pytest.raises(BrokerUnavailable, match="out of order"):
        PrivateBroker().start()


def test_amqtt_takes_its_place(monkeypatch: pytest.MonkeyPatch, agents: Factory) -> None:
    """Where mosquitto is missing, amqtt serves MQTT 3.1.1."""
    pytest.importorskip("amqtt", reason="amqtt is not installed")
    monkeypatch.setattr(broker_module, "find_mosquitto", lambda: None)
    private = PrivateBroker()
    private.start()
    try:
        assert private.protocol == "3.1.1"
        agent = agents(private.port, protocol=private.protocol)
        agent.events(3)
        agent.wait_empty()
    finally:
        private.stop()


CHILD = """
    import time
    from edge_agent.mqtt.broker import PrivateBroker

    private = PrivateBroker()
    private.start()
    print(private._process.pid, flush=True)
    time.sleep(30)
"""


@needs_mosquitto
def test_it_dies_with_its_parent() -> None:
    """Killing the demo leaves no broker behind."""
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(CHILD)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    with parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    wait_until(lambda: not _alive(pid))


def _alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
