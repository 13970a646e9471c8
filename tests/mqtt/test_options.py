"""Options as the YAML gives them."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from edge_agent.mqtt.client import MqttClient
from edge_agent.mqtt.options import MqttOptions, TlsOptions, check_options
from edge_agent.mqtt.topics import Topics
from edge_agent.options import Secret
from edge_agent.outbox.memory import MemoryOutbox

_READER = TypeAdapter(MqttOptions)


def read(**values: Any) -> MqttOptions:
    """The options read as from YAML."""
    return _READER.validate_python(values)


@pytest.mark.parametrize(("written", "is_v5"), [(5, True), ("5", True), ("3.1.1", False)])
def test_the_protocol_may_be_a_number_or_a_text(written: object, is_v5: bool) -> None:
    """YAML reads 5 as a number and 3.1.1 as a text."""
    assert read(protocol=written).is_v5 is is_v5


@pytest.mark.parametrize("written", [4, "3.1", 3.1, "v5", None])
def test_other_protocols_are_refused(written: object) -> None:
    """There is no MQTT 4, and 3.1 is too old."""
    with pytest.raises(ValidationError):
        read(protocol=written)


@pytest.mark.parametrize(
    ("values", "port"), [({}, 1883), ({"tls": {}}, 8883), ({"tls": {}, "port": 1884}, 1884)]
)
def test_the_port_follows_tls(values: dict[str, Any], port: int) -> None:
    """`tls: {}` trusts the system's authorities and moves the default port."""
    assert read(**values).address == ("localhost", port)


def test_units_and_limits() -> None:
    """Durations carry units; numbers out of range are refused."""
    assert read(keepalive="1m").keepalive == 60.0
    for bad in ({"keepalive": "0s"}, {"port": 0}, {"inflight": 0}, {"hots": "x"}):
        with pytest.raises(ValidationError):
            read(**bad)


def test_the_password_is_never_shown() -> None:
    """Neither repr nor str of the options has it."""
    options = read(username="edge", password="hunter2")
    assert options.password is not None
    assert options.password.reveal() == "hunter2"
    assert "hunter2" not in f"{options!r} {options} {options.password}"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (MqttOptions(host="mqtt://broker"), "plain host name"),
        (MqttOptions(host=""), "plain host name"),
        (MqttOptions(password=Secret("x")), "needs mqtt.username"),
        (MqttOptions(tls=TlsOptions(key_file="k")), "needs mqtt.tls.cert_file"),
        (MqttOptions(client_id=""), "client_id"),
    ],
)
def test_options_that_do_not_fit_together_are_named(options: MqttOptions, text: str) -> None:
    """The client says so when it is built."""
    with pytest.raises(ValueError, match=text):
        check_options(options)
    with pytest.raises(ValueError, match=text):
        MqttClient(options, Topics("edge", "dev"), MemoryOutbox())
