"""Sends commands to a running agent and waits for the answers."""

from __future__ import annotations

import itertools
import json
from typing import Any

import jsonschema
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from edge_agent.mqtt.payloads import load_schema
from tests.support.agent import BASE
from tests.support.broker import Subscriber, wait_until


class Commander:
    """Asks and waits for the answer with its correlation data."""

    def __init__(self, subscriber: Subscriber) -> None:
        self._subscriber = subscriber
        self._numbers = itertools.count(1)

    def __call__(self, topic: str, payload: str = "") -> dict[str, Any]:
        """The answer to a command, after its schema has accepted it."""
        mark = b"%d" % next(self._numbers)
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.ResponseTopic = "me/answers"
        properties.CorrelationData = mark
        self._subscriber.paho.publish(f"{BASE}/{topic}", payload, 1, properties=properties)
        found: list[bytes] = []

        def answered() -> bool:
            for message in list(self._subscriber.messages):
                theirs = getattr(message.properties, "CorrelationData", None)
                if message.topic == "me/answers" and theirs == mark:
                    found.append(bytes(message.payload))
            return bool(found)

        wait_until(answered, 15.0, f"no answer to {topic} {payload}")
        answer: dict[str, Any] = json.loads(found[0])
        jsonschema.validate(answer, load_schema("answer"))
        return answer
