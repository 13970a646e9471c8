"""`python -m benchmarks.outbox`: what the durable outbox costs, each figure beside its target.

Rates are of whole events: the payload is made, numbered and written. What is compared runs in
turn, and medians are printed. The files are made in a temporary folder (TMPDIR): put that on the
disk in question, not in memory. The bare loop is the least that publishes with QoS 1: paho, one
thread, the same payloads in the same window, nothing kept.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Literal

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from edge_agent.event import ClockStamp, Event, ModelRef
from edge_agent.message import Message
from edge_agent.mqtt.broker import PrivateBroker
from edge_agent.mqtt.client import MqttClient
from edge_agent.mqtt.messages import Messages
from edge_agent.mqtt.options import MqttOptions
from edge_agent.mqtt.topics import Topics
from edge_agent.outbox.memory import MemoryOutbox
from edge_agent.outbox.options import OutboxOptions
from edge_agent.outbox.sqlite import SqliteOutbox

_TOPICS = Topics("edge", "bench")
_MESSAGES = Messages(_TOPICS, "00000000-0000-0000-0000-000000000000")
_EVENT = Event(
    id="01K00000000000000000000000",
    device="bench",
    pipeline="door",
    type="update",
    kind="object",
    track=17,
    label="person",
    score=0.8312,
    top_score=0.9134,
    box=(0.31234, 0.22345, 0.47456, 0.98567),
    zones=("porch",),
    entered_zones=("porch",),
    time=1780000000.125,
    start_time=1780000000.125,
    end_time=None,
    media_time=None,
    clock=ClockStamp("00000000-0000-0000-0000-000000000000", 123456789012, True),
    latency_ms={
        "gate": 0.412,
        "preprocess": 0.631,
        "infer": 21.342,
        "decode": 0.211,
        "total": 24.0,
    },
    model=ModelRef("coco", "61d5" * 16, "tflite"),
)
_make = partial(_MESSAGES.event, _EVENT)
_ROOMY = 2**30
Durability = Literal["normal", "full"]


def main() -> None:
    """Measure everything and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.outbox", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="how often each is run")
    parser.add_argument("--backlog", type=int, default=50_000, help="events to drain")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="edge-agent-outbox-") as name:
        folder = Path(name)
        _put_rates(folder, arguments.rounds)
        broker = PrivateBroker()
        broker.start()
        try:
            _drain(folder, broker, arguments.rounds, arguments.backlog)
            _latency(folder, broker, arguments.rounds)
        finally:
            broker.stop()


def _row(what: str, value: str, target: str = "") -> None:
    print(f"{what:<66} {value:>14}   {target}", flush=True)


def _open(folder: Path, what: str, durability: Durability = "normal") -> SqliteOutbox:
    return SqliteOutbox(folder / what, OutboxOptions(durability, max_bytes=_ROOMY))


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _put_rates(folder: Path, rounds: int) -> None:
    """Events per second from the thread that makes them, the payload included."""
    bare = MemoryOutbox(OutboxOptions(max_bytes=_ROOMY))
    seconds = _seconds(lambda: [bare.put_event(_make) for _ in range(10_000)])
    _row("in memory, one by one, events/s", f"{10_000 / seconds:,.0f}")
    single: list[tuple[Durability, int, str]] = [
        ("normal", 10_000, "at least 3,000"),
        ("full", 1_000, ""),
    ]
    for durability, count, target in single:
        rates, per_event = [], []
        for index in range(rounds):
            outbox = _open(folder, f"one-{durability}-{index}", durability)
            before = _written()
            rates.append(count / _seconds(partial(_one_by_one, outbox, count)))
            per_event.append((_written() - before) / count)
            outbox.close()
        _row(f"{durability}, one by one, events/s", f"{statistics.median(rates):,.0f}", target)
        _row("  written per event", f"{statistics.median(per_event) / 1024:.1f} KiB")
    bursts: list[tuple[Durability, str]] = [("normal", "at least 20,000"), ("full", "")]
    for durability, target in bursts:
        rates = []
        for index in range(rounds):
            outbox = _open(folder, f"burst-{durability}-{index}", durability)
            rates.append(20_000 / _seconds(partial(_bursts, outbox, 20_000, 50)))
            outbox.close()
        _row(f"{durability}, in bursts of 50, events/s", f"{statistics.median(rates):,.0f}", target)


def _one_by_one(outbox: SqliteOutbox, count: int) -> None:
    for _ in range(count):
        outbox.put_event(_make)


