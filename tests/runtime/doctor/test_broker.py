"""What the broker lets us do, tried out at real brokers."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from edge_agent.config.load import config_from_values
from edge_agent.config.schema import Config
from edge_agent.mqtt.broker import HOST, free_port
from edge_agent.mqtt.visit import VisitFailed
from edge_agent.runtime.doctor import broker as doctor
from edge_agent.runtime.doctor import broker_visit
from edge_agent.runtime.doctor.broker_visit import BrokerVisit, Facts, Told
from edge_agent.runtime.doctor.finding import Finding
from tests.support.agent import ROOT
from tests.support.broker import Mosquitto, Subscriber, wait_until
from tests.support.certificates import authority, certificate

Start = Callable[..., Mosquitto]
_LISTEN = "homeassistant/+/+/config"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing is to come back, it is not waited for long."""
    monkeypatch.setattr(broker_visit, "_BACK", 0.15)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts brokers, and kills them after the test."""
    started: list[Mosquitto] = []

    def make(**options: Any) -> Mosquitto:
        folder = tmp_path / f"broker{len(started)}"
        folder.mkdir()
        started.append(Mosquitto(folder, **options).start())
        return started[-1]

    yield make
    for each in started:
        each.kill()


def configured(port: int, **options: Any) -> Config:
    """A device called dev, at the broker at that port."""
    values = {
        "agent": {"name": "dev"},
        "mqtt": {"host": HOST, "port": port, **options},
        "models": {"m": {"file": "m.tflite"}},
        "sources": {"s": {"type": "camera"}},
        "pipelines": {"p": {"source": "s", "model": "m"}},
    }
    return config_from_values(values, Path("/nowhere"))


def visit(port: int, **options: Any) -> dict[str, Finding]:
    """The findings about the broker, its rights, and Home Assistant."""
    config = configured(port, **options)
    seen = BrokerVisit(config)
    facts = seen.facts()
    return {
        "broker": doctor.judge_broker(config.mqtt, facts),
        "rights": doctor.judge_rights(config.mqtt, seen.topics, facts),
        "discovery": doctor.judge_discovery(config.mqtt, seen, facts),
    }


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_broker_that_lets_everybody_in(start: Start, protocol: str) -> None:
    """Writing, reading and retaining are tried out; nothing stays behind there."""
    port = start().port
    subscriber = Subscriber(port, _LISTEN)
    found = visit(port, protocol=protocol)
    subscriber.close()
    assert (found["broker"].state, found["rights"].state) == ("OK", "OK")
    assert f"MQTT {protocol}, no TLS, without login" in found["broker"].found
    assert found["discovery"].state == ("OK" if protocol == "5" else "SKIP")
    left = Subscriber(port, "edge/#")
    left.paho.publish("edge/end", b"", 1)
    left.expect("edge/end", b"")
    assert [message.topic for message in left.messages] == ["edge/end"]
    left.close()


def test_nothing_listens() -> None:
    """The broker is not started, or is elsewhere; what hangs on it is left out."""
    found = visit(free_port())
    assert found["broker"].state == "FAIL"
    assert "systemctl enable --now mosquitto" in found["broker"].fix
    assert (found["rights"].state, found["discovery"].state) == ("SKIP", "SKIP")


def test_something_else_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that takes the connection and says nothing ends in time."""
    monkeypatch.setattr(broker_visit, "_TIMEOUT", 0.2)
    with socket.create_server((HOST, 0)) as silent:
        finding = visit(silent.getsockname()[1])["broker"]
    assert finding.state == "FAIL"
    assert finding.fix == "check mqtt.port and mqtt.protocol"


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_login(start: Start, protocol: str) -> None:
    """A wrong password is told as such, the right one passes, neither is shown."""
    broker = start(passwords={"edge": "s3cret"})
    port = broker.port
    wrong = visit(port, username="edge", password="wr0ng", protocol=protocol)["broker"]
    assert wrong.state == "FAIL"
    assert "mqtt.password" in wrong.fix
    assert "sudo mosquitto_passwd PASSWORD_FILE edge, then: sudo systemctl reload" in wrong.fix
    broker.change_passwords({"edge": "wr0ng"})
    cured = {"username": "edge", "password": "wr0ng", "protocol": protocol}
    wait_until(lambda: visit(port, **cured)["broker"].state == "OK")
    broker.change_passwords({"edge": "s3cret"})
    wait_until(lambda: visit(port, **cured)["broker"].state == "FAIL")
    nobody = visit(port, protocol=protocol)["broker"]
    assert (nobody.state, "mqtt.username" in nobody.fix) == ("FAIL", True)
    right = visit(port, username="edge", password="s3cret", protocol=protocol)["broker"]
    assert (right.state, "logged in as edge" in right.found) == ("OK", True)
    assert "s3cret" not in right.found
    assert "wr0ng" not in wrong.found + wrong.fix


