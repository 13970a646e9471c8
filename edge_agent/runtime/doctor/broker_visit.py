"""What the broker lets this device do, tried out, and what it knows of the device.

All tests are published on the device's own `P/doctor`. Only one is not: an empty message where
Home Assistant would look for an entity that does not exist. With MQTT 5 the broker tells whether
anybody listens there; Home Assistant itself does not say that it is there but when it starts.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from edge_agent.config.schema import Config
from edge_agent.errors import EdgeAgentError
from edge_agent.message import Delivery, Message
from edge_agent.mqtt import reasons
from edge_agent.mqtt.homeassistant import config_topic
from edge_agent.mqtt.listener import Received
from edge_agent.mqtt.options import MqttOptions, check_options
from edge_agent.mqtt.topics import Topics, safe_name
from edge_agent.mqtt.visit import Visit, VisitFailed

_log = logging.getLogger(__name__)

_TIMEOUT = 4.0  # seconds for each answer of the broker
_BACK = 1.0  # seconds for a message to come back
_AGENT = 2.0  # seconds for the running agent to answer
_FORGET = 60  # seconds after which the broker forgets a test that we could not take back


@dataclass(frozen=True, slots=True)
class Told:
    """What the running agent answers: what its pipelines are made of, and how they do."""

    made_of: Mapping[str, Any]
    health: Mapping[str, Any]


@dataclass(slots=True)
class Facts:
    """What was seen at the broker; None is what was not reached.

    `wrote` and `announce` are reason codes, `seconds` is how long it took to connect. `online` is
    whether the agent says that it is, `agent` is the answer of the running agent to `cmd/inspect`.
    """

    problem: EdgeAgentError | None = None
    seconds: float = 0.0
    wrote: int | None = None
    kept: bool | None = None
    came_back: bool | None = None
    lost: str = ""
    announce: int | None = None
    retained: dict[str, bytes] = field(default_factory=dict)
    online: bool = False
    agent: Told | None = None


class BrokerVisit:
    """Visits the broker once, for all checks that want to know."""

    def __init__(self, config: Config) -> None:
        self._options = config.mqtt
        self.topics = Topics(config.mqtt.topic_prefix, config.agent.name)
        self.config_topic = config_topic(self.topics, config.mqtt.homeassistant)
        self.birth_topic = f"{config.mqtt.homeassistant.prefix}/status"
        self._client_id = f"{config.mqtt.client_id or f'edge-agent-{self.topics.device}'}-doctor"
        self._lock = threading.Lock()
        self._facts: Facts | None = None

    def probe_topic(self, kind: str) -> str:
        """Where Home Assistant would look for an entity that does not exist."""
        name = f"{safe_name(self.topics.device)}-doctor"
        return f"{self._options.homeassistant.prefix}/{kind}/{name}/config"

    def facts(self) -> Facts:
        """What was seen; the first who asks goes there."""
        with self._lock:
            if self._facts is None:
                self._facts = self._go()
            return self._facts

    def _go(self) -> Facts:
        facts = Facts()
        began = time.monotonic()
        try:
            check_options(self._options)
            with self._visit() as visit:
                facts.seconds = time.monotonic() - began
                self._try_own(visit, facts)
        except ValueError as error:
            facts.problem = EdgeAgentError(str(error), "correct it in the configuration")
        except VisitFailed as error:
            if facts.seconds:
                facts.lost = str(error)
            else:
                is_reached = error.__cause__ is None and "mqtt.password" not in str(error)
                facts.problem = (self._older() if is_reached else None) or error
        if facts.problem is None and self._options.homeassistant.discovery:
            facts.announce = self._try_discovery()
        return facts

    def _visit(self, options: MqttOptions | None = None) -> Visit:
        return Visit(options or self._options, self._client_id, _TIMEOUT)

    def _older(self) -> EdgeAgentError | None:
        """What is wrong where only MQTT 3.1.1 gets in: such brokers may refuse 5 without a word."""
        if not self._options.is_v5:
            return None
        try:
            with self._visit(replace(self._options, protocol="3.1.1")):
                return EdgeAgentError(
                    "the broker speaks MQTT 3.1.1 only", "set mqtt.protocol: 3.1.1"
                )
        except VisitFailed:
            return None

    def _try_discovery(self) -> int:
        """The answer to an empty message to Home Assistant."""
        code = reasons.NOT_AUTHORISED
        # Home Assistant logs a warning at the second, but access rules may allow that one only.
        for kind in ("sensor", "device"):
            topic = self.probe_topic(kind)
            try:
                with self._visit() as visit:  # some brokers hang up after a refusal
                    code = visit.publish(_message(topic, b""))
            except VisitFailed as error:
                _log.debug("hung up after %s: %s", topic, error)
            if not reasons.is_failure(code):
                break
        return code

    def _try_own(self, visit: Visit, facts: Facts) -> None:
        test, topics = self.topics.doctor, self.topics
        facts.wrote = visit.publish(_message(test, b"kept", retain=True))
        if reasons.is_failure(facts.wrote):
            return
        answers = topics.response("inspect")
        for each in (test, topics.status, self.config_topic, self.birth_topic, answers):
            visit.subscribe(each)
        facts.kept = visit.receive(_is(test, b"kept", retained=True), _BACK) is not None
        visit.publish(_message(test, b"live"))
        facts.came_back = visit.receive(_is(test, b"live"), _BACK) is not None
        visit.publish(_message(test, b"", retain=True))
        for topic in (topics.status, self.config_topic, self.birth_topic):
            if (found := visit.receive(_is(topic), 0.0)) is not None:
                facts.retained[topic] = found.payload
        facts.online = facts.retained.get(topics.status) == b"online"
        if facts.online:
            facts.agent = self._ask_agent(visit, answers)

    def _ask_agent(self, visit: Visit, answers: str) -> Told | None:
        try:
            visit.publish(_message(self.topics.command("inspect"), b""))
            answer = visit.receive(_is(answers), _AGENT)
            result = json.loads(answer.payload)["result"] if answer else {}
            return Told(result["info"]["pipelines"], result["health"]["pipelines"])
        except (VisitFailed, ValueError, KeyError, TypeError) as error:
            _log.debug("the running agent cannot be asked: %r", error)
            return None


def _is(
    topic: str, payload: bytes | None = None, retained: bool | None = None
) -> Callable[[Received], bool]:
    """Recognises a message by its topic, and payload and retain flag where they matter."""
    return lambda received: (
        received.topic == topic
        and payload in (None, received.payload)
        and retained in (None, received.retained)
    )


def _message(topic: str, payload: bytes, retain: bool = False) -> Message:
    expiry = _FORGET if payload else None
    return Message(topic, payload, Delivery.TELEMETRY, qos=1, retain=retain, expiry=expiry)
