"""What is made of a visit to the broker: login, rights, and Home Assistant."""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from typing import Any

from edge_agent.mqtt import reasons
from edge_agent.mqtt.homeassistant import announced
from edge_agent.mqtt.options import MqttOptions
from edge_agent.mqtt.topics import Topics
from edge_agent.runtime.doctor.broker_visit import BrokerVisit, Facts
from edge_agent.runtime.doctor.finding import Finding, fail, failed, ok, skip, warn

_HERE = ("localhost", "127.0.0.1", "::1")
_NOBODY = 0x10  # MQTT 5: no matching subscribers
_LOG = "see the broker's log (mosquitto: sudo journalctl -eu mosquitto)"
_RELOAD = "then: sudo systemctl reload mosquitto"


def judge_broker(options: MqttOptions, facts: Facts) -> Finding:
    """Whether it is there and lets us in."""
    host, port = options.address
    if facts.problem is not None:
        cause = facts.problem.__cause__
        if isinstance(cause, ConnectionRefusedError):
            return fail(f"nothing listens at {host}:{port}", _cure_of_refusal(host, port))
        is_network = isinstance(cause, OSError) and not isinstance(cause, ssl.SSLError)
        return _judge_login(
            options, failed(facts.problem, network_cure(options) if is_network else _LOG)
        )
    how = "no TLS" if options.tls is None else "TLS"
    who = f"logged in as {options.username}" if options.username else "without login"
    found = f"{host}:{port}, MQTT {options.protocol}, {how}, {who}, {1e3 * facts.seconds:.0f} ms"
    if options.tls is not None and options.tls.insecure:
        cure = "remove mqtt.tls.insecure and set mqtt.tls.ca_file"
        return warn(f"{found}; anyone on the way may pose as the broker", cure)
    return ok(found)


def _judge_login(options: MqttOptions, finding: Finding) -> Finding:
    """What a refused login says, with how the password is set at the broker."""
    if options.username is None or "mqtt.password" not in finding.fix:
        return finding
    anew = f"mosquitto: sudo mosquitto_passwd PASSWORD_FILE {options.username}, {_RELOAD}"
    return fail(finding.found, f"{finding.fix}; to set the password anew at the broker ({anew})")


def _cure_of_refusal(host: str, port: int) -> str:
    """Mosquitto 2 as it comes from apt listens to its own machine only."""
    start = "sudo apt install mosquitto; sudo systemctl enable --now mosquitto"
    if host in _HERE:
        return f"start a broker here ({start}), or correct mqtt.host and mqtt.port"
    outside = (
        f"for others than itself it needs `listener {port}` in /etc/mosquitto/conf.d/local.conf, "
        "and `password_file FILE` or `allow_anonymous true`"
    )
    return f"start the broker there ({start}; {outside}), or correct mqtt.host and mqtt.port"


def network_cure(options: MqttOptions) -> str:
    """Where to look when the broker cannot be reached."""
    return f"check the network of this device: ip -br address; ping -c 3 {options.address[0]}"


def judge_rights(options: MqttOptions, topics: Topics, facts: Facts) -> Finding:
    """Whether we may write and read below our own topic, and what is retained is kept."""
    if facts.problem is not None:
        return skip("needs the broker")
    own = _allow(options, f"topic readwrite {topics.base}/#")
    if facts.wrote is not None and reasons.is_failure(facts.wrote):
        what = reasons.not_published(facts.wrote).partition(" (")[0]
        return fail(f"may not write below {topics.base}: {what}", own)
    if facts.lost:
        cure = f"{own}; and let it keep retained messages: retain_available true"
        return fail(f"the connection ended while it was tried out: {facts.lost}", cure)
    if not facts.came_back and not facts.kept:
        if options.is_v5:
            text = f"may write below {topics.base} but not read: states that a crash left on stay"
            return warn(f"{text} so, and commands may not arrive", own)
        return fail(f"what is written below {topics.base} does not come back", own)
    if not facts.kept:
        cure = (
            "switch retained messages on (mosquitto: retain_available true in its configuration, "
            "then: sudo systemctl restart mosquitto)"
        )
        return fail("retained messages are not kept, but status and counts are such", cure)
    return ok(f"may write and read below {topics.base}, retained messages are kept")


def _allow(options: MqttOptions, *rules: str) -> str:
    """How mosquitto is told to allow something."""
    user = f"below user {options.username}" if options.username else "above the first user"
    listed = ", and: ".join(rules)
    return f"allow it at the broker (mosquitto: in its acl_file {user}: {listed}; {_RELOAD})"


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
        rules = (
            f"topic readwrite {visit.config_topic}",
            f"topic read {visit.birth_topic}",
            f"topic write {visit.probe_topic('device')}",
        )
        text = f"the broker's rules do not let us write below {prefix}/device"
        return warn(text, _allow(options, *rules))
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
