"""`models get` against a server that cuts, lies, refuses and is not there."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_agent.errors import DownloadError, StoreError
from edge_agent.modelstore import ModelStore
from edge_agent.modelstore.catalogue import Offer, RemoteFile, offer_of
from edge_agent.modelstore.fetch import fetch
from edge_agent.modelstore.store import Entry
from tests.support.agent import ROOT
from tests.support.data import data_file
from tests.support.file_server import FileServer
from tests.support.small_disk import needs_root, told_by_child

CONTENT = bytes(range(256)) * 1024
LABELS = b"cat\ndog\n"


def remote(path: str, content: bytes) -> RemoteFile:
    """Where a file is in its repository, and what it must be."""
    return RemoteFile("o/r", "c0ffee", path, hashlib.sha256(content).hexdigest(), len(content))


OFFER = Offer("door", "", "MIT", remote("a b/door.tflite", CONTENT), remote("l.txt", LABELS))
PATH = "/o/r/c0ffee/a%20b/door.tflite"


@pytest.fixture
def server() -> Iterator[FileServer]:
    """A mirror that has the model and its labels."""
    with FileServer({PATH: CONTENT, "/o/r/c0ffee/l.txt": LABELS}) as started:
        yield started


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    """An empty store."""
    return ModelStore(tmp_path / "models")


def read_labels(path: Path) -> tuple[str, ...]:
    """Names of the classes."""
    return tuple(path.read_text().split())


def get(store: ModelStore, mirror: str, steps: list[int] | None = None) -> Entry:
    """Fetch the model from there; what is told of the progress goes to `steps`."""
    told: list[int] = [] if steps is None else steps
    return fetch(OFFER, store, read_labels, mirror, 5.0, told.append)


def parts(store: ModelStore) -> list[int]:
    """Sizes of what is left of downloads."""
    return [p.stat().st_size for p in (store.folder / ".downloads").glob("*.*") if p.suffix]


def test_get(store: ModelStore, server: FileServer) -> None:
    """The model is in use with licence, labels and its true source; nothing else is left."""
    steps: list[int] = []
    entry = get(store, server.url + "/", steps)
    assert entry.path.read_bytes() == CONTENT
    assert entry.manifest.labels == ("cat", "dog")
    assert entry.manifest.licence == "MIT"
    assert entry.manifest.source == (
        "https://raw.githubusercontent.com/o/r/c0ffee/a%20b/door.tflite"
    )
    assert sum(steps) == len(CONTENT) + len(LABELS)
    assert parts(store) == []
    assert [path for path, _ in server.asked] == ["/o/r/c0ffee/l.txt", PATH]


def test_cut_and_taken_up_again(store: ModelStore, server: FileServer) -> None:
    """Only what is missing is asked for, as often as it takes; the progress counts what is here."""
    server.cut = 100_000
    for begin in (0, 100_000):
        with pytest.raises(DownloadError, match=r"was cut after .* \(run the same command again"):
            get(store, server.url)
        assert server.asked[-1] == (PATH, f"bytes={begin}-" if begin else None)
        assert store.names() == []
    assert 200_000 in parts(store)
    steps: list[int] = []
    assert get(store, server.url, steps).path.read_bytes() == CONTENT
    assert server.asked[-1] == (PATH, "bytes=200000-")
    assert sum(steps) == len(CONTENT) + len(LABELS)


def test_a_server_without_ranges(store: ModelStore, server: FileServer) -> None:
    """It sends everything once more, and that is what is kept."""
    server.cut = 100_000
    with pytest.raises(DownloadError):
        get(store, server.url)
    server.cut, server.ranges = None, False
    assert get(store, server.url).path.read_bytes() == CONTENT


@pytest.mark.parametrize("content", [bytes(len(CONTENT)), CONTENT + b"!", CONTENT * 3])
def test_another_file(store: ModelStore, server: FileServer, content: bytes) -> None:
    """It is refused and removed, and a larger one is not read to its end."""
    server.files[PATH] = content
    with pytest.raises(StoreError, match="is not the file that was meant and was removed") as e:
        get(store, server.url)
    assert not e.value.retriable
    assert store.names() == []
    assert parts(store) == [len(LABELS)]
    server.files[PATH] = CONTENT
    assert get(store, server.url).path.read_bytes() == CONTENT


def test_a_shorter_file(store: ModelStore, server: FileServer) -> None:
    """It is told from one that was cut on the way, and is not gone on with."""
    server.files[PATH] = CONTENT[:1000]
    with pytest.raises(DownloadError, match=rf"it has 1000 bytes, not {len(CONTENT)} \(the mirror"):
        get(store, server.url)
    assert parts(store) == [len(LABELS)]
    server.files[PATH] = CONTENT
    assert get(store, server.url).path.read_bytes() == CONTENT


def test_a_beginning_of_something_else(store: ModelStore, server: FileServer) -> None:
    """What does not become the right file is not gone on with for ever."""
    folder = store.folder / ".downloads"
    folder.mkdir(parents=True)
    (folder / f"{OFFER.file.sha256}.tflite").write_bytes(bytes(1000))
    with pytest.raises(StoreError, match="was removed"):
        get(store, server.url)
    assert get(store, server.url).path.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (404, r"answers 404 Not Found \(it is gone from there: use --mirror, or models add FILE"),
        (503, r"answers 503 Service Unavailable \(try again later"),
        (407, r"answers 407 .*\(write user and password into https_proxy"),
    ],
)
def test_a_server_that_refuses(
    store: ModelStore, server: FileServer, status: int, text: str
) -> None:
    """What it says, and what to do."""
    server.status = status
    with pytest.raises(DownloadError, match=text):
        get(store, server.url)
    assert store.names() == []


def test_offline(store: ModelStore, server: FileServer) -> None:
    """Nobody there, no such host, and what is no address of HTTP at all."""
    with pytest.raises(DownloadError, match=r"Connection refused \(is this device online\?"):
        get(store, "http://127.0.0.1:9")
    with pytest.raises(DownloadError, match="its host is not known here"):
        get(store, "http://nowhere.invalid")
    with pytest.raises(StoreError, match="is no address of HTTP"):
        get(store, "file:///etc")


def test_through_a_proxy(
    store: ModelStore, server: FileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment's proxy is asked for the whole address."""
    monkeypatch.setenv("http_proxy", server.url)
    assert get(store, "http://files.invalid").path.read_bytes() == CONTENT
    assert server.asked[-1][0] == f"http://files.invalid{PATH}"


