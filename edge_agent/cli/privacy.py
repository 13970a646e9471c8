"""`edge-agent doctor --privacy`: the manifest as tables, or as JSON."""

from __future__ import annotations

from edge_agent.cli.output import print_json, table
from edge_agent.runtime.privacy.hosts import Host
from edge_agent.runtime.privacy.manifest import Manifest, masked
from edge_agent.runtime.privacy.topics import Outgoing

_HOSTS = ("host", "who it is", "TLS", "pixels", "what goes there", "who can read it")
_TOPICS = ("topic", "kind", "retained", "waits", "pixels", "what it holds")


def print_manifest(manifest: Manifest, as_json: bool) -> None:
    """Print what may leave: hosts, topics, and a sentence about pictures."""
    if as_json:
        print_json(manifest.as_values())
        return
    print(table(_HOSTS, [_host(each) for each in manifest.hosts]))
    print()
    print(table(_TOPICS, [_topic(each) for each in manifest.topics]))
    print()
    for pipeline, areas in manifest.masks.items():
        print(f"{pipeline}: {masked(areas)} before anything else sees a frame.")
    print(manifest.pictures)
    for kept in manifest.kept:
        print(kept)


def _host(host: Host) -> tuple[str, ...]:
    where = host.host if host.port is None else f"{host.host}:{host.port}"
    way = "to" if host.way == "connects" else "at"
    tls = "yes" if host.encrypted else "no"
    return (f"{way} {where}", host.role, tls, host.pixels, host.holds, host.who)


def _topic(topic: Outgoing) -> tuple[str, ...]:
    pixels = topic.pixels
    shown = pixels if pixels == "no" else f"{pixels}, {masked(topic.masks)}"
    retained = "yes" if topic.retained else "no"
    return (topic.topic, ", ".join(topic.kinds), retained, topic.kept, shown, topic.holds)
