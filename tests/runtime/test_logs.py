"""Logging: levels for journald, no credentials for anybody."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from edge_agent.runtime.logs import set_up_logging
from tests.support.runtime import hold_time

_log = logging.getLogger("edge_agent.test")
_ADDRESS = "rtsp://admin:s3cret@10.0.0.5/stream"


@pytest.fixture(autouse=True)
def root_logger(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Leave the root logger as it was; no journal unless the test says so."""
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers = []
    yield
    root.handlers = handlers
    root.setLevel(level)


def said(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Lines on stderr; stdout must be left alone."""
    out, err = capsys.readouterr()
    assert out == ""
    return err.splitlines()


def fail() -> None:
    """Raise as a library would that shows the address."""
    raise OSError(f"cannot open {_ADDRESS}")


def test_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """People get the time, the level and the text."""
    set_up_logging("info")
    _log.warning("no %s", "camera")
    (line,) = said(capsys)
    assert line.endswith(" WARNING no camera")
    assert line[2] == line[5] == ":"


def test_level(capsys: pytest.CaptureFixture[str]) -> None:
    """What weighs less than the level is not said, and a second call changes the level."""
    set_up_logging("error")
    _log.warning("one")
    set_up_logging("debug")
    _log.debug("two")
    assert [line.split()[-1] for line in said(capsys)] == ["two"]


@pytest.mark.parametrize("journal", [False, True])
def test_no_credentials_in_messages(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, journal: bool
) -> None:
    """User and password of an address become stars, the rest of it stays."""
    if journal:
        monkeypatch.setenv("JOURNAL_STREAM", "8:1234")
    set_up_logging("info")
    _log.info("trying %s and http://u:p@ss/w@h/x", _ADDRESS)
    (line,) = said(capsys)
    assert line.endswith("trying rtsp://***@10.0.0.5/stream and http://***@h/x")


@pytest.mark.parametrize("journal", [False, True])
def test_no_credentials_in_tracebacks(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, journal: bool
) -> None:
    """An exception that carries an address shows no password either."""
    if journal:
        monkeypatch.setenv("JOURNAL_STREAM", "8:1234")
    set_up_logging("info")
    try:
        fail()
    except OSError:
        _log.exception("failed")
    lines = "\n".join(said(capsys))
    assert "OSError: cannot open rtsp://***@10.0.0.5/stream" in lines
    assert "admin" not in lines
    assert "s3cret" not in lines


@pytest.mark.parametrize(
    ("level", "priority"),
    [
        (logging.DEBUG, "<7>"),
        (logging.INFO, "<6>"),
        (logging.WARNING, "<4>"),
        (logging.ERROR, "<3>"),
        (logging.CRITICAL, "<2>"),
    ],
)
def test_journal_priorities(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, level: int, priority: str
) -> None:
    """Under journald a line begins with its priority and has no time of its own."""
    monkeypatch.setenv("JOURNAL_STREAM", "8:1234")
    set_up_logging("debug")
    _log.log(level, "hello")
    assert said(capsys) == [f"{priority}hello"]


def test_journal_priority_on_every_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message of several lines keeps its priority throughout."""
    monkeypatch.setenv("JOURNAL_STREAM", "8:1234")
    set_up_logging("info")
    _log.error("one\ntwo")
    assert said(capsys) == ["<3>one", "<3>two"]


def test_json_lines(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each line is one object, also for several lines of text, and also under journald."""
    monkeypatch.setenv("JOURNAL_STREAM", "8:1234")
    set_up_logging("info", "json")
    _log.warning("one\ntwo %s", _ADDRESS)
    try:
        fail()
    except OSError:
        _log.exception("failed")
    warning, error = (json.loads(line) for line in said(capsys))
    assert warning["message"] == "one\ntwo rtsp://***@10.0.0.5/stream"
    assert (warning["level"], warning["logger"]) == ("warning", "edge_agent.test")
    assert warning["time"] > 1.6e9
    assert "OSError: cannot open rtsp://***@10.0.0.5/stream" in error["exception"]


def test_a_flood_is_held_back(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line of code says ten things a minute, then how many it kept back; others go on."""
    hand = hold_time(monkeypatch, "logs")
    set_up_logging("info")
    for round_ in range(3):
        for number in range(25):
            _log.warning("again %d", number)
        _log.warning("another line of code, round %d", round_)
        hand.now += 61.0
    lines = said(capsys)
    assert len([line for line in lines if "again" in line]) == 30
    assert sum("(15 more like this before)" in line for line in lines) == 2
    assert len([line for line in lines if "another" in line]) == 3


def test_a_flood_hides_no_other_level(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line of code that logs at several levels has a share of each."""
    hold_time(monkeypatch, "logs")
    set_up_logging("info")
    for level in [logging.INFO] * 25 + [logging.WARNING]:
        _log.log(level, "step")
    assert [line.split()[1] for line in said(capsys)] == ["INFO"] * 10 + ["WARNING"]
