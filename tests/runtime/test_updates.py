"""Updates from a folder of a web server: newer ones come, and nothing else does any harm."""

from __future__ import annotations

import json
import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge_agent.errors import ConfigError, DownloadError, EdgeAgentError, StoreError
from edge_agent.event import ModelStep
from edge_agent.modelstore import ModelStore
from edge_agent.modelstore.check import install_release
from edge_agent.modelstore.fetch import downloads
from edge_agent.modelstore.web import Web
from edge_agent.runtime import updates as updates_module
from edge_agent.runtime.updates import Directory, Updater, stored_models
from edge_agent.runtime.wire import build_agent
from tests.support.certificates import authority, certificate
from tests.support.configs import MINIMAL, good
from tests.support.file_server import FileServer
from tests.support.releases import Maker

CONTENT = bytes(range(256)) * 1024


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    """A store without models."""
    return ModelStore(tmp_path / "models")


@pytest.fixture
def server() -> Iterator[FileServer]:
    """A server without files."""
    with FileServer({}) as started:
        yield started


class Fleet:
    """A device that looks at what a maker has put on a server."""

    def __init__(self, maker: Maker, store: ModelStore, server: FileServer) -> None:
        self.maker, self.store, self.server = maker, store, server
        self.steps: list[ModelStep] = []
        web = Web(server.url + "/fleet", None, {}, 5.0)
        models = {"door": ["m"]}
        self.directory = Directory(
            web, store, [maker.key], lambda: models, 3600.0, self.steps.append
        )  # fmt: skip

    def serve(self) -> None:
        """Copy everything that was released, as rsync does."""
        public = self.maker.public
        self.server.files = {
            f"/fleet/{file.relative_to(public)}": file.read_bytes()
            for file in public.rglob("*")
            if file.is_file()
        }

    def look(self) -> list[str]:
        """Look once; returns the paths that were asked for."""
        self.server.asked.clear()
        assert self.directory.look(lambda _: None) == 3600.0
        return [path.removeprefix("/fleet/door/") for path, _ in self.server.asked]

    @property
    def version(self) -> str | None:
        """What is in use."""
        found = self.store.find("door")
        return None if found is None else found.manifest.version

    def leftovers(self) -> list[str]:
        """What is left of downloads."""
        folder = self.store.folder / ".downloads"
        return sorted(e.name for e in folder.rglob("*") if e.name != ".lock")


@pytest.fixture
def fleet(maker: Maker, store: ModelStore, server: FileServer) -> Fleet:
    """One device, whose configuration uses `door`."""
    return Fleet(maker, store, server)


def test_newer_ones_come(fleet: Fleet) -> None:
    """Each is fetched once; as long as nothing changes, one small question is asked."""
    fleet.maker.release(CONTENT)
    fleet.serve()
    files = ["latest.json", "1/release.json", "1/release.sig", "1/door.tflite", "1/golden-1.npz"]
    assert fleet.look() == files
    assert fleet.version == "1"
    fleet.maker.release(b"two", version="2", serial=2)
    assert fleet.look() == ["latest.json"]
    fleet.serve()
    assert "2/door.tflite" in fleet.look()
    assert (fleet.version, fleet.leftovers(), fleet.steps) == ("2", [], [])


def test_nothing_is_moved_when_nothing_changed(fleet: Fleet) -> None:
    """A server that gives marks answers 304, and after a restart the model is not fetched again."""
    fleet.maker.release(CONTENT)
    fleet.serve()
    fleet.look()
    fleet.look()
    assert fleet.server.not_modified == 1
    again = Fleet(fleet.maker, fleet.store, fleet.server)
    assert again.look() == ["latest.json", "1/release.json", "1/release.sig"]


def test_a_cut_download_goes_on(fleet: Fleet) -> None:
    """With what is missing, as often as it takes; the model in use stays until then."""
    fleet.maker.release(b"one")
    fleet.serve()
    fleet.look()
    fleet.maker.release(CONTENT, version="2", serial=2)
    fleet.serve()
    fleet.server.cut = 150_000
    with pytest.raises(DownloadError, match="was cut after 150000 of 262144 bytes"):
        fleet.look()
    assert fleet.version == "1"
    fleet.look()
    assert ("/fleet/door/2/door.tflite", "bytes=150000-") in fleet.server.asked
    assert (fleet.version, fleet.leftovers(), fleet.steps) == ("2", [], [])


