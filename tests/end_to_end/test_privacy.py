"""What leaves a running agent is what `edge-agent doctor --privacy` says, and nothing else."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from paho.mqtt.client import MQTTMessage

from edge_agent.config.load import load_or_raise
from edge_agent.mqtt.broker import free_port
from edge_agent.runtime.privacy.manifest import Manifest, manifest
from edge_agent.runtime.privacy.topics import ANYWHERE, Kind, Outgoing
from tests.support.agent import BASE, AgentProcess, belt_config, wait_for_events
from tests.support.broker import Mosquitto, Subscriber, wait_until
from tests.support.commander import Commander
from tests.support.mjpeg_server import MjpegServer
from tests.support.rtsp_server import RtspServer

_OWN = {f"{BASE}/cmd/ping", f"{BASE}/cmd/snapshot", f"{BASE}/cmd/nonsense", f"{BASE}/cmd/reload"}
_OWN |= {f"{BASE}/belt/threshold/set", f"{BASE}/cmd/inspect", "homeassistant/status"}
# JPEG and PNG, as they are and in base64.
_PICTURES = (b"\xff\xd8\xff", b"\x89PNG\r\n", b"/9j/", b"iVBORw0KGgo")
_TEXT: dict[Kind, bytes] = {
    "state": rb"online|offline|ON|OFF|[\d.]+",
    "count": rb"\d+",
    "picture": rb"(?s)\xff\xd8\xff.*\xff\xd9",
    "removal": rb"0?",
}
_ADDRESS = re.compile(
    r'(connect|bind|sendto|sendmsg|sendmmsg)\(.*?sin6?_port=htons\((\d+)\).*?"([0-9a-fA-F.:]+)"'
)


def pattern(topic: str) -> str:
    """What a topic of the manifest stands for, as a regular expression."""
    if topic == ANYWHERE:
        return rf"(?!{BASE}/|homeassistant/).+"
    levels = topic.split("/")
    return "/".join(
        ".+" if each == "#" else "[^/]+" if each[0] in "+{" else re.escape(each) for each in levels
    )


def is_of_kind(kind: Kind, payload: bytes) -> bool:
    """Whether a payload looks like one of its kind."""
    if kind in _TEXT:
        return re.fullmatch(_TEXT[kind], payload) is not None
    values = json.loads(payload)
    if kind == "discovery":
        return "components" in values
    return bool(values["schema"] == f"edge-agent/{kind}/1")


def row_of(found: Manifest, message: MQTTMessage) -> Outgoing | None:
    """The row of the manifest that a message belongs to, None for one that nobody announced."""
    payload = bytes(message.payload)
    for row in found.topics:
        if re.fullmatch(pattern(row.topic), message.topic):
            has_pixels = any(mark in payload for mark in _PICTURES)
            is_gone = not payload and row.retained
            if is_gone or (
                is_of_kind(row.kinds[0], payload) and has_pixels <= (row.pixels != "no")
            ):
                return row
    return None


def strangers(messages: Sequence[MQTTMessage], *allowed: Manifest) -> list[str]:
    """What the agent sent and none of the manifests announces."""
    return [
        f"{each.topic}: {bytes(each.payload[:80])!r}"
        for each in messages
        if each.topic not in _OWN and not any(row_of(found, each) for found in allowed)
    ]


@pytest.fixture
def cameras() -> Iterator[tuple[MjpegServer, RtspServer]]:
    """Two network cameras."""
    with MjpegServer(fps=20.0) as http, RtspServer(fps=20.0) as rtsp:
        yield http, rtsp


def everything(port: int, http: MjpegServer, rtsp: RtspServer) -> dict[str, Any]:
    """A configuration with all that may send."""
    shapes: dict[str, Any] = {
        "zones": {"left": {"polygon": [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]}},
        "lines": {"middle": {"from": [0.5, 0], "to": [0.5, 1]}},
    }
    publish = {"detections": True, "snapshots": "full"}
    config = belt_config(port, pace="loop", publish=publish, **shapes)
    config["page"] = {"port": free_port(), "preview": True}
    config["sources"] |= {
        "shed": {"type": "http", "url": http.url("/mjpeg")},
        "yard": {"type": "rtsp", "url": rtsp.url},
    }
    config["pipelines"] |= {
        "shed": {"source": "shed", "model": "parts", "publish": {"counts": False}},
        "yard": {"source": "yard", "model": "parts", "publish": {"snapshots": "blurred"}},
    }
    config["composites"] = {"busy": {"all": {"part": {"pipeline": "belt"}}}}
    return config


def told_by(agent: AgentProcess) -> Manifest:
    """The manifest of the agent's file as it is now."""
    return manifest(load_or_raise(agent.file))


