"""`edge-agent run`: its options, with a file and without."""

from __future__ import annotations

import argparse
import ipaddress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import edge_agent.cli.run
from edge_agent.cli.run import broker_values
from edge_agent.config.schema import Config
from edge_agent.errors import UsageError
from edge_agent.outbox.base import Outbox
from tests.support.cli import CLIP, MODEL, Terminal
from tests.support.configs import MINIMAL, write

ADDRESSES = st.ip_addresses(v=6).map(str)
NAMES = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,20}[A-Za-z0-9])?", fullmatch=True)
NOTHING = "nothing to run (give -c FILE, or a source such as --camera 0 together with --model FILE)"
PORTS = st.integers(1, 65535)


class Made:
    """Stands for the agent: keeps the configuration that it would have been built from."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.configs: list[Config] = []
        monkeypatch.setattr(edge_agent.cli.run, "build_agent", self._build)

    wish = None

    def _build(self, config: Config, _: Outbox, **_options: object) -> Made:
        self.configs.append(config)
        return self

    def run(self, _stop: object) -> int:
        """End at once."""
        return 0


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Made:
    """In place of a running agent."""
    return Made(monkeypatch)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("broker.local", {"host": "broker.local"}),
        ("broker.local:1884", {"host": "broker.local", "port": 1884}),
        ("10.0.0.1:1", {"host": "10.0.0.1", "port": 1}),
        ("::1", {"host": "::1"}),
        ("[::1]", {"host": "::1"}),
        ("[::1]:8883", {"host": "::1", "port": 8883}),
        ("fe80::1%eth0", {"host": "fe80::1%eth0"}),
        ("[fe80::1%eth0]:1883", {"host": "fe80::1%eth0", "port": 1883}),
    ],
)
def test_broker(text: str, values: dict[str, Any]) -> None:
    """A name or an address, of either kind, with a port or without."""
    assert broker_values(text) == values


@given(st.one_of(NAMES, ADDRESSES), st.none() | PORTS)
def test_any_broker(host: str, port: int | None) -> None:
    """What is written as HOST:PORT, IPv6 in brackets, is read as this host and port."""
    text = host
    if port is not None:
        text = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    expected = {"host": host} if port is None else {"host": host, "port": port}
    assert broker_values(text) == expected


@given(st.text(st.sampled_from("a1:[].%/@ -f"), max_size=12))
def test_any_text_as_a_broker(text: str) -> None:
    """It is a host that has no brackets left, or wrong usage; a port is never lost."""
    try:
        values = broker_values(text)
    except UsageError:
        return
    assert values["host"]
    assert not set("[]/@ ") & set(values["host"])
    if text.count(":") == 1:
        assert text == f"{values['host']}:{text.partition(':')[2]}"
        assert values["port"] == int(text.partition(":")[2])


@pytest.mark.parametrize(
    "text", ["", ":1", "h:", "h:x", "[::1", "::1]", "mqtt://h", "user:hunter2@h", "a b", "h:-1"]
)
def test_what_is_no_broker(text: str) -> None:
    """Wrong usage that tells the form; a password in it is not repeated."""
    with pytest.raises(UsageError) as caught:
        broker_values(text)
    assert str(caught.value) == "--broker must be HOST or HOST:PORT, for IPv6 [ADDRESS]:PORT"


def test_zone_of_an_address() -> None:
    """An address with a zone is one that Python's own reader takes as well."""
    host = broker_values("[fe80::1%eth0]:1")["host"]
    assert ipaddress.IPv6Address(host).scope_id == "eth0"


@pytest.mark.parametrize(
    ("words", "kind", "options"),
    [
        (["--camera", "0"], "camera", {"device": "0"}),
        (["--camera", "/dev/video2"], "camera", {"device": "/dev/video2"}),
        (["--picamera"], "picamera", {}),
        (["--rtsp", "rtsp://cam/1"], "rtsp", {}),
        (["--http", "http://cam/x.jpg"], "http", {}),
        (["--video", CLIP], "video", {"file": Path(CLIP), "pace": "real"}),
        (["--images", str(Path(CLIP).with_name("*.mp4"))], "images", {}),
        (["--images", "/"], "images", {"folder": Path("/")}),
    ],
)
def test_a_source_without_a_file(
    terminal: Terminal, made: Made, words: list[str], kind: str, options: dict[str, Any]
) -> None:
    """Each option is one kind of source, the only one, and its pipeline is called after it."""
    answer = terminal("run", *words, "--model", MODEL)
    assert answer.code == 0, answer.err
    (config,) = made.configs
    source = config.sources[kind]
    assert source.type == kind
    assert {key: getattr(source.options, key) for key in options} == options
    assert list(config.pipelines) == [kind]
    assert config.models["belt"].file == Path(MODEL)


