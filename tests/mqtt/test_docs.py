"""docs/mqtt.md: its table is what is published, and its recipes print what it says they print."""

from __future__ import annotations

import inspect
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge_agent.client import SequenceTracker, decode_event
from edge_agent.event import ClockStamp
from edge_agent.message import Message
from edge_agent.mqtt.client import MqttClient
from edge_agent.mqtt.messages import Messages
from edge_agent.mqtt.options import MqttOptions
from edge_agent.mqtt.payloads import as_replayed
from edge_agent.mqtt.topics import Topics
from edge_agent.options import Secret
from edge_agent.outbox.memory import MemoryOutbox
from edge_agent.result import Reading
from tests.mqtt.conftest import Factory
from tests.support.agent import ROOT, AgentProcess, belt_config
from tests.support.broker import Mosquitto, wait_until
from tests.support.samples import FRAME, HEALTH, INFO, STEP, event

DOCS = ROOT / "docs"
TEXT = (DOCS / "mqtt.md").read_text("utf-8")
FLOWS: list[dict[str, Any]] = json.loads((DOCS / "recipes" / "node-red.json").read_text("utf-8"))
RECIPES = re.findall(r"```(sh|python)\n(.*?)```\n\n```text\n(.*?)```", TEXT, re.DOTALL)

TOPICS = Topics("edge", "{device}")
MESSAGES = Messages(TOPICS, "boot-1", event_expiry=604800)
PUBLISHED = {
    "status": MESSAGES.status(True),
    "pipeline_status": MESSAGES.pipeline_status("{pipeline}", True),
    "info": MESSAGES.info(INFO),
    "health": MESSAGES.health(HEALTH),
    "event": MESSAGES.event(event(pipeline="{pipeline}"), 1),
    "detections": MESSAGES.detections(FRAME),
    "count": MESSAGES.count("{pipeline}", "{label}", 1),
    "zone_count": MESSAGES.zone_count("{pipeline}", "{zone}", "{label}", 1),
    "line_count": MESSAGES.line_count("{pipeline}", "{line}", "{label}", "in", 1),
    "enabled": MESSAGES.enabled("{pipeline}", True),
    "threshold": MESSAGES.threshold("{pipeline}", 0.5),
    "snapshot": MESSAGES.snapshot("{pipeline}", b""),
    "reading": MESSAGES.reading("{pipeline}", Reading(0.0, 0.0, "normal"), 0.0),
    "model_step": MESSAGES.model_step(STEP),
    "answer": MESSAGES.answer(TOPICS.response("{name}"), b"", "ping"),
}


NO_TOPICS = {"base", "pipeline", "prefix", "device", "command_filters"}


def rows() -> dict[str, list[str]]:
    """The topic table: the other cells of each topic."""
    (section,) = re.findall(r"^## Topics$(.*?)^## ", TEXT, re.MULTILINE | re.DOTALL)
    table = re.findall(r"^\| `(P/.*?)` \| (.*) \|$", section, re.MULTILINE)
    return {topic: cells.split(" | ") for topic, cells in table}


def documented(topic: str) -> str:
    """A topic as the table writes it."""
    return topic.replace(TOPICS.base, "P").replace("/door/", "/{pipeline}/")


@pytest.mark.parametrize(
    "name", [name for name in vars(Messages) if name[0] != "_" and name != "states_of"]
)
def test_each_message_is_in_the_topic_table(name: str) -> None:
    """With its retain flag, its QoS and its expiry."""
    message = PUBLISHED[name]
    retained, qos, expires, payload = rows()[documented(message.topic)]
    assert retained == ("yes" if message.retain else "no")
    assert qos == str(message.qos)
    expected = {None: "-", 604800: "`outbox.max_age`"}
    assert expires == expected.get(message.expiry, f"{message.expiry} s")
    schema = dict(message.properties).get("schema")
    assert (schema is None) or f"`{schema}`" in payload


def test_each_topic_is_in_the_topic_table() -> None:
    """Whatever `Topics` can make stands there, and nothing else does."""
    made = set()
    for name, member in inspect.getmembers(Topics):
        if name[0] == "_" or name in NO_TOPICS:
            continue
        if isinstance(member, property):
            made.add(getattr(TOPICS, name))
            continue
        words = [f"{{{word}}}" for word in inspect.signature(member).parameters if word != "self"]
        for way in ("in", "out"):
            made.add(getattr(TOPICS, name)(*[way if w == "{direction}" else w for w in words]))
    assert {documented(topic) for topic in made} == set(rows())


