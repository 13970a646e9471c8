"""`edge-agent watch`: shows what a real broker sends, until a signal comes."""

from __future__ import annotations

import json
import queue
import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import pytest

from edge_agent.cli.watch import as_line
from edge_agent.event import ModelStep
from edge_agent.mqtt.broker import free_port
from edge_agent.mqtt.listener import Received
from tests.support.broker import Mosquitto, Subscriber
from tests.support.cli import Children, Terminal
from tests.support.runtime import MESSAGES


class Watch:
    """`edge-agent watch` as a child; its lines as they come."""

    def __init__(self, children: Children, broker: Mosquitto, *words: str) -> None:
        self._process = children("watch", "--broker", f"127.0.0.1:{broker.port}", *words)
        self.out: queue.Queue[str] = queue.Queue()
        self.err: queue.Queue[str] = queue.Queue()
        self._readers = [
            self._follow(self._process.stdout, self.out),
            self._follow(self._process.stderr, self.err),
        ]

    @staticmethod
    def _follow(stream: IO[str] | None, lines: queue.Queue[str]) -> threading.Thread:
        assert stream is not None

        def read() -> None:
            for line in stream:
                lines.put(line.rstrip("\n"))

        thread = threading.Thread(target=read, daemon=True)
        thread.start()
        return thread

    def end(self) -> int:
        """SIGINT, as Ctrl-C sends it; the exit code, once all that was printed is read."""
        self._process.send_signal(signal.SIGINT)
        code = self._process.wait(10)
        for reader in self._readers:
            reader.join(10)
        return code


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """A real mosquitto."""
    mosquitto = Mosquitto(tmp_path).start()
    yield mosquitto
    mosquitto.kill()


@pytest.fixture
def publisher(broker: Mosquitto) -> Iterator[Subscriber]:
    """A client to publish with."""
    client = Subscriber(broker.port, "none")
    yield client
    client.close()


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "dev  model coco, version 2: swapped"),
        (
            {"stage": "refused", "reason": "it is damaged"},
            "dev  model coco, version 2: refused  it is damaged",
        ),
        ({"version": None}, "dev  model coco, 5a5a5a5a5a5a: swapped"),
    ],
)
def test_a_step_of_a_model(changes: dict[str, Any], line: str) -> None:
    """It says when, where, which model and what became of it, and why."""
    step = replace(ModelStep("coco", "swapped", "5a" * 32, "2", "", "", 1e9), **changes)
    message = MESSAGES.model_step(step)
    assert as_line(Received(message.topic, message.payload, False))[8:] == f"  {line}"


def test_what_is_published_is_printed(
    broker: Mosquitto, publisher: Subscriber, children: Children
) -> None:
    """Retained messages first, then live ones as they come; SIGINT ends it with 0."""
    publisher.paho.publish("edge/front/status", b"online", 1, retain=True).wait_for_publish(10)
    watch = Watch(children, broker, "--json")
    first = json.loads(watch.out.get(timeout=10))
    assert first == {"topic": "edge/front/status", "retained": True, "payload": "online"}
    event = {"schema": "edge-agent/event/1", "label": "person", "box": [0.25, 0.5, 0.75, 1.0]}
    publisher.paho.publish("other/topic", b"1", 1)
    publisher.paho.publish("edge/front/door/events", json.dumps(event), 1)
    second = json.loads(watch.out.get(timeout=10))
    assert second == {"topic": "edge/front/door/events", "retained": False, "payload": event}
    assert watch.err.get(timeout=10) == "watching edge/#"
    assert watch.end() == 0
    assert watch.err.empty()


def test_garbage_does_not_end_it(
    broker: Mosquitto, publisher: Subscriber, children: Children
) -> None:
    """Whatever anybody publishes, what comes next is still shown."""
    watch = Watch(children, broker, "--topic", "edge/+/events")
    publisher.paho.publish("edge/ready/events", b"1", 1, retain=True)
    watch.out.get(timeout=10)
    for payload in (b'{"schema":"edge-agent/event/1"}', b"[" * 100_000, b'{"a":"\\ud800"}', b"end"):
        publisher.paho.publish("edge/a/events", payload, 1)
    assert [watch.out.get(timeout=10).split(" = ")[1][:9] for _ in range(4)] == [
        '{"schema"', "[" * 9, '{"a":"\\ud', "end",
    ]  # fmt: skip
    assert watch.end() == 0


