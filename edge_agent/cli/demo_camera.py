"""The demo of a camera: parts on a conveyor belt, found, followed and counted."""

from __future__ import annotations

import json
import threading
from collections import Counter
from dataclasses import dataclass, field
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import cv2

from edge_agent.cli.demo_audience import DEVICE, keep_picture, perform
from edge_agent.cli.output import table
from edge_agent.cli.watch import as_line
from edge_agent.drawing import draw_box, draw_lines, palette
from edge_agent.errors import EdgeAgentError
from edge_agent.mqtt.listener import Received
from edge_agent.mqtt.topics import Topics
from edge_agent.runtime.agent import Agent
from edge_agent.runtime.metrics import STAGES

_PIPELINE = "belt"


def show(pace: str, output: Path, stop: threading.Event) -> int:
    """Run clip -> motion gate -> model -> tracker -> MQTT; the exit code."""
    print("a camera above a conveyor belt")
    with as_file(files("edge_agent") / "assets") as assets:
        heard = _Heard()
        code, agent = perform(_values(assets, pace), heard.receive, stop)
        is_whole = pace != "loop" and not stop.is_set()
        _summarise(agent, heard, _truth(assets) if is_whole else None)
        print(f"\npicture: {_draw(assets / 'belt.mp4', heard, output)}")
    return code


def _values(assets: Path, pace: str) -> dict[str, Any]:
    return {
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


def _truth(assets: Path) -> dict[str, int]:
    totals: dict[str, int] = json.loads((assets / "belt.json").read_text("utf-8"))["totals"]
    return totals


@dataclass(slots=True)
class _Heard:
    """What came in so far; `best` is the frame in which most was found."""

    new: Counter[str] = field(default_factory=Counter)
    types: Counter[str] = field(default_factory=Counter)
    best: dict[str, Any] | None = None

    def receive(self, message: Received, topics: Topics) -> None:
        """Take note of a message, and print an event."""
        if message.topic == topics.events(_PIPELINE):
            self._note_event(message)
        elif message.topic == topics.detections(_PIPELINE):
            self._note_detections(json.loads(message.payload))

    def _note_event(self, message: Received) -> None:
        event = json.loads(message.payload)
        self.types[event["type"]] += 1
        if event["type"] == "new":
            self.new[event["label"]] += 1
        if event["type"] != "update":
            print(as_line(message), flush=True)

    def _note_detections(self, found: dict[str, Any]) -> None:
        if self.best is None or len(found["results"]) > len(self.best["results"]):
            self.best = found


def _summarise(agent: Agent, heard: _Heard, truth: dict[str, int] | None) -> None:
    metrics = agent.pipelines[0].metrics
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


def _draw(clip: Path, heard: _Heard, folder: Path) -> Path:
    """Draw the detections of one frame, as they came over MQTT, into that frame of the clip."""
    best = heard.best
    if best is None:
        raise EdgeAgentError("nothing was received, so there is nothing to draw")
    capture = cv2.VideoCapture(str(clip), cv2.CAP_FFMPEG)
    capture.set(cv2.CAP_PROP_POS_MSEC, best["media_time"] * 1000.0)
    done, image = capture.read()
    capture.release()
    if not done or image is None:
        raise EdgeAgentError(f"{clip} has no frame at {best['media_time']} s")
    image = cv2.resize(image, None, fx=2.0, fy=2.0, interpolation=cv2.INTER_CUBIC)
    draw_lines(image, [f"edge/{DEVICE}/{_PIPELINE}/detections at {best['media_time']:.2f} s"])
    colours = palette(found["label"] for found in best["results"])
    for found in best["results"]:
        caption = f"{found['label']} {found['score']:.2f}"
        draw_box(image, found["box"], caption, colours[found["label"]])
    return keep_picture(folder, "belt.png", image)