class Story:
    """The messages of which the recipes tell, from a real client with an outbox."""

    def __init__(self, broker: Mosquitto) -> None:
        self._broker = broker
        topics = Topics("edge", "front-door")
        self._messages = Messages(topics, "boot-1")
        self._outbox = MemoryOutbox()
        options = MqttOptions("127.0.0.1", broker.port)
        pipelines = ("door", "yard")
        self.client = MqttClient(options, topics, self._outbox, pipelines=pipelines)
        self.client.start()
        wait_until(lambda: self.subscriptions == 1)

    @property
    def subscriptions(self) -> int:
        """How many the broker has granted; the first is the agent's own."""
        return self._broker.log.count("Sending SUBACK")

    def _event(self, seq: int, type_: Any, label: str) -> Message:
        clock = ClockStamp("b", seq, True)
        made = event(device="front-door", type=type_, label=label, clock=clock)
        return self._messages.event(made, seq)

    def tell(self) -> None:
        """Publish them one after the other."""
        messages = self._messages
        for message in (
            messages.pipeline_status("door", True),
            messages.pipeline_status("yard", False),
            messages.info(INFO),
            self._event(1, "new", "person"),
            messages.count("door", "person", 1),
            self._event(2, "update", "person"),
            self._event(2, "update", "person"),
            self._event(5, "new", "car"),
            messages.count("door", "car", 1),
            replace(held := self._event(6, "end", "person"), payload=as_replayed(held.payload)),
            messages.count("door", "person", 0),
        ):
            self._outbox.put(message)
            wait_until(lambda: self._outbox.depth == 0)
        self._outbox.put(messages.health(replace(HEALTH, device="front-door")))


@pytest.fixture
def story(broker: Mosquitto) -> Iterator[Story]:
    """The story, ready to be told."""
    story = Story(broker)
    yield story
    story.client.stop(1.0)


