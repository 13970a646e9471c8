"""The agent under torture: the real outbox, client and messages, with numbered events for frames.

A child process. It obeys lines on its standard input (`rate 40`, `burst 500`, `jump -3600`, `rest`,
`stop`) and keeps a journal, which outlives it and is no part of what is tortured:

    begin N                event N is about to be put
    put N SEQ              its put has returned
    drops JSON             the outbox's own count of lost messages has changed
    state TOPIC VALUE      a retained state was put
    rest DEPTH             nothing more is made; so many messages are not settled yet

Its wall clock jumps when told; the clock of the machine is left alone.
"""

from __future__ import annotations

import json
import logging
import os
import random
import sys
import threading
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from edge_agent.backoff import Backoff
from edge_agent.clock import boot_id
from edge_agent.event import ClockStamp, Event, ModelRef
from edge_agent.message import Message
from edge_agent.mqtt.broker import HOST
from edge_agent.mqtt.client import MqttClient
from edge_agent.mqtt.messages import Messages
from edge_agent.mqtt.options import MqttOptions
from edge_agent.mqtt.topics import Topics
from edge_agent.options import Secret
from edge_agent.outbox.options import OutboxOptions
from edge_agent.outbox.sqlite import SqliteOutbox

DEVICE = "dev"
LABELS = ("person", "car", "dog", "cat")
_MODEL = ModelRef("coco", "61d5" * 16, "tflite")
_STATE_EVERY = 5  # events
_AT_ONCE = 20  # most events of one put_events


@dataclass
class JumpingClock:
    """The machine's clock, but the wall time is off by `offset` seconds."""

    offset: float = 0.0

    def wall(self) -> float:
        """Epoch seconds, wrong by the offset."""
        return time.time() + self.offset

    def monotonic_ns(self) -> int:
        """Nanoseconds, which never jump."""
        return time.monotonic_ns()


@dataclass
class Orders:
    """What the torturer wants; `rate` is events/s."""

    rate: float = 0.0
    burst: int = 0
    stop: bool = False
    resting: bool = False


class Driver:
    """Makes events and states until it is told to stop, or killed."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._orders = Orders()
        self._clock = JumpingClock(settings["offset"])
        self._next = int(settings["first"])
        self._pipelines: list[str] = settings["pipelines"]
        self._journal = os.open(settings["journal"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._drops: dict[str, int] = {}
        topics = Topics("edge", DEVICE)
        self._messages = Messages(topics, boot_id())
        self._outbox = SqliteOutbox(
            Path(settings["state_dir"]) / f"{DEVICE}.outbox", OutboxOptions(), self._clock
        )
        options = MqttOptions(
            host=HOST,
            port=settings["port"],
            keepalive=1.0,
            username=settings["username"],
            password=Secret(settings["password"]),
        )
        self._client = MqttClient(
            options,
            topics,
            self._outbox,
            pipelines=self._pipelines,
            backoff=Backoff(0.1, 1.0),
            connect_timeout=1.0,
            clock=self._clock,
        )

    def run(self) -> int:
        """Work; 0 when all was delivered before the end."""
        threading.Thread(target=self._listen, daemon=True).start()
        for pipeline in self._pipelines:
            self._put_state(self._messages.pipeline_status(pipeline, online=True))
        self._client.start()
        while not self._orders.stop:
            self._work()
        delivered = self._client.stop(5.0)
        self._outbox.close()
        self._tell_drops()
        return 0 if delivered else 1

    def _listen(self) -> None:
        for line in sys.stdin:
            word, *rest = line.split()
            if word == "rate":
                self._orders.rate = float(rest[0])
            elif word == "burst":
                self._orders.burst = int(rest[0])
            elif word == "jump":
                self._clock.offset += float(rest[0])
            elif word == "rest":
                self._orders.resting = True
            elif word == "stop":
                self._orders.stop = True
        self._orders.stop = True

    def _work(self) -> None:
        orders = self._orders
        if orders.resting:
            self._say("rest", self._outbox.depth)
            time.sleep(0.1)
        elif orders.burst > 0:
            orders.burst -= self._put_events(min(orders.burst, _AT_ONCE))
        elif orders.rate > 0:
            time.sleep(random.expovariate(orders.rate))
            self._put_events(1 if random.random() < 0.9 else random.randint(2, _AT_ONCE))
        else:
            time.sleep(0.05)
        self._tell_drops()

    def _put_events(self, count: int) -> int:
        numbers = range(self._next, self._next + count)
        self._next += count
        for number in numbers:
            self._say("begin", number)
        makes = [partial(self._messages.event, self._event(number)) for number in numbers]
        seqs = self._outbox.put_events(makes) if count > 1 else [self._outbox.put_event(makes[0])]
        for number, seq in zip(numbers, seqs, strict=True):
            self._say("put", number, seq)
        if numbers[-1] % _STATE_EVERY == 0:
            pipeline = random.choice(self._pipelines)
            count_message = self._messages.count(
                pipeline, random.choice(LABELS), random.randint(0, 4)
            )
            self._put_state(count_message)
        return count

    def _put_state(self, message: Message) -> None:
        self._outbox.put(message)
        self._say("state", message.topic, message.payload.decode())

    def _event(self, number: int) -> Event:
        now = self._clock.wall()
        return Event(
            id=f"{number:026d}",
            device=DEVICE,
            pipeline=self._pipelines[0],
            type="new",
            kind="object",
            track=number,
            label=LABELS[number % len(LABELS)],
            score=0.8312,
            top_score=0.9134,
            box=(0.31, 0.22, 0.47, 0.98),
            zones=("porch",),
            entered_zones=("porch",),
            time=now,
            start_time=now,
            end_time=None,
            media_time=None,
            clock=ClockStamp(boot_id(), self._clock.monotonic_ns(), True),
            latency_ms={"infer": 21.3, "total": 24.0},
            model=_MODEL,
        )

    def _tell_drops(self) -> None:
        drops = dict(self._outbox.drops)
        if drops != self._drops:
            self._drops = drops
            self._say("drops", json.dumps(drops, separators=(",", ":")))

    def _say(self, *words: object) -> None:
        os.write(self._journal, (" ".join(map(str, words)) + "\n").encode())


if __name__ == "__main__":
    logging.basicConfig(level="INFO", format="%(asctime)s %(levelname)s %(message)s")
    sys.exit(Driver(json.loads(sys.argv[1])).run())
