"""What goes wrong in the field, done to a real mosquitto and a real process."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from edge_agent.message import Delivery, Message
from edge_agent.mqtt.broker import HOST
from edge_agent.options import Secret
from tests.mqtt.conftest import Factory
from tests.support.broker import Mosquitto, wait_until

ROOT = Path(__file__).resolve().parents[2]


def in_order_without_gap(payloads: list[bytes]) -> int:
    """The last number; fails where one came before its predecessor. Repeats are allowed."""
    last = 0
    for number in map(int, payloads):
        assert number <= last + 1, f"{number} after {last}"
        last = max(last, number)
    return last


def test_a_killed_broker_costs_no_event(
    brokers: Factory, agents: Factory, subscribers: Factory
) -> None:
    """SIGKILL amid a stream of events, three times: a persistent subscriber gets all in order."""
    # What mosquitto acknowledges is then on the subscriber's wire, and it reads all of that: with
    # QoS 1 the wire would break at its own next answer. The session outlives the broker.
    lines = ("max_inflight_messages 0", "queue_qos0_messages true")
    broker = brokers(persistent=True, lines=lines)
    subscriber = subscribers(broker.port, "edge/dev/door/events", session="keeper", qos=0)
    broker.stop()  # in good order, so that the session is on disk
    broker.start()
    wait_until(subscriber.paho.is_connected)
    agent = agents(broker.port)
    for cycle in range(1, 4):
        agent.wait_connected()
        already = len(subscriber.messages)
        agent.events(500)
        wait_until(lambda start=already: len(subscriber.messages) > start + 50)  # type: ignore[misc]
        broker.kill()
        agent.events(100)
        broker.start()
        subscriber.expect("edge/dev/door/events", b"%d" % (600 * cycle))
    agent.wait_empty()
    assert in_order_without_gap(subscriber.of("edge/dev/door/events")) == 1800
    assert agent.outbox.drops == {}


def test_a_broker_without_memory_gets_all_states_again(
    broker: Mosquitto, agents: Factory, subscribers: Factory
) -> None:
    """After kill -9 of a broker without persistence every retained state is back."""
    agent = agents(broker.port)
    agent.outbox.put(agent.messages.pipeline_status("door", True))
    agent.outbox.put(agent.messages.count("door", "person", 3))
    agent.outbox.put(agent.messages.count("door", "car", 1))
    agent.outbox.put(Message("edge/dev/door/counts/car", b"", Delivery.STATE, 1, retain=True))
    agent.wait_empty()
    broker.kill()
    wait_until(lambda: not agent.client.state.connected)
    agent.outbox.put(agent.messages.count("door", "person", 4))
    broker.start()
    wait_until(lambda: agent.client.state.connects == 2)
    agent.wait_empty()
    late = subscribers(broker.port)
    late.expect("edge/dev/status", b"online")
    late.expect("edge/dev/door/status", b"online")
    late.expect("edge/dev/door/counts/person", b"4")
    assert late.of("edge/dev/door/counts/car") == []


def test_a_silent_line_is_noticed(broker: Mosquitto, agents: Factory) -> None:
    """A broker that stops answering without closing is given up, and taken up when it is back."""
    agent = agents(broker.port, keepalive=1.0, client={"connect_timeout": 0.3})
    agent.wait_connected()
    broker.pause(signal.SIGSTOP)
    agent.events(3)
    agent.wait_reason("keep-alive", timeout=6.0)
    assert agent.outbox.depth == 3
    broker.pause(signal.SIGCONT)
    agent.wait_empty()


def test_stop_keeps_its_time_when_a_connected_broker_stalls(
    broker: Mosquitto, agents: Factory
) -> None:
    """Nothing acknowledged any more: stop() gives up in time and says what is left."""
    agent = agents(broker.port)
    agent.wait_connected()
    broker.pause(signal.SIGSTOP)
    agent.events(3)
    before = time.monotonic()
    assert agent.client.stop(0.6) is False
    assert time.monotonic() - before < 0.7
    broker.pause(signal.SIGCONT)


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_wrong_password_is_said_once_and_retried(
    brokers: Factory, agents: Factory, caplog: pytest.LogCaptureFixture, protocol: str
) -> None:
    """The reason names the options; when the broker relents, the client is in by itself."""
    broker = brokers(passwords={"edge": "right"})
    agent = agents(broker.port, protocol=protocol, username="edge", password=Secret("wrong-word"))
    agent.wait_reason("check mqtt.username")
    time.sleep(0.4)
    assert caplog.text.count("no connection to the broker") == 1
    assert "wrong-word" not in caplog.text
    agent.events(2)
    broker.stop()
    broker.passwords["edge"] = "wrong-word"
    broker.start()
    agent.wait_empty()


ACL = "user edge\ntopic write edge/dev/status\ntopic write edge/dev/door/events\n"


def test_a_publish_refused_by_the_rules_is_an_error_once(
    brokers: Factory, agents: Factory, caplog: pytest.LogCaptureFixture
) -> None:
    """MQTT 5 tells about it: counted, said once a topic, not tried for ever, others unharmed."""
    broker = brokers(passwords={"edge": "x"}, acl=ACL)
    agent = agents(broker.port, username="edge", password=Secret("x"))
    agent.events(2)
    for _ in range(3):
        agent.outbox.put(Message("edge/dev/yard/events", b"x", Delivery.EVENT, qos=1))
    agent.wait_empty()
    assert agent.outbox.drops == {"event_refused": 3}
    assert agent.client.refused == ("edge/dev/yard/events",)
    assert caplog.text.count("cannot publish edge/dev/yard/events: not authorised") == 1
    # mosquitto 2.0.11 hangs up after its refusal, other brokers do not.
    assert agent.client.state.connects <= 4


def test_two_clients_with_one_id_are_found_out(broker: Mosquitto, agents: Factory) -> None:
    """Older mosquittos throw one out without a word: then the pattern tells what is going on."""
    first = agents(broker.port)
    first.wait_connected()
    agents(broker.port)
    first.wait_reason("our client id 'edge-agent-dev'")


def test_a_takeover_that_the_broker_tells_of_is_said(agents: Factory) -> None:
    """Reason code 0x8E names the options that tell devices apart."""
    with socket.create_server((HOST, 0)) as listener:
        agent = agents(listener.getsockname()[1])
        connection, _ = listener.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(b"\x20\x03\x00\x00\x00" + b"\xe0\x02\x8e\x00")
            agent.wait_reason("client id 'edge-agent-dev' (give each device its own agent.name")


@pytest.mark.parametrize(
    ("code", "text"),
    [(0x84, "set mqtt.protocol to 3.1.1"), (0x85, "set mqtt.client_id"), (0x89, "is busy")],
)
def test_each_refusal_names_its_cure(agents: Factory, code: int, text: str) -> None:
    """Reason codes of the greeting that mosquitto does not use."""
    with socket.create_server((HOST, 0)) as listener:
        agent = agents(listener.getsockname()[1])
        connection, _ = listener.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(bytes([0x20, 0x03, 0x00, code, 0x00]))
            agent.wait_reason(text)


CHILD = """
    import sys, time
    from edge_agent.mqtt.client import MqttClient
    from edge_agent.mqtt.options import MqttOptions
    from edge_agent.mqtt.topics import Topics
    from edge_agent.outbox.memory import MemoryOutbox

    options = MqttOptions(host="127.0.0.1", port=int(sys.argv[1]))
    MqttClient(options, Topics("edge", "dev"), MemoryOutbox()).start()
    time.sleep(30)
"""


def test_the_last_will_tells_of_a_killed_agent(broker: Mosquitto, subscribers: Factory) -> None:
    """SIGKILL of the process gives a retained `offline`."""
    subscriber = subscribers(broker.port)
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(CHILD), str(broker.port)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        subscriber.expect("edge/dev/status", b"online")
    finally:
        child.kill()
        child.wait()
    subscriber.expect("edge/dev/status", b"offline")
    late = subscribers(broker.port)
    late.expect("edge/dev/status", b"offline")
