"""What the manifest of a configuration says, without a broker."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from edge_agent.config.schema import Config
from edge_agent.mqtt.messages import Messages
from edge_agent.runtime.privacy.hosts import Host
from edge_agent.runtime.privacy.manifest import Manifest, manifest
from edge_agent.runtime.privacy.topics import KINDS, Outgoing
from tests.support.configs import good

FULL = """\
agent: {name: dev}
mqtt: {host: broker.example, username: edge, password: "pw:Hidden1", tls: {}}
page: {address: 0.0.0.0, token: Hidden2Hidden2Hidden2, preview: true}
prometheus: {}
models: {m: {file: m.tflite}}
sources:
  yard: {type: rtsp, url: "rtsp://viewer:Hidden3@10.0.0.7/live"}
  shed: {type: http, url: "https://shed.example/mjpg", username: u, password: Hidden4}
  desk: {type: camera}
  away: {type: rtsp, url: "rtsp://unused.example/live"}
  hum: {type: audio, device: default}
pipelines:
  a:
    source: yard
    model: m
    zones: {z: {polygon: [[0, 0], [1, 0], [1, 1]]}}
    lines: {l: {from: [0, 0], to: [1, 1]}}
    privacy: {mask: [[[0, 0], [0.5, 0], [0.5, 0.5]]]}
    publish: {detections: true, snapshots: blurred}
  b: {source: shed, model: m, labels: [cat], publish: {events: false, counts: false}}
  c: {source: desk, model: m}
  r: {source: hum, anomaly: {}}
  d: {source: away, model: m, enabled: false}
composites:
  both: {all: {in-a: {pipeline: a}, in-c: {pipeline: c}}}
"""


@pytest.fixture
def full(tmp_path: Path) -> Config:
    """A configuration with everything in it."""
    return good(tmp_path, FULL)


def topics(found: Manifest, pipeline: str | None) -> dict[str, Outgoing]:
    """Topics of a pipeline by what follows its name."""
    return {
        each.topic.removeprefix(f"edge/dev/{pipeline}/"): each
        for each in found.topics
        if each.pipeline == pipeline
    }


def hosts(found: Manifest) -> dict[str, Host]:
    """Hosts by what they are."""
    return {each.role: each for each in found.hosts}


def test_every_message_is_in_it(full: Config) -> None:
    """A message that is added to `Messages` must be given a kind, and be in the manifest."""
    made = {name for name in vars(Messages) if name[0] != "_" and name != "states_of"}
    assert made | {"discovery", "retraction", "removal"} == set(KINDS)
    said = {name for each in manifest(full).topics for name in each.messages}
    assert said == set(KINDS) - {"retraction"}


def test_what_is_switched_off_is_not_in_it(full: Config) -> None:
    """Events and counts of a pipeline that publishes none; all of one that does not run."""
    found = manifest(full)
    assert set(topics(found, "b")) == {"status", "enabled/state", "threshold/state"}
    assert not topics(found, "d")
    assert set(topics(found, "both")) == {"status", "events", "counts/both"}
    assert "unused.example" not in json.dumps(found.as_values())


def test_topics_say_how_they_are_sent(full: Config) -> None:
    """Kind, retained or not, what waits, and the pixels with the masks in them."""
    found = topics(manifest(full), "a")
    events, picture = found["events"], found["snapshot"]
    assert (events.kinds, events.retained, events.kept) == (("event",), False, "all")
    assert (picture.kinds, picture.retained, picture.pixels) == (("picture",), True, "blurred")
    assert picture.masks == 1
    assert {name for name, each in found.items() if each.pixels != "no"} == {"snapshot"}
    assert found["lines/l/counts/{label}/out"].kinds == ("count",)
    assert found["zones/z/counts/{label}"].kept == "newest"


def test_hosts_say_who_can_read(full: Config) -> None:
    """Broker, network cameras in use, page, Prometheus, and the names that are looked up."""
    found = hosts(manifest(full))
    assert set(found) == {
        "broker", "source yard (rtsp)", "source shed (http)", "page", "prometheus", "name service",
    }  # fmt: skip
    broker, yard = found["broker"], found["source yard (rtsp)"]
    assert (broker.host, broker.port, broker.encrypted) == ("broker.example", 8883, True)
    assert broker.pixels == "blurred"
    assert (yard.host, yard.port, yard.encrypted) == ("10.0.0.7", 554, False)
    assert "anyone on the way" in yard.who
    assert "user name and password" in yard.holds
    assert "user name and password" in found["source shed (http)"].holds
    assert (found["page"].pixels, found["page"].who) == (
        "full", "whoever reaches the address, with the token",
    )  # fmt: skip
    assert found["prometheus"].who == "this machine"
    assert found["name service"].holds == "the names broker.example, shed.example"


_LINES = """\
agent: {name: dev}
models: {m: {file: m.tflite}}
sources:
  meter: {type: lines, tcp: "meter.example:4001"}
  radio: {type: lines, udp: "0.0.0.0:5005"}
  log: {type: text, listen: "127.0.0.1:5006"}
  scale: {type: lines, serial: /dev/ttyUSB0}
