"""The stream of events from a real mosquitto, published by the real client from the outbox."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from edge_agent.client import EventStream, Gap, MqttOptions, Secret, Unreadable
from edge_agent.mqtt.broker import free_port
from edge_agent.mqtt.payloads import event_payload
from tests.mqtt.conftest import Factory
from tests.mqtt.test_tls import pki, serve, tls  # noqa: F401 - pki is a fixture
from tests.support.agent import TRUTH, AgentProcess, belt_config
from tests.support.broker import Mosquitto, Subscriber, wait_until
from tests.support.samples import event

TOPIC = "edge/dev/door/events"


def made(port: int, mqtt: dict[str, Any] | None = None, **options: Any) -> EventStream:
    """A stream that is not open yet."""
    return EventStream(MqttOptions("127.0.0.1", port, **(mqtt or {})), **options)


@pytest.fixture
def streams() -> Iterator[Factory]:
    """Opens streams of events and closes them after the test."""
    with ExitStack() as opened:

        def start(port: int, **options: Any) -> EventStream:
            return opened.enter_context(made(port, **options))

        yield start


def take(stream: EventStream, count: int) -> list[int]:
    """The numbers of the next events."""
    found: list[int] = []
    for _ in range(count):
        received = stream.get(timeout=10.0)
        assert received is not None, f"only {found} came"
        found.append(received.seq)
    return found


def raw(port: int, *payloads: bytes, topic: str = TOPIC) -> None:
    """Publish payloads as they are."""
    client = Subscriber(port, "none")
    for payload in payloads:
        client.paho.publish(topic, payload, 1).wait_for_publish(10)
    client.close()


@pytest.mark.parametrize("protocol", [5, "3.1.1"])
def test_events_arrive_in_order(
    broker: Mosquitto, publishers: Factory, streams: Factory, protocol: Any
) -> None:
    """More than the window holds, by either version of MQTT, typed; then none within a timeout."""
    stream = streams(broker.port, mqtt={"protocol": protocol})
    publishers(broker.port).publish(200)
    first = stream.get(timeout=10.0)
    assert (first.device, first.pipeline, first.label, first.box) == (
        "dev", "door", "person", (0.31, 0.22, 0.47, 0.98),
    )  # fmt: skip
    assert take(stream, 199) == list(range(2, 201))
    assert stream.get(timeout=0.05) is None
    assert (stream.repeats, stream.missed, stream.problem) == (0, 0, "")


def test_the_bundled_clip_is_counted(broker: Mosquitto, streams: Factory, tmp_path: Path) -> None:
    """A whole agent on the demo's clip: as many `new` of each label as there are parts."""
    stream = streams(broker.port)
    agent = AgentProcess(tmp_path, belt_config(broker.port)).start()
    try:
        new: Counter[str] = Counter()
        while sum(new.values()) < sum(TRUTH.values()):
            received = stream.get(timeout=20.0)
            assert received is not None, new
            new[received.label] += received.type == "new"
    finally:
        agent.kill()
    assert new == TRUTH
    assert stream.missed == 0


def test_repeats_are_dropped_and_gaps_told(
    broker: Mosquitto, publishers: Factory, streams: Factory
) -> None:
    """A gap is told just before the event that shows it, with its numbers."""
    story: list[Any] = []
    stream = streams(broker.port, on_trouble=story.append)
    publisher = publishers(broker.port)
    publisher.publish(2)
    raw(broker.port, event_payload(event(), 1, True), event_payload(event(), 2, True))
    publisher.skip(3)
    publisher.publish(1)
    story += take(stream, 2)
    story += take(stream, 1)
    assert story == [1, 2, Gap("dev", 3, 5), 6]
    assert (stream.repeats, stream.missed) == (2, 3)


def test_rubbish_does_not_end_it(broker: Mosquitto, streams: Factory) -> None:
    """It is told, and the next event comes."""
    trouble: list[Any] = []
    stream = streams(broker.port, on_trouble=trouble.append)
    newer = event_payload(event(), 1).replace(b"event/1", b"event/2")
    raw(broker.port, b"{", newer, b"[" * 100_000, event_payload(event(), 9))
    assert take(stream, 1) == [9]
    assert [type(each) for each in trouble] == [Unreadable] * 3
    assert "is newer than what is read here" in trouble[1].reason


