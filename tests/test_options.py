"""Units, limits and secrets."""

from __future__ import annotations

import copy
import json
import logging
import pickle
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import pytest
from pydantic import TypeAdapter, ValidationError

from edge_agent.options import (
    Doc,
    Duration,
    Fraction,
    Options,
    Polygon,
    Positive,
    Secret,
    Size,
    without_credentials,
)

SECRET = Secret("hunter2xyzzy")


@dataclass(frozen=True, slots=True)
class Stage(Options):
    """Options of a stage that does not exist."""

    url: Annotated[Secret, Doc("Where to.")]
    password: Annotated[Secret | None, Doc("With what.")] = None
    wait: Annotated[Duration, Doc("How long.")] = 1.0
    none: Annotated[Secret, Doc("Nothing.")] = Secret("")  # noqa: RUF009 - never changes


STAGE = TypeAdapter(Stage)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", 0.5),
        ("3s", 3.0),
        ("1.5m", 90.0),
        ("2 h", 7200.0),
        (" 7d ", 604800.0),
        ("0s", 0.0),
        (3, 3.0),
        (0.25, 0.25),
    ],
)
def test_durations(text: Any, seconds: float) -> None:
    """A text with a unit, or a plain number of seconds."""
    assert TypeAdapter(Duration).validate_python(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["3", "", "s", "3 weeks", "3S", "-3s", "1e3s", "3s 4s", ".5s", "3,5s", -1, None]
)
def test_no_durations(text: Any) -> None:
    """A text without a known unit, or anything below 0, is refused."""
    with pytest.raises(ValidationError):
        TypeAdapter(Duration).validate_python(text)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("7B", 7),
        ("500kB", 500_000),
        ("1.5MB", 1_500_000),
        ("2GB", 2 * 10**9),
        ("64KiB", 65536),
        ("64MiB", 2**26),
        ("0.5GiB", 2**29),
        (12, 12),
    ],
)
def test_sizes(text: Any, count: int) -> None:
    """A text with a unit, of 1000 or 1024, or a plain number of bytes; always a whole number."""
    size = TypeAdapter(Size).validate_python(text)
    assert size == count
    assert isinstance(size, int)


@pytest.mark.parametrize("text", ["64", "64mb", "64M", "1.5B", "-1B", 1.5, -1])
def test_no_sizes(text: Any) -> None:
    """An unknown unit, part of a byte, or anything below 0 is refused."""
    with pytest.raises(ValidationError):
        TypeAdapter(Size).validate_python(text)


def test_what_a_wrong_unit_is_told() -> None:
    """The message names what is meant, with an example."""
    with pytest.raises(ValidationError, match="'3 weeks' is not a duration such as 3s"):
        TypeAdapter(Duration).validate_python("3 weeks")
    with pytest.raises(ValidationError, match="'3 weeks' is not a size such as 64MiB"):
        TypeAdapter(Size).validate_python("3 weeks")


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (Fraction, [0, 0.5, 1], [-0.01, 1.01]),
        (Positive, [0.01, 5], [0, -1]),
        (Polygon, [[(0, 0), (1, 0), (1, 1)]], [[(0, 0), (1, 1)], [(0, 0), (2, 0), (1, 1)]]),
    ],
)
def test_limits(kind: Any, good: list[Any], bad: list[Any]) -> None:
    """Values at the limits are taken, values beyond them are not."""
    adapter = TypeAdapter(kind)
    for value in good:
        assert adapter.validate_python(value) == value
    for value in bad:
        with pytest.raises(ValidationError):
            adapter.validate_python(value)


def test_schema() -> None:
    """Help and units stand in the JSON Schema, and an unknown option is a mistake."""
    schema = STAGE.json_schema()
    assert schema["properties"]["wait"]["description"] == "How long."
    assert schema["properties"]["wait"]["examples"] == ["3s"]
    assert schema["properties"]["url"] == {
        "description": "Where to.",
        "title": "Url",
        "type": "string",
    }
    assert schema["properties"]["none"]["default"] == ""
    with pytest.raises(ValidationError):
        STAGE.validate_python({"url": "x", "wiat": 3})


