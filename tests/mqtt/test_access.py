"""Who may do what at a real broker: certificates, authorities, rules, versions, and its absence."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.backoff import Backoff
from edge_agent.message import Delivery, Message
from edge_agent.mqtt import broker as broker_module
from edge_agent.mqtt.broker import PrivateBroker
from edge_agent.mqtt.options import TlsOptions
from edge_agent.options import Secret
from tests.mqtt.conftest import Factory
from tests.mqtt.test_tls import pki, serve, tls  # noqa: F401 - pki is a fixture
from tests.support.broker import wait_until

# Rights for one pipeline only; what is published elsewhere below the device is denied.
ACL = "user edge\ntopic write edge/dev/status\ntopic write edge/dev/door/#\ntopic read edge/dev/#\n"


@pytest.fixture
def own(tmp_path: Path, pki: Path) -> TlsOptions:  # noqa: F811
    """A device's own copies of its authority, its certificate and its key."""
    folder = tmp_path / "device"
    folder.mkdir()
    for name in ("ca.crt", "edge.crt", "edge.key"):
        shutil.copy(pki / name, folder)
    return tls(folder, client="edge")


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_certificate_and_a_password_together(
    brokers: Factory,
    agents: Factory,
    subscribers: Factory,
    pki: Path,  # noqa: F811
    protocol: str,
) -> None:
    """With both, by either version of MQTT, all arrives; the right password alone is not enough."""
    login = {"username": "edge", "password": Secret("right"), "protocol": protocol}
    files = (f"cafile {pki}/ca.crt", f"certfile {pki}/server.crt", f"keyfile {pki}/server.key")
    broker = brokers(tls=(*files, "require_certificate true"), passwords={"edge": "right"})
    agent = agents(broker.port, tls=tls(pki, client="edge"), **login)
    agent.events(20)
    agent.wait_empty()
    assert agent.client.stop(3.0) is True
    agents(broker.port, tls=tls(pki), **login).wait_reason("wants a client certificate")


def test_the_name_in_the_certificate_is_the_login(
    brokers: Factory,
    agents: Factory,
    pki: Path,  # noqa: F811
) -> None:
    """A broker that takes the common name for the user needs no password, and its rules apply."""
    files = (f"cafile {pki}/ca.crt", f"certfile {pki}/server.crt", f"keyfile {pki}/server.key")
    lines = (*files, "require_certificate true", "use_identity_as_username true")
    agent = agents(brokers(tls=lines, acl=ACL).port, tls=tls(pki, client="edge"))
    agent.outbox.put(Message("edge/dev/door/events", b"1", Delivery.EVENT, qos=1))
    agent.outbox.put(Message("edge/dev/yard/events", b"2", Delivery.EVENT, qos=1))
    agent.wait_empty()
    assert agent.outbox.drops == {"event_refused": 1}


