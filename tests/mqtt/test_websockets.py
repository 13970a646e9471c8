"""MQTT inside WebSockets."""

from __future__ import annotations

import pytest

from edge_agent.mqtt.broker import free_port
from edge_agent.mqtt.options import MqttOptions, check_options
from tests.mqtt.conftest import Factory


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_messages_pass_through_websockets(brokers: Factory, agents: Factory, protocol: str) -> None:
    """A backlog, and what comes later, is acknowledged through a WebSocket listener."""
    port = free_port()
    # Beside a plain listener: with none mosquitto 2.0.11 does not start.
    brokers(lines=(f"listener {port} 127.0.0.1", "protocol websockets"))
    agent = agents(port, transport="websockets", protocol=protocol)
    agent.events(300)
    agent.wait_empty()
    agent.events(1)
    agent.wait_empty()
    assert agent.client.stop(3.0) is True


def test_a_port_that_speaks_no_websockets(brokers: Factory, agents: Factory) -> None:
    """A plain MQTT port is recognised, and the options to change are named."""
    agent = agents(brokers().port, transport="websockets")
    agent.wait_reason("mqtt.websocket_path")


def test_default_ports() -> None:
    """Those of the web, unless another one is given."""
    assert MqttOptions(transport="websockets").address == ("localhost", 80)
    assert MqttOptions(transport="websockets", port=9001).address == ("localhost", 9001)


def test_a_path_is_absolute() -> None:
    """A path without its first slash is refused."""
    with pytest.raises(ValueError, match="websocket_path"):
        check_options(MqttOptions(websocket_path="mqtt"))
