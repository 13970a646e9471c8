"""What the page is told of the agent."""

from __future__ import annotations

import json
import logging
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_agent.mqtt.broker import free_port
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
    preview.inferred(live_frame(1), [], news=True)
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
    config = belt_config(free_port(), pace="loop")
    config["page"] = {"port": port, "preview": True}
    config["mqtt"] |= {"username": "u", "password": "s3cret-word"}
    visitor = Visitor(port)
    with AgentProcess(tmp_path, config) as agent:
        wait_until(lambda: "status page at" in agent.said, 30.0, lambda: agent.said)
        wait_until(lambda: json.loads(visitor.get("/state")[1])["events"], 30.0)
        _, content, _ = visitor.get("/state")
        state = json.loads(content)
        assert state["info"]["models"][0]["name"] == "parts"
        assert state["settings"] == {"belt": {"enabled": True, "threshold": 0.5}}
        assert state["mqtt"]["connected"] is False
        assert state["health"]["pipelines"]["belt"]["state"] == "online"
        assert any("pipeline belt is online" in line for line in state["log"])
        assert b"s3cret-word" not in content
        code, jpeg, _ = visitor.get("/picture?pipeline=belt")
        assert code == 200
        assert jpeg[:2] == b"\xff\xd8"
        assert agent.terminate() == 0