@pytest.mark.parametrize(
    "show",
    [
        str,
        repr,
        format,
        lambda secret: f"{secret}",
        lambda secret: f"{secret!r:>20}",
        lambda secret: f"{secret:>20}",
        lambda secret: "%s" % secret,  # noqa: UP031
        lambda secret: "%r" % (secret,),  # noqa: UP031
        lambda secret: f"{[secret]} {{'a': {secret}}}",
        lambda secret: repr(Stage(secret, secret)),
        lambda secret: str(asdict(Stage(secret, secret))),
        lambda secret: json.dumps({"a": secret}, default=str),
        lambda secret: STAGE.dump_json(Stage(secret, secret)).decode(),
        lambda secret: json.dumps(STAGE.dump_python(Stage(secret, secret))),
        lambda secret: str(KeyError(secret)),
    ],
)
def test_a_secret_is_not_shown(show: Callable[[Secret], str]) -> None:
    """However it is printed, it is stars."""
    shown = show(SECRET)
    assert "***" in shown
    assert "hunter2" not in shown


@pytest.mark.parametrize(
    "join",
    [
        json.dumps,
        lambda secret: "".join(reversed([secret])),
        lambda secret: "rtsp://" + secret,
        lambda secret: bytes(secret, "utf-8"),
    ],
)
def test_a_secret_is_no_text(join: Callable[[Any], Any]) -> None:
    """What would look past how it prints fails instead, and without telling it."""
    with pytest.raises(TypeError) as error:
        join(SECRET)
    assert "hunter2" not in str(error.value)


def test_a_secret_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Neither as an argument nor inside one."""
    log = logging.getLogger("edge_agent.test")
    log.warning("%s %r %s", SECRET, SECRET, {"password": SECRET})
    log.warning(SECRET)
    assert caplog.messages == ["*** '***' {'password': '***'}", "***"]


def test_reveal() -> None:
    """The one call gives the plain text, also from a copy."""
    for secret in (SECRET, copy.deepcopy(SECRET), pickle.loads(pickle.dumps(SECRET))):
        assert secret.reveal() == "hunter2xyzzy"
        assert type(secret.reveal()) is str


def test_equal_secrets() -> None:
    """Secrets compare by what they hide, and an empty one is false."""
    assert Secret("a") == Secret("a")
    assert hash(Secret("a")) == hash(Secret("a"))
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert bool(SECRET)
    assert not Secret("")


@pytest.mark.parametrize("value", ["hunter2xyzzy", SECRET])
def test_a_secret_from_the_configuration(value: str | Secret) -> None:
    """A text becomes a secret, a secret stays one; a number is refused."""
    stage = STAGE.validate_python({"url": value, "password": value})
    assert stage.url == stage.password == SECRET
    assert STAGE.validate_json('{"url": "hunter2xyzzy"}').url == SECRET
    with pytest.raises(ValidationError):
        STAGE.validate_python({"url": 12345})


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cannot open rtsp://me:geheim@cam:554/1", "cannot open rtsp://***@cam:554/1"),
        ("http://token@h and mqtts://u:p@h:1", "http://***@h and mqtts://***@h:1"),
        ("rtsp://me:ge@heim@cam/x", "rtsp://***@cam/x"),
        ("rtsp://me:ge/heim@cam/x", "rtsp://***@cam/x"),
        ("'rtsp://me:a#b?c@cam' is wrong", "'rtsp://***@cam' is wrong"),
        ("rtsp://cam/x is fine", "rtsp://cam/x is fine"),
        ("mail me@example.org", "mail me@example.org"),
        ("", ""),
    ],
)
def test_without_credentials(text: str, shown: str) -> None:
    """User and password of each address are stars, also where its password is badly written."""
    assert without_credentials(text) == shown
