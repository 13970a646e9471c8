"""The hosts of a configuration: who is connected to, and who may connect."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from edge_agent.config.by_name import SourceConfig, with_parts
from edge_agent.config.schema import Config, PrometheusConfig
from edge_agent.modelstore.address import origin_of
from edge_agent.modelstore.options import UpdatesOptions
from edge_agent.mqtt.options import MqttOptions
from edge_agent.page.options import PageOptions, is_own
from edge_agent.runtime.privacy.topics import Pixels
from edge_agent.sources import SOURCES
from edge_agent.sources.address import Contact
from edge_agent.sources.endpoint import Endpoint

_LOGIN = "user name and password"
# What a source sends there, and who that is.
_TALK = {
    "audio": ("requests for sound", "the server of the stream"),
    "http_json": ("requests for numbers", "the server"),
    "mqtt": ("names of topics to listen to", "the broker"),
    "lines": ("nothing: it only listens to what is sent there", "the sender"),
    "text": ("nothing: it only listens to what is sent there", "the sender"),
}
_CAMERA = ("requests for pictures", "the camera")


@dataclass(frozen=True, slots=True)
class Host:
    """A host that is connected to, or an address that is listened on.

    `port` is None where only the system or a plug-in knows it. `who` can read what goes there.
    """

    role: str
    way: Literal["connects", "listens"]
    host: str
    port: int | None
    encrypted: bool
    pixels: Pixels
    who: str
    holds: str


def hosts(config: Config, has_pictures: Pixels) -> tuple[Host, ...]:
    """All hosts of what runs; `has_pictures` is what the topics carry of pixels."""
    names = dict.fromkeys(item.source for item in config.running.values())
    used = with_parts({name: config.sources[name] for name in names})
    return (
        _broker(config.mqtt, has_pictures),
        *(each for name, source in used.items() for each in _source(name, source)),
        *(() if config.page is None else (_page(config.page),)),
        *(() if config.prometheus is None else (_prometheus(config.prometheus),)),
        *_updates(config),
        *_names(config, used),
    )


def _broker(options: MqttOptions, pixels: Pixels) -> Host:
    host, port = options.address
    sent = ["the topics below", *([_LOGIN] if options.username is not None else [])]
    if options.tls is not None and options.tls.cert_file:
        sent.append("a certificate of this device")
    who = "the broker, and whoever it lets read"
    if options.tls is None:
        who += "; anyone on the way"
    elif options.tls.insecure:
        who += "; anyone who poses as the broker (mqtt.tls.insecure)"
    encrypted = options.tls is not None
    return Host("broker", "connects", host, port, encrypted, pixels, who, ", ".join(sent))


def _source(name: str, source: SourceConfig) -> Iterator[Host]:
    contact: Contact | None = getattr(source.options, "contact", None)
    listens: Endpoint | None = getattr(source.options, "listens", None)
    role = f"source {name} ({source.type})"
    if listens is not None:
        holds = "nothing: it only takes what others send"
        who = _readers(listens.host)
        yield Host(role, "listens", listens.host, listens.port, False, "no", who, holds)
    if contact is not None:
        sent, who = _TALK.get(source.type, _CAMERA)
        sent += f", {_LOGIN}" if contact.login else ""
        who += "" if contact.encrypted else "; anyone on the way"
        yield Host(role, "connects", contact.host, contact.port, contact.encrypted, "no", who, sent)
    elif listens is None and not SOURCES.is_builtin(source.type):
        holds = "whatever this plug-in sends: ask its maker"
        yield Host(role, "connects", "unknown", None, False, "no", "unknown", holds)


def _updates(config: Config) -> Iterator[Host]:
    options = config.updates
    contact = contact_of(options)
    if contact is None:
        return
    held = ["which models this device has and looks for"]
    if options.hawkbit is not None:
        held = ["the device's name, its version and models, and what became of updates"]
        held += ["a token"] * contact.login
    elif contact.login:
        held.append(_LOGIN)
    who = "the server of updates" + ("" if contact.encrypted else "; anyone on the way")
    role = "updates" if options.hawkbit is None else "hawkbit"
    yield Host(
        role, "connects", contact.host, contact.port, contact.encrypted, "no", who, ", ".join(held)
    )


def contact_of(options: UpdatesOptions) -> Contact | None:
    """Whom updates come from; None where they come from nowhere."""
    if options.server is None:
        return None
    scheme, host, port = origin_of(options.server)
    tokens = options.hawkbit and (options.hawkbit.token or options.hawkbit.gateway_token)
    login = bool(tokens) or "@" in options.server
    return Contact(host, port, scheme == "https", login)


def _page(options: PageOptions) -> Host:
    who = _readers(options.address) + (", with the token" if options.token else "")
    holds = "health, events, log, zones" + (", what the cameras see" if options.preview else "")
    pixels: Pixels = "full" if options.preview else "no"
    return Host("page", "listens", options.address, options.port, False, pixels, who, holds)


def _prometheus(options: PrometheusConfig) -> Host:
    holds = "rates, latencies, queue, temperature, memory"
    who = _readers(options.address)
    return Host("prometheus", "listens", options.address, options.port, False, "no", who, holds)


def _readers(address: str) -> str:
    return "this machine" if is_own(address) else "whoever reaches the address"


def _names(config: Config, used: Mapping[str, SourceConfig]) -> Iterator[Host]:
    """Names have to be looked up before one can connect."""
    contacts = [getattr(source.options, "contact", None) for source in used.values()]
    contacts.append(contact_of(config.updates))
    wanted = [config.mqtt.host, *(contact.host for contact in contacts if contact is not None)]
    names = [
        host for host in dict.fromkeys(wanted) if host != "localhost" and not _is_address(host)
    ]
    if names:
        holds = f"the names {', '.join(names)}"
        who = "it, and anyone on the way"
        yield Host("name service", "connects", "the name server", None, False, "no", who, holds)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
