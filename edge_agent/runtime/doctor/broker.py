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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from edge_agent.config.schema import Config
from edge_agent.errors import EdgeAgentError
from edge_agent.message import Delivery, Message
from edge_agent.mqtt import reasons
from edge_agent.mqtt.homeassistant import announced, config_topic
from edge_agent.mqtt.listener import Received
from edge_agent.mqtt.options import MqttOptions, check_options
from edge_agent.mqtt.topics import Topics, safe_name
from edge_agent.mqtt.visit import Visit, VisitFailed
from edge_agent.runtime.doctor.finding import Finding, fail, failed, ok, skip, warn

_log = logging.getLogger(__name__)

_TIMEOUT = 4.0  # seconds for each answer of the broker
_BACK = 1.0  # seconds for a message to come back
_AGENT = 2.0  # seconds for the running agent to answer
_FORGET = 60  # seconds after which the broker forgets a test that we could not take back
_NOBODY = 0x10  # MQTT 5: no matching subscribers
_LOG = "see the broker's log"


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
                facts.problem = error
        if facts.problem is None and self._options.homeassistant.discovery:
            facts.announce = self._try_discovery()
        return facts

    def _visit(self) -> Visit:
        return Visit(self._options, self._client_id, _TIMEOUT)

    def _try_discovery(self) -> int:
        """The answer to an empty message to Home Assistant."""
        name = f"{safe_name(self.topics.device)}-doctor"
        code = reasons.NOT_AUTHORISED
        # Home Assistant logs a warning at the second, but access rules may allow that one only.
        for kind in ("sensor", "device"):
            topic = f"{self._options.homeassistant.prefix}/{kind}/{name}/config"
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


def judge_broker(options: MqttOptions, facts: Facts) -> Finding:
    """Whether it is there and lets us in."""
    host, port = options.address
    if facts.problem is not None:
        if isinstance(facts.problem.__cause__, ConnectionRefusedError):
            cure = "start the broker there (sudo systemctl start mosquitto), or correct mqtt.host"
            return fail(f"nothing listens at {host}:{port}", f"{cure} and mqtt.port")
        return failed(facts.problem, _LOG)
    how = "no TLS" if options.tls is None else "TLS"
    who = f"logged in as {options.username}" if options.username else "without login"
    found = f"{host}:{port}, MQTT {options.protocol}, {how}, {who}, {1e3 * facts.seconds:.0f} ms"
    if options.tls is not None and options.tls.insecure:
        cure = "remove mqtt.tls.insecure and set mqtt.tls.ca_file"
        return warn(f"{found}; anyone on the way may pose as the broker", cure)
    return ok(found)


def judge_rights(options: MqttOptions, topics: Topics, facts: Facts) -> Finding:
    """Whether we may write and read below our own topic, and what is retained is kept."""
    if facts.problem is not None:
        return skip("needs the broker")
    user = f"user {options.username}" if options.username else "the rules for everybody"
    rule = f"allow it at the broker (mosquitto: in its acl_file, below {user}"
    own = f"{rule}: topic readwrite {topics.base}/#)"
    if facts.wrote is not None and reasons.is_failure(facts.wrote):
        what = reasons.not_published(facts.wrote).partition(" (")[0]
        return fail(f"may not write below {topics.base}: {what}", own)
    if facts.lost:
        cure = f"{own}, and let it keep retained messages (retain_available true)"
        return fail(f"the connection ended while it was tried out: {facts.lost}", cure)
    if not facts.came_back and not facts.kept:
        if options.is_v5:
            text = f"may write below {topics.base} but not read: states that a crash left on stay"
            return warn(f"{text} so, and commands may not arrive", own)
        return fail(f"what is written below {topics.base} does not come back", own)
    if not facts.kept:
        cure = "switch retained messages on (mosquitto: retain_available true)"
        return fail("retained messages are not kept, but status and counts are such", cure)
    return ok(f"may write and read below {topics.base}, retained messages are kept")


def judge_discovery(options: MqttOptions, visit: BrokerVisit, facts: Facts) -> Finding:
    """Whether anybody listens for devices, and ours is announced."""
    prefix = options.homeassistant.prefix
    if not options.homeassistant.discovery:
        return skip("switched off by mqtt.homeassistant.discovery")
    if facts.problem is not None or facts.announce is None:
        return skip("needs the broker")
    names = announced(facts.retained.get(visit.config_topic, b""))
    own = f"announced with {len(names)} entities" if names else "not announced before the first run"
    birth = facts.retained.get(visit.birth_topic)
    if birth == b"offline":
        return warn(f"{own}; Home Assistant says that it is offline", "start Home Assistant")
    if reasons.is_failure(facts.announce):
        if names:
            return skip(f"{own}; the broker's rules do not let us ask who listens")
        rules = (f"topic write {visit.config_topic}", f"topic read {prefix}/#")
        cure = f"allow it at the broker (mosquitto: {', '.join(rules)})"
        return warn(f"the broker's rules do not let us write below {prefix}/device", cure)
    if facts.announce == _NOBODY:
        cure = (
            f"in Home Assistant add the integration MQTT with this broker and prefix {prefix}, "
            "or set mqtt.homeassistant.discovery: false"
        )
        return warn(f"{own}; nobody listens for devices below {prefix}", cure)
    if options.is_v5 or birth == b"online":
        return ok(f"{own}; somebody listens for devices below {prefix}")
    return skip(f"{own}; MQTT 3.1.1 does not tell whether anybody listens")


def health_of(facts: Facts, source: str) -> Mapping[str, Any] | None:
    """What the running agent says of a pipeline that uses a source; None where it says nothing."""
    if facts.agent is None:
        return None
    made_of, health = facts.agent.made_of, facts.agent.health
    return _worst([health[name] for name in health if made_of[name]["source"] == source])


def _worst(states: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    order = ("offline", "starting", "online")
    return min(states, key=lambda each: order.index(each["state"]), default=None)