def test_what_a_subscriber_sees_is_in_the_manifest(
    tmp_path: Path,
    broker: Mosquitto,
    subscriber: Subscriber,
    cameras: tuple[MjpegServer, RtspServer],
) -> None:
    """Each topic with its kind, pixels only where it says so: commands, birth, reload and end."""
    ask, messages = Commander(subscriber), subscriber.messages
    with AgentProcess(tmp_path, everything(broker.port, *cameras)) as agent:
        first = told_by(agent)
        wait_for_events(subscriber, 5)
        subscriber.paho.publish("homeassistant/status", "online", 1)
        subscriber.paho.publish(f"{BASE}/cmd/ping", b"", 1)
        assert not ask("cmd/nonsense")["ok"]
        assert ask("cmd/inspect")["ok"]
        assert ask("belt/threshold/set", "0.4")["ok"]
        subscriber.expect(f"{BASE}/yard/status", b"online", 20.0)
        assert "yard" in ask("cmd/snapshot")["result"]["pipelines"]
        wait_until(lambda: subscriber.of(f"{BASE}/yard/snapshot"), 20.0)
        asked = len(messages)
        config = yaml.safe_load(agent.file.read_text())
        del config["pipelines"]["shed"]
        config["pipelines"]["belt"]["publish"] = {"events": False, "snapshots": "off"}
        agent.file.write_text(yaml.safe_dump(config))
        second = told_by(agent)
        assert ask("cmd/reload")["result"] == {"changed": True}
        subscriber.expect(f"{BASE}/shed/status", b"")
        settled = len(messages)
        wait_until(lambda: len(messages) > settled + 20, 20.0)
        assert agent.terminate() == 0
        subscriber.expect(f"{BASE}/status", b"offline")
    assert strangers(messages[:asked], first) == []
    assert strangers(messages[asked:settled], first, second) == []
    assert strangers(messages[settled:], second) == []
    seen = {row.topic for each in messages[:asked] if (row := row_of(first, each))}
    # The cameras show nothing that the model knows, and no other takes its place.
    never = [
        row
        for row in first.topics
        if row.topic not in seen and row.pipeline in (None, "belt", "busy")
    ]
    assert {row.kinds for row in never} == {("removal",), ("model",)}


def test_a_picture_that_shows_more_than_is_allowed_now_is_taken_back(
    tmp_path: Path, broker: Mosquitto, subscriber: Subscriber
) -> None:
    """After a reload that blurs, and when the agent comes back; later ones are blurred."""
    topic = f"{BASE}/belt/snapshot"
    config = belt_config(broker.port, pace="loop", publish={"snapshots": "full"})
    with AgentProcess(tmp_path, config) as agent:
        wait_until(lambda: subscriber.of(topic), 30.0)
        blurred = {"mode": "blurred", "boxes": False, "quality": 95}
        config["pipelines"]["belt"]["publish"] = {"snapshots": blurred}
        agent.file.write_text(yaml.safe_dump(config))
        agent.signal(signal.SIGHUP)
        wait_until(lambda: b"" in subscriber.of(topic), 20.0)
        wait_until(lambda: subscriber.of(topic)[-1], 20.0)
        agent.kill()
        taken = subscriber.of(topic)
        agent.start()
        wait_until(lambda: b"" in subscriber.of(topic)[len(taken) :], 30.0)
    for jpeg in filter(None, subscriber.of(topic)[taken.index(b"") :]):
        image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert image is not None
        edges = (abs(np.diff(image.astype(int), axis=1)).max(axis=2) > 24).any(axis=0)
        assert edges.sum() <= 12 * 3  # those of the blocks, each a few pixels wide


def test_what_the_kernel_sees_is_in_the_manifest(
    tmp_path: Path,
    broker: Mosquitto,
    subscriber: Subscriber,
    cameras: tuple[MjpegServer, RtspServer],
) -> None:
    """Each address that any thread or child of the agent connects, sends or binds to."""
    traced = tmp_path / "calls"
    strace = [
        "strace", "-D", "-f", "-qq", "-s", "0", "-e", "signal=none", "-o", str(traced),
        "-e", "trace=connect,bind,sendto,sendmsg,sendmmsg",
    ]  # fmt: skip
    if shutil.which("strace") is None or subprocess.run([*strace, "true"], check=False).returncode:
        pytest.skip("strace is missing or may not trace: sudo apt install strace")
    config = everything(broker.port, *cameras)
    with AgentProcess(tmp_path, config, strace) as agent:
        wait_for_events(subscriber, 3)
        subscriber.expect(f"{BASE}/yard/status", b"online", 20.0)
        subscriber.expect(f"{BASE}/shed/status", b"online", 20.0)
        page = f"http://127.0.0.1:{config['page']['port']}/"
        with urllib.request.urlopen(page, timeout=10) as answer:
            assert answer.status == 200
        assert agent.terminate(20.0) == 0
    found = set()
    for call, port, address in _ADDRESS.findall(traced.read_text()):
        if call != "bind" or port != "0":  # paho binds its own end of a connection to no port
            found.add(("listens" if call == "bind" else "connects", address, int(port)))
    expected = {(each.way, each.host, each.port) for each in told_by(agent).hosts}
    assert found == expected