def test_tls(start: Start, tmp_path: Path) -> None:
    """Encrypted with the right authority; a foreign one, none at all and insecure are told."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed: sudo apt install openssl")
    authority(tmp_path, "ca")
    authority(tmp_path, "other")
    certificate(tmp_path, "server", "IP:127.0.0.1")
    files = (f"certfile {tmp_path}/server.crt", f"keyfile {tmp_path}/server.key")
    port = start(tls=files).port
    found = visit(port, tls={"ca_file": f"{tmp_path}/ca.crt"})["broker"]
    assert (found.state, ", TLS," in found.found) == ("OK", True)
    found = visit(port, tls={"ca_file": f"{tmp_path}/other.crt"})["broker"]
    assert found.state == "FAIL"
    assert found.fix == "set mqtt.tls.ca_file to the authority that signed it"
    (tmp_path / "broken.crt").write_text("nothing")
    found = visit(port, tls={"ca_file": f"{tmp_path}/broken.crt"})["broker"]
    assert (found.state, "holds no certificates" in found.found) == ("FAIL", True)
    found = visit(port)["broker"]
    assert (found.state, "a port for TLS needs mqtt.tls: {}" in found.fix) == ("FAIL", True)
    found = visit(start().port, tls={})["broker"]
    assert (found.state, found.fix) == ("FAIL", "check mqtt.port, or remove mqtt.tls")
    found = visit(port, tls={"insecure": True})["broker"]
    assert (found.state, "remove mqtt.tls.insecure" in found.fix) == ("WARN", True)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
@pytest.mark.parametrize("rule", ["read edge/dev/#", "write edge/dev/#"])
def test_access_rules(start: Start, protocol: str, rule: str) -> None:
    """A broker that takes no message, or gives none, refuses silently but is found out."""
    port = start(passwords={"edge": "pw"}, acl=f"user edge\ntopic {rule}\n").port
    found = visit(port, username="edge", password="pw", protocol=protocol)
    assert found["broker"].state == "OK"
    may_write = rule.startswith("write") and protocol == "5"
    assert found["rights"].state == ("WARN" if may_write else "FAIL")
    assert "below user edge: topic readwrite edge/dev/#" in found["rights"].fix


def rules(fix: str) -> str:
    """The lines for mosquitto's access file that a fix names."""
    return "\n".join(re.findall(r"topic (?:readwrite|read|write) [^\s,;)]+", fix)) + "\n"


@pytest.mark.usefixtures("impatient")
def test_the_cure_of_access_rules_works(start: Start) -> None:
    """With the lines that the fixes name, and a reload, all is well, before the first run too."""
    others = "user ha\ntopic readwrite #\n"
    broker = start(passwords={"edge": "pw", "ha": "pw"}, acl=others)
    found = visit(broker.port, username="edge", password="pw")
    assert (found["rights"].state, found["discovery"].state) == ("FAIL", "WARN")
    assert "in its acl_file below user edge: " in found["rights"].fix
    lines = rules(found["rights"].fix) + rules(found["discovery"].fix)
    assert lines.count("\n") == 4
    (broker.folder / "acl").write_text(f"user edge\n{lines}{others}")
    broker.pause(signal.SIGHUP)
    wait_until(lambda: "Reloading config" in broker.log)
    listener = Subscriber(broker.port, _LISTEN, login=("ha", "pw"))
    found = visit(broker.port, username="edge", password="pw")
    listener.close()
    assert (found["rights"].state, found["discovery"].state) == ("OK", "OK")


@pytest.mark.usefixtures("impatient")
def test_the_cure_of_access_rules_for_everybody_works(start: Start) -> None:
    """Without a login they stand above the first user."""
    others = "user ha\ntopic readwrite #\n"
    found = visit(start(acl=others).port)["rights"]
    assert (found.state, "acl_file above the first user: " in found.fix) == ("FAIL", True)
    assert visit(start(acl=rules(found.fix) + others).port)["rights"].state == "OK"


def test_rules_that_do_not_let_us_ask(start: Start) -> None:
    """A device that is announced needs to write no more than its own announcement."""
    own = "topic readwrite edge/dev/#\ntopic write homeassistant/device/dev/config\n"
    acl = f"user edge\n{own}topic read homeassistant/#\nuser ha\ntopic readwrite #\n"
    port = start(passwords={"edge": "pw", "ha": "pw"}, acl=acl).port
    listener = Subscriber(port, _LISTEN, login=("ha", "pw"))
    payload = {"origin": {"name": "edge-agent"}, "components": {"a": {"platform": "sensor"}}}
    topic = "homeassistant/device/dev/config"
    listener.paho.publish(topic, json.dumps(payload), 1, retain=True).wait_for_publish(5)
    found = visit(port, username="edge", password="pw")
    listener.close()
    assert found["discovery"].state == "SKIP"
    assert "announced with 1 entities" in found["discovery"].found


