"""Messages of other devices: a real broker, good and bad messages, and what may go wrong."""

from __future__ import annotations

import contextlib
import gc
import json
import logging
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from edge_agent.errors import SourceError, SourceUnavailable, SourceUnusable
from edge_agent.frame import Frame
from edge_agent.options import Secret
from edge_agent.sources.complaints import Complaints
from edge_agent.sources.json_values import BadMessage, number_of, path_steps, value_at
from edge_agent.sources.mqtt import MqttSource, MqttSourceOptions, Subscription
from tests.support.broker import Mosquitto, wait_until
from tests.support.certificates import authority, certificate
from tests.support.reading import Watcher, reading

CLIMATE = {
    "temp": Subscription("zigbee2mqtt/hall", "climate.temperature"),
    "door": Subscription("zigbee2mqtt/door", "contact"),
    "level": Subscription("tank/level"),
}


@pytest.fixture(name="broker")
def _broker(tmp_path: Path) -> Iterator[Mosquitto]:
    broker = Mosquitto(tmp_path).start()
    yield broker
    broker.kill()


@pytest.fixture(name="publish")
def _publish(broker: Mosquitto) -> Iterator[Callable[..., None]]:
    """Publishes a text, bytes, or anything else as JSON, and waits until the broker has it."""
    client = Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()

    def publish(topic: str, value: Any, retain: bool = False) -> None:
        payload = value if isinstance(value, str | bytes) else json.dumps(value)
        client.publish(topic, payload, 1, retain).wait_for_publish(10)

    yield publish
    client.disconnect()
    client.loop_stop()


def _source(broker: Mosquitto, **options: Any) -> MqttSource:
    options = {"channels": CLIMATE, "host": "127.0.0.1", "port": broker.port, **options}
    return MqttSource("sensors", MqttSourceOptions(**options))


def _texts(broker: Mosquitto, topic: str, path: str = "", **options: Any) -> MqttSource:
    return _source(broker, channels={}, text=Subscription(topic, path), **options)


def _rows(source: MqttSource, count: int) -> list[list[float]]:
    """The next rows of a started source."""
    rows: list[list[float]] = []
    while len(rows) < count:
        frame = source.read()
        assert frame is not None
        rows += frame.data.tolist()
    return rows


def _fails(source: MqttSource) -> SourceError:
    with pytest.raises(SourceError) as error:
        source.start()
    source.stop()
    return error.value


def test_numbers_of_several_topics(broker: Mosquitto, publish: Callable[..., None]) -> None:
    """Each message is a row; the other channels keep their value and are NaN before their first."""
    source = _source(broker)
    source.start()
    publish("zigbee2mqtt/hall", {"climate": {"temperature": 21.5}, "linkquality": 3})
    publish("zigbee2mqtt/door", {"contact": "open"})
    publish("tank/level", "17.25")
    publish("zigbee2mqtt/door", {"contact": False})
    frames: list[Frame] = []
    while sum(len(frame.data) for frame in frames) < 4:
        frame = source.read()
        assert frame is not None
        frames.append(frame)
    source.stop()
    rows = [row for frame in frames for row in frame.data.tolist()]
    assert str(rows) == str(
        [[21.5, math.nan, math.nan], [21.5, 1.0, math.nan], [21.5, 1.0, 17.25], [21.5, 0.0, 17.25]]
    )
    signal_ = frames[0].signal
    assert signal_ is not None
    assert (signal_.channels, signal_.rate) == (("temp", "door", "level"), None)
    assert abs(signal_.times[0] - time.monotonic()) < 10.0


def test_wildcards(broker: Mosquitto, publish: Callable[..., None]) -> None:
    """A filter takes in every topic that fits it."""
    source = _source(broker, channels={"temp": Subscription("rooms/+/temp")})
    source.start()
    for n, room in enumerate(("hall", "bath")):
        publish(f"rooms/{room}/temp", str(n))
    assert _rows(source, 2) == [[0.0], [1.0]]
    source.stop()


@pytest.mark.parametrize("protocol", [5, "3.1.1"])
def test_filters_that_overlap(
    broker: Mosquitto, publish: Callable[..., None], protocol: Any
) -> None:
    """A message that fits two channels is one row of both."""
    channels = {"all": Subscription("rooms/#"), "hall": Subscription("rooms/hall")}
    source = _source(broker, channels=channels, protocol=protocol)
    source.start()
    publish("rooms/hall", "1")
    publish("rooms/bath", "2")
    assert _rows(source, 2) == [[1.0, 1.0], [2.0, 1.0]]
    source.stop()


def test_nothing_is_left_open(broker: Mosquitto) -> None:
    """However often it is opened, also in vain, no socket stays behind."""
    gone = MqttSource("s", MqttSourceOptions({"x": Subscription("t")}, host="127.0.0.1", port=1))
    good = _source(broker)

    def open_files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    gc.disable()
    before = open_files()
    for _ in range(10):
        with contextlib.suppress(SourceError):
            gone.start()
        gone.stop()
        good.start()
        good.stop()
    after = open_files()
    gc.enable()
    assert after <= before + 2


