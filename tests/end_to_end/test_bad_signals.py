"""What sensors do on bad days, through the whole agent: it says so, goes on, and comes back."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support.agent import BASE, DEVICE, AgentProcess, events
from tests.support.broker import Mosquitto, Subscriber, wait_until

SILENCE = 1.0  # s
READING = {
    "reading": {"unit": "°C", "above": 50},
    "track": {"hits": 1, "of": 1, "lost": "100ms"},
    "publish": {"reading_every": 0},
}
GARBAGE = b'\xff\xfe\x00\x80\x00,;;{\n\n{"t": \ntemp=\xb0C\n' + b"x" * 300 + b"\n"


def config(port: int, source: dict[str, Any]) -> dict[str, Any]:
    """A thermometer without a model."""
    return {
        "agent": {"name": DEVICE, "health_interval": 0.1},
        "mqtt": {"host": "127.0.0.1", "port": port, "keepalive": 2},
        "sources": {"room": {**source, "silence": SILENCE, "timeout": 1}},
        "pipelines": {"room": {"source": "room", **READING}},
    }


class Watch:
    """What the subscriber knows of the pipeline."""

    def __init__(self, subscriber: Subscriber) -> None:
        self._subscriber = subscriber

    @property
    def values(self) -> list[float]:
        """All readings so far."""
        return [json.loads(each)["value"] for each in self._subscriber.of(f"{BASE}/room/reading")]

    def newest(self, value: float) -> None:
        """Wait until the newest reading is this one."""
        wait_until(lambda: self.values[-1:] == [value], 10.0, lambda: str(self.values[-3:]))

    def status(self, status: bytes) -> None:
        """Wait until the pipeline is online or offline."""
        self._subscriber.expect(f"{BASE}/room/status", status)

    def reason(self) -> str:
        """Why it is offline, as the health tells."""
        reasons = [
            json.loads(each)["pipelines"]["room"]["reason"]
            for each in self._subscriber.of(f"{BASE}/health")
        ]
        return next((reason for reason in reversed(reasons) if reason), "")


@pytest.fixture
def watch(subscriber: Subscriber) -> Watch:
    """The pipeline as a subscriber sees it."""
    return Watch(subscriber)


class Meter:
    """A device that waits at a TCP port for the agent and sends it lines."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.settimeout(10.0)
        self.address = f"127.0.0.1:{self._server.getsockname()[1]}"
        self._line: socket.socket | None = None

    def answer(self) -> None:
        """Let the agent in, in place of whoever was there."""
        self.unplug()
        self._line, _ = self._server.accept()

    def send(self, *lines: str | bytes) -> None:
        """Send lines, a moment apart."""
        assert self._line is not None
        for line in lines:
            self._line.sendall(line if isinstance(line, bytes) else line.encode() + b"\n")
            time.sleep(0.02)

    def unplug(self) -> None:
        """Break the connection off."""
        if self._line is not None:
            self._line.close()

    def close(self) -> None:
        """Let the port go."""
        self.unplug()
        self._server.close()


@pytest.fixture
def meter() -> Iterator[Meter]:
    """A device at a TCP port."""
    with closing(Meter()) as meter:
        yield meter


@pytest.fixture
def agent(tmp_path: Path, broker: Mosquitto, meter: Meter) -> Iterator[AgentProcess]:
    """An agent that listens to the device; at its end nothing had crashed."""
    source = {"type": "lines", "tcp": meter.address, "channels": ["temp"], "missing": "nan"}
    with AgentProcess(tmp_path, config(broker.port, source)) as agent:
        meter.answer()
        yield agent
        assert agent.terminate() == 0
    assert "Traceback" not in agent.said, agent.said


@pytest.mark.usefixtures("agent")
def test_not_a_number(meter: Meter, watch: Watch, subscriber: Subscriber) -> None:
    """A storm of NaN, infinities and empty cells makes no reading and no event."""
    meter.send("temp=20")
    watch.newest(20.0)
    meter.send(*["temp=nan", "temp=inf", "temp=-inf", "temp=", "temp=1e999"] * 10)
    meter.send("temp=21")
    watch.newest(21.0)
    assert watch.values == [20.0, 21.0]
    assert events(subscriber, "room") == []


