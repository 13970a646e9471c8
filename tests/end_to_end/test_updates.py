"""An agent with a configuration fetches a new model of its own accord."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.config.load import load_or_raise
from edge_agent.modelstore import ModelStore
from edge_agent.modelstore.check import install_release
from edge_agent.runtime import updates as updates_module
from edge_agent.runtime.wire import build_agent
from tests.support.broker import wait_until
from tests.support.cli import MODEL
from tests.support.file_server import FileServer
from tests.support.hawkbit import Hawkbit
from tests.support.releases import Maker


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first look is not put off, and no proxy of this machine is used."""
    monkeypatch.setattr(updates_module, "_FIRST", 0.0)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def maker(tmp_path: Path) -> Maker:
    """Who is trusted, with a release on the device and a newer one."""
    maker = Maker(tmp_path)
    content = Path(MODEL).read_bytes()
    old = maker.release(content, name="parts", golden=None)
    install_release(ModelStore(tmp_path / "state" / "models"), old, [maker.key])
    maker.release(content + bytes(4), name="parts", version="2", serial=2, golden=None)
    return maker


@pytest.fixture
def pulled(maker: Maker) -> Iterator[str]:
    """A web server with the releases."""
    files = {
        f"/{file.relative_to(maker.public)}": file.read_bytes()
        for file in maker.public.rglob("*")
        if file.is_file()
    }
    with FileServer(files) as server:
        yield f"url: {server.url}"


@pytest.fixture
def rolled_out(maker: Maker) -> Iterator[str]:
    """A hawkBit that rolls the newer one out to the device called dev."""
    with Hawkbit() as server:
        server.assign("7", maker.public / "parts" / "2")
        yield f"hawkbit: {{url: {server.url}, token: secret}}"


@pytest.mark.parametrize("way", ["pulled", "rolled_out"])
def test_a_newer_release_is_installed(
    maker: Maker, way: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """By either way, beside an agent that works and has no broker; it ends within its time."""
    config = tmp_path / "c.yaml"
    (tmp_path / "pictures").mkdir()
    config.write_text(
        f"""
agent: {{name: dev, state_dir: state}}
mqtt: {{port: 1}}
updates: {{keys: [{maker.key}], {request.getfixturevalue(way)}}}
models: {{parts: {{file: parts}}}}
sources: {{s: {{type: images, folder: pictures}}}}
pipelines: {{p: {{source: s, model: parts}}}}
"""
    )
    store = ModelStore(tmp_path / "state" / "models")
    agent = build_agent(load_or_raise(config))
    agent.start()
    try:
        wait_until(lambda: (found := store.find("parts")) and found.manifest.version == "2")
    finally:
        agent.stop()
    assert not any(verdict.fault for verdict in store.verify())
