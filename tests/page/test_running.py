"""The page of a running agent in a real browser: what a reload and the governor change there."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from edge_agent.config.load import load_or_raise
from edge_agent.mqtt.broker import free_port
from edge_agent.runtime.agent import Agent
from edge_agent.runtime.wire import build_agent
from tests.support.agent import belt_config
from tests.support.browser import Browser, chromium

pytestmark = pytest.mark.skipif(chromium() is None, reason="Chromium is not installed")


class Running:
    """An agent without a broker, its file, and a browser at its page."""

    def __init__(self, folder: Path, browser: Browser) -> None:
        self.browser = browser
        self._file = folder / "agent.yaml"
        self.config: dict[str, Any] = belt_config(free_port(), pace="loop")
        self.config["agent"]["cpu_budget"] = 0.001
        self.config["page"] = {"port": (port := free_port())}
        self.write()
        self.agent: Agent = build_agent(self._load(), reload=self._load)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self.agent.run, args=(self._stop,))
        self._thread.start()
        browser.open(f"http://127.0.0.1:{port}/")

    def _load(self) -> Any:
        return load_or_raise(self._file)

    def write(self) -> None:
        """Put the configuration into the file."""
        self._file.write_text(yaml.safe_dump(self.config))

    def shows(self, text: str) -> None:
        """Wait until the page shows this."""
        self.browser.until(f"document.body?.innerText.includes({text!r})", 20.0)

    def cards(self) -> list[str]:
        """Names of the pipelines."""
        found: list[str] = self.browser.run(
            "[...document.querySelectorAll('.card h3')].map(each => each.firstChild.data)"
        )
        return found

    def stop(self) -> None:
        """End the agent."""
        self._stop.set()
        self._thread.join()


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    """An agent over its budget, with a governor in a hurry."""
    monkeypatch.setattr("edge_agent.runtime.governor._EVERY", 0.2)
    with Browser(tmp_path) as browser:
        running = Running(tmp_path, browser)
        try:
            yield running
            assert browser.complaints == []
        finally:
            running.stop()


def test_what_changes_while_it_is_open(running: Running) -> None:
    """The governor's reason, a pipeline that a reload brings, and why a wrong file is refused."""
    running.shows("1 of 1 pipelines online")
    running.shows("Sparing the machine")
    running.shows("cores in use, more than 0.001")
    running.config["pipelines"]["side"] = {"source": "clip", "model": "parts"}
    running.write()
    running.agent.reload_soon()
    running.shows("2 of 2 pipelines online")
    assert running.cards() == ["belt", "side"]
    running.config["pipelines"]["side"]["treshold"] = 0.5
    running.write()
    running.agent.reload_soon()
    running.shows("did you mean")
    assert running.cards() == ["belt", "side"]