def test_retained_messages(broker: Mosquitto, publish: Callable[..., None]) -> None:
    """What the broker kept from before counts only where it is asked for."""
    publish("tank/level", "1", retain=True)
    for retained, expected in ((True, 1.0), (False, 2.0)):
        source = _source(broker, channels={"x": Subscription("tank/level")}, retained=retained)
        source.start()
        publish("tank/level", "2")
        assert _rows(source, 1)[0] == [expected]
        source.stop()


def test_bad_messages(
    broker: Mosquitto, publish: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    """Garbage of every kind is counted, logged once a minute, and stops nothing."""
    source = _source(broker, channels={"x": Subscription("t", "a")})
    bad = [b"\xff\xfe", "", "{", '{"a": NaN}', '{"a": 1e999}', '{"a": "cheese"}', '{"a": [1]}']
    bad += ["[1]", '{"b": 1}', '{"a": null}', "[" * 100000, '{"a": ' + "9" * 5000 + "}"]
    with reading(source) as (watcher, reader):
        wait_until(lambda: "SUBACK" in broker.log)
        for payload in bad:
            publish("t", payload)
        publish("t", {"a": 3})
        watcher.wait(lambda: bool(watcher.frames))
        assert reader.reopens == 0
    assert watcher.frames[0].data.tolist() == [[3.0]]
    assert source.complaints.count == len(bad)
    assert len([r for r in caplog.records if r.levelno == logging.WARNING]) == 1


def test_a_line_of_each_message(
    broker: Mosquitto, publish: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    """Whole messages, in any encoding, or a field of them."""
    source = _texts(broker, "log/#")
    source.start()
    publish("log/a", "  Grüße\n")
    publish("log/b", " \n")
    publish("log/c", b"x" * (2**20 + 1))
    publish("log/c", b"caf\xe9")
    frames = [source.read(), source.read()]
    source.stop()
    assert [frame.text for frame in frames if frame] == ["Grüße", "caf\ufffd"]
    assert source.complaints.count == 2
    assert "has more than 1048576 bytes" in caplog.text
    source = _texts(broker, "log", "entry.msg")
    source.start()
    publish("log", {"entry": {}})
    publish("log", {"entry": {"msg": "disk full"}})
    publish("log", {"entry": {"msg": 7}})
    frames = [source.read(), source.read()]
    source.stop()
    assert [frame.text for frame in frames if frame] == ["disk full", "7"]
    assert source.complaints.count == 1


def _publisher(publish: Callable[..., None], topic: str, value: str) -> Callable[[], None]:
    """Publishes again and again until the function that it gives is called."""
    ended = threading.Event()

    def run() -> None:
        while not ended.wait(0.02):
            with contextlib.suppress(RuntimeError):  # the broker is away
                publish(topic, value)

    thread = threading.Thread(target=run)
    thread.start()

    def end() -> None:
        ended.set()
        thread.join(10)

    return end


def test_silence(broker: Mosquitto, publish: Callable[..., None]) -> None:
    """A device that says nothing, or nothing good, is offline until it does; old values end."""
    source = _source(broker, silence=0.5)
    with reading(source) as (watcher, _):
        wait_until(lambda: "SUBACK" in broker.log)
        publish("zigbee2mqtt/door", {"contact": "ON"})
        watcher.wait_online()
        end = _publisher(publish, "tank/level", "NaN")
        watcher.wait_reason("has no message of zigbee2mqtt/hall")
        end()
        end = _publisher(publish, "tank/level", "5")
        watcher.wait_online()
        watcher.wait(lambda: math.isnan(watcher.frames[-1].data[-1, 1]))
        end()
    assert source.patience is not None


def _online_again(watcher: Watcher, publish: Callable[..., None]) -> None:
    watcher.wait_online()
    before = len(watcher.frames)
    end = _publisher(publish, "tank/level", "5")
    watcher.wait(lambda: len(watcher.frames) > before)
    end()


def test_a_broker_that_goes_and_comes_back(broker: Mosquitto, publish: Callable[..., None]) -> None:
    """It is offline with the reason, then online by itself; the first rows then follow a gap."""
    with reading(_source(broker)) as (watcher, _):
        _online_again(watcher, publish)
        broker.kill()
        watcher.wait_offline()
        watcher.wait(lambda: "nothing listens" in watcher.statuses[-1].reason)
        before = len(watcher.frames)
        broker.start()
        _online_again(watcher, publish)
        after = watcher.frames[before].signal
        assert after is not None
        assert after.is_gap


def test_a_broker_that_hangs(broker: Mosquitto) -> None:
    """One that takes the connection and says nothing ends at the limit."""
    broker.pause(signal.SIGSTOP)
    began = time.monotonic()
    error = _fails(_source(broker, timeout=0.5))
    broker.pause(signal.SIGCONT)
    assert "does not answer within 0.5 s" in error.message
    assert time.monotonic() - began < 5.0


@pytest.mark.parametrize("protocol", [5, "3.1.1"])
def test_logging_in(tmp_path: Path, protocol: Any) -> None:
    """A wrong password and a topic that is not allowed are told; the password is not."""
    acl = "user me\ntopic read tank/#\n"
    broker = Mosquitto(tmp_path, passwords={"me": "geheim"}, acl=acl).start()
    right = {"username": "me", "password": Secret("geheim"), "protocol": protocol}
    source = _source(broker, channels={"x": Subscription("tank/level")}, **right)
    source.start()
    source.stop()
    wrong = _fails(_source(broker, username="me", password=Secret("falsch"), protocol=protocol))
    assert isinstance(wrong, SourceUnusable)
    assert "refuses the user name or password" in str(wrong)
    assert "falsch" not in str(wrong)
    broker.kill()


def test_encryption(tmp_path: Path) -> None:
    """Only a broker with a certificate of the trusted authority is believed."""
    authority(tmp_path, "ca")
    authority(tmp_path, "other")
    certificate(tmp_path, "server", "DNS:localhost,IP:127.0.0.1")
    lines = (f"certfile {tmp_path}/server.crt", f"keyfile {tmp_path}/server.key")
    broker = Mosquitto(tmp_path, tls=lines).start()
    for options in ({"ca_file": str(tmp_path / "ca.crt")}, {"verify_tls": False}):
        source = _source(broker, tls=True, **options)
        source.start()
        source.stop()
    error = _fails(_source(broker, tls=True, ca_file=str(tmp_path / "other.crt")))
    assert isinstance(error, SourceUnusable)
    assert "is not trusted" in str(error)
    error = _fails(_source(broker, tls=True, ca_file=str(tmp_path / "missing.crt")))
    assert "a TLS file" in str(error)
    broker.kill()


def test_nobody_there() -> None:
    """An unknown host and a closed port are told apart."""
    channels = {"x": Subscription("t")}
    unknown = MqttSource("s", MqttSourceOptions(channels, host="broker.invalid"))
    assert "is not known" in str(_fails(unknown))
    closed = _fails(MqttSource("s", MqttSourceOptions(channels, host="127.0.0.1", port=1)))
    assert isinstance(closed, SourceUnavailable)
    assert "nothing listens" in closed.message


def test_options_that_do_not_fit() -> None:
    """Channels or text, a path that is one, a password with its user."""
    one = {"x": Subscription("t")}
    for options, message in (
        (MqttSourceOptions(), "either channels or text"),
        (MqttSourceOptions(one, text=Subscription("t")), "either channels or text"),
        (MqttSourceOptions({"x": Subscription("t", "a[")}), "is no path"),
        (MqttSourceOptions(one, password=Secret("x")), "password needs username"),
    ):
        with pytest.raises(ValueError, match=message):
            MqttSource("s", options)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("", {"a": [{"b c": 1}, 2], "3": 4}),
        ("a[1]", 2),
        ("a[-2].b c", 1),
        ("3", 4),
        ("a.0", None),
        ("a[2]", None),
        ("x", None),
        ("a.b.c", None),
    ],
)
def test_paths(path: str, value: Any) -> None:
    """Names and places, whatever the names look like; None where it leads nowhere."""
    data = {"a": [{"b c": 1}, 2], "3": 4}
    if value is None:
        with pytest.raises(KeyError):
            value_at(data, path_steps(path))
    else:
        assert value_at(data, path_steps(path)) == value


@pytest.mark.parametrize(
    ("value", "number"),
    [(True, 1.0), ("OFF", 0.0), (" Closed ", 0.0), ("1e3", 1000.0), (-2, -2.0), ("open", 1.0)],
)
def test_words_for_numbers(value: Any, number: float) -> None:
    """Switches and doors speak in words."""
    assert number_of(value) == number


@pytest.mark.parametrize("value", ["", "inf", "cheese", None, [], {}, float("nan"), 10**400])
def test_what_is_no_number(value: Any) -> None:
    """It is refused, with a text that is short."""
    with pytest.raises(BadMessage) as error:
        number_of(value)
    assert len(str(error.value)) < 100


def test_complaints_are_few(caplog: pytest.LogCaptureFixture) -> None:
    """The first is logged, then one line a minute with the number of those before."""
    now = [0.0]
    complaints = Complaints(logging.getLogger("x"), "mic", lambda: now[0])
    for second in range(130):
        now[0] = float(second)
        complaints.tell("it squeaks")
    assert complaints.count == 130
    assert [record.message for record in caplog.records] == [
        "source mic: it squeaks",
        "source mic: it squeaks (and 59 more before)",
        "source mic: it squeaks (and 59 more before)",
    ]