class Recipe:
    """A recipe as a reader runs it; `printed` is what came so far."""

    def __init__(self, kind: str, code: str, port: int, folder: Path) -> None:
        self._out = folder / "printed"
        if kind == "sh":
            for program in ("mosquitto_sub", "jq"):
                if shutil.which(program) is None:
                    pytest.skip(f"{program} is missing: sudo apt install mosquitto-clients jq")
            code = code.replace("-h broker.local", f"-h 127.0.0.1 -p {port}")
            command = ["bash", "-c", f"{{\n{code}}} 2>complaints"]
        else:
            code = code.replace('connect("broker.local"', f'connect("127.0.0.1", {port}')
            options = f'__import__("edge_agent.client").client.MqttOptions("127.0.0.1", {port})'
            command = [sys.executable, "-u", "-c", code.replace('"broker.local"', options)]
        assert "broker.local" not in command[-1]
        with self._out.open("wb") as out:
            self.process = subprocess.Popen(
                command,
                stdout=out,
                stderr=out,
                cwd=folder,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                start_new_session=True,
            )

    @property
    def printed(self) -> str:
        """What it printed so far; of Python also what it logged."""
        return self._out.read_text("utf-8")

    def end(self) -> None:
        """Kill it with all its parts."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def test_there_are_recipes() -> None:
    """The page was understood."""
    assert [kind for kind, _, _ in RECIPES].count("sh") == 10
    assert [kind for kind, _, _ in RECIPES].count("python") == 2
    assert len(re.findall(r"```(?:sh|python)\n", TEXT)) == len(RECIPES)


@pytest.mark.parametrize(("kind", "code", "expected"), RECIPES, ids=range(len(RECIPES)))
def test_a_recipe_prints_what_the_page_says(
    broker: Mosquitto, story: Story, tmp_path: Path, kind: str, code: str, expected: str
) -> None:
    """Run as it stands there, with another broker, while the story is told or after it."""
    ends = "-W 1" in code
    if ends:
        story.tell()
    before = story.subscriptions
    recipe = Recipe(kind, code, broker.port, tmp_path)
    try:
        wait_until(lambda: story.subscriptions > before, what=lambda: recipe.printed)
        if not ends:
            story.tell()
        wait_until(lambda: recipe.printed == expected, what=lambda: recipe.printed)
        time.sleep(0.05)
        assert recipe.printed == expected
    finally:
        recipe.end()


def test_the_rights_are_enough(
    brokers: Factory, agents: Factory, subscribers: Factory, caplog: pytest.LogCaptureFixture
) -> None:
    """With the access rules of the page nothing is refused, stuck states are healed."""
    (rules,) = re.findall(r"```\n(user front-door\n.*?)```", TEXT, re.DOTALL)
    acl = rules.replace("front-door", "dev") + "user maker\ntopic readwrite #\n"
    broker = brokers(passwords={"dev": "a", "reader": "b", "maker": "c"}, acl=acl)
    maker = subscribers(broker.port, "none", login=("maker", "c"))
    maker.paho.publish("edge/dev/door/counts/cat", b"2", 1, retain=True).wait_for_publish(5)
    reader = subscribers(broker.port, "edge/#", login=("reader", "b"))
    login = {"username": "dev", "password": Secret("a"), "client": {"pipelines": ["door"]}}
    agent = agents(broker.port, **login)
    for message in (MESSAGES.info(INFO), MESSAGES.health(HEALTH)):
        agent.outbox.put(replace(message, topic=message.topic.replace("{device}", "dev")))
    agent.events(2)
    agent.wait_empty()
    reader.expect("edge/dev/door/events", b"2")
    reader.expect("edge/dev/door/counts/cat", b"0")
    assert agent.outbox.drops.keys() <= {"telemetry_offline"}
    assert "refuse" not in caplog.text
    assert "cannot publish" not in caplog.text


def test_the_rights_are_enough_for_a_whole_agent(
    brokers: Factory, tmp_path: Path, subscribers: Factory
) -> None:
    """Home Assistant and commands included: nothing is refused."""
    (rules,) = re.findall(r"```\n(user front-door\n.*?)```", TEXT, re.DOTALL)
    acl = rules.replace("front-door", "dev") + "user all\ntopic readwrite #\n"
    broker = brokers(passwords={"dev": "a", "all": "b"}, acl=acl)
    everything = subscribers(broker.port, login=("all", "b"))
    config = belt_config(broker.port)
    config["mqtt"] |= {"username": "dev", "password": "a", "homeassistant": {"discovery": True}}
    with AgentProcess(tmp_path, config) as agent:
        assert agent.wait() == 0
    everything.expect("edge/dev/status", b"offline")
    assert everything.of("homeassistant/device/dev/config")
    health = json.loads(everything.of("edge/dev/health")[-1])
    assert health["mqtt"]["refused"] == []
    assert "cannot" not in agent.said


def test_the_flows_hang_together() -> None:
    """Every wire leads to a node, every node to the tab and the broker; no password is in them."""
    ids = [node["id"] for node in FLOWS]
    assert len(set(ids)) == len(ids)
    assert {end for node in FLOWS for wires in node.get("wires", []) for end in wires} <= set(ids)
    assert {node["z"] for node in FLOWS if "z" in node} == {"edge-agent"}
    assert {node["broker"] for node in FLOWS if node["type"] == "mqtt in"} == {"edge-agent-broker"}
    assert "credentials" not in json.dumps(FLOWS)


_HARNESS = """
const store = {};
const context = { get: key => store[key], set: (key, value) => { store[key] = value; } };
const once = new Function("msg", "context", process.argv[1]);
for (const payload of JSON.parse(process.argv[2])) {
    const out = once({ payload }, context);
    console.log(JSON.stringify(out && [out[0].payload.seq, out[1] && out[1].payload]));
}
"""


def test_the_function_of_node_red_judges_as_the_python_client(tmp_path: Path) -> None:
    """Repeats, gaps, a reboot and a device that lost its state, in JavaScript."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is missing: sudo apt install nodejs")
    story = [(1, "a", 10), (2, "a", 20), (1, "a", 10), (2, "a", 20), (5, "a", 30), (6, "b", 1)]
    story += [(5, "a", 30), (7, "b", 2), (1, "b", 9), (2, "b", 10), (2, "b", 10), (3, "c", 1)]
    events = [event_json(seq, boot, at) for seq, boot, at in story]
    (code,) = [each["func"] for each in FLOWS if each.get("name") == "once, gaps told"]
    words = [node, "-e", _HARNESS, code, json.dumps(events)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    tracker = SequenceTracker()
    verdicts = [tracker.feed(decode_event(json.dumps(each))) for each in events]  # type: ignore[arg-type]
    assert [answer is not None for answer in answers] == [each.fresh for each in verdicts]
    assert [answer[1] for answer in answers if answer] == [
        None,
        None,
        {"device": "dev", "missed": 2, "before": 5},
        None,
        None,
        {"device": "dev", "restart": 1},
        None,
        None,
    ]


def event_json(seq: int, boot: str, at: int) -> dict[str, Any]:
    """An event with a number and a clock, as JSON."""
    made = MESSAGES.event(event(clock=ClockStamp(boot, at, True)), seq)
    values: dict[str, Any] = json.loads(made.payload)
    return values
