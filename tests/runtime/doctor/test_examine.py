"""All checks at once, each within its time."""

from __future__ import annotations

import logging
import threading
from time import monotonic

import pytest

from edge_agent.errors import EdgeAgentError
from edge_agent.runtime.doctor.examine import examine
from edge_agent.runtime.doctor.finding import Check, Finding, failed, ok, split_cure


def test_what_hangs_holds_nobody_up() -> None:
    """A check that does not return fails with its cure after its limit, the others are told."""
    forever = threading.Event()

    def hang() -> Finding:
        forever.wait(20)
        return ok("late")

    began = monotonic()
    found = dict(
        examine(
            [
                Check("camera", hang, "unplug it", 0.2),
                Check("disk", lambda: ok("fine"), ""),
                Check("broker", hang, "look at the network", 99.0),
            ],
            whole=0.4,
        )
    )
    assert monotonic() - began < 2.0
    forever.set()
    assert list(found) == ["camera", "disk", "broker"]
    assert (found["camera"].state, found["camera"].fix) == ("FAIL", "unplug it")
    assert found["disk"] == ok("fine")
    assert found["broker"].fix == "look at the network"


def test_a_broken_check_is_told_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Our own mistakes do not end the report."""

    def broken() -> Finding:
        raise KeyError("oops")

    with caplog.at_level(logging.ERROR):
        ((_, finding),) = examine([Check("power", broken, "")])
    assert finding.state == "FAIL"
    assert "KeyError('oops')" in finding.found
    assert "Traceback" in caplog.text


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("no file (copy it)", ("no file", "copy it")),
        ("a (b) c (do (it) now)", ("a (b) c", "do (it) now")),
        ("no cure", ("no cure", "ask")),
        ("half (a cure", ("half (a cure", "ask")),
    ],
)
def test_a_cure_in_brackets_is_taken_apart(text: str, parts: tuple[str, str]) -> None:
    """The last brackets hold the cure; without any there is another."""
    assert split_cure(text, "ask") == parts


def test_an_errors_own_cure_comes_first() -> None:
    """Errors carry their cure, or have it in their text."""
    assert failed(EdgeAgentError("gone", "bring it"), "ask").fix == "bring it"
    assert failed(EdgeAgentError("gone (bring it)"), "ask").fix == "bring it"
    assert failed(EdgeAgentError("gone"), "ask").fix == "ask"
