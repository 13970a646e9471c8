"""What doctor says of the server of updates."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.config.schema import Config
from edge_agent.modelstore import ModelStore
from edge_agent.modelstore.check import install_release
from edge_agent.runtime.doctor.updates import updates
from tests.support.configs import good
from tests.support.file_server import FileServer
from tests.support.hawkbit import Hawkbit
from tests.support.releases import Maker


@pytest.fixture
def server() -> Iterator[FileServer]:
    """A web server without files."""
    with FileServer({}) as started:
        yield started


def configured(folder: Path, maker: Maker, place: str, file: str = "door") -> Config:
    """A configuration that uses a model of the store and this server."""
    text = f"""
        agent: {{name: dev, state_dir: state}}
        updates: {{keys: [{maker.key}], {place}}}
        models: {{m: {{file: {file}}}}}
        sources: {{s: {{type: camera}}}}
        pipelines: {{p: {{source: s, model: m}}}}
        """
    return good(folder, text)


def test_a_web_server(tmp_path: Path, maker: Maker, server: FileServer) -> None:
    """What it has, whether that is new here, and what is wrong with it."""
    folder = maker.release()
    config = configured(tmp_path, maker, f"url: {server.url}")
    finding = updates(config, 5.0)
    assert finding.state == "FAIL"
    assert "/door/latest.json answers 404" in finding.found
    public = maker.public
    server.files = {
        f"/{each.relative_to(public)}": each.read_bytes()
        for each in public.rglob("*")
        if each.is_file()
    }
    assert updates(config, 5.0).found == "door 1 is new; signed by a key of yours"
    install_release(ModelStore(tmp_path / "state" / "models"), folder, [maker.key])
    assert updates(config, 5.0).found == "door 1 is here; signed by a key of yours"
    other = Maker(tmp_path, "other")
    strange = configured(tmp_path, other, f"url: {server.url}")
    assert f"the key {maker.key.id} that signed it is not among" in updates(strange, 5.0).found


def test_no_model_of_the_store(tmp_path: Path, maker: Maker, server: FileServer) -> None:
    """Then nothing will ever be fetched."""
    finding = updates(configured(tmp_path, maker, f"url: {server.url}", "m.tflite"), 5.0)
    assert (finding.state, server.asked) == ("WARN", [])


def test_hawkbit(tmp_path: Path, maker: Maker) -> None:
    """It is asked, and a token that it does not take is told without showing it."""
    with Hawkbit() as hawkbit:
        place = "hawkbit: {{url: {}, token: {}}}"
        config = configured(tmp_path, maker, place.format(hawkbit.url, "secret"))
        assert updates(config, 5.0).found == "hawkBit knows this device and is asked every 30 s"
        config = configured(tmp_path, maker, place.format(hawkbit.url, "wrong-token"))
        finding = updates(config, 5.0)
    assert (finding.state, finding.fix) == ("FAIL", "set its user and password, or its token")
    assert "answers 401" in finding.found
    assert "wrong-token" not in finding.found
