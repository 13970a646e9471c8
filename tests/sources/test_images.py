"""Pictures from a list, a pattern and a watched folder."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path
from typing import Any

import pytest

from edge_agent.errors import SourceUnavailable, SourceUnusable
from edge_agent.frame import Frame
from edge_agent.sources import folder as folder_module
from edge_agent.sources.folder import natural_key
from edge_agent.sources.images import ImagesOptions, ImagesSource
from edge_agent.sources.pictures import IncompletePicture
from tests.support.pictures import jpeg
from tests.support.reading import reading


def _source(**options: Any) -> ImagesSource:
    return ImagesSource("shots", ImagesOptions(**options))


def _frames(source: ImagesSource) -> list[Frame]:
    source.start()
    frames: list[Frame] = []
    while (frame := source.read()) is not None:
        frames.append(frame)
    source.stop()
    return frames


def _put(path: Path, data: bytes, age: float = 60.0) -> Path:
    """A file that was written `age` seconds ago."""
    path.write_bytes(data)
    then = time.time() - age
    os.utime(path, (then, then))
    return path


def _widths(frames: list[Frame]) -> list[int]:
    return [frame.size[0] for frame in frames]


def test_list_keeps_its_order(tmp_path: Path) -> None:
    """A list is a recording in the given order, a second apart without fps."""
    files = [_put(tmp_path / f"{n}.jpg", jpeg(0, (16 * n, 16))) for n in (3, 1, 2)]
    source = _source(files=tuple(str(file) for file in files))
    frames = _frames(source)
    assert not source.live
    assert _widths(frames) == [48, 16, 32]
    assert [frame.media_time for frame in frames] == [0.0, 1.0, 2.0]
    assert [frame.timeline for frame in frames] == [0.0, 1.0, 2.0]
    assert all(file.exists() for file in files)


def test_pattern_in_natural_order(tmp_path: Path) -> None:
    """A pattern is sorted as people count; fps sets the pace and the times."""
    for n in (10, 2, 1):
        _put(tmp_path / f"shot{n}.jpg", jpeg(0, (16 * n, 16)))
    frames = _frames(_source(files=str(tmp_path / "*.jpg"), fps=100.0))
    assert _widths(frames) == [16, 32, 160]
    assert [frame.media_time for frame in frames] == pytest.approx([0.0, 0.01, 0.02])


def test_name_with_brackets(tmp_path: Path) -> None:
    """A file whose name looks like a pattern is found."""
    file = _put(tmp_path / "shot[1].jpg", jpeg())
    assert len(_frames(_source(files=str(file)))) == 1


def test_natural_key() -> None:
    """Numbers in names count as numbers, letters without regard to case."""
    names = ["B1", "a10", "a2", "a02b", "10", "9"]
    assert sorted(names, key=natural_key) == ["9", "10", "a2", "a02b", "a10", "B1"]


def test_broken_picture_is_skipped(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A broken picture of a list is told and skipped."""
    good = _put(tmp_path / "good.jpg", jpeg())
    for name, data in (("cut.jpg", jpeg()[:300]), ("empty.jpg", b""), ("text.jpg", b"hello")):
        _put(tmp_path / name, data)
    caplog.set_level(logging.WARNING)
    assert len(_frames(_source(files=str(tmp_path / "*.jpg")))) == 1
    assert len(caplog.records) == 3
    good.unlink()
    with pytest.raises(SourceUnusable, match="none of the pictures"):
        _frames(_source(files=str(tmp_path / "*.jpg")))


def test_needs_files_or_folder(tmp_path: Path) -> None:
    """Neither and both are refused when the source is built."""
    with pytest.raises(ValueError, match="either files or folder"):
        _source()
    with pytest.raises(ValueError, match="either files or folder"):
        _source(files="a.jpg", folder=tmp_path)


@pytest.mark.parametrize(
    ("after", "left"), [("delete", []), ("move", ["done"]), ("keep", ["1.jpg"])]
)
def test_folder_disposes(tmp_path: Path, after: str, left: list[str]) -> None:
    """A used picture is deleted, moved or kept; a kept one is not used twice."""
    _put(tmp_path / "1.jpg", jpeg(0, (16, 16)))
    with reading(_source(folder=tmp_path, after=after)) as (watcher, reader):
        watcher.wait(lambda: len(watcher.frames) == 1)
        _put(tmp_path / "2.jpg", jpeg(0, (32, 16)))
        watcher.wait(lambda: len(watcher.frames) == 2)
        (tmp_path / "2.jpg").unlink(missing_ok=True)
        _put(tmp_path / "3.jpg", jpeg(0, (48, 16)))
        watcher.wait(lambda: len(watcher.frames) == 3)
        assert _widths(watcher.frames) == [16, 32, 48]
        assert reader.reopens == 0
        assert (
            sorted(path.name for path in tmp_path.iterdir() if path.name < "2" or path.is_dir())
            == left
        )
    assert all(frame.media_time is None for frame in watcher.frames)


