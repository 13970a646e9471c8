"""TLS with certificates made for the test."""

from __future__ import annotations

import shutil
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.mqtt.broker import HOST
from edge_agent.mqtt.options import TlsOptions
from tests.mqtt.conftest import Factory
from tests.support.broker import Mosquitto, wait_until
from tests.support.certificates import authority, certificate, is_expired, openssl


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with two authorities, servers of all sorts and two clients."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed: sudo apt install openssl")
    folder = tmp_path_factory.mktemp("pki")
    authority(folder, "ca")
    authority(folder, "other")
    certificate(folder, "server", "DNS:localhost,IP:127.0.0.1")
    certificate(folder, "expired", "DNS:localhost,IP:127.0.0.1", days=0)
    wait_until(lambda: is_expired(folder / "expired.crt"))
    certificate(folder, "elsewhere", "DNS:broker.example")
    certificate(folder, "edge", "DNS:edge")
    certificate(folder, "stranger", "DNS:edge", ca="other")
    return folder


def serve(
    brokers: Factory,
    pki: Path,
    name: str = "server",
    ask: bool = False,
) -> Mosquitto:
    """A TLS broker with one of the certificates; `ask` demands one of the client."""
    files = (f"cafile {pki}/ca.crt", f"certfile {pki}/{name}.crt", f"keyfile {pki}/{name}.key")
    wanted = ("require_certificate true",) if ask else ()
    broker: Mosquitto = brokers(tls=(*files, *wanted))
    return broker


def tls(pki: Path, ca: str = "ca", client: str = "") -> TlsOptions:
    """Options of a client that trusts `ca` and shows the certificate of `client`."""
    if not client:
        return TlsOptions(ca_file=f"{pki}/{ca}.crt")
    return TlsOptions(f"{pki}/{ca}.crt", f"{pki}/{client}.crt", f"{pki}/{client}.key")


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_messages_pass_encrypted(
    brokers: Factory, agents: Factory, pki: Path, protocol: str
) -> None:
    """With the right authority everything is acknowledged, also a backlog."""
    agent = agents(serve(brokers, pki).port, tls=tls(pki), protocol=protocol)
    agent.events(500)
    agent.wait_empty()
    assert agent.client.stop(3.0) is True


def test_a_client_certificate_is_shown(brokers: Factory, agents: Factory, pki: Path) -> None:
    """A broker that asks for one gets it."""
    agent = agents(serve(brokers, pki, ask=True).port, tls=tls(pki, client="edge"))
    agent.events(1)
    agent.wait_empty()


def test_the_name_in_the_certificate_may_be_set(
    brokers: Factory, agents: Factory, pki: Path
) -> None:
    """A broker dialled by its address is trusted under the name that its certificate has."""
    options = replace(tls(pki), server_name="broker.example")
    agent = agents(serve(brokers, pki, "elsewhere").port, tls=options)
    agent.wait_connected()
    agent = agents(serve(brokers, pki).port, tls=options)
    agent.wait_reason("is not for 'broker.example'")


def test_the_oldest_version_of_tls_may_be_set(agents: Factory, pki: Path) -> None:
    """A broker that speaks no more than TLS 1.2 is refused where 1.3 is the least."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki / "server.crt", pki / "server.key")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with socket.create_server((HOST, 0)) as old, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(lambda: context.wrap_socket(old.accept()[0], server_side=True))
        strict = agents(old.getsockname()[1], tls=replace(tls(pki), min_version="tlsv1.3"))
        strict.wait_reason("the broker speaks no version of TLS that mqtt.tls.min_version allows")
        assert isinstance(answer.exception(), ssl.SSLError)


@pytest.mark.parametrize(
    ("server", "options", "reason"),
    [
        ("server", {"ca": "other"}, "not trusted"),
        ("expired", {}, "has expired"),
        ("elsewhere", {}, "is not for '127.0.0.1'"),
    ],
)
def test_a_broker_that_cannot_be_trusted_is_refused(
    brokers: Factory, agents: Factory, pki: Path, server: str, options: dict[str, str], reason: str
) -> None:
    """Wrong authority, expired, other name: each says which."""
    agent = agents(serve(brokers, pki, server).port, tls=tls(pki, **options))
    agent.wait_reason(reason)


@pytest.mark.parametrize(
    ("client", "reason"), [("", "wants a client certificate"), ("stranger", "does not trust our")]
)
def test_a_broker_that_does_not_trust_us_is_understood(
    brokers: Factory, agents: Factory, pki: Path, client: str, reason: str
) -> None:
    """No client certificate, or one of a stranger."""
    agent = agents(serve(brokers, pki, ask=True).port, tls=tls(pki, client=client))
    agent.wait_reason(reason)


def test_insecure_connects_and_warns(
    brokers: Factory, agents: Factory, pki: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """An explicit wish to trust anyone is granted, loudly."""
    agent = agents(serve(brokers, pki, "expired").port, tls=TlsOptions(insecure=True))
    agent.wait_connected()
    assert "mqtt.tls.insecure is set" in caplog.text


def test_the_systems_authorities_do_not_know_ours(
    brokers: Factory, agents: Factory, pki: Path
) -> None:
    """`tls: {}` checks against the system."""
    agent = agents(serve(brokers, pki).port, tls=TlsOptions())
    agent.wait_reason("set mqtt.tls.ca_file")


def test_a_port_without_tls_is_named(broker: Mosquitto, agents: Factory, pki: Path) -> None:
    """TLS to a plain port cannot work, and the other way round neither."""
    agent = agents(broker.port, tls=tls(pki))
    agent.wait_reason("TLS")


def test_a_plain_client_at_a_tls_port_is_named(
    brokers: Factory, agents: Factory, pki: Path
) -> None:
    """The broker hangs up; the text points to the port."""
    agent = agents(serve(brokers, pki).port)
    agent.wait_reason("check mqtt.port")


def test_a_listener_that_stops_within_the_handshake_is_left(agents: Factory, pki: Path) -> None:
    """The TLS handshake has a limit too."""
    with socket.create_server((HOST, 0)) as silent:
        port = silent.getsockname()[1]
        agent = agents(port, tls=tls(pki), client={"connect_timeout": 0.2})
        agent.wait_reason("no answer")


def test_bad_files_are_named(agents: Factory, pki: Path, tmp_path: Path) -> None:
    """Missing, garbled and encrypted files each give their option's name."""
    garbled = tmp_path / "garbled.pem"
    garbled.write_text("not a certificate")
    key = ["-aes256", "-passout", "pass:secret", "-in", "edge.key"]
    openssl(pki, "ec", *key, "-out", str(tmp_path / "locked.key"))
    cases = {
        "mqtt.tls.ca_file /nowhere is not there": TlsOptions(ca_file="/nowhere"),
        f"mqtt.tls.ca_file {tmp_path} cannot be read: Is a directory": TlsOptions(str(tmp_path)),
        "holds no certificates": TlsOptions(ca_file=str(garbled)),
        "cert_file": TlsOptions(cert_file=str(garbled)),
        "and its key cannot be used": TlsOptions(
            cert_file=f"{pki}/edge.crt", key_file=str(tmp_path / "locked.key")
        ),
    }
    for reason, options in cases.items():
        agents(1, tls=options).wait_reason(reason)
