"""Whether a pipeline is online, and why not."""

from __future__ import annotations

from edge_agent.runtime.status import STARTING, PipelineStatus


class Heard:
    """A status of two parts and what it said."""

    def __init__(self) -> None:
        self.said: list[tuple[bool, str]] = []
        self.status = PipelineStatus(
            ("source", "model"), lambda online, reason: self.said.append((online, reason))
        )


def test_starting_until_every_part_is_fine() -> None:
    """It is offline, for starting, until the last part has reported."""
    heard = Heard()
    assert (heard.status.online, heard.status.reason) == (False, STARTING)
    heard.status.fine("model")
    assert not heard.status.online
    heard.status.fine("source")
    assert (heard.status.online, heard.status.reason) == (True, "")
    assert heard.said == [(False, STARTING), (True, "")]


def test_only_changes_are_said() -> None:
    """What is known already is not said again."""
    heard = Heard()
    for part in ("source", "model", "model", "source"):
        heard.status.fine(part)
    heard.status.trouble("source", "no camera")
    heard.status.trouble("source", "no camera")
    assert heard.said[1:] == [(True, ""), (False, "no camera")]


def test_one_part_cannot_hide_the_other() -> None:
    """A part that is fine again does not cover up the trouble of another."""
    heard = Heard()
    heard.status.trouble("source", "no camera")
    heard.status.trouble("model", "no file")
    assert heard.status.reason == "no camera"
    heard.status.fine("source")
    assert (heard.status.online, heard.status.reason) == (False, "no file")
    heard.status.fine("model")
    assert heard.said == [(False, "no camera"), (False, "no file"), (True, "")]


def test_a_new_reason_is_said() -> None:
    """While it is offline, another reason is news."""
    heard = Heard()
    heard.status.trouble("source", "no camera")
    heard.status.trouble("source", "no driver")
    assert heard.said == [(False, "no camera"), (False, "no driver")]