def _bursts(outbox: SqliteOutbox, count: int, size: int) -> None:
    for _ in range(count // size):
        outbox.put_events([_make] * size)


def _written() -> int:
    """Bytes that this process has handed to the kernel for files so far."""
    lines = Path("/proc/self/io").read_text("ascii").splitlines()
    return int(dict(line.split(": ") for line in lines)["wchar"])


def _drain(folder: Path, broker: PrivateBroker, rounds: int, backlog: int) -> None:
    """A backlog to the broker, in turn with the bare loop."""
    ours, theirs = [], []
    for index in range(rounds):
        theirs.append(backlog / _bare_loop(broker, backlog))
        waiting = _open(folder, f"drain-{index}")
        _bursts(waiting, backlog, 500)
        waiting.close()
        outbox = _open(folder, f"drain-{index}")  # as after a restart: all of it is on disk only
        client = _client(broker, outbox)
        ours.append(backlog / _seconds(partial(_until_empty, client, outbox)))
        client.stop()
        outbox.close()
    ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    _row(f"bare paho loop, {backlog:,} messages, per second", f"{statistics.median(theirs):,.0f}")
    _row(f"draining {backlog:,} events, per second", f"{statistics.median(ours):,.0f}")
    _row("  ratio, pair by pair", f"{ratio:.2f}", "at least 0.8")


def _client(broker: PrivateBroker, outbox: MemoryOutbox | SqliteOutbox) -> MqttClient:
    options = MqttOptions(host=broker.host, port=broker.port, protocol=broker.protocol)
    return MqttClient(options, _TOPICS, outbox)


def _until_empty(client: MqttClient, outbox: SqliteOutbox) -> None:
    client.start()
    while outbox.depth:
        time.sleep(0.01)


def _bare_loop(broker: PrivateBroker, count: int) -> float:
    """Seconds in which paho alone publishes the same payloads with QoS 1."""
    messages = [_MESSAGES.event(_EVENT, seq) for seq in range(1, count + 1)]
    client = _bare_client(broker)
    answered = [0]

    def on_publish(*_: object) -> None:
        answered[0] += 1

    client.on_publish = on_publish
    while not client.is_connected():
        client.loop(0.1)
    return _seconds(partial(_publish_all, client, messages, answered))


def _publish_all(client: Client, messages: list[Message], answered: list[int]) -> None:
    window = MqttOptions().inflight
    sent = 0
    while answered[0] < len(messages):
        while sent < len(messages) and sent - answered[0] < window:
            client.publish(messages[sent].topic, messages[sent].payload, 1)
            sent += 1
        client.loop(1.0)
    client.disconnect()


def _bare_client(broker: PrivateBroker) -> Client:
    version = MQTTProtocolVersion.MQTTv5 if broker.protocol == "5" else MQTTProtocolVersion.MQTTv311
    client = Client(CallbackAPIVersion.VERSION2, protocol=version)
    client.max_inflight_messages_set(0)  # the window is kept by the loop
    client.connect(broker.host, broker.port)
    return client


def _latency(folder: Path, broker: PrivateBroker, rounds: int) -> None:
    """From the call to a subscriber, online, one event at a time."""
    audience = _Audience(broker)
    direct = _bare_client(broker)
    direct.loop_start()
    durable, memory = _open(folder, "latency"), MemoryOutbox()
    clients = [
        MqttClient(MqttOptions(client_id=name, host=broker.host, port=broker.port), _TOPICS, outbox)
        for name, outbox in (("durable", durable), ("memory", memory))
    ]
    for client in clients:
        client.start()
        while not client.state.connected:
            time.sleep(0.01)
    time.sleep(0.5)

    def publish_directly() -> None:
        message = _make(1)
        direct.publish(message.topic, message.payload, 1)

    ways: dict[str, Callable[[], object]] = {
        "direct publish by paho": publish_directly,
        "through the outbox in memory": lambda: memory.put_event(_make),
        "through the outbox on disk": lambda: durable.put_event(_make),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds * 100):
        for name, way in ways.items():
            times[name].append(audience.time(way))
            time.sleep(0.002)
    medians = {name: 1e3 * statistics.median(values) for name, values in times.items()}
    for name, median in medians.items():
        _row(f"{name}, to the subscriber, p50", f"{median:.2f} ms")
    first, *_, last = medians.values()
    _row("  added by the durable path, p50", f"{last - first:+.2f} ms", "at most 2 ms")
    for client in clients:
        client.stop()
    durable.close()
    direct.loop_stop()
    audience.close()


class _Audience:
    """A subscriber that tells when the next event has come."""

    def __init__(self, broker: PrivateBroker) -> None:
        self._came = threading.Event()
        self._client = _bare_client(broker)
        self._client.on_message = self._on_message
        ready = threading.Event()
        self._client.on_subscribe = lambda *_: ready.set()
        self._client.on_connect = self._on_connect
        self._client.loop_start()
        ready.wait(5.0)

    def _on_connect(self, client: Client, *_: Any) -> None:
        client.subscribe(_TOPICS.events("door"), 1)

    def _on_message(self, _client: Client, _data: object, _message: MQTTMessage) -> None:
        self._came.set()

    def time(self, way: Callable[[], object]) -> float:
        """Seconds from the call until the event is here."""
        self._came.clear()
        start = time.perf_counter()
        way()
        self._came.wait(5.0)
        return time.perf_counter() - start

    def close(self) -> None:
        """Leave."""
        self._client.disconnect()
        self._client.loop_stop()


if __name__ == "__main__":
    main()