def test_folder_in_arrival_order(tmp_path: Path) -> None:
    """The oldest comes first, files of one moment in natural order; others are left alone."""
    for name, age in (("b.jpg", 30), ("a.jpg", 20), ("z10.jpg", 90), ("z9.jpg", 90)):
        _put(tmp_path / name, jpeg(), age)
    stamp = (tmp_path / "z9.jpg").stat()
    os.utime(tmp_path / "z10.jpg", ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    for name in (".hidden.jpg", "notes.txt"):
        _put(tmp_path / name, jpeg())
    (tmp_path / "sub.jpg").mkdir()
    watched = folder_module.WatchedFolder(tmp_path, "move")
    assert [path.name for path in watched.scan()] == ["z9.jpg", "z10.jpg", "b.jpg", "a.jpg"]


def test_folder_waits_for_the_whole_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that still grows is not taken, one that stands still is, whatever its own time."""
    monkeypatch.setattr(folder_module, "_SETTLE", 3600.0)
    watched = folder_module.WatchedFolder(tmp_path, "move")
    file = _put(tmp_path / "1.jpg", jpeg()[:500], age=-9999)
    assert watched.scan() == []
    monkeypatch.setattr(folder_module, "_SETTLE", 0.0)
    assert watched.scan() == [file]


def test_folder_gives_a_cut_picture_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture that breaks off may still be growing; after a while it is moved to failed."""
    file = _put(tmp_path / "1.jpg", jpeg()[:500])
    watched = folder_module.WatchedFolder(tmp_path, "move")
    assert watched.scan() == [file]
    watched.broken(file, IncompletePicture("it breaks off"))
    assert watched.scan() == []
    _put(file, jpeg())
    assert watched.scan() == [file]
    monkeypatch.setattr(folder_module, "_GRACE", 0.0)
    watched.broken(file, IncompletePicture("it breaks off"))
    assert [path.name for path in (tmp_path / "failed").iterdir()] == ["1.jpg"]


def test_folder_puts_broken_pictures_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A broken picture goes to failed, is logged, and the next one is used."""
    _put(tmp_path / "1.jpg", b"hello", age=90)
    _put(tmp_path / "2.jpg", jpeg())
    with reading(_source(folder=tmp_path, after="delete")) as (watcher, _):
        watcher.wait(lambda: len(watcher.frames) == 1)
    assert (tmp_path / "failed" / "1.jpg").read_bytes() == b"hello"
    assert "1.jpg cannot be used: it is not a JPEG" in caplog.text


def test_folder_never_overwrites(tmp_path: Path) -> None:
    """A picture whose name was used before is moved under another one."""
    watched = folder_module.WatchedFolder(tmp_path, "move")
    for _ in range(3):
        _put(tmp_path / "1.jpg", jpeg())
        (path,) = watched.scan()
        watched.done(path)
    assert len(list((tmp_path / "done").iterdir())) == 3


def test_folder_that_goes_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing folder, one without access and one that vanishes are told with a cure."""
    with pytest.raises(SourceUnusable, match="does not exist"):
        _source(folder=tmp_path / "missing").start()
    source = _source(folder=tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda path, mode: False)
        with pytest.raises(SourceUnusable, match="no permission"):
            source.start()
    source.start()
    tmp_path.rmdir()
    with pytest.raises(SourceUnavailable, match="cannot be read"):
        source.read()


def test_picture_that_cannot_be_moved(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A used picture that cannot be moved is told with the cure, and is not used twice."""
    (tmp_path / "done").touch()
    _put(tmp_path / "1.jpg", jpeg(0, (16, 16)), age=90)
    with reading(_source(folder=tmp_path)) as (watcher, _):
        watcher.wait(lambda: len(watcher.frames) == 1)
        _put(tmp_path / "2.jpg", jpeg(0, (32, 16)))
        watcher.wait(lambda: len(watcher.frames) == 2)
    assert _widths(watcher.frames) == [16, 32]
    assert "1.jpg cannot be moved: File exists (give write access" in caplog.text


def test_picture_that_somebody_else_took(tmp_path: Path) -> None:
    """A picture that is gone before it was moved is no fault."""
    file = _put(tmp_path / "1.jpg", jpeg())
    watched = folder_module.WatchedFolder(tmp_path, "move")
    assert watched.scan() == [file]
    file.unlink()
    watched.done(file)
    assert watched.scan() == []
