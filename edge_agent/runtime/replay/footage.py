"""What a replay is given instead of a camera: video files, and folders of pictures."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from edge_agent.errors import SourceUnusable, UsageError
from edge_agent.sources.base import Image
from edge_agent.sources.folder import natural_key
from edge_agent.sources.pictures import SUFFIXES, BadPicture, load_picture
from edge_agent.sources.video import Recording

_log = logging.getLogger(__name__)


class Shot(NamedTuple):
    """One picture; `media_time` is seconds into the recording, `wall` epoch s where known."""

    image: Image
    media_time: float
    wall: float | None = None


class Footage:
    """One recording; the first shot is read when it is opened.

    `fps` is its rate, `expected` about how many shots it has, `began` the wall time of the first
    one, None where it does not know it.
    """

    def __init__(
        self, fps: float, expected: int, shots: Iterator[Shot], emptiness: SourceUnusable
    ) -> None:
        self.fps = fps
        self.expected = expected
        self._first = next(shots, None)
        if self._first is None:
            raise emptiness
        self.began = self._first.wall
        self._rest = shots

    def __iter__(self) -> Iterator[Shot]:
        if self._first is not None:
            yield self._first
            self._first = None
        yield from self._rest


def open_footage(path: Path, fps: float) -> Footage:
    """What a file or folder holds; pictures come at `fps`.

    Raises UsageError where there is nothing of that name, SourceUnusable for what cannot be read.
    """
    if not path.exists():
        raise UsageError(f"{path}: no such file or folder")
    if path.is_dir() or path.suffix.lower() in SUFFIXES:
        return _open_pictures(path, fps)
    recording = Recording(path)
    emptiness = SourceUnusable(f"video {path} has no frame that can be decoded", "convert it")
    return Footage(recording.fps, recording.expected, _video(recording), emptiness)


def _video(recording: Recording) -> Iterator[Shot]:
    while (image := recording.next()) is not None:
        yield Shot(image, recording.time)
    recording.capture.close()


def _open_pictures(path: Path, fps: float) -> Footage:
    files = [path]
    if path.is_dir():
        found = (each for each in path.iterdir() if not each.name.startswith("."))
        pictures = (each for each in found if each.suffix.lower() in SUFFIXES)
        files = sorted(pictures, key=lambda each: natural_key(each.name))
    emptiness = SourceUnusable(
        f"{path} has no picture that can be used", f"it takes {', '.join(sorted(SUFFIXES))}"
    )
    return Footage(fps, len(files), _pictures(files, fps), emptiness)


def _pictures(files: Sequence[Path], fps: float) -> Iterator[Shot]:
    number = 0
    for file in files:
        try:
            image = load_picture(file)
        except BadPicture as error:
            _log.warning("picture %s cannot be used: %s", file, error)
            continue
        yield Shot(image, number / fps)
        number += 1