pipelines:
  a: {source: meter, model: m}
  b: {source: radio, model: m}
  c: {source: log, model: m}
  d: {source: scale, model: m}
"""


def test_sources_of_lines_are_hosts(tmp_path: Path) -> None:
    """Whom a source connects to and where it can be reached; a serial port is no host."""
    found = hosts(manifest(good(tmp_path, _LINES)))
    meter, radio = found["source meter (lines)"], found["source radio (lines)"]
    assert (meter.way, meter.host, meter.port) == ("connects", "meter.example", 4001)
    assert "nothing" in meter.holds
    assert (radio.way, radio.host, radio.port) == ("listens", "0.0.0.0", 5005)
    assert radio.who == "whoever reaches the address"
    assert found["source log (text)"].who == "this machine"
    assert found["name service"].holds == "the names meter.example"
    assert not [role for role in found if "scale" in role]


_KEY = "bP7w3SGTiqPD1nN7yGOaU5vXI2ahUiuaIxJnIIbyIAk="


@pytest.mark.parametrize(
    ("place", "role", "port", "who"),
    [
        ("url: 'https://me:Hidden5@up.example/x'", "updates", 443, "the server of updates"),
        (
            "hawkbit: {url: 'http://up.example:8080', token: Hidden5}",
            "hawkbit",
            8080,
            "the server of updates; anyone on the way",
        ),
    ],
)
def test_a_server_of_updates_is_a_host(
    tmp_path: Path, place: str, role: str, port: int, who: str
) -> None:
    """What it learns, who else can, and that its name has to be looked up."""
    found = manifest(good(tmp_path, f"updates: {{keys: [{_KEY}], {place}}}\n{_LINES}"))
    host = hosts(found)[role]
    assert (host.host, host.port, host.who) == ("up.example", port, who)
    assert "models" in host.holds
    assert "password" in host.holds or "a token" in host.holds
    assert "up.example" in hosts(found)["name service"].holds
    assert "Hidden5" not in json.dumps(found.as_values())


def test_sensors_say_whom_they_reach(tmp_path: Path) -> None:
    """Another broker, a web service and a stream of sound, each with what is sent there."""
    text = """
models: {m: {file: m.tflite}}
sources:
  hall: {type: mqtt, host: 10.0.0.8, username: u, channels: {t: {topic: t}}}
  meter: {type: http_json, url: "https://10.0.0.9/x", token: Hidden5, channels: {p: p}}
  radio: {type: audio, url: "http://10.0.0.10/live"}
  mic: {type: audio, device: default}
pipelines:
  a: {source: hall, model: m}
  b: {source: meter, model: m}
  c: {source: radio, model: m}
  d: {source: mic, model: m}