def test_it_ends_with_its_reader(
    broker: Mosquitto, publisher: Subscriber, children: Children
) -> None:
    """`edge-agent watch | head -1` ends at the next message, without a word."""
    process = children("watch", "--broker", f"127.0.0.1:{broker.port}", "--json")
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stderr.readline() == "watching edge/#\n"
    process.stdout.close()
    publisher.paho.publish("edge/a", b"1", 1, retain=True)
    assert process.wait(10) == 1
    assert process.stderr.read() == ""


def test_it_comes_back(broker: Mosquitto, children: Children) -> None:
    """A broker that is gone is told, and when it is there again, so are the messages."""
    watch = Watch(children, broker)
    assert watch.err.get(timeout=10) == "watching edge/#"
    broker.kill()
    place = f"127.0.0.1:{broker.port}"
    lost = f"no connection to {place}: the connection was lost; trying again"
    assert watch.err.get(timeout=10) == lost
    broker.start()
    client = Subscriber(broker.port, "none")
    client.paho.publish("edge/a", b"again", 1, retain=True)
    assert watch.out.get(timeout=20) == "          edge/a = again"
    client.close()
    assert watch.end() == 0


def test_what_a_configuration_says(broker: Mosquitto, tmp_path: Path, children: Children) -> None:
    """With -c it is that agent's own topics at its own broker; SIGTERM ends it as well."""
    file = tmp_path / "c.yaml"
    port = broker.port
    file.write_text(f"agent: {{name: front}}\nmqtt: {{host: 127.0.0.1, port: {port}}}\n")
    process = children("watch", "-c", file)
    assert process.stderr is not None
    while (line := process.stderr.readline()) != "watching edge/front/#\n":
        assert line, "it has ended"
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0


def test_no_broker(terminal: Terminal) -> None:
    """One line that asks the right question, and exit code 1."""
    port = free_port()
    answer = terminal("watch", "--broker", f"127.0.0.1:{port}")
    assert (answer.code, answer.out) == (1, "")
    assert answer.complaint == (
        f"127.0.0.1:{port} refused the connection (is a broker running there?)"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--broker", "h:x"], "--broker must be HOST or HOST:PORT, for IPv6 [ADDRESS]:PORT"),
        (["--broker", ""], "--broker must be HOST or HOST:PORT, for IPv6 [ADDRESS]:PORT"),
        (["--broker", "h:0"], "mqtt.port: expected a whole number from 1 to 65535, got 0"),
        (["-c", "c.yaml", "--broker", "h"], "give either -c FILE or --broker, not both"),
    ],
)
def test_wrong_usage(terminal: Terminal, words: list[str], message: str) -> None:
    """One line and exit code 2."""
    answer = terminal("watch", *words)
    assert (answer.code, answer.out, answer.complaint) == (2, "", message)


@pytest.mark.parametrize("topic", ["", "a#", "#/a", "a/b+", "a/#/b"])
def test_what_is_no_topic_filter(terminal: Terminal, topic: str) -> None:
    """Wrong usage at once, instead of a subscription that never comes."""
    answer = terminal("watch", "--topic", topic)
    assert answer.code == 2
    assert f"argument --topic: {topic!r} is no topic filter" in answer.err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mqtt: {port: 0}", "c.yaml:1:14: mqtt.port: expected a whole number from 1 to 65535"),
        ("mqtt: {host: a/b}", "mqtt.host must be a plain host name or address"),
    ],
)
def test_a_bad_configuration(terminal: Terminal, tmp_path: Path, text: str, message: str) -> None:
    """Bare lines and exit code 78."""
    file = tmp_path / "c.yaml"
    file.write_text(text)
    answer = terminal("watch", "-c", file)
    assert answer.code == 78
    assert message in answer.err.splitlines()[-1]
