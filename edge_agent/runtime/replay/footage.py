"""What a replay is given instead of a camera: videos, clips of the recorder, pictures."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from edge_agent.clip import SUFFIX, Stamp
from edge_agent.errors import SourceUnusable, UsageError
from edge_agent.sources.base import Image
from edge_agent.sources.clip import read_clip, stamps
from edge_agent.sources.folder import natural_key
from edge_agent.sources.pictures import SUFFIXES, BadPicture, load_picture
from edge_agent.sources.video import Recording

_MEASURED = 20  # pictures from which the rate of a clip is taken
_USUAL_BYTES = 50_000  # of a picture of a clip, for the progress bar

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
    clips = _in_folder(path, {SUFFIX}) if path.is_dir() else [path]
    if clips and clips[0].suffix == SUFFIX and (first := stamps(clips[0], _MEASURED)):
        return _open_clips(clips, first)
    if path.is_dir() or path.suffix.lower() in SUFFIXES:
        return _open_pictures(path, fps)
    recording = Recording(path)
    emptiness = SourceUnusable(f"video {path} has no frame that can be decoded", "convert it")
    return Footage(recording.fps, recording.expected, _video(recording), emptiness)


def _in_folder(folder: Path, suffixes: Collection[str]) -> list[Path]:
    """The files that are not hidden and have one of these endings, in natural order."""
    found = (each for each in folder.iterdir() if not each.name.startswith("."))
    chosen = (each for each in found if each.suffix.lower() in suffixes)
    return sorted(chosen, key=lambda each: natural_key(each.name))


def _open_clips(paths: Sequence[Path], first: Sequence[Stamp]) -> Footage:
    """Clips one after the other, with the time between them that their clocks tell."""
    spread = first[-1].at - first[0].at
    fps = (len(first) - 1) / spread if spread > 0.0 else 1.0
    sizes = (path.stat().st_size for path in paths)
    emptiness = SourceUnusable(f"{paths[0]} has no picture that can be used")
    return Footage(fps, sum(sizes) // _USUAL_BYTES, _clips(paths, 1.0 / fps), emptiness)


def _clips(paths: Sequence[Path], interval: float) -> Iterator[Shot]:
    began: float | None = None
    now = -interval
    for path in paths:
        base: float | None = None
        for image, stamp in read_clip(path):
            if began is None:
                began = stamp.wall
            if base is None:  # a clock that was set back must not turn time round
                base = max(stamp.wall - began, now + interval) - stamp.at
            now = base + stamp.at
            yield Shot(image, now, stamp.wall)


def _video(recording: Recording) -> Iterator[Shot]:
    while (image := recording.next()) is not None:
        yield Shot(image, recording.time)
    recording.capture.close()


def _open_pictures(path: Path, fps: float) -> Footage:
    files = _in_folder(path, SUFFIXES) if path.is_dir() else [path]
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