def test_trouble_is_logged_without_a_listener(
    broker: Mosquitto, streams: Factory, caplog: pytest.LogCaptureFixture
) -> None:
    """One line each."""
    stream = streams(broker.port)
    raw(broker.port, event_payload(event(), 1), b"{", event_payload(event(), 5))
    assert take(stream, 2) == [1, 5]
    assert "3 events of dev are missing: 2 to 4" in caplog.text
    assert f"{TOPIC}: no JSON" in caplog.text


def test_one_pipeline_alone_has_no_gaps(
    broker: Mosquitto, publishers: Factory, streams: Factory
) -> None:
    """The numbers of the other pipelines are known though their events are not handed out."""
    stream = streams(broker.port, device="dev", pipeline="yard")
    publisher = publishers(broker.port)
    for pipeline in ("yard", "door", "door", "yard"):
        publisher.publish(1, pipeline)
    assert take(stream, 2) == [1, 4]
    assert stream.missed == 0


def test_one_device_alone(broker: Mosquitto, streams: Factory) -> None:
    """By its name as in the YAML, with a prefix of which a level may be anything."""
    options = {"topic_prefix": "site/+"}
    stream = streams(broker.port, mqtt=options, device="front door")
    for device in ("back", "front_door"):
        raw(broker.port, event_payload(event(), 3), topic=f"site/a/{device}/p/events")
    assert take(stream, 1) == [3]
    assert (stream.get(timeout=0.1), stream.repeats) == (None, 0)


@pytest.mark.parametrize("protocol", [5, "3.1.1"])
def test_a_consumer_that_dies_misses_and_repeats_nothing(
    broker: Mosquitto, publishers: Factory, streams: Factory, tmp_path: Path, protocol: Any
) -> None:
    """Session and bookmark: what an error cut short comes again, what came meanwhile follows."""
    options: dict[str, Any] = {
        "mqtt": {"protocol": protocol},
        "session": "consumer",
        "bookmark": tmp_path / "bookmark",
    }
    publisher = publishers(broker.port)
    handled: list[int] = []

    def handle(stream: EventStream) -> None:
        with stream:
            publisher.publish(4)
            for received in stream:
                _ = 1 / (received.seq - 3)
                handled.append(received.seq)

    with pytest.raises(ZeroDivisionError):
        handle(made(broker.port, **options))
    publisher.publish(30)
    stream = streams(broker.port, **options)
    handled += take(stream, 32)
    assert handled == list(range(1, 35))
    assert stream.missed == 0


def test_what_a_crash_acknowledged_too_late_is_no_second_time(
    broker: Mosquitto, streams: Factory, tmp_path: Path
) -> None:
    """The bookmark is written before the acknowledgement: what comes again is known."""
    stream = streams(broker.port, session="consumer", bookmark=tmp_path / "bookmark")
    raw(broker.port, event_payload(event(), 1), event_payload(event(), 2))
    stream._subscriber.done = lambda _received: None  # as if it had died there
    assert take(stream, 2) == [1, 2]
    assert stream.get(timeout=0.05) is None
    stream.close()
    again = streams(broker.port, session="consumer", bookmark=tmp_path / "bookmark")
    raw(broker.port, event_payload(event(), 3))
    assert take(again, 1) == [3]
    assert (again.repeats, again.missed) == (2, 0)


def test_without_a_session_the_bookmark_tells_what_was_missed(
    broker: Mosquitto, publishers: Factory, streams: Factory, tmp_path: Path
) -> None:
    """The broker forgot it, the new process knows how much it was."""
    publisher = publishers(broker.port)
    with made(broker.port, bookmark=tmp_path / "bookmark") as stream:
        publisher.publish(2)
        assert take(stream, 2) == [1, 2]
    publisher.publish(5)
    trouble: list[Any] = []
    stream = streams(broker.port, bookmark=tmp_path / "bookmark", on_trouble=trouble.append)
    publisher.publish(1)
    assert take(stream, 1) == [8]
    assert trouble == [Gap("dev", 3, 7)]


def test_a_killed_broker_and_a_restarted_agent(
    brokers: Factory, publishers: Factory, streams: Factory, caplog: pytest.LogCaptureFixture
) -> None:
    """The stream comes back by itself, is told once why not, and sees what was held back."""
    broker = brokers(persistent=True)
    stream = streams(broker.port, session="consumer")
    publisher = publishers(broker.port)
    publisher.publish(3)
    assert take(stream, 3) == [1, 2, 3]
    assert stream.get(timeout=0.05) is None  # so that the third is acknowledged
    publisher.stop()
    broker.stop()
    wait_until(lambda: stream.problem == "the connection was lost")
    broker.start()
    publishers(broker.port).publish(3)
    assert take(stream, 3) == [4, 5, 6]
    assert stream.problem == ""
    assert caplog.text.count("no events from") == 1


