"""Payloads: their fields, their numbers, their schemas, and what a subscriber really gets."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from edge_agent.message import Message
from edge_agent.mqtt import device_payloads, payloads
from edge_agent.mqtt.payloads import SCHEMAS, FrameResults, load_schema
from edge_agent.result import ClassScore, Detection
from tests.mqtt.conftest import Factory
from tests.support.broker import Mosquitto, wait_until
from tests.support.samples import CONTRACT, FRAME, HEALTH, INFO, MODEL, event


def check(name: str, payload: bytes) -> dict[str, Any]:
    """The payload decoded, after its schema has accepted it."""
    decoded: dict[str, Any] = json.loads(payload)
    Draft202012Validator(load_schema(name)).validate(decoded)
    return decoded


def test_the_event_is_the_contract_word_for_word() -> None:
    """Every field of the contract is there, in its order, with its value."""
    decoded = check("event", payloads.event_payload(event(), 1234))
    expected = {**CONTRACT, "model": {**CONTRACT["model"], "sha256": MODEL.sha256}}
    assert decoded == expected
    assert list(decoded) == list(CONTRACT)


@pytest.mark.parametrize("field", CONTRACT)
def test_an_event_without_any_field_breaks_the_schema(field: str) -> None:
    """The schema requires each field, so none can disappear unnoticed."""
    decoded = json.loads(payloads.event_payload(event(), 1))
    del decoded[field]
    assert not Draft202012Validator(load_schema("event")).is_valid(decoded)


@pytest.mark.parametrize("name", SCHEMAS)
def test_schemas_are_valid(name: str) -> None:
    """Each is a draft 2020-12 schema of the version that its payload names."""
    schema = load_schema(name)
    Draft202012Validator.check_schema(schema)
    assert schema["properties"]["schema"]["const"] == f"edge-agent/{name}/1"
    assert "schema" in schema["required"]


def test_only_known_schemas_are_loaded() -> None:
    """A name never becomes a path."""
    with pytest.raises(KeyError):
        load_schema("../options")


_ANY = st.floats() | st.floats(width=32).map(np.float32)


@given(score=_ANY, side=_ANY, time=_ANY, end=st.none() | _ANY)
def test_no_number_breaks_the_json(score: float, side: float, time: float, end: float) -> None:
    """NaN, infinities and NumPy scalars become plain finite numbers, boxes stay in the frame."""
    strange = event(
        score=score,
        box=(side, side, side, side),
        time=time,
        end_time=end,
        latency_ms={"infer": abs(score)},
    )
    decoded = check("event", payloads.event_payload(strange, 1))
    assert all(0 <= value <= 1 for value in decoded["box"])
    assert math.isfinite(decoded["score"])


@given(label=st.text(st.characters(exclude_categories=())))
def test_any_label_is_valid_json_in_utf8(label: str) -> None:
    """Also half a surrogate pair from a broken label file."""
    decoded = check("event", payloads.event_payload(event(label=label), 1))
    assert decoded["label"] == label.encode("utf-8", "replace").decode()


def test_a_replayed_event_differs_in_its_mark_only() -> None:
    """Byte for byte the payload that would have been made so; no other payload is touched."""
    fresh, marked = payloads.event_payload(event(), 7), payloads.event_payload(event(), 7, True)
    assert payloads.as_replayed(fresh) == marked
    assert payloads.as_replayed(marked) == marked
    assert payloads.as_replayed(b"17") == b"17"


def test_numbers_are_rounded_to_what_they_are_worth() -> None:
    """Boxes to 5 digits, scores to 4, times to microseconds."""
    text = payloads.event_payload(
        event(score=1 / 3, box=(1 / 3, 0.0, 1.0, 1.0), time=1780000000.1234567), 1
    ).decode()
    assert '"score":0.3333,' in text
    assert '"box":[0.33333,0.0,1.0,1.0]' in text
    assert '"time":1780000000.123457,' in text


def test_what_a_real_subscriber_receives_fits_the_schemas(
    broker: Mosquitto, agents: Factory, subscribers: Factory
) -> None:
    """All four kinds through a real broker, with content type, expiry and user properties."""
    subscriber = subscribers(broker.port)
    agent = agents(broker.port)
    agent.wait_connected()
    messages = agent.messages
    agent.outbox.put_event(lambda seq: messages.event(event(), seq))
    for message in (messages.info(INFO), messages.health(HEALTH), messages.detections(FRAME)):
        agent.outbox.put(message)
    agent.wait_empty()
    for name, topic, expires in (
        ("event", "edge/dev/door/events", True),
        ("info", "edge/dev/info", False),
        ("health", "edge/dev/health", True),
        ("detections", "edge/dev/door/detections", True),
    ):
        received = _received(subscriber, topic)
        check(name, bytes(received.payload))
        properties = received.properties
        assert properties.ContentType == "application/json"
        assert ("schema", f"edge-agent/{name}/1") in properties.UserProperty
        assert ("boot_id", "boot-1") in properties.UserProperty
        assert hasattr(properties, "MessageExpiryInterval") is expires


def _received(subscriber: Any, topic: str) -> Any:
    wait_until(lambda: subscriber.of(topic), what=f"nothing on {topic}")
    return next(message for message in subscriber.messages if message.topic == topic)


def test_info_and_health_carry_what_their_readers_need() -> None:
    """Their fields by name, as dashboards address them."""
    info = check("info", device_payloads.info_payload(INFO))
    assert info["pipelines"] == {"door": {"source": "cam", "model": "coco"}}
    assert info["models"][0]["engine"] == "tflite"
    health = check("health", device_payloads.health_payload(HEALTH))
    door = health["pipelines"]["door"]
    assert (door["state"], door["reason"]) == ("offline", "camera busy")
    assert door["fps"] == {"in": 10.0, "inferred": 9.5, "dropped": 0.5}
    assert door["latency_ms"] == {"infer": {"p50": 21.0, "p99": 30.5}}
    assert health["outbox"] == {"depth": 3, "drops": {"event_full": 1}}
    assert (health["cpu_temperature"], health["throttled"]) == (48.3, None)


@pytest.mark.parametrize("results", [[], FRAME.results])
def test_detections_name_every_result(results: list[Detection | ClassScore]) -> None:
    """A frame without results is told too; whole-frame classes have no box."""
    found = FrameResults("d", "p", 1, 1.0, None, (4, 3), results, [], {}, MODEL)
    decoded = check("detections", payloads.detections_payload(found))
    assert [each["label"] for each in decoded["results"]] == [each.label for each in results]
    assert [each["box"] for each in decoded["results"]][1:] in ([], [None, None])


def test_readings_to_six_digits() -> None:
    """With null for what is missing; the field is not there where nobody measures."""
    measured = {"a.x": 1 / 3, "a.y": None, "a.z": float("inf")}
    payload = check("event", payloads.event_payload(event(readings=measured), 1))
    assert payload["readings"] == {"a.x": 0.333333, "a.y": None, "a.z": None}
    assert "readings" not in check("event", payloads.event_payload(event(), 1))
    found = check("detections", payloads.detections_payload(replace(FRAME, readings=measured)))
    assert found["readings"] == payload["readings"]
    assert "readings" not in check("detections", payloads.detections_payload(FRAME))


def test_messages_have_the_delivery_of_the_contract(agents: Factory) -> None:
    """QoS and retain as the topic table says."""
    messages = agents(1).messages

    def kind(message: Message) -> tuple[int, bool]:
        return message.qos, message.retain

    assert kind(messages.status(True)) == kind(messages.pipeline_status("p", False)) == (1, True)
    assert kind(messages.info(INFO)) == kind(messages.count("p", "x", 1)) == (1, True)
    assert kind(messages.zone_count("p", "z", "x", 1)) == (1, True)
    assert kind(messages.line_count("p", "l", "x", "in", 1)) == (1, True)
    assert kind(messages.event(event(), 1)) == (1, False)
    assert kind(messages.health(HEALTH)) == kind(messages.detections(FRAME)) == (0, False)