def test_garbage(agent: AgentProcess, meter: Meter, watch: Watch) -> None:
    """Lines that are none, in no known encoding, are told of and passed over."""
    meter.send("temp=20")
    watch.newest(20.0)
    meter.send(GARBAGE, "temp=21")
    watch.newest(21.0)
    assert watch.values == [20.0, 21.0]
    assert "source room" in agent.said


@pytest.mark.usefixtures("agent")
def test_silence(meter: Meter, watch: Watch, subscriber: Subscriber) -> None:
    """Offline with the reason, what was on ends; it comes back with the device."""
    meter.send("temp=60")
    watch.newest(60.0)
    watch.status(b"offline")
    wait_until(lambda: "1 s" in watch.reason(), what=watch.reason)
    wait_until(lambda: [e["type"] for e in events(subscriber, "room")] == ["new", "end"])
    meter.answer()
    meter.send("temp=20")
    watch.newest(20.0)
    watch.status(b"online")


@pytest.mark.usefixtures("agent")
def test_unplugged(meter: Meter, watch: Watch) -> None:
    """A connection that breaks is opened again."""
    meter.send("temp=20")
    watch.newest(20.0)
    meter.unplug()
    watch.status(b"offline")
    meter.answer()
    meter.send("temp=21")
    watch.newest(21.0)
    watch.status(b"online")


def test_clock_of_the_sender(
    tmp_path: Path, broker: Mosquitto, meter: Meter, watch: Watch, subscriber: Subscriber
) -> None:
    """Times that leap a day ahead, back, and stand still: every number comes, no event is wrong."""
    source = {
        "type": "lines", "tcp": meter.address, "channels": ["temp"], "time": "at",
        "time_format": "s",
    }  # fmt: skip
    now = time.time()
    times = [now, now + 0.02, now + 86_400, now + 86_400.02, now - 86_400, now, now, now + 0.1]
    with AgentProcess(tmp_path, config(broker.port, source)) as agent:
        meter.answer()
        for number, at in enumerate(times):
            meter.send(f"at={at:.3f} temp={number}")
            watch.newest(number)
        assert agent.terminate() == 0
    assert events(subscriber, "room") == []
    assert "Traceback" not in agent.said, agent.said


def test_messages_of_others(
    tmp_path: Path, broker: Mosquitto, watch: Watch, subscriber: Subscriber
) -> None:
    """Another device's messages: garbage is passed over, silence is offline, then it is back."""
    channel = {"topic": "tele/room", "path": "temp"}
    source = {"type": "mqtt", "host": "127.0.0.1", "port": broker.port, "channels": {"t": channel}}

    def send(payload: bytes) -> bool:
        subscriber.paho.publish("tele/room", payload, 1).wait_for_publish(5.0)
        return True

    with AgentProcess(tmp_path, config(broker.port, source)) as agent:
        wait_until(lambda: send(b'{"temp": 20}') and watch.values)
        for payload in (b"", b"\xff\xfe{", b'{"temp": null}', b'{"temp": {}}', b'{"x": 1}',
                        b'{"temp": NaN}', b"[" * 5000, b'{"temp": "warm"}'):  # fmt: skip
            send(payload)
        send(b'{"temp": 60}')
        watch.newest(60.0)
        assert set(watch.values) == {20.0, 60.0}
        watch.status(b"offline")
        wait_until(lambda: "tele/room" in watch.reason(), what=watch.reason)
        wait_until(lambda: send(b'{"temp": 21}') and watch.values[-1] == 21.0)
        watch.status(b"online")
        assert agent.terminate() == 0
    assert [e["type"] for e in events(subscriber, "room")] == ["new", "end"]
    assert "Traceback" not in agent.said, agent.said