def test_all_the_other_options(terminal: Terminal, made: Made) -> None:
    """They arrive where the YAML would have them."""
    words = ["--broker", "[::1]:1884", "--name", "front", "--labels", "person, cat"]
    words += ["--threshold", "0.7", "--motion", "--threads", "2", "--task", "ssd"]
    assert terminal("run", "--camera", "0", "--model", MODEL, *words).code == 0
    (config,) = made.configs
    assert (config.mqtt.host, config.mqtt.port) == ("::1", 1884)
    assert config.agent.name == "front"
    pipeline = config.pipelines["camera"]
    assert pipeline.labels == ["person", "cat"]
    assert (pipeline.threshold, list(pipeline.gate)) == (0.7, ["motion"])
    assert (config.models["belt"].threads, config.models["belt"].task.name) == (2, "ssd")


def test_a_file(terminal: Terminal, made: Made, tmp_path: Path) -> None:
    """With -c it is the file that counts."""
    assert terminal("run", "-c", write(tmp_path, MINIMAL)).code == 0
    assert list(made.configs[0].pipelines) == ["p"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], NOTHING),
        (["--camera", "0"], NOTHING),
        (["--model", MODEL], NOTHING),
        (["-c", "c.yaml", "--camera", "0"],
         "give either -c FILE or a source with --model, not both"),
        (["-c", "c.yaml", "--model", MODEL],
         "give either -c FILE or a source with --model, not both"),
        (["--camera", "0", "--model", MODEL, "--name", "a b"],
         ("agent.name: a name cannot have spaces in it: it is part of MQTT topics "
         "(choose another name)")),
        (["--camera", "0", "--model", MODEL, "--broker", "h:99999"],
         "mqtt.port: expected a whole number from 1 to 65535, got 99999"),
        (["--http", "ftp://cam", "--model", MODEL],
         "sources.http: url must be http:// or https:// with a host (write http://HOST/PATH)"),
        (["--video", "none.mp4", "--model", MODEL], "--video none.mp4: no such file"),
        (["--images", "no/*.jpg", "--model", MODEL],
         "--images no/*.jpg: no such picture or folder"),
    ],
)  # fmt: skip
def test_wrong_usage(terminal: Terminal, words: list[str], message: str) -> None:
    """One line and exit code 2: what is wrong stands on the command line, not in a file."""
    answer = terminal("run", *words)
    assert (answer.code, answer.out, answer.complaint) == (2, "", message)


@pytest.mark.parametrize(
    "words", [["--camera", "0", "--video", CLIP], ["--threshold", "7"], ["--threads", "none"]]
)
def test_wrong_options(terminal: Terminal, words: list[str]) -> None:
    """Two sources, or numbers out of range: usage and exit code 2."""
    answer = terminal("run", "--model", MODEL, *words)
    assert answer.code == 2
    assert answer.err.splitlines()[-1].startswith("edge-agent run: error: argument --")


def test_a_password_in_an_address_is_not_shown(terminal: Terminal) -> None:
    """Also where the address is wrong, whichever way."""
    for url in ("rtsp:/user:hunter2@cam", "rtsp://user:hun/ter2@cam", "rtsp://user:hunter2@cam:x"):
        answer = terminal("run", "--rtsp", url, "--model", MODEL)
        assert answer.code == 2
        assert "hunter2" not in answer.err
        assert "ter2" not in answer.err


@pytest.mark.parametrize("text", ["mqtt: {port: 0}\n", "{}\n"])
def test_a_bad_file(terminal: Terminal, tmp_path: Path, text: str) -> None:
    """A mistake in a file, whoever finds it, is 78."""
    assert terminal("run", "-c", write(tmp_path, text)).code == 78


def test_values_are_those_of_the_parser() -> None:
    """The options have the defaults that the help tells."""
    parser = argparse.ArgumentParser()
    edge_agent.cli.run.add_arguments(parser)
    arguments = parser.parse_args(["--camera", "0"])
    assert (arguments.broker, arguments.threshold, arguments.engine) == ("localhost", 0.5, "auto")
