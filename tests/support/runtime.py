"""A pipeline with real stages that can be broken, and hands on its clock, outbox and model."""

from __future__ import annotations

import itertools
import json
import random
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from time import gmtime, struct_time
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_agent.decoders.base import Decoder
from edge_agent.engines.state import Memory
from edge_agent.event import Event, ModelRef
from edge_agent.frame import Frame
from edge_agent.gates.base import Gate
from edge_agent.gates.chain import GateChain
from edge_agent.message import Delivery, Message
from edge_agent.mqtt.messages import Messages
from edge_agent.mqtt.topics import Topics
from edge_agent.outbox.memory import MemoryOutbox
from edge_agent.preprocess.mask import PrivacyMask
from edge_agent.result import ClassScore, Detection, Kind, Result
from edge_agent.rules.objects import ObjectRules
from edge_agent.rules.options import FilterOptions, PublishOptions
from edge_agent.runtime.inbox import Inbox, Job
from edge_agent.runtime.inference import Inference, Numbers, Outcome
from edge_agent.runtime.pipeline import Pipeline, StageFactory
from edge_agent.runtime.refine import Refinement
from edge_agent.runtime.reporter import Identity, Reporter
from edge_agent.runtime.settings import PipelineSettings
from edge_agent.sources.reader import SourceStatus
from edge_agent.tracking.base import Tracker
from edge_agent.tracking.labels import LabelTracker
from edge_agent.tracking.options import TrackOptions
from tests.support.fuses import Fuse, FusedGate, FusedRules, FusedTracker

REF = ModelRef("m", "5a" * 32, "tflite")
MESSAGES = Messages(Topics("edge", "dev"), "boot")
ONLINE = SourceStatus(True, "")
NO_CROSSINGS = {f"p/lines/door/counts/cat/{direction}": "0" for direction in ("in", "out")}
LOST = 2.0  # seconds after which the rig's tracker ends an object
WALL = 1_780_000_000.0


class HandTime:
    """Stands in for the module `time` inside one of ours; only the test moves it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        """Seconds of this clock."""
        return self.now

    perf_counter = monotonic

    def monotonic_ns(self) -> int:
        """Nanoseconds of this clock."""
        return round(self.now * 1e9)

    def time(self) -> float:
        """Epoch seconds."""
        return WALL + self.now - 1000.0

    def wall(self) -> float:
        """The same, as a `Clock` tells it."""
        return self.time()

    def localtime(self) -> struct_time:
        """The same as a date, in UTC."""
        return gmtime(self.time())


def hold_time(monkeypatch: pytest.MonkeyPatch, *modules: str) -> HandTime:
    """Give these modules of the runtime a time that stands still."""
    hand = HandTime()
    for module in modules:
        monkeypatch.setattr(f"edge_agent.runtime.{module}.time", hand)
    return hand


class NoJitter(random.Random):
    """Makes every back-off wait for all of its time."""

    def uniform(self, a: float, b: float) -> float:
        """The upper end."""
        return b


class Told(MemoryOutbox):
    """A real outbox that remembers all it was given, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.set_online(True)
        self.messages: list[Message] = []

    def put(self, message: Message) -> None:
        """Note the message and queue it."""
        self.messages.append(message)
        super().put(message)

    def put_events(self, makes: Sequence[Callable[[int], Message]]) -> list[int]:
        """Note the messages and queue them."""

        def noted(make: Callable[[int], Message], seq: int) -> Message:
            self.messages.append(message := make(seq))
            return message

        return super().put_events([partial(noted, make) for make in makes])

    def of(self, topic: str) -> list[str]:
        """Every payload put for a topic below the device."""
        found = [m for m in list(self.messages) if m.topic == f"edge/dev/{topic}"]
        return [message.payload.decode() for message in found]

    def json(self, topic: str) -> list[dict[str, Any]]:
        """Every payload put for a topic, read as JSON."""
        return [json.loads(payload) for payload in self.of(topic)]

    def events(self, pipeline: str = "p") -> list[dict[str, Any]]:
        """The events of a pipeline."""
        return self.json(f"{pipeline}/events")

    def types(self, pipeline: str = "p") -> list[str]:
        """What happened in a pipeline, in order."""
        return [event["type"] for event in self.events(pipeline)]

    def states(self) -> dict[str, str]:
        """The newest retained payload of each topic."""
        kept = [m for m in self.messages if m.delivery is Delivery.STATE and m.retain]
        return {m.topic.removeprefix("edge/dev/"): m.payload.decode() for m in kept}


def cat(x: float = 0.3, label: str = "cat", score: float = 0.9) -> Detection:
    """A detection by the middle of its box."""
    return Detection(label, score, (x - 0.1, 0.4, x + 0.1, 0.6), 0)


def scene(label: str = "cat", score: float = 0.9) -> ClassScore:
    """A class of the whole frame."""
    return ClassScore(label, score, 0)