def test_a_broker_that_speaks_an_older_mqtt_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Amqtt does not answer MQTT 5 at all; with the protocol that the fix names it is fine."""
    if importlib.util.find_spec("amqtt") is None:
        pytest.skip("amqtt is not installed: pip install amqtt")
    monkeypatch.setattr(broker_visit, "_TIMEOUT", 1.0)
    port = free_port()
    command = [sys.executable, "-m", "edge_agent.mqtt.amqtt_broker", HOST, str(port)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, env=ENVIRONMENT) as process:
        try:
            wait_until(lambda: listens(port), 20.0)
            finding = visit(port)["broker"]
            assert (finding.state, finding.fix) == ("FAIL", "set mqtt.protocol: 3.1.1")
            cured = yaml.safe_load(finding.fix.partition("mqtt.")[2])
            assert visit(port, **cured)["broker"].state == "OK"
        finally:
            process.kill()


def listens(port: int) -> bool:
    """Whether somebody takes connections there."""
    with socket.socket() as tried:
        return tried.connect_ex((HOST, port)) == 0


def test_a_broker_elsewhere_that_refuses() -> None:
    """Mosquitto listens to its own machine only unless it is told otherwise."""
    options = configured(1883).mqtt
    facts = Facts(problem=VisitFailed("refused"))
    assert facts.problem is not None
    facts.problem.__cause__ = ConnectionRefusedError()
    assert "listener 1883" not in doctor.judge_broker(options, facts).fix
    elsewhere = dataclasses.replace(options, host="192.0.2.7")
    assert "`listener 1883`" in doctor.judge_broker(elsewhere, facts).fix


def test_a_network_that_is_down() -> None:
    """It is looked at here, not at the broker; what only the broker knows is in its log."""
    options = configured(1883).mqtt
    facts = Facts(problem=VisitFailed("cannot reach 127.0.0.1:1883: Network is unreachable"))
    assert "journalctl -eu mosquitto" in doctor.judge_broker(options, facts).fix
    assert facts.problem is not None
    facts.problem.__cause__ = OSError(101, "Network is unreachable")
    assert f"ping -c 3 {HOST}" in doctor.judge_broker(options, facts).fix


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_broker_that_retains_nothing(start: Start, protocol: str) -> None:
    """Status and counts would be lost."""
    finding = visit(start(lines=("retain_available false",)).port, protocol=protocol)["rights"]
    assert finding.state == "FAIL"
    assert "retain_available true" in finding.fix


def test_home_assistant(start: Start) -> None:
    """Nobody listens; it says that it is offline; discovery is switched off."""
    port = start().port
    finding = visit(port)["discovery"]
    assert (finding.state, "nobody listens" in finding.found) == ("WARN", True)
    assert "integration MQTT" in finding.fix
    home = Subscriber(port, _LISTEN)
    home.paho.publish("homeassistant/status", b"offline", 1, retain=True).wait_for_publish(5)
    finding = visit(port)["discovery"]
    home.close()
    assert (finding.state, finding.fix) == ("WARN", "start Home Assistant")
    finding = visit(port, homeassistant={"discovery": False})["discovery"]
    assert (finding.state, "switched off" in finding.found) == ("SKIP", True)


def test_rules_that_allow_devices_only(start: Start) -> None:
    """Whoever may only write below homeassistant/device is told who listens all the same."""
    acl = "user edge\ntopic readwrite edge/dev/#\ntopic readwrite homeassistant/device/#\n"
    port = start(passwords={"edge": "pw"}, acl=acl).port
    finding = visit(port, username="edge", password="pw")["discovery"]
    assert (finding.state, "nobody listens" in finding.found) == ("WARN", True)


def test_a_connection_that_ends_meanwhile() -> None:
    """A broker that hangs up while it is tried out is not called healthy."""
    config = configured(1)
    facts = Facts(seconds=0.1, lost="the connection was lost")
    finding = doctor.judge_rights(config.mqtt, BrokerVisit(config).topics, facts)
    assert (finding.state, "the connection was lost" in finding.found) == ("FAIL", True)


def test_the_worst_pipeline_of_a_source_is_told() -> None:
    """Two pipelines share a source: the one that is offline counts."""
    states = {name: {"state": name, "reason": ""} for name in ("online", "offline")}
    made_of = {name: {"source": "door", "model": "m"} for name in states}
    facts = Facts(agent=Told(made_of, states))
    assert doctor.health_of(facts, "door") == states["offline"]
    assert doctor.health_of(facts, "yard") is None
    assert doctor.health_of(Facts(), "door") is None