def test_a_slow_consumer_is_not_flooded(
    broker: Mosquitto, publishers: Factory, streams: Factory
) -> None:
    """The broker sends no more ahead than may be under way, and nothing is lost."""
    stream = streams(broker.port, mqtt={"inflight": 7})
    publishers(broker.port).publish(300)
    wait_until(lambda: stream._queue.qsize() == 7)
    time.sleep(0.1)
    assert stream._queue.qsize() == 7
    assert take(stream, 300) == list(range(1, 301))


def test_a_full_queue_holds_up_the_connection_only(
    broker: Mosquitto, publishers: Factory, streams: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the broker knows no such limit, reading waits; closing does not."""
    monkeypatch.setattr("edge_agent.client.stream._MOST_WAITING", 5)
    stream = streams(broker.port, mqtt={"protocol": "3.1.1"})
    publishers(broker.port).publish(50)
    wait_until(lambda: stream._queue.qsize() == 5)
    assert take(stream, 20) == list(range(1, 21))
    wait_until(lambda: stream._queue.qsize() == 5)
    before = time.monotonic()
    stream.close()
    assert time.monotonic() - before < 2.0


def test_another_thread_ends_the_iteration(broker: Mosquitto, streams: Factory) -> None:
    """`stop` wakes who waits for the next event; closing twice is safe."""
    stream = streams(broker.port)
    threading.Timer(0.1, stream.stop).start()
    assert list(stream) == []
    assert stream.get() is None
    stream.close()
    stream.close()


def test_closing_without_opening() -> None:
    """Nothing to let go of."""
    EventStream().close()


def test_login_and_client_certificate(
    brokers: Factory,
    publishers: Factory,
    streams: Factory,
    pki: Path,  # noqa: F811
) -> None:
    """TLS with a certificate of one's own, and over it a password."""
    files = [f"{name} {pki}/{file}" for name, file in (
        ("cafile", "ca.crt"), ("certfile", "server.crt"), ("keyfile", "server.key"),
    )]  # fmt: skip
    broker = brokers(tls=(*files, "require_certificate true"), passwords={"me": "secret"})
    mqtt = {"tls": tls(pki, client="edge"), "username": "me", "password": Secret("secret")}
    stream = streams(broker.port, mqtt=mqtt)
    publishers(broker.port, **mqtt).publish(1)
    assert take(stream, 1) == [1]


def test_through_websockets(brokers: Factory, publishers: Factory, streams: Factory) -> None:
    """The options of the agent hold here too."""
    port = free_port()
    broker = brokers(lines=(f"listener {port} 127.0.0.1", "protocol websockets"))
    stream = streams(port, mqtt={"transport": "websockets"})
    publishers(broker.port).publish(50)
    assert take(stream, 50) == list(range(1, 51))


def test_a_wrong_authority_is_told_at_once(brokers: Factory, pki: Path) -> None:  # noqa: F811
    """With the cure, as the agent tells it."""
    port = serve(brokers, pki).port
    options = MqttOptions("127.0.0.1", port, tls=tls(pki, "other"))
    with pytest.raises(ConnectionError, match=r"is not trusted.*set mqtt\.tls\.ca_file"):
        EventStream(options).open()


@pytest.mark.parametrize("protocol", [5, "3.1.1"])
def test_a_wrong_password_is_told_at_once(brokers: Factory, protocol: Any) -> None:
    """Not after five seconds, and without the password."""
    port = brokers(passwords={"me": "secret"}).port
    options = MqttOptions("127.0.0.1", port, protocol, username="me", password=Secret("wrong-word"))
    with pytest.raises(
        ConnectionError, match=r"wrong user name or password|not authorised"
    ) as told:
        EventStream(options).open()
    assert "wrong-word" not in str(told.value)


def test_no_broker_is_told_at_once() -> None:
    """An error of the standard library, with the place in it."""
    with pytest.raises(ConnectionError, match="is a broker running there"):
        EventStream(MqttOptions("127.0.0.1", free_port())).open()


@pytest.mark.parametrize("prefix", ["edge/#", "", "a+", "/edge"])
def test_a_prefix_that_cannot_be_is_refused(prefix: str) -> None:
    """When the stream is made."""
    with pytest.raises(ValueError, match="topic_prefix"):
        EventStream(MqttOptions(topic_prefix=prefix))