def refused(fleet: Fleet) -> str:
    """Look once and return why that failed; what is in use stays."""
    before = fleet.version
    with pytest.raises(EdgeAgentError) as caught:
        fleet.look()
    assert "\n" not in str(caught.value)
    assert fleet.version == before
    return str(caught.value)


def changed(fleet: Fleet, name: str, change: Callable[[bytes], bytes]) -> None:
    """Change a file on the server."""
    path = f"/fleet/door/{name}"
    fleet.server.files[path] = change(fleet.server.files[path])


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("2/release.json", "is not of this release.json"),
        ("2/release.sig", "release.sig"),
        ("2/door.tflite", "its SHA-256 is"),
        ("2/golden-1.npz", "its SHA-256 is"),
        ("latest.json", "latest.json names no version"),
    ],
)
def test_what_a_mirror_changed(fleet: Fleet, name: str, reason: str) -> None:
    """One line, one step for the model, and the version in use stays."""
    fleet.maker.release(b"one")
    fleet.serve()
    fleet.look()
    fleet.maker.release(b"two", version="2", serial=2)
    fleet.serve()
    changed(fleet, name, lambda content: bytes([content[0] ^ 1]) + content[1:])
    for _ in range(2):
        assert reason in refused(fleet)
    if name != "latest.json":
        (step,) = fleet.steps
        assert (step.model, step.stage) == ("m", "refused")
        assert reason in step.reason
        found = fleet.store.find("door")
        assert found is not None
        assert step.before == found.manifest.sha256


def test_a_mirror_that_plays_back(fleet: Fleet) -> None:
    """What was signed long ago is refused, whatever `latest.json` says."""
    fleet.maker.release(b"one")
    fleet.maker.release(b"two", version="2", serial=2)
    fleet.serve()
    fleet.look()
    fleet.server.files["/fleet/door/latest.json"] = b'{"version": "1"}'
    assert "door 1 is older than what was here already" in refused(fleet)
    assert [(step.version, len(step.sha256)) for step in fleet.steps] == [("1", 64)]


def test_another_model_in_its_place(fleet: Fleet) -> None:
    """A sound release of another model, or of another version, is not taken for this one."""
    fleet.maker.release(b"gate", name="gate", version="7", serial=9)
    shutil.copytree(fleet.maker.public / "gate", fleet.maker.public / "door")
    fleet.serve()
    assert "what stands for door 7 is gate 7" in refused(fleet)
    fleet.server.files["/fleet/door/latest.json"] = b'{"version": "8"}'
    assert "/fleet/door/8/release.json answers 404" in refused(fleet)
    assert fleet.store.names() == []


@pytest.mark.parametrize(
    "latest",
    [b"", b"[]", b'{"version": 1}', b'{"version": "../../x"}', b"[" * 1000, b"x" * 2000, b"\xff"],
)
def test_what_is_no_latest(fleet: Fleet, latest: bytes) -> None:
    """It is refused before anything else is asked for."""
    fleet.server.files = {"/fleet/door/latest.json": latest}
    refused(fleet)
    assert len(fleet.server.asked) == 1


def test_what_was_rolled_back_does_not_come_again(fleet: Fleet) -> None:
    """Neither that release nor older ones; the next one does."""
    fleet.maker.release(b"one")
    fleet.serve()
    fleet.look()
    fleet.maker.release(b"two", version="2", serial=2)
    fleet.serve()
    fleet.look()
    fleet.store.rollback("door")
    again = Fleet(fleet.maker, fleet.store, fleet.server)
    again.look()
    assert again.version == "1"
    fleet.maker.release(b"three", version="3", serial=3)
    fleet.serve()
    fleet.look()
    assert fleet.version == "3"


