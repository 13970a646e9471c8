"""The subscriber that acknowledges by hand."""

from __future__ import annotations

import time

from edge_agent.mqtt.listener import Received
from edge_agent.mqtt.options import MqttOptions
from edge_agent.mqtt.subscriber import Subscriber
from tests.mqtt.conftest import Factory
from tests.support.broker import Mosquitto, wait_until


def test_a_message_of_a_lost_connection_settles_none_of_the_next(
    broker: Mosquitto, subscribers: Factory
) -> None:
    """Packet ids begin anew with each connection: an old one must not stand for another message."""
    received: list[Received] = []
    options = MqttOptions("127.0.0.1", broker.port, inflight=1)
    subscriber = Subscriber(options, ["a"], received.append, by_hand=True)
    subscriber.start()
    publisher = subscribers(broker.port, "none")
    publisher.paho.publish("a", b"old", 1)
    wait_until(lambda: len(received) == 1)
    broker.kill()
    wait_until(lambda: not subscriber.subscribed.is_set())
    subscriber.done(received[0])
    broker.start()
    wait_until(lambda: subscriber.subscribed.is_set() and publisher.paho.is_connected())
    for payload in (b"first", b"second"):
        publisher.paho.publish("a", payload, 1)
    wait_until(lambda: len(received) == 2)
    subscriber.done(received[0])
    time.sleep(0.2)
    assert [each.payload for each in received] == [b"old", b"first"]
    assert received[0].packet[1] == received[1].packet[1]
    subscriber.done(received[1])
    wait_until(lambda: len(received) == 3)
    subscriber.stop()
