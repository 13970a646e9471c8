"""The client against a real mosquitto: what it publishes, and how it starts and stops."""

from __future__ import annotations

import logging
import socket
import time

import pytest

from edge_agent.message import Delivery, Message
from edge_agent.mqtt.broker import HOST
from edge_agent.mqtt.client import ConnectionState
from edge_agent.options import Secret
from tests.mqtt.conftest import Factory
from tests.support.broker import Mosquitto, wait_until


def numbered(count: int, first: int = 1) -> list[bytes]:
    """Payloads of the test's events."""
    return [b"%d" % number for number in range(first, first + count)]


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_every_kind_arrives(
    broker: Mosquitto, agents: Factory, subscribers: Factory, protocol: str
) -> None:
    """Status, states, events and telemetry reach a subscriber, by either version of MQTT."""
    subscriber = subscribers(broker.port, v5=protocol == "5")
    agent = agents(broker.port, protocol=protocol)
    agent.wait_connected()
    agent.outbox.put(agent.messages.count("door", "person", 2))
    agent.outbox.put(Message("edge/dev/health", b"{}", Delivery.TELEMETRY))
    agent.events(3)
    agent.wait_empty()
    subscriber.expect("edge/dev/status", b"online")
    subscriber.expect("edge/dev/door/counts/person", b"2")
    subscriber.expect("edge/dev/health", b"{}")
    subscriber.expect("edge/dev/door/events", b"3")
    assert subscriber.of("edge/dev/door/events") == numbered(3)
    assert agent.outbox.drops == {}


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_states_are_retained_and_events_are_not(
    broker: Mosquitto, agents: Factory, subscribers: Factory, protocol: str
) -> None:
    """Who comes later sees the present states and no old events."""
    agent = agents(broker.port, protocol=protocol)
    agent.outbox.put(agent.messages.pipeline_status("door", True))
    agent.events(1)
    agent.wait_empty()
    late = subscribers(broker.port)
    late.expect("edge/dev/door/status", b"online")
    late.expect("edge/dev/status", b"online")
    assert late.of("edge/dev/door/events") == []


def test_a_long_backlog_is_drained_in_order(
    broker: Mosquitto, agents: Factory, subscribers: Factory
) -> None:
    """Thousands of events pass through a small window without a gap or a swap."""
    subscriber = subscribers(broker.port, "edge/dev/door/events")
    agent = agents(broker.port, inflight=5)
    agent.events(3000)
    subscriber.expect("edge/dev/door/events", b"3000")
    assert subscriber.of("edge/dev/door/events") == numbered(3000)


def test_the_receive_maximum_of_the_broker_is_honoured(
    brokers: Factory, agents: Factory, subscribers: Factory
) -> None:
    """A broker that takes two at a time does not throw us out."""
    broker = brokers(lines=("max_inflight_messages 2",))
    subscriber = subscribers(broker.port, "edge/dev/door/events")
    agent = agents(broker.port, inflight=50)
    agent.events(300)
    subscriber.expect("edge/dev/door/events", b"300")
    assert agent.client.state.connects == 1


def test_a_message_larger_than_the_broker_takes_is_dropped_and_said(
    brokers: Factory, agents: Factory, subscribers: Factory, caplog: pytest.LogCaptureFixture
) -> None:
    """It is counted, told once a topic, and does not hold up or disconnect the rest."""
    broker = brokers(lines=("max_packet_size 2000",))
    subscriber = subscribers(broker.port, "edge/dev/door/events")
    agent = agents(broker.port)
    for size in (10, 3000, 4000, 20):
        agent.outbox.put(Message("edge/dev/door/events", bytes(size), Delivery.EVENT, qos=1))
    wait_until(lambda: len(subscriber.messages) == 2)
    assert [len(each) for each in subscriber.of("edge/dev/door/events")] == [10, 20]
    assert agent.outbox.drops == {"event_refused": 2}
    assert agent.client.state.connects == 1
    assert caplog.text.count("too large for the broker") == 1


def test_an_illegal_topic_is_dropped_and_said(
    broker: Mosquitto, agents: Factory, subscribers: Factory, caplog: pytest.LogCaptureFixture
) -> None:
    """A topic that no broker takes cannot block what is behind it."""
    subscriber = subscribers(broker.port)
    agent = agents(broker.port)
    agent.outbox.put(Message("edge/dev/+/events", b"x", Delivery.EVENT, qos=1))
    agent.events(1)
    subscriber.expect("edge/dev/door/events", b"1")
    assert agent.outbox.drops == {"event_refused": 1}
    assert "cannot publish edge/dev/+/events" in caplog.text


def test_inference_is_never_held_up_without_a_broker(agents: Factory) -> None:
    """Putting stays quick and start() returns at once when nobody answers."""
    agent = agents(1)
    agent.events(1000)
    agent.outbox.put(Message("edge/dev/health", b"{}", Delivery.TELEMETRY))
    agent.wait_reason("refused the connection (is a broker running there?)")
    assert agent.outbox.depth == 1000
    assert agent.outbox.drops == {"telemetry_offline": 1}


def test_a_broker_that_appears_later_gets_everything(
    brokers: Factory, agents: Factory, subscribers: Factory
) -> None:
    """Absent at start is no different from lost."""
    broker = brokers()
    broker.kill()
    agent = agents(broker.port)
    agent.events(5)
    agent.wait_reason("refused")
    broker.start()
    subscriber = subscribers(broker.port, "edge/dev/door/events", session="late")
    agent.wait_connected()
    agent.events(1)
    subscriber.expect("edge/dev/door/events", b"6")