def test_one_model_does_not_hold_up_another(fleet: Fleet) -> None:
    """What is refused or missing is told together, and the others come."""
    web = Web(fleet.server.url + "/fleet", None, {}, 5.0)
    names = {name: [name] for name in ("none", "door", "gate")}
    directory = Directory(web, fleet.store, [fleet.maker.key], lambda: names, 60.0)
    fleet.maker.release(b"gate", name="gate")
    fleet.maker.release(b"door")
    fleet.serve()
    changed(fleet, "1/release.sig", lambda content: content[:-5])
    with pytest.raises(DownloadError, match=r"^none: .* answers 404 .*; door: release.sig is no"):
        directory.look(lambda _: None)
    assert fleet.store.names() == ["gate"]


def test_a_full_disk(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is looked at before the model is fetched."""
    fleet.maker.release(CONTENT)
    fleet.serve()
    usage = shutil.disk_usage(fleet.maker.public)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=60 << 20))
    assert "needs 64 MiB of free disk, and there are 60 (make room on the disk of" in refused(fleet)
    assert ("/fleet/door/1/door.tflite", None) not in fleet.server.asked


def test_redirects_stay_at_the_server(fleet: Fleet) -> None:
    """Another place of the same server is followed; another server is not even asked."""
    fleet.maker.release(b"one")
    fleet.serve()
    with FileServer(dict(fleet.server.files)) as other:
        moved = "/fleet/door/1/release.json"
        fleet.server.moved = {moved: f"{other.url}{moved}"}
        assert "it leads to another server" in refused(fleet)
        fleet.server.moved = {moved: "file:///etc/passwd"}
        refused(fleet)
        fleet.server.moved = {"/fleet/door/1/door.tflite": f"{other.url}/fleet/door/1/door.tflite"}
        assert "it leads to another server" in refused(fleet)
        assert other.asked == []
    fleet.server.files["/elsewhere"] = fleet.server.files[moved]
    fleet.server.moved = {moved: "/elsewhere"}
    fleet.look()
    assert fleet.version == "1"


def test_a_password_goes_to_its_server_alone_and_is_never_shown(
    fleet: Fleet, caplog: pytest.LogCaptureFixture
) -> None:
    """It is sent as it must be, and is in no error."""
    url = fleet.server.url.replace("http://", "http://me:s%40crt@")
    web = Web(url + "/fleet", None, {}, 5.0)
    directory = Directory(web, fleet.store, [fleet.maker.key], lambda: {"door": ["m"]}, 60.0)
    with pytest.raises(EdgeAgentError) as caught:
        directory.look(lambda _: None)
    assert fleet.server.authorization == "Basic bWU6c0BjcnQ="
    assert f"{fleet.server.url}/fleet/door/latest.json answers 404" in str(caught.value)
    assert "crt" not in str(caught.value)


def test_a_server_that_is_not_there(fleet: Fleet) -> None:
    """One line, and only one question although there are two models."""
    web = Web("http://127.0.0.1:1", None, {}, 1.0)
    names = {"door": ["m"], "gate": ["n"]}
    directory = Directory(web, fleet.store, [fleet.maker.key], lambda: names, 60.0)
    with pytest.raises(DownloadError) as caught:
        directory.look(lambda _: None)
    assert str(caught.value).count("cannot be asked") == 1


def test_two_at_once(fleet: Fleet) -> None:
    """While a command fetches a model the device waits for its next turn."""
    fleet.maker.release(b"one")
    fleet.serve()
    with downloads(fleet.store):
        assert "another command fetches a model" in refused(fleet)
    fleet.look()
    assert fleet.version == "1"


class Restless:
    """A source that fails as it is told."""

    def __init__(self) -> None:
        self.errors: list[Exception] = []
        self.looks = 0
        self.looked = threading.Semaphore(0)

    def look(self, step: Callable[[int], None]) -> float:
        """Fail, or be content."""
        self.looks += 1
        self.looked.release()
        if self.errors:
            raise self.errors.pop(0)
        return 0.0

    def note(self, step: ModelStep) -> bool:
        """Everything is urgent."""
        return True


def test_failures_are_told_once_and_end_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One line for each reason; also a fault of ours leaves the thread running."""
    monkeypatch.setattr(updates_module, "_LEAST", 0.0)
    monkeypatch.setattr(updates_module, "_AGAIN", (0.0, 0.0))
    source = Restless()
    source.errors = [StoreError("no"), StoreError("no"), StoreError("other"), ValueError("bug")]
    updater = Updater(source, first=0.0)
    with caplog.at_level(logging.WARNING):
        updater.start()
        for _ in range(6):
            assert source.looked.acquire(timeout=5.0)
        updater.stop()
    told = [record.getMessage() for record in caplog.records]
    assert told == ["updates: no", "updates: other", "the look for newer models failed"]
    looks = source.looks
    updater.stop()
    assert source.looks == looks


def test_a_note_wakes_it() -> None:
    """What became of a model is told at once, not at the next look; stopping is quick."""
    source = Restless()
    updater = Updater(source, first=1e6)
    updater.stop()
    updater = Updater(source, first=1e6)
    updater.start()
    updater.note(ModelStep("m", "kept", "", None, "", "", 0.0))
    assert source.looked.acquire(timeout=5.0)
    began = time.monotonic()
    updater.stop()
    assert time.monotonic() - began < 1.0


def test_it_ends_in_the_middle_of_a_download(fleet: Fleet) -> None:
    """The agent does not wait for a large model."""
    fleet.maker.release(CONTENT)
    fleet.serve()

    def stop(_: int) -> None:
        raise updates_module.Stopped

    with pytest.raises(updates_module.Stopped):
        fleet.directory.look(stop)
    fleet.look()
    assert fleet.version == "1"


def test_which_models_are_looked_for(tmp_path: Path, own_state: Path, maker: Maker) -> None:
    """Those of the store, and those that are nowhere yet; a file of one's own is not."""
    store = ModelStore(own_state / "models")
    install_release(store, maker.release(), [maker.key])
    config = good(
        tmp_path,
        """
        models: {a: {file: door}, b: {file: door.tflite}, c: {file: m.tflite}}
        sources: {s: {type: camera}}
        pipelines: {p: {source: s, model: a}, q: {source: s, model: b}, r: {source: s, model: c}}
        """,
    )
    assert stored_models(config) == {"door": ["a", "b"]}
    store.remove("door")
    assert stored_models(config) == {"door": ["a", "b"]}


def test_latest_is_written_last(maker: Maker) -> None:
    """So that a copy of the folder never names a version that is not there."""
    folder = maker.release()
    latest = folder.parent / "latest.json"
    newest = max(each.stat().st_mtime_ns for each in folder.iterdir())
    assert latest.stat().st_mtime_ns >= newest
    assert json.loads(latest.read_text()) == {"version": "1"}


def test_words_of_a_server_in_the_log() -> None:
    """They cannot begin a line of their own, nor paint the terminal."""
    assert updates_module.one_line("no\n2026 ok \x1b[2J" + 2000 * "x")[:14] == "no?2026 ok ?[2"
    assert len(updates_module.one_line(2000 * "x")) == 1000


def test_over_tls(fleet: Fleet, tmp_path: Path) -> None:
    """A server whose certificate is of the authority that is named, and no other."""
    fleet.maker.release(b"one")
    fleet.serve()
    for name in ("ca", "stranger"):
        authority(tmp_path, name)
    certificate(tmp_path, "server", "IP:127.0.0.1")
    with FileServer(fleet.server.files, tmp_path / "server") as server:
        names = {"door": ["m"]}
        for other in (None, tmp_path / "stranger.crt"):
            web = Web(f"{server.url}/fleet", other, {}, 5.0)
            directory = Directory(web, fleet.store, [fleet.maker.key], lambda: names, 60.0)
            with pytest.raises(DownloadError, match="certificate verify failed"):
                directory.look(lambda _: None)
        web = Web(f"{server.url}/fleet", tmp_path / "ca.crt", {}, 5.0)
        Directory(web, fleet.store, [fleet.maker.key], lambda: names, 60.0).look(lambda _: None)
    assert fleet.version == "1"


def test_an_authority_that_is_none(tmp_path: Path, maker: Maker) -> None:
    """The configuration is wrong then, and that is told in one line."""
    (tmp_path / "ca.pem").write_text("nothing")
    text = f"updates: {{keys: [{maker.key}], url: 'https://models.local', ca_file: ca.pem}}\n"
    with pytest.raises(ConfigError, match="updates: the update server cannot be asked"):
        build_agent(good(tmp_path, text + MINIMAL))