def test_a_wrong_authority_is_said_once_and_mended_without_a_restart(
    brokers: Factory,
    agents: Factory,
    pki: Path,  # noqa: F811
    own: TlsOptions,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The files are read anew for each try: putting the right one there is enough."""
    assert own.ca_file is not None
    shutil.copy(pki / "other.crt", own.ca_file)
    broker = serve(brokers, pki, ask=True)
    agent = agents(broker.port, tls=own)
    agent.events(3)
    agent.wait_reason("set mqtt.tls.ca_file to the authority that signed it")
    wait_until(lambda: broker.log.count("unknown ca") >= 3)
    assert caplog.text.count("no connection to the broker") == 1
    assert agent.outbox.depth == 3
    shutil.copy(pki / "ca.crt", own.ca_file)
    agent.wait_empty()


def test_a_client_certificate_is_renewed_without_a_restart(
    brokers: Factory,
    agents: Factory,
    pki: Path,  # noqa: F811
    own: TlsOptions,
) -> None:
    """One that the broker does not trust is replaced on the disk."""
    assert own.cert_file is not None
    assert own.key_file is not None
    shutil.copy(pki / "stranger.crt", own.cert_file)
    shutil.copy(pki / "stranger.key", own.key_file)
    agent = agents(serve(brokers, pki, ask=True).port, tls=own)
    agent.events(1)
    agent.wait_reason("does not trust our")
    shutil.copy(pki / "edge.key", own.key_file)
    shutil.copy(pki / "edge.crt", own.cert_file)
    agent.wait_empty()


def test_a_wrong_password_keeps_everything(brokers: Factory, agents: Factory) -> None:
    """What happens while the login is refused is delivered once it is granted."""
    broker = brokers(passwords={"edge": "right"})
    agent = agents(broker.port, username="edge", password=Secret("wrong"))
    agent.wait_reason("check mqtt.username")
    agent.events(100)
    assert agent.outbox.depth == 100
    broker.stop()
    broker.passwords["edge"] = "wrong"
    broker.start()
    agent.wait_empty()
    assert agent.outbox.drops == {}


def test_a_broker_that_wants_a_login(brokers: Factory, agents: Factory) -> None:
    """Who has none yet is told what to set, not to check what is not there."""
    agent = agents(brokers(passwords={"edge": "right"}).port)
    agent.wait_reason("the broker wants a login (set mqtt.username and mqtt.password)")


def test_a_state_refused_by_the_rules_is_told_and_harms_nothing(
    brokers: Factory, agents: Factory, subscribers: Factory, caplog: pytest.LogCaptureFixture
) -> None:
    """Counted, said once, and the states and events that are allowed arrive."""
    broker = brokers(passwords={"edge": "x", "all": "y"}, acl=f"{ACL}user all\ntopic read #\n")
    subscriber = subscribers(broker.port, login=("all", "y"))
    agent = agents(broker.port, username="edge", password=Secret("x"))
    for count in (1, 2, 3):
        agent.outbox.put(agent.messages.count("yard", "cat", count))
        agent.outbox.put(agent.messages.count("door", "cat", count))
        agent.wait_empty()
    agent.events(3)
    subscriber.expect("edge/dev/door/events", b"3")
    subscriber.expect("edge/dev/door/counts/cat", b"3")
    subscriber.expect("edge/dev/status", b"online")
    assert subscriber.of("edge/dev/yard/counts/cat") == []
    assert agent.outbox.drops == {"state_refused": 3}
    assert caplog.text.count("cannot publish edge/dev/yard/counts/cat: not authorised") == 1


def test_a_publish_refused_by_the_rules_over_3_1_1(
    brokers: Factory, agents: Factory, subscribers: Factory
) -> None:
    """That version cannot tell of it: it counts as delivered, and what is allowed arrives."""
    broker = brokers(passwords={"edge": "x", "all": "y"}, acl=f"{ACL}user all\ntopic read #\n")
    subscriber = subscribers(broker.port, login=("all", "y"))
    agent = agents(broker.port, protocol="3.1.1", username="edge", password=Secret("x"))
    agent.events(1)
    agent.outbox.put(Message("edge/dev/yard/events", b"x", Delivery.EVENT, qos=1))
    agent.events(1)
    agent.wait_empty()
    subscriber.expect("edge/dev/door/events", b"2")
    assert subscriber.of("edge/dev/yard/events") == []
    assert agent.outbox.drops == {}


@pytest.fixture
def old_broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[PrivateBroker]:
    """A broker that knows MQTT 3.1.1 only."""
    pytest.importorskip("amqtt", reason="amqtt is not installed")
    monkeypatch.setattr(broker_module, "find_mosquitto", lambda: None)
    private = PrivateBroker()
    private.start()
    yield private
    private.stop()


def test_a_broker_that_knows_3_1_1_only(
    old_broker: PrivateBroker, agents: Factory, subscribers: Factory
) -> None:
    """With MQTT 5 nothing comes of it, and the reason names the option; with 3.1.1 all arrives."""
    agents(old_broker.port, client={"connect_timeout": 0.5}).wait_reason("mqtt.protocol")
    subscriber = subscribers(old_broker.port, "edge/dev/#", v5=False)
    agent = agents(old_broker.port, protocol="3.1.1")
    agent.wait_connected()
    agent.outbox.put(agent.messages.count("door", "cat", 2))
    agent.events(50)
    agent.wait_empty()
    subscriber.expect("edge/dev/door/events", b"50")
    subscriber.expect("edge/dev/door/counts/cat", b"2")
    assert agent.client.stop(3.0) is True
    subscriber.expect("edge/dev/status", b"offline")


class TenMinutes(Backoff):
    """The delays of a real client, a thousand times shorter; `waited` is what they stand for, s."""

    def __init__(self) -> None:
        super().__init__()
        self.waited = 0.0
        self.longest = 0.0

    def next_delay(self) -> float:
        """The next delay in milliseconds, as if they were seconds."""
        delay = super().next_delay()
        self.waited += delay
        self.longest = max(self.longest, delay)
        return delay / 1000.0


def test_a_broker_that_is_absent_for_ten_minutes(
    brokers: Factory, agents: Factory, subscribers: Factory, caplog: pytest.LogCaptureFixture
) -> None:
    """As many tries as ten minutes take, told once; then all is there within one longest delay."""
    broker = brokers()
    broker.kill()
    backoff = TenMinutes()
    agent = agents(broker.port, client={"backoff": backoff})
    agent.outbox.put(agent.messages.count("door", "cat", 2))
    agent.events(200)
    wait_until(lambda: backoff.waited > 600.0, what=lambda: f"{backoff.waited} s")
    assert caplog.text.count("no connection to the broker") == 1
    broker.start()
    subscriber = subscribers(broker.port, session="late")
    agent.wait_empty()
    agent.events(1)
    subscriber.expect("edge/dev/door/events", b"201")
    subscriber.expect("edge/dev/door/counts/cat", b"2")
    assert agent.outbox.drops == {}
    assert agent.client.state.connects == 1
    assert backoff.longest <= 30.0
    assert backoff.failures > 20
