"""What the page is told of the agent."""

from __future__ import annotations

import json
import logging
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_agent.mqtt.broker import free_port
from edge_agent.runtime.pictures import Seen
from edge_agent.runtime.snapshots import NoSnapshots
from edge_agent.runtime.viewing import LogTail, Preview
from tests.page.test_server import Visitor
from tests.support.agent import AgentProcess, belt_config
from tests.support.broker import wait_until
from tests.support.runtime import live_frame


def test_a_preview_is_made_only_when_somebody_looks() -> None:
    """The next frame, once; without a frame nothing, and new objects alone are no reason."""
    preview = Preview(NoSnapshots())
    assert not preview.allowed
    preview.inferred(live_frame(1), Seen(fresh={1}))
    found: list[bytes | None] = []
    looking = threading.Thread(target=lambda: found.append(preview.look()))
    looking.start()
    for number in range(200):
        preview.frame(live_frame(number))
        looking.join(0.005)
        if not looking.is_alive():
            break
    assert found[0] is not None
    assert cv2.imdecode(np.frombuffer(found[0], np.uint8), cv2.IMREAD_COLOR) is not None


def test_those_who_look_at_once_share_a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many and often they look, the pipeline draws no more than it would for one."""
    monkeypatch.setattr("edge_agent.runtime.viewing._PAUSE", 30.0)
    preview = Preview(NoSnapshots())
    found: list[bytes | None] = []
    looking = [
        threading.Thread(target=lambda: found.append(preview.look()), daemon=True) for _ in range(3)
    ]
    for each in looking:
        each.start()

    def all_have_looked() -> bool:
        preview.frame(live_frame(1))
        return len(found) == 3

    wait_until(all_have_looked, 5.0)
    preview.frame(live_frame(2))
    assert preview.look() is found[0] is not None


def test_nothing_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A camera that is silent keeps nobody waiting."""
    monkeypatch.setattr("edge_agent.runtime.viewing._PATIENCE", 0.05)
    assert Preview(NoSnapshots()).look() is None


def test_the_log_has_no_credentials() -> None:
    """As everywhere."""
    tail = LogTail()
    record = logging.LogRecord("x", logging.INFO, "", 1, "trying %s", ("rtsp://u:p@cam/s",), None)
    tail.emit(record)
    assert tail.lines[0].endswith("trying rtsp://***@cam/s")


def test_the_page_of_a_running_agent(tmp_path: Path) -> None:
    """Health, events, settings and a picture; it goes on while the broker is away."""
    port = free_port()
    corner = [[0, 0], [0.2, 0], [0.2, 0.3], [0, 0.3]]
    lines = {"gate": {"from": [0.5, 0], "to": [0.5, 1], "via": [[0.25, 0.5]]}}
    zones = {"end": {"polygon": corner}}
    config = belt_config(
        free_port(), pace="loop", privacy={"mask": [corner]}, lines=lines, zones=zones
    )
    config["page"] = {"port": port, "preview": True}
    config["mqtt"] |= {"username": "u", "password": "s3cret-word"}
    visitor = Visitor(port)
    with AgentProcess(tmp_path, config) as agent:
        wait_until(lambda: "status page at" in agent.said, 30.0, lambda: agent.said)
        wait_until(lambda: "pipeline belt is online" in agent.said, 30.0, lambda: agent.said)
        time.sleep(0.3)
        first = json.loads(visitor.get("/state")[1])["health"]["pipelines"]["belt"]
        assert 0 < first["fps"]["in"] < 100  # of a recording with 15; not all so far in an instant
        again = json.loads(visitor.get("/state")[1])["health"]["pipelines"]["belt"]
        assert again == first  # who looks a moment later sees the same, not the rate of a moment
        wait_until(lambda: json.loads(visitor.get("/state")[1])["events"], 30.0)
        _, content, _ = visitor.get("/state")
        state = json.loads(content)
        assert state["info"]["models"][0]["name"] == "parts"
        assert state["settings"] == {"belt": {"enabled": True, "threshold": 0.5}}
        assert state["shapes"]["belt"] == [
            {"name": "end", "points": corner, "closed": True},
            {"name": "gate", "points": [[0.5, 0], [0.25, 0.5], [0.5, 1]], "closed": False},
        ]
        assert state["mqtt"]["connected"] is False
        assert state["health"]["pipelines"]["belt"]["state"] == "online"
        assert any("pipeline belt is online" in line for line in state["log"])
        assert b"s3cret-word" not in content
        code, jpeg, _ = visitor.get("/picture?pipeline=belt")
        assert code == 200
        picture = np.asarray(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE))
        high, wide = (round(0.3 * picture.shape[0]), round(0.2 * picture.shape[1]))
        assert np.median(picture[:high, :wide]) < 5  # masked, but for boxes that reach into it
        assert np.median(picture[:high, -wide:]) > 20
        assert agent.terminate() == 0