"""
    found = hosts(manifest(good(tmp_path, text)))
    assert set(found) == {
        "broker", "source hall (mqtt)", "source meter (http_json)", "source radio (audio)",
    }  # fmt: skip
    hall, meter = found["source hall (mqtt)"], found["source meter (http_json)"]
    assert (hall.host, hall.port, hall.who) == ("10.0.0.8", 1883, "the broker; anyone on the way")
    assert hall.holds == "names of topics to listen to, user name and password"
    assert (meter.port, meter.who) == (443, "the server")
    assert found["source radio (audio)"].holds == "requests for sound"


def test_no_secret_is_in_it(full: Config) -> None:
    """Neither passwords nor tokens, wherever they stand in the file."""
    text = json.dumps(manifest(full).as_values())
    assert "Hidden" not in text
    assert "viewer" not in text


def test_the_sentence_names_each_picture(full: Config) -> None:
    """What leaves the device, what only its own screen shows, and where nothing does."""
    assert manifest(full).pictures == (
        "Pictures may leave this device: edge/dev/a/snapshot (blurred, 1 area masked); "
        "the page at 0.0.0.0:8787 (full, masks applied)."
    )
    assert full.page is not None
    plain = {"a": full.pipelines["c"]}
    local = full.model_copy(
        update={"pipelines": plain, "page": replace(full.page, address="127.0.0.1")}
    )
    assert manifest(local).pictures == (
        "No picture leaves this device. Seen on this device alone: "
        "the page at 127.0.0.1:8787 (full, masks applied)."
    )
    none = full.model_copy(update={"pipelines": plain, "page": None})
    assert manifest(none).pictures == "No picture leaves this device."


@pytest.mark.parametrize("parts", ["labels: [cat]", "keep: object"])
def test_a_picture_of_which_parts_are_clear_is_told_apart(tmp_path: Path, parts: str) -> None:
    """It is no blurred one: the rest of the frame can be seen."""
    text = FULL.replace("snapshots: blurred", f"snapshots: {{mode: blurred, {parts}}}")
    found = manifest(good(tmp_path, text))
    assert topics(found, "a")["snapshot"].pixels == "partly blurred"
    assert hosts(found)["broker"].pixels == "partly blurred"


def test_without_discovery_it_is_only_taken_back(tmp_path: Path) -> None:
    """An empty message on the topic of an earlier run's announcement."""
    text = FULL.replace("tls: {}}", "tls: {}, homeassistant: {discovery: false}}")
    (found,) = [
        each for each in manifest(good(tmp_path, text)).topics if each.kinds == ("discovery",)
    ]
    assert (found.messages, found.topic) == (("retraction",), "homeassistant/device/dev/config")


def test_sparkplug_has_its_own_topics(tmp_path: Path) -> None:
    """Births, data and deaths in place of the JSON topics; pictures stay where they are."""
    pytest.importorskip("google.protobuf")
    text = FULL.replace("tls: {}}", "tls: {}, encoding: sparkplug_b}")
    found = {each.topic: each for each in manifest(good(tmp_path, text)).topics}
    kinds = {f"{verb}{end}" for verb in "ND" for end in ("BIRTH", "DEATH", "DATA")}
    assert kinds == {name.split("/")[2] for name in found if name.startswith("spBv1.0/")}
    assert "event" in found["spBv1.0/edge/DDATA/dev/a"].kinds
    assert found["edge/dev/a/snapshot"].pixels == "blurred"
    assert "edge/dev/a/events" not in found


def test_clips_that_are_kept_are_named(tmp_path: Path) -> None:
    """Where they lie, how much is masked and how long they stay; the pictures that leave do not."""
    text = FULL.replace("  b: {", "  b: {record: {max_bytes: 64MiB, max_age: 1d}, ")
    text = text.replace("agent: {name: dev}", "agent: {name: dev, state_dir: /var/lib/x}")
    found = manifest(good(tmp_path, text))
    (kept,) = found.kept
    assert str(kept) == (
        "b: clips of events are kept on this device, in /var/lib/x/dev.b.clips "
        "(full, nothing masked, at most 64 MiB and 1 d); nothing sends them."
    )
    assert found.pictures == manifest(good(tmp_path, FULL)).pictures
    assert found.as_values()["kept"][0]["folder"] == "/var/lib/x/dev.b.clips"
