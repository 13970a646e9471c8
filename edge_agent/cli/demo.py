"""`edge-agent demo`: the real job on a bundled clip and model, seen through a private broker."""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
from collections import Counter
from dataclasses import dataclass, field
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import cv2

from edge_agent.cli.options import from_values
from edge_agent.cli.output import table
from edge_agent.cli.watch import as_line
from edge_agent.config.schema import Config
from edge_agent.drawing import draw_box, draw_lines, palette, save_picture
from edge_agent.errors import EdgeAgentError, OutputError
from edge_agent.mqtt.broker import PrivateBroker
from edge_agent.mqtt.listener import Received
from edge_agent.mqtt.subscriber import Subscriber
from edge_agent.mqtt.topics import Topics
from edge_agent.runtime.agent import Agent
from edge_agent.runtime.logs import set_up_logging
from edge_agent.runtime.metrics import STAGES
from edge_agent.runtime.signals import stop_on_signals
from edge_agent.runtime.wire import build_agent

EXAMPLES = """\
  edge-agent demo                 one pass over the clip, as fast as this machine can
  edge-agent demo --pace real     the same at the speed at which it was taken
  edge-agent demo --forever       again and again, until Ctrl-C
"""

_DEVICE, _PIPELINE = "demo", "belt"
_LAST_WORDS = 5.0  # seconds for the last messages to arrive


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--pace", choices=("fast", "real"), default="fast", help="speed of the clip (default: fast)"
    )
    parser.add_argument("--forever", action="store_true", help="loop until Ctrl-C")
    parser.add_argument(
        "--output", type=Path, default=Path("demo-output"), metavar="DIR",
        help="where the annotated picture goes (default: demo-output)",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Run clip -> motion gate -> model -> tracker -> MQTT, and tell what a subscriber received."""
    set_up_logging("warning")
    pace = "loop" if arguments.forever else arguments.pace
    broker = PrivateBroker()
    with as_file(files("edge_agent") / "assets") as assets, stop_on_signals() as stop:
        broker.start()
        try:
            config = _configuration(assets, broker, pace)
            audience = _Audience(config)
            audience.start()
            print(f"a private MQTT {broker.protocol} broker runs at {broker.host}:{broker.port}")
            print("what a subscriber receives, by the clip's own time:\n", flush=True)
            agent = build_agent(config)
            code = agent.run(stop)
            audience.wait()
        finally:
            broker.stop()
        _summarise(agent, audience, _truth(assets) if pace != "loop" else None)
        print(f"\npicture: {_draw(assets / 'belt.mp4', audience, arguments.output)}")
    return code


def _configuration(assets: Path, broker: PrivateBroker, pace: str) -> Config:
    return from_values(
        {
            "agent": {"name": _DEVICE},
            "mqtt": {"host": broker.host, "port": broker.port, "protocol": broker.protocol},
            "models": {"parts": {"file": str(assets / "belt.tflite")}},
            "sources": {"clip": {"type": "video", "file": str(assets / "belt.mp4"), "pace": pace}},
            "pipelines": {
                _PIPELINE: {
                    "source": "clip",
                    "model": "parts",
                    "gate": {"motion": {}},
                    "publish": {"detections": True},
                }
            },
        }
    )


def _truth(assets: Path) -> dict[str, int]:
    totals: dict[str, int] = json.loads((assets / "belt.json").read_text("utf-8"))["totals"]
    return totals


@dataclass(slots=True)
class _Heard:
    """What came in so far; `best` is the frame in which most was found."""

    new: Counter[str] = field(default_factory=Counter)
    types: Counter[str] = field(default_factory=Counter)
    best: dict[str, Any] | None = None


class _Audience:
    """A subscriber like any other, which prints the events that it receives."""

    def __init__(self, config: Config) -> None:
        self.heard = _Heard()
        self._topics = Topics(config.mqtt.topic_prefix, config.agent.name)
        self._over = threading.Event()
        self._is_first = True
        self._subscriber = Subscriber(config.mqtt, [f"{self._topics.base}/#"], self._receive)

    def start(self) -> None:
        """Subscribe before anything is published."""
        self._subscriber.start()
        if not self._subscriber.subscribed.wait(_LAST_WORDS):
            raise EdgeAgentError("the private broker does not accept a subscription")

    def wait(self) -> None:
        """Wait for the agent's last message."""
        self._over.wait(_LAST_WORDS)
        self._subscriber.stop()

    def _receive(self, message: Received) -> None:
        if message.topic == self._topics.events(_PIPELINE):
            self._note_event(message)
        elif message.topic == self._topics.detections(_PIPELINE):
            self._note_detections(json.loads(message.payload))
        elif message.topic == self._topics.status and message.payload == b"offline":
            self._over.set()

    def _note_event(self, message: Received) -> None:
        event = json.loads(message.payload)
        self.heard.types[event["type"]] += 1
        if event["type"] == "new":
            self.heard.new[event["label"]] += 1
        if event["type"] != "update":
            print(as_line(message), flush=True)

    def _note_detections(self, found: dict[str, Any]) -> None:
        best = self.heard.best
        if best is None or len(found["results"]) > len(best["results"]):
            self.heard.best = found


def _summarise(agent: Agent, audience: _Audience, truth: dict[str, int] | None) -> None:
    heard, metrics = audience.heard, agent.pipelines[0].metrics
    counts = metrics.counts
    print(
        f"\nframes   {counts.taken} read, {counts.gated} held back by the motion gate, "
        f"{counts.inferred} inferred, {counts.dropped} dropped"
    )
    print(f"speed    {metrics.fps():.0f} frames/s from the source, with everything in it")
    listed = ", ".join(f"{heard.types[kind]} {kind}" for kind in ("new", "update", "end"))
    print(f"events   {sum(heard.types.values())} received: {listed}\n")
    print(table(("stage", "p50 ms", "p99 ms"), _latencies(agent)))
    if truth is not None:
        rows = [[label, str(heard.new[label]), str(truth[label])] for label in truth]
        print(f"\n{table(('part', 'counted', 'really there'), rows)}")


def _latencies(agent: Agent) -> list[list[str]]:
    latency = agent.pipelines[0].metrics.latency
    found = ((stage, latency[stage].percentiles()) for stage in STAGES)
    return [[stage, f"{p['p50']:.2f}", f"{p['p99']:.2f}"] for stage, p in found if p]


def _draw(clip: Path, audience: _Audience, folder: Path) -> Path:
    """Draw the detections of one frame, as they came over MQTT, into that frame of the clip."""
    best = audience.heard.best
    if best is None:
        raise EdgeAgentError("nothing was received, so there is nothing to draw")
    capture = cv2.VideoCapture(str(clip), cv2.CAP_FFMPEG)
    capture.set(cv2.CAP_PROP_POS_MSEC, best["media_time"] * 1000.0)
    done, image = capture.read()
    capture.release()
    if not done or image is None:
        raise EdgeAgentError(f"{clip} has no frame at {best['media_time']} s")
    image = cv2.resize(image, None, fx=2.0, fy=2.0, interpolation=cv2.INTER_CUBIC)
    draw_lines(image, [f"edge/{_DEVICE}/{_PIPELINE}/detections at {best['media_time']:.2f} s"])
    colours = palette(found["label"] for found in best["results"])
    for found in best["results"]:
        caption = f"{found['label']} {found['score']:.2f}"
        draw_box(image, found["box"], caption, colours[found["label"]])
    return _save(folder, image)


def _save(folder: Path, image: Any) -> Path:
    """Write it into the folder, or a temporary one where that cannot be written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        save_picture(folder / "belt.png", image)
    except (OSError, OutputError):
        folder = Path(tempfile.mkdtemp(prefix="edge-agent-demo-"))
        save_picture(folder / "belt.png", image)
    return folder / "belt.png"
