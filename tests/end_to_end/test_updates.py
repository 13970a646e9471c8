"""An agent with a configuration fetches a new model of its own accord."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge_agent.config.load import load_or_raise
from edge_agent.modelstore import Manifest, ModelStore
from edge_agent.modelstore.check import install_release
from edge_agent.mqtt.commands import CommandRefused
from edge_agent.runtime import updates as updates_module
from edge_agent.runtime.wire import build_agent
from tests.support.broker import wait_until
from tests.support.cli import MODEL
from tests.support.file_server import FileServer
from tests.support.hawkbit import Hawkbit
from tests.support.releases import Maker


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first look is not put off."""
    monkeypatch.setattr(updates_module, "_FIRST", 0.0)


@pytest.fixture
def maker(tmp_path: Path) -> Maker:
    """Who is trusted, with a release on the device and a newer one."""
    maker = Maker(tmp_path)
    content = Path(MODEL).read_bytes()
    old = maker.release(content, name="parts", golden=None)
    install_release(ModelStore(tmp_path / "state" / "models"), old, [maker.key])
    maker.release(content + bytes(4), name="parts", version="2", serial=2, golden=None)
    return maker


Way = tuple[str, Callable[[], bool]]


@pytest.fixture
def pulled(maker: Maker) -> Iterator[Way]:
    """A web server with the releases, which is told nothing."""
    files = {
        f"/{file.relative_to(maker.public)}": file.read_bytes()
        for file in maker.public.rglob("*")
        if file.is_file()
    }
    with FileServer(files) as server:
        yield f"url: {server.url}", lambda: True


@pytest.fixture
def rolled_out(maker: Maker) -> Iterator[Way]:
    """A hawkBit that rolls the newer one out to the device called dev, and is told of success."""
    with Hawkbit() as server:
        action = server.assign("7", maker.public / "parts" / "2")
        expected = [("proceeding", "none"), ("closed", "success")]
        yield (
            f"hawkbit: {{url: {server.url}, token: secret}}",
            lambda: [answer[:2] for answer in action.answers] == expected,
        )


@pytest.mark.parametrize("way", ["pulled", "rolled_out"])
def test_a_newer_release_is_kept(
    maker: Maker,
    way: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """By either way, without a broker; the server hears of it, and no command leads back."""
    place, is_told = request.getfixturevalue(way)
    config = tmp_path / "c.yaml"
    (tmp_path / "pictures").mkdir()
    config.write_text(
        f"""
agent: {{name: dev, state_dir: state}}
mqtt: {{port: 1}}
updates: {{watch: 50ms, keys: [{maker.key}], {place}}}
models: {{parts: {{file: parts}}}}
sources: {{s: {{type: images, folder: pictures}}}}
pipelines: {{p: {{source: s, model: parts}}}}
"""
    )
    caplog.set_level(logging.INFO)
    agent = build_agent(load_or_raise(config))

    def is_kept() -> bool:
        agent.look()
        return "model parts, version 2: kept" in caplog.messages and is_told()

    agent.start()
    try:
        wait_until(is_kept)
        with pytest.raises(CommandRefused, match="version 1 is older than what was accepted"):
            agent.swap_model("parts", "1")
    finally:
        agent.stop()
    store = ModelStore(tmp_path / "state" / "models")
    assert not any(verdict.fault for verdict in store.verify())


def test_a_version_that_nobody_signed(
    maker: Maker, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever put it into the store: it is refused, and the store goes back to the one before."""
    config = tmp_path / "c.yaml"
    (tmp_path / "pictures").mkdir()
    config.write_text(
        f"""
agent: {{name: dev, state_dir: state}}
mqtt: {{port: 1}}
updates: {{keys: [{maker.key}]}}
models: {{parts: {{file: parts}}}}
sources: {{s: {{type: images, folder: pictures}}}}
pipelines: {{p: {{source: s, model: parts}}}}
"""
    )
    store = ModelStore(tmp_path / "state" / "models")
    agent = build_agent(load_or_raise(config))

    def is_told() -> bool:
        agent.look()
        told = [each for each in caplog.messages if "model parts, version 3: refused" in each]
        return any("has no release.json (updates.keys ask for a signed" in each for each in told)

    agent.start()
    try:
        wait_until(lambda: agent.inspect()["info"]["models"])
        store.install(Manifest("parts", "3", "", "", 0), maker.public / "parts/2/parts.tflite")
        wait_until(is_told)
        agent.look()
    finally:
        agent.stop()
    found = store.find("parts")
    assert found is not None
    assert found.manifest.version == "1"
