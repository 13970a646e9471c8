"""Topics of a device, safe for any name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.mqtt.topics import Topics, safe_name
from tests.mqtt.conftest import Factory
from tests.support.broker import Mosquitto

TOPICS = Topics("edge", "front-door")


def test_every_topic_is_where_the_contract_says() -> None:
    """Subscribers hold on to these; spaces become `_`."""
    assert [
        TOPICS.status,
        TOPICS.info,
        TOPICS.health,
        TOPICS.pipeline_status("p"),
        TOPICS.events("p"),
        TOPICS.detections("p"),
        TOPICS.counts("p", "traffic light"),
        TOPICS.zone_counts("p", "z", "person"),
        TOPICS.line_counts("p", "gate", "person", "in"),
    ] == [
        "edge/front-door/status",
        "edge/front-door/info",
        "edge/front-door/health",
        "edge/front-door/p/status",
        "edge/front-door/p/events",
        "edge/front-door/p/detections",
        "edge/front-door/p/counts/traffic_light",
        "edge/front-door/p/zones/z/counts/person",
        "edge/front-door/p/lines/gate/counts/person/in",
    ]


@given(st.text(st.characters(exclude_categories=())))
def test_any_name_is_one_legal_level(name: str) -> None:
    """No name adds a level, a wildcard, or what a broker refuses, and safe names stay."""
    safe = safe_name(name)
    assert 0 < len(safe) <= 200
    assert not set(safe) & set("+#/ \x00\n\t\x7f")
    safe.encode("utf-8")
    assert safe_name(safe) == safe
    assert TOPICS.counts(name, name).count("/") == 4


@pytest.mark.parametrize("prefix", ["edge", "home/edge", "a/b/c", "Küche"])
def test_good_prefixes(prefix: str) -> None:
    """A prefix may have several levels."""
    assert Topics(prefix, "d").status == f"{prefix}/d/status"


@pytest.mark.parametrize("prefix", ["", "/a", "a/", "a//b", "a/+", "#", "a b", "$SYS", "a\x00"])
def test_bad_prefixes_are_refused(prefix: str) -> None:
    """What would break topics is said when they are built."""
    with pytest.raises(ValueError, match="topic_prefix"):
        Topics(prefix, "d")


def test_a_real_broker_accepts_what_is_called_safe(
    broker: Mosquitto, agents: Factory, subscribers: Factory
) -> None:
    """Labels full of control characters, wildcards and non-characters do not end the connection."""
    labels = ["a\x01b", "ü#+/", "\x7f\x85", "\ufdd0\uffff\U0010ffff", "\ud800x", "猫", "\u2028", ""]
    subscriber = subscribers(broker.port, "edge/dev/door/counts/#")
    agent = agents(broker.port, client={"pipelines": ["door"]})
    for number, label in enumerate(labels):
        agent.outbox.put(agent.messages.count("door", label, number))
    agent.wait_empty()
    agent.outbox.put(agent.messages.count("door", "last", 99))
    subscriber.expect("edge/dev/door/counts/last", b"99")
    subscriber.expect("edge/dev/door/counts/猫", b"5")
    assert agent.client.state.connects == 1