def outcome(*results: Result) -> Outcome:
    """What the model says of a frame, with the time it took."""
    return Outcome(results, 1.0, 2.0, 3.0)


def live_frame(number: int, now: float = 1000.0) -> Frame:
    """A frame of a camera; every pixel is its number."""
    data = np.full((4, 6, 3), number, np.uint8)
    return Frame("s", number, data, WALL + now - 1000.0, round(now * 1e9), now)


def recorded_frame(number: int, now: float = 1000.0) -> Frame:
    """A frame of a recording at 10 fps."""
    data = np.full((4, 6, 3), number, np.uint8)
    wall = WALL + now - 1000.0
    return Frame("s", number, data, wall, round(now * 1e9), number / 10, number / 10)


@dataclass
class Rig:
    """A pipeline "p" with its surroundings; `see` takes a frame all the way through."""

    name: str = "p"
    live: bool = True
    labels: frozenset[str] | None = None
    filters: Mapping[str, FilterOptions] = field(default_factory=dict)
    publish: PublishOptions = field(default_factory=PublishOptions)
    rules: Callable[[Fuse], ObjectRules] = FusedRules
    refinement: Refinement = field(default_factory=Refinement)
    on_events: Callable[[Sequence[Event]], None] = lambda _: None
    outbox: Told = field(default_factory=Told)
    ready: threading.Condition = field(default_factory=threading.Condition)
    time: HandTime = field(default_factory=HandTime)
    fuse: Fuse = field(default_factory=Fuse)
    gates: list[FusedGate] = field(default_factory=list)
    statuses: list[tuple[bool, str]] = field(default_factory=list)
    number: int = -1

    def __post_init__(self) -> None:
        self.pipeline = Pipeline(
            PipelineSettings(
                self.name, self.labels, 0.5, self.live, self.publish.detections, self.filters
            ),
            PrivacyMask([]),
            StageFactory(self._gate, self._tracker, lambda: self.rules(self.fuse)),
            Reporter(
                Identity("dev", "boot"),
                self.name,
                self.publish,
                MESSAGES,
                self.outbox,
                self.on_events,
            ),
            Inbox(self.ready),
            self._note_status,
            refinement=self.refinement,
        )

    def _note_status(self, online: bool, reason: str) -> None:
        self.statuses.append((online, reason))
        self.outbox.put(MESSAGES.pipeline_status(self.name, online))

    def _gate(self) -> GateChain:
        self.gates.append(FusedGate(self.fuse))
        gates: list[Gate] = [self.gates[-1]]
        return GateChain(gates)

    def _tracker(self, kind: Kind) -> Tracker:
        options = TrackOptions(hits=1, of=1, lost=LOST)
        if kind in ("class", "segmentation"):
            return LabelTracker(options, itertools.count(1))
        return FusedTracker(self.fuse, options)

    def begin(self, kind: Kind = "object") -> Rig:
        """Bring the source and the model up."""
        self.pipeline.source_changed(ONLINE)
        self.pipeline.model_opened(REF, kind)
        return self

    def take_in(self, count: int = 1) -> None:
        """Give the next frames to the pipeline."""
        make = live_frame if self.live else recorded_frame
        for _ in range(count):
            self.number += 1
            self.pipeline.intake(make(self.number, self.time.now))

    def job(self) -> Job | None:
        """What the worker would take next."""
        with self.ready:
            return self.pipeline.inbox.take() if self.pipeline.inbox.pending() else None

    def see(self, *results: Result, after: float = 0.1) -> None:
        """Pass some time, then take a frame in which the model finds that."""
        self.time.now += after
        self.take_in()
        if job := self.job():
            self.pipeline.complete(job, outcome(*results))

    def tick(self, after: float = 0.0) -> None:
        """Pass some time, then let the supervisor look."""
        self.time.now += after
        self.pipeline.tick()


class FakeInference(Inference):
    """A model without an engine; `answer` gets the number of each frame and may raise."""

    def __init__(
        self,
        answer: Callable[[int], Sequence[Result]] = lambda number: (),
        ref: ModelRef = REF,
        kind: Kind = "object",
    ) -> None:
        self.ref = ref
        self.decoder = cast("Decoder", SimpleNamespace(kind=kind))
        self.labels = None
        self.answer = answer
        self.seen: list[int] = []
        self.thresholds: list[float] = []
        self.memories: list[Memory | None] = []
        self.numbers: list[Numbers | None] = []
        self.closed = 0

    def run(
        self,
        data: NDArray[Any],
        threshold: float,
        memory: Memory | None = None,
        numbers: Numbers | None = None,
    ) -> Outcome:
        """Answer to the number that the frame shows."""
        self.numbers.append(numbers)
        self.memories.append(memory)
        self.thresholds.append(threshold)
        self.seen.append(int(data[0, 0, 0]))
        return outcome(*self.answer(self.seen[-1]))

    def close(self) -> None:
        """Count the closes."""
        self.closed += 1
