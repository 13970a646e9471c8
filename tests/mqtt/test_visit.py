"""A short stay at a real broker."""

from __future__ import annotations

import socket

import pytest

from edge_agent.message import Delivery, Message
from edge_agent.mqtt.broker import HOST, free_port
from edge_agent.mqtt.options import MqttOptions
from edge_agent.mqtt.visit import Visit, VisitFailed
from tests.mqtt.conftest import Factory
from tests.support.broker import Mosquitto, wait_until


def visit(port: int, timeout: float = 5.0, **options: object) -> Visit:
    """A visit to the broker at that port, not opened yet."""
    settings = {"host": HOST, "port": port, **options}
    return Visit(MqttOptions(**settings), "visitor", timeout)  # type: ignore[arg-type]


def message(topic: str, retain: bool = False) -> Message:
    """A message of four bytes."""
    return Message(topic, b"test", Delivery.TELEMETRY, qos=1, retain=retain)


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_each_answer_is_waited_for(broker: Mosquitto, protocol: str) -> None:
    """What we publish comes back to us, marked as retained where it was there before."""
    with visit(broker.port, protocol=protocol) as guest:
        assert guest.publish(message("a", retain=True)) in (0, 16)
        assert guest.subscribe("a") == 1
        kept = guest.receive(lambda each: each.retained, 5.0)
        assert (kept is not None, kept and kept.payload) == (True, b"test")
        guest.publish(message("a"))
        assert guest.receive(lambda each: not each.retained, 5.0) is not None
        assert guest.receive(lambda each: each.topic == "b", 0.05) is None


def test_a_goodbye_leaves_no_last_will(broker: Mosquitto) -> None:
    """The broker is told that the visit is over."""
    with visit(broker.port):
        pass
    wait_until(lambda: "Received DISCONNECT from visitor" in broker.log)
    assert "No will message specified" in broker.log


def test_nobody_lets_us_in(brokers: Factory) -> None:
    """Nobody is there, nobody speaks, or the password is wrong: each with its reason."""
    with pytest.raises(VisitFailed, match="refused the connection"):
        visit(free_port()).open()
    with socket.create_server((HOST, 0)) as silent, pytest.raises(VisitFailed, match="greeting"):
        visit(silent.getsockname()[1], 0.1).open()
    port = brokers(passwords={"edge": "pw"}).port
    with pytest.raises(VisitFailed, match=r"mqtt\.password"):
        visit(port).open()


def test_a_broker_that_goes_away(broker: Mosquitto) -> None:
    """The wait for an answer ends with the connection."""
    with visit(broker.port) as guest:
        broker.kill()
        with pytest.raises(VisitFailed, match="lost"):
            guest.publish(message("a"))
