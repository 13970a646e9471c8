"""Topics and payloads become typed objects, and rubbish becomes a reason."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.client import (
    Count,
    Detections,
    Found,
    Health,
    Info,
    ReceivedEvent,
    Status,
    Unreadable,
    decode,
    decode_event,
)
from edge_agent.client.reading import read
from edge_agent.event import Event
from edge_agent.message import Message
from edge_agent.mqtt.messages import Messages
from edge_agent.mqtt.payloads import load_schema
from edge_agent.mqtt.topics import Topics, safe_name
from edge_agent.result import Keypoint
from tests.support.samples import CONTRACT, FRAME, HEALTH, INFO, event

ROOT = Path(__file__).resolve().parents[2]
MESSAGES = Messages(Topics("edge", "dev"), "boot-1")
KINDS: dict[str, tuple[type, Message]] = {
    "event": (ReceivedEvent, MESSAGES.event(event(), 7)),
    "detections": (Detections, MESSAGES.detections(FRAME)),
    "info": (Info, MESSAGES.info(INFO)),
    "health": (Health, MESSAGES.health(HEALTH)),
}


def got(message: Message, **options: Any) -> Any:
    """What a subscriber makes of a message."""
    return decode(message.topic, message.payload, **options)


def changed(name: str, **changes: Any) -> Any:
    """What a subscriber makes of a payload of a kind in which fields are other."""
    message = KINDS[name][1]
    values = {**json.loads(message.payload), **changes}
    return decode(message.topic, json.dumps({k: v for k, v in values.items() if v is not ...}))


def test_an_event_comes_out_as_it_went_in() -> None:
    """Every field of the agent's own event, and the two that the way adds."""
    made = event(end_time=1780000001.5, media_time=3.0)
    received = got(MESSAGES.event(made, 1234))
    assert isinstance(received, ReceivedEvent)
    assert (received.seq, received.replayed) == (1234, False)
    for each in fields(Event):
        assert getattr(received, each.name) == getattr(made, each.name), each.name


def test_fields_that_came_later_may_be_missing() -> None:
    """An agent of before does not send them: they are empty."""
    received = changed("event", loitering=..., changes=...)
    assert (received.loitering, received.changes) == ((), ())
    assert changed("event", changes=["a word to come"]).changes == ("a word to come",)


def test_the_other_payloads_come_out_typed() -> None:
    """Detections, info and health with what is inside them."""
    detections = got(KINDS["detections"][1])
    assert detections.results == (
        Found("person", 0.8765, (0.1, 0.2, 0.3, 1.0), (Keypoint("nose", 0.2, 0.25, 0.75),)),
        Found("cat", 0.5, None),
        Found("road", 1.0, None, (), 0.25, (((0.0, 0.5), (1.0, 0.5), (0.5, 1.0)),)),
    )
    assert (detections.size, detections.regions) == ((768, 432), ((0.0, 0.1, 0.2, 1.0),))
    info = got(KINDS["info"][1])
    assert (info.pipelines, info.models) == (INFO.pipelines, tuple(INFO.models))
    health = got(KINDS["health"][1])
    assert (health.outbox.drops, health.mqtt.connects) == ({"event_full": 1}, 2)
    assert health.pipelines["door"].latency_ms["infer"]["p99"] == 30.5
    assert (health.cpu_temperature, health.throttled) == (48.3, None)


def test_states_come_out_typed() -> None:
    """Statuses and the three kinds of count, with the names of their topics."""
    messages = MESSAGES
    assert got(messages.status(True)) == Status("dev", None, True)
    assert got(messages.pipeline_status("door", False)) == Status("dev", "door", False)
    assert got(messages.count("door", "traffic light", 2)) == Count(
        "dev", "door", "traffic_light", 2
    )
    assert got(messages.zone_count("door", "porch", "cat", 1)) == Count(
        "dev", "door", "cat", 1, zone="porch"
    )
    assert got(messages.line_count("door", "gate", "cat", "out", 9)) == Count(
        "dev", "door", "cat", 9, line="gate", direction="out"
    )


def test_a_removed_state_is_nothing_there() -> None:
    """The empty payload with which retained states are removed."""
    assert decode("edge/dev/door/counts/cat", b"") == Count("dev", "door", "cat", 0)
    assert decode("edge/dev/door/status", b"") == Status("dev", "door", False)


_NAMES = st.text(min_size=1, max_size=20).map(safe_name)


@given(
    prefix=st.lists(_NAMES.filter(lambda name: name[0] != "$"), min_size=1, max_size=3),
    names=st.tuples(_NAMES, _NAMES, _NAMES),
)
def test_any_names_are_found_again(prefix: list[str], names: tuple[str, str, str]) -> None:
    """Whatever prefix, device, pipeline and label are called, also `status` and `counts`."""
    device, pipeline, label = names
    messages = Messages(Topics("/".join(prefix), device), "b")
    options = {"prefix": "/".join(prefix)}
    assert got(messages.status(True), **options) == Status(device, None, True)
    assert got(messages.pipeline_status(pipeline, True), **options) == Status(
        device, pipeline, True
    )
    found = got(messages.zone_count(pipeline, label, label, 3), **options)
    assert found == Count(device, pipeline, label, 3, zone=label)
    anywhere = got(messages.count(pipeline, label, 3), prefix="/".join("+" for _ in prefix))
    assert anywhere == Count(device, pipeline, label, 3)