_FULL = """
import sys
from pathlib import Path
from edge_agent.errors import StoreError
from edge_agent.modelstore import ModelStore
from tests.modelstore.test_get import OFFER, get, parts
from tests.support.small_disk import SmallDisk, own_mounts

if not own_mounts():
    sys.exit("no mounts")
disk = SmallDisk(Path(sys.argv[1]), mounted=True)
store = ModelStore(disk.folder / "models")
said = []
for room in (0, 100_000, 300_000):
    disk.fill()
    with (disk.folder / "filler").open("r+b") as file:
        file.truncate(file.seek(0, 2) - room)
    try:
        get(store, sys.argv[2])
    except StoreError as error:
        said.append(str(error))
    disk.free()
    left = parts(store)
    assert len(said) == 3 or OFFER.file.size not in left, left
entry = get(store, sys.argv[2])
assert not any(each.fault for each in store.verify())
import json
print(json.dumps(said))
"""


@needs_root
def test_a_full_disk(tmp_path: Path, server: FileServer) -> None:
    """One line with the cure and nothing half; with room again it goes on."""
    told = told_by_child(_FULL, str(tmp_path / "small"), server.url)
    for text in told:
        assert "No space left on device (make room on the disk of" in text
    assert len(told) >= 2


def test_as_a_command(tmp_path: Path, server: FileServer) -> None:
    """Cut in the middle of a real entry of the catalogue, it goes on the next time."""
    model = data_file("models/micro_speech_quantized.tflite").read_bytes()
    path = offer_of("micro_speech").file.url("http://x").removeprefix("http://x")
    server.files[path] = model
    words = ("models", "get", "micro_speech", "--mirror", server.url, "--json")
    server.cut = 5000
    first = _command(*words)
    assert first.returncode == 1
    assert "was cut after 5000 of 18800 bytes (run the same command again" in first.stderr
    server.cut = None
    second = _command(*words)
    assert second.returncode == 0, second.stderr
    assert Path(json.loads(second.stdout)["path"]).read_bytes() == model
    assert server.asked[-1] == (path, "bytes=5000-")
    assert _command(*words).returncode == 0
    ranges = [asked for _, asked in server.asked]
    assert ranges == [None, "bytes=5000-"], "what is in use and sound is not fetched again"
    Path(json.loads(second.stdout)["path"]).with_name("manifest.json").write_text("{")
    third = _command(*words)
    assert third.returncode == 0, third.stderr
    ranges = [asked for _, asked in server.asked]
    assert ranges == [None, "bytes=5000-", None], "what is damaged is fetched as a whole"


def _command(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "edge_agent", *words],
        capture_output=True, text=True, timeout=60, check=False, cwd=ROOT,
    )  # fmt: skip
