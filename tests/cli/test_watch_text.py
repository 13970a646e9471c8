"""What `edge-agent watch` makes of a message: a line for people, or JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.cli.watch import as_json, as_line
from edge_agent.mqtt.listener import Received

EVENT = {
    "schema": "edge-agent/event/1",
    "device": "front",
    "pipeline": "door",
    "type": "new",
    "track": 17,
    "label": "person",
    "score": 0.834,
    "box": [0.31, 0.22, 0.474, 0.98],
    "zones": ["porch", "steps"],
    "time": 1780000000.125,
    "media_time": 12.5,
}
TOPIC = "edge/front/door/events"
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)


def received(payload: Any, topic: str = TOPIC) -> Received:
    """A message with that payload, bytes as they are and anything else as JSON."""
    content = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return Received(topic, content, retained=False)


def test_an_event_as_a_line() -> None:
    """When, where, what, how sure, at which place and in which zones."""
    assert as_line(received(EVENT)) == (
        "  12.50s  front/door  new     person #17  0.83  at 0.31 0.22 0.47 0.98  porch  steps"
    )


def test_an_event_of_the_whole_frame() -> None:
    """Without a box there is no place, and live events have the time of day."""
    line = as_line(received(EVENT | {"box": None, "zones": [], "media_time": None}))
    when, rest = line.split("  ", 1)
    assert [len(part) for part in when.split(":")] == [2, 2, 2]
    assert rest == "front/door  new     person #17  0.83"


def test_an_event_with_a_name_and_one_without_an_object() -> None:
    """What a second model names it stands beside the label; a composite has no number."""
    assert "  person #17 (ann)  0.83" in as_line(received(EVENT | {"sublabel": "ann"}))
    assert "  new     person  0.83" in as_line(received(EVENT | {"track": None}))


def test_what_was_measured_stands_at_the_end() -> None:
    """With a question mark for what is missing; what is no reading is shown as it came."""
    measured = {"readings": {"radar.distance": 3.25, "box.temp": None}}
    assert as_line(received(EVENT | measured)).endswith("  radar.distance=3.25  box.temp=?")
    assert ' = {"schema"' in as_line(received(EVENT | {"readings": [1]}))


@pytest.mark.parametrize(
    ("payload", "shown"),
    [
        (b"online", "online"),
        ({"fps": 9.5}, '{"fps": 9.5}'),
        ([1], "[1]"),
        (b"", ""),
        (b"\xff\x00\x1b[2Jbell\x07", "\ufffd..[2Jbell."),
        (b"x" * 101, "x" * 100 + "..."),
        ({"schema": "edge-agent/event/1"}, '{"schema": "edge-agent/event/1"}'),
        ({"schema": 3}, '{"schema": 3}'),
        (b"[" * 100_000, "[" * 100 + "..."),
    ],
    ids=range(9),
)
def test_anything_else_as_a_line(payload: Any, shown: str) -> None:
    """It stands behind its topic as it came, shortened, without what a terminal would obey."""
    assert as_line(received(payload, "edge/x")) == f"          edge/x = {shown}"


def test_a_label_does_not_reach_the_terminal_raw() -> None:
    """Anybody may publish: escape sequences and line ends become dots."""
    line = as_line(received(EVENT | {"label": "a\x1b[2J\nb"}))
    assert "a.[2J.b #17" in line


@given(st.dictionaries(st.sampled_from(sorted(EVENT)), ANYTHING))
def test_any_event_is_one_line(changes: dict[str, Any]) -> None:
    """Whatever its fields hold."""
    line = as_line(received(EVENT | changes))
    assert line.isprintable()
    assert line


@given(st.binary() | ANYTHING)
def test_anything_is_json(payload: Any) -> None:
    """One line that every JSON reader takes, which knows neither NaN nor Infinity."""

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    text = as_json(received(payload))
    assert "\n" not in text
    found = json.loads(text, parse_constant=refuse)
    assert list(found) == ["topic", "retained", "payload"]


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (EVENT, EVENT),
        (b"online", "online"),
        (b"NaN", "NaN"),
        (b"[1e999]", "[1e999]"),
        (b"\xff", "\ufffd"),
        (b"[" * 100_000, "[" * 100_000),
    ],
    ids=range(6),
)
def test_as_json(payload: Any, expected: Any) -> None:
    """JSON stays JSON; what is none becomes a text."""
    message = Received("a/b", received(payload).payload, retained=True)
    found = json.loads(as_json(message))
    assert found == {"topic": "a/b", "retained": True, "payload": expected}
