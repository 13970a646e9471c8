"""The demo of a sensor: a bearing that develops a fault."""

from __future__ import annotations

import json
import tempfile
import threading
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.cli.bearing import (
    BAND,
    FAULTS,
    FMAX,
    RATE,
    WINDOW,
    Fault,
    Machine,
    front_end,
    vibration,
)
from edge_agent.cli.demo_audience import keep_picture, perform
from edge_agent.cli.output import table
from edge_agent.cli.watch import as_line
from edge_agent.drawing import Picture, draw_box, draw_lines, palette
from edge_agent.mqtt.listener import Received
from edge_agent.mqtt.topics import Topics
from edge_agent.runtime.agent import Agent

_FAULT: Fault = "outer race"
_SECONDS, _BEGINS = 40.0, 12.0  # of the recording, and when the fault begins
_FIRST, _LAST = 0.02, 3.0  # g: how hard it knocks then, and in the end
_LEVEL = 2.0  # times the usual level: where a limit on the level would stand
_HOP = WINDOW // 2
_PICTURE = (960, 480)
_BRIGHT = 8.0  # standard deviations that are drawn as white


def show(pace: str, output: Path, stop: threading.Event) -> int:
    """Run samples -> windows -> envelope spectrum -> int8 model -> MQTT; the exit code."""
    machine = Machine()
    print(
        f"a motor at {60 * machine.shaft:.0f} turns a minute; from {_BEGINS:g} s on a pit grows in "
        f"the {_FAULT} of its bearing,\nwhich {machine.bearing.balls} balls pass "
        f"{machine.knocks(_FAULT):.0f} times a second"
    )
    with as_file(files("edge_agent") / "assets") as assets, tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "vibration.npy"
        samples = _recording(machine)
        np.save(file, samples)
        usual = float(samples[: round(_BEGINS * RATE)].std())
        heard = _Heard(machine)
        code, agent = perform(_values(assets, file, pace, usual), heard.receive, stop)
    _tell_speed(agent)
    if pace != "loop" and not stop.is_set():
        _tell_times(heard)
        image = _drawn(samples, machine, heard)
        print(f"\npicture: {keep_picture(output, 'bearing.png', image)}")
    return code


def _recording(machine: Machine) -> NDArray[np.float32]:
    """A fault that begins small and grows evenly on a scale of decibels."""
    time = np.arange(round(_SECONDS * RATE)) / RATE
    age = (time - _BEGINS) / (_SECONDS - _BEGINS)
    size = np.where(age < 0.0, 0.0, _FIRST * (_LAST / _FIRST) ** np.maximum(age, 0.0))
    return vibration(machine, _SECONDS, np.random.default_rng(0), _FAULT, size).reshape(-1, 1)


def _values(assets: Path, file: Path, pace: str, usual: float) -> dict[str, Any]:
    window = {"length": WINDOW, "hop": _HOP}
    return {
        "models": {"bearing": {"file": str(assets / "bearing.npz"), "engine": "numpy"}},
        "sources": {"motor": {"type": "csv", "file": str(file), "rate": RATE, "pace": pace}},
        "pipelines": {
            "bearing": {
                "source": "motor",
                "window": window,
                "features": {
                    "envelope_spectrum": {"band": list(BAND), "fmax": FMAX},
                    "standardize": {},
                },
                "model": "bearing",
                "labels": list(FAULTS),
                "smooth": {"average": 4},
            },
            "level": {
                "source": "motor",
                "window": window,
                "features": {"statistics": {"features": ["rms"]}},
                "reading": {"unit": "g", "above": _LEVEL * usual},
            },
        },
    }


class _Heard:
    """Prints the events as they come, and keeps when each story began (s into the recording)."""

    def __init__(self, machine: Machine) -> None:
        self.begun: dict[str, float] = {}
        self._machine = machine

    def receive(self, message: Received, topics: Topics) -> None:
        """Take note of a message, and print an event."""
        if message.topic not in {topics.events("bearing"), topics.events("level")}:
            return
        event = json.loads(message.payload)
        if event["type"] == "new":
            self.begun.setdefault(event["label"], event["media_time"])
            print(f"{as_line(message)}  {self._in_words(event['label'])}", flush=True)

    def _in_words(self, label: str) -> str:
        for fault in FAULTS:
            if label == fault:
                rate = self._machine.knocks(fault)
                return f"(a pit in the {fault}: knocks {rate:.0f} times a second)"
        return f"(the motor shakes {_LEVEL:g} times as strongly as before)"


def _tell_speed(agent: Agent) -> None:
    metrics = next(each for each in agent.pipelines if each.name == "bearing").metrics
    infer = metrics.latency["infer"].percentiles()
    took = f", the int8 model took {infer['p50']:.2f} ms each" if infer else ""
    print(f"\nwindows  {metrics.counts.inferred} of {WINDOW / RATE:g} s judged{took}")


def _tell_times(heard: _Heard) -> None:
    rows = [
        [f"the model: {_FAULT}", _after(heard.begun.get(_FAULT))],
        [f"a limit: {_LEVEL:g} x the usual level", _after(heard.begun.get("high"))],
    ]
    wrong = sorted((set(FAULTS) - {_FAULT}) & heard.begun.keys())
    print(f"\n{table(('told by', 'after the fault began'), rows)}")
    print(f"\nother faults told: {', '.join(wrong) or 'none'}")


def _after(told: float | None) -> str:
    return "never" if told is None else f"{told - _BEGINS:.2f} s"


def _drawn(samples: NDArray[np.float32], machine: Machine, heard: _Heard) -> Picture:
    """What the model sees, from the left in time and upwards in knocks a second; and the events."""
    features = front_end()
    begins = range(0, len(samples) - WINDOW + 1, _HOP)
    seen = np.stack([features(samples[at : at + WINDOW]) for at in begins], axis=1)[::-1]
    grey = np.uint8(255) * np.clip(seen / _BRIGHT, 0.0, 1.0)
    image: Picture = cv2.applyColorMap(grey.astype(np.uint8), cv2.COLORMAP_INFERNO)
    image = cv2.resize(image, _PICTURE, interpolation=cv2.INTER_AREA)
    draw_lines(image, [f"envelope spectrum, 0 to {FMAX:g} Hz, over {_SECONDS:g} s"])
    colours = palette([*heard.begun, ""])
    height = 1.0 - machine.knocks(_FAULT) / FMAX
    draw_box(image, (0.0, height, 0.03, height), f"{machine.knocks(_FAULT):.0f} Hz", colours[""])
    for label, at in heard.begun.items():
        draw_box(image, (at / _SECONDS, 0.2, at / _SECONDS, 1.0), label, colours[label])
    return image