@pytest.mark.parametrize(
    "topic",
    [
        "edge",
        "edge/dev",
        "other/dev/status",
        "edge/dev/cmd/ping",
        "edge/dev/door/enabled/set",
        "edge/dev/door/snapshot",
        "edge/dev/door/lines/gate/counts/cat/up",
        "edge/" + "a/" * 50,
        "homeassistant/device/dev/config",
    ],
)
def test_what_is_no_message_for_subscribers_is_nothing(topic: str) -> None:
    """Topics of others and of other things."""
    assert decode(topic, b"{}") is None


@pytest.mark.parametrize("name", KINDS)
def test_unknown_fields_are_passed_over(name: str) -> None:
    """A newer agent may add fields within a version."""
    assert changed(name, novelty={"a": [1]}) == got(KINDS[name][1])


@pytest.mark.parametrize("name", KINDS)
def test_a_newer_version_is_refused_with_the_cure(name: str) -> None:
    """Its fields may mean other things."""
    refused = changed(name, schema=f"edge-agent/{name}/2")
    assert isinstance(refused, Unreadable)
    assert refused.reason == (
        f"edge-agent/{name}/2 is newer than what is read here, edge-agent/{name}/1"
        " (install that edge-agent)"
    )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"schema": "edge-agent/info/1"}, "no edge-agent/event/1: its schema is"),
        ({"schema": None}, "its schema is 'None'"),
        ({"seq": ...}, "seq is missing"),
        ({"seq": "7"}, "seq is not a whole number but '7'"),
        ({"seq": True}, "seq is not a whole number but True"),
        ({"score": "high"}, "score is not a number but 'high'"),
        ({"time": 10**400}, "time is too large a number"),
        ({"type": "begin"}, "type is not one of new, update, end but 'begin'"),
        ({"type": []}, "type is not one of new, update, end but list"),
        ({"box": [0.1, 0.2]}, "box is not an array of 4 but list"),
        ({"zones": "porch"}, "zones is not an array but 'porch'"),
        ({"zones": ["porch", 3]}, "zones[1] is not a text but 3"),
        ({"clock": {"boot_id": "b"}}, "clock.monotonic_ns is missing"),
        ({"clock": None}, "clock is not an object but None"),
        ({"latency_ms": {"infer": None}}, "latency_ms.infer is not a number but None"),
        ({"replayed": 0}, "replayed is not true or false but 0"),
    ],
)
def test_what_breaks_the_contract_is_named(changes: dict[str, Any], reason: str) -> None:
    """The field, what it should be, and what it is."""
    refused = changed("event", **changes)
    assert isinstance(refused, Unreadable)
    assert reason in refused.reason
    assert refused.topic == "edge/dev/door/events"


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "no JSON"),
        (b"{", "no JSON"),
        (b"\xff\xfe\x00", "no JSON"),
        (b"[" * 100_000, "no JSON: nested too deeply"),
        (b'{"a": NaN}', "NaN is no number of JSON"),
        (b"1" * 5000, "no JSON"),
        (b"[]", "no edge-agent/event/1"),
        (b'"edge-agent/event/1"', "no edge-agent/event/1"),
    ],
)
def test_rubbish_is_a_reason(payload: bytes, reason: str) -> None:
    """Anybody may publish anything on our topics."""
    refused = decode_event(payload)
    assert isinstance(refused, Unreadable)
    assert reason in refused.reason


@pytest.mark.parametrize("payload", [b"-1", b"1.5", b"one", "²".encode(), b"9" * 5000, b" 1"])
def test_no_count(payload: bytes) -> None:
    """Counts are whole numbers."""
    assert isinstance(decode("edge/dev/door/counts/cat", payload), Unreadable)


def test_no_status() -> None:
    """Neither one nor the other."""
    assert isinstance(decode("edge/dev/status", b"ONLINE"), Unreadable)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(
    topic=st.text(max_size=20) | st.sampled_from([m.topic for _, m in KINDS.values()]),
    data=st.binary(),
)
def test_no_bytes_raise(topic: str, data: bytes) -> None:
    """Whatever comes, on whatever topic."""
    decode(topic, data)


@given(name=st.sampled_from(list(KINDS)), data=st.data())
def test_no_change_of_a_field_raises(name: str, data: st.DataObject) -> None:
    """A payload with one field changed is read, or told to be unreadable."""
    kind, message = KINDS[name]
    field = data.draw(st.sampled_from(list(json.loads(message.payload))))
    assert isinstance(changed(name, **{field: data.draw(_JSON)}), kind | Unreadable)


@pytest.mark.parametrize("name", KINDS)
def test_the_classes_have_every_field_of_the_schemas(name: str) -> None:
    """What all payloads of this version have, a program can read; nothing else is asked for."""
    schema = load_schema(name)
    assert {each.name for each in fields(KINDS[name][0])} == set(schema["properties"]) - {"schema"}


def test_what_went_through_other_hands_is_read() -> None:
    """Node-RED and databases write numbers their own way, sort keys and pass texts on."""
    values = {**CONTRACT, "score": 1, "time": 1780000000, "track": None}
    received = decode_event(json.dumps(values, indent=1, sort_keys=True))
    assert isinstance(received, ReceivedEvent)
    assert (received.score, received.time, received.track) == (1.0, 1780000000.0, None)


def test_only_what_json_can_hold_is_read() -> None:
    """A class with other fields is a mistake of the programmer."""
    with pytest.raises(TypeError):
        read(Path, {})


def test_importing_it_is_light() -> None:
    """A consumer on a small machine needs no NumPy, OpenCV, pydantic or YAML."""
    code = (
        "import sys, edge_agent.client as c; c.decode('edge/d/p/events', sys.stdin.read());"
        "print(*{name.split('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=KINDS["event"][1].payload.decode(),
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert not set(done.stdout.split()) & {"numpy", "cv2", "pydantic", "yaml"}