def test_one_line_of_log_for_many_retries(
    agents: Factory, caplog: pytest.LogCaptureFixture
) -> None:
    """The same failure again and again is told once."""
    agent = agents(1)
    agent.wait_reason("refused")
    time.sleep(0.5)
    assert caplog.text.count("no connection to the broker") == 1


def test_state_changes_are_told_in_order(broker: Mosquitto, agents: Factory) -> None:
    """on_state hears of connecting, of the loss, and of the end."""
    seen: list[ConnectionState] = []
    agent = agents(broker.port, client={"on_state": seen.append})
    agent.wait_connected()
    broker.kill()
    wait_until(lambda: len(seen) >= 2)
    agent.client.stop(1.0)
    assert [state.connected for state in seen][:2] == [True, False]
    assert seen[0].connects == 1
    assert seen[1].reason
    assert seen[-1].reason == "stopped"


def test_a_listener_that_fails_does_not_stop_publishing(broker: Mosquitto, agents: Factory) -> None:
    """An error in on_state is logged and goes no further."""

    def fail(_state: ConnectionState) -> None:
        raise RuntimeError("listener")

    agent = agents(broker.port, client={"on_state": fail})
    agent.events(3)
    agent.wait_empty()


def test_a_clean_stop_delivers_everything_and_says_offline(
    broker: Mosquitto, agents: Factory, subscribers: Factory
) -> None:
    """Events come before the final states, `offline` comes last, and no last will follows."""
    subscriber = subscribers(broker.port)
    agent = agents(broker.port)
    agent.wait_connected()
    agent.outbox.put(agent.messages.pipeline_status("door", True))
    agent.events(500)
    assert agent.client.stop(5.0, [agent.messages.pipeline_status("door", False)]) is True
    subscriber.expect("edge/dev/status", b"offline")
    topics = [message.topic for message in subscriber.messages]
    assert subscriber.of("edge/dev/door/events") == numbered(500)
    assert subscriber.of("edge/dev/door/status") == [b"online", b"offline"]
    assert topics[-2:] == ["edge/dev/door/status", "edge/dev/status"]
    wait_until(lambda: "disconnected" in broker.log)
    assert subscriber.of("edge/dev/status") == [b"online", b"offline"]
    assert not agent.client.running


def test_a_run_shorter_than_connecting_still_delivers(
    broker: Mosquitto, agents: Factory, subscribers: Factory
) -> None:
    """A recording that is done before the broker has answered loses nothing."""
    subscriber = subscribers(broker.port)
    agent = agents(broker.port)
    agent.events(10)
    assert agent.client.stop(5.0) is True
    subscriber.expect("edge/dev/status", b"offline")
    assert subscriber.of("edge/dev/door/events") == numbered(10)


def test_stop_is_safe_without_start_and_twice(agents: Factory, broker: Mosquitto) -> None:
    """Stopping what is stopped changes nothing."""
    agent = agents(broker.port)
    assert agent.client.stop(5.0) is True
    assert agent.client.stop(5.0) is True
    with pytest.raises(RuntimeError):
        agent.client.start()


def test_stop_without_a_broker_returns_soon_and_tells_what_is_left(
    agents: Factory, caplog: pytest.LogCaptureFixture
) -> None:
    """One last try, then the number of undelivered messages is said."""
    agent = agents(1)
    agent.events(7)
    agent.wait_reason("refused")
    before = time.monotonic()
    assert agent.client.stop(5.0) is False
    assert time.monotonic() - before < 1.0
    assert "stopped before 7 messages" in caplog.text


@pytest.mark.parametrize("backlog", [0, 5])
def test_stop_keeps_its_time_when_the_broker_never_answers(agents: Factory, backlog: int) -> None:
    """A listener that accepts and stays silent cannot hold up the end."""
    with socket.create_server((HOST, 0)) as silent:
        agent = agents(silent.getsockname()[1], client={"connect_timeout": 30.0})
        agent.events(backlog)
        wait_until(lambda: agent.client.running)
        before = time.monotonic()
        agent.client.stop(0.6)
        assert time.monotonic() - before < 0.7
        assert agent.outbox.depth == backlog


def test_a_silent_listener_is_named(agents: Factory) -> None:
    """Waiting for the greeting has a limit."""
    with socket.create_server((HOST, 0)) as silent:
        agent = agents(silent.getsockname()[1], client={"connect_timeout": 0.2})
        agent.wait_reason("does not answer the MQTT greeting within 0.2 s")


def test_an_unknown_host_is_named(agents: Factory) -> None:
    """The text tells which option to look at."""
    agent = agents(1, host="no-such-host.invalid")
    agent.wait_reason("no address is known for 'no-such-host.invalid' (check mqtt.host")


def test_something_that_is_no_broker_is_survived(agents: Factory) -> None:
    """Garbage in place of a greeting ends the try, not the client."""
    with socket.create_server((HOST, 0)) as listener:
        agent = agents(listener.getsockname()[1])
        for answer in (
            b"SSH-2.0-OpenSSH_9.2\r\n",
            b"HTTP/1.1 400 Bad\r\n\r\n",
            b"\x20\x02\x00\x01",
        ):
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(answer)
        assert agent.client.running


def test_the_connection_is_announced_without_secrets(
    brokers: Factory, agents: Factory, caplog: pytest.LogCaptureFixture
) -> None:
    """Not even at debug level does a password reach the log."""
    caplog.set_level(logging.DEBUG)
    broker = brokers(passwords={"edge": "hunter2"})
    agent = agents(broker.port, username="edge", password=Secret("hunter2"))
    agent.wait_connected()
    agent.events(1)
    agent.wait_empty()
    assert "connected to the broker" in caplog.text
    assert "hunter2" not in caplog.text + repr(agent) + repr(vars(agent.client))
