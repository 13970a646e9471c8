"""Pictures from disk: a list, a pattern, or a folder that is watched for new ones."""

from __future__ import annotations

import glob
import logging
import threading
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from edge_agent import options as words
from edge_agent.clock import Clock
from edge_agent.errors import SourceUnusable
from edge_agent.frame import Frame
from edge_agent.options import Doc, Positive
from edge_agent.sources.base import SYSTEM_CLOCK, Image, Pace, Stamp
from edge_agent.sources.folder import After, WatchedFolder, natural_key
from edge_agent.sources.pictures import BadPicture, load_picture

log = logging.getLogger(__name__)

_POLL = 0.25  # seconds between looks into an empty folder


@dataclass(frozen=True, slots=True)
class ImagesOptions(words.Options):
    """Options of the source `images`."""

    files: Annotated[
        tuple[str, ...] | str, Doc("Picture files, or a pattern such as shots/**/*.jpg.")
    ] = ()
    folder: Annotated[Path | None, Doc("A folder whose pictures are taken as they arrive.")] = None
    after: Annotated[
        After,
        Doc("What becomes of a used picture of the folder; move: into its sub-folder done."),
    ] = "move"
    fps: Annotated[
        Positive | None,
        Doc("Pictures per second; default: as fast as they are taken, a second apart in time."),
    ] = None


class ImagesSource:
    """Pictures; none is lost: the source waits for its reader.

    `files` are a recording that ends, picture n at n / fps seconds. A `folder` never ends; its
    pictures carry the time at which they are read. A picture is disposed of when the next one is
    asked for, so one that is cut off by a power failure is used again.
    """

    Options: ClassVar[type[words.Options]] = ImagesOptions
    live = False
    patience = None

    def __init__(self, name: str, options: ImagesOptions, clock: Clock = SYSTEM_CLOCK) -> None:
        if bool(options.files) == (options.folder is not None):
            raise ValueError("give either files or folder")
        self.name = name
        self._options = options
        self._interval = 1.0 / (options.fps or 1.0)
        self._clock = clock
        self._stamp = Stamp(name, clock)
        self._stopped = threading.Event()
        self._stopped.set()
        self._queue: deque[Path] = deque()
        self._position = 0
        self._good = 0
        self._used: Path | None = None
        folder = options.folder
        self._folder = None if folder is None else WatchedFolder(folder, options.after)

    def start(self) -> None:
        """Find the pictures; raises SourceUnusable where there are none or no folder."""
        self._used = None
        self._position = self._good = 0
        self._queue.clear()
        if self._folder is not None:
            self._folder.open()
        else:
            self._queue.extend(_find(self._options.files))
        self._stopped.clear()
        self._pace = Pace(self._clock, self._stopped.wait)

    def read(self) -> Frame | None:
        """Next picture; None at the end of a list, and when a wait for a new one is stopped."""
        if self._folder is not None:
            return self._from_folder(self._folder)
        return self._from_list()

    def stop(self) -> None:
        """End a running wait."""
        self._stopped.set()

    def _from_list(self) -> Frame | None:
        while self._queue and not self._stopped.is_set():
            path = self._queue.popleft()
            try:
                image = load_picture(path)
            except BadPicture as error:
                log.warning("picture %s cannot be used: %s", path, error)
                continue
            self._good += 1
            return self._recorded(image)
        if not self._good and not self._stopped.is_set():
            raise SourceUnusable("none of the pictures can be used", "see the lines above")
        return None

    def _recorded(self, image: Image) -> Frame | None:
        media_time = self._position * self._interval
        self._position += 1
        if self._options.fps is not None:
            self._pace.until(media_time)
        if self._stopped.is_set():
            return None
        return self._stamp.recorded(image, media_time, media_time)

    def _from_folder(self, folder: WatchedFolder) -> Frame | None:
        if self._used is not None:
            folder.done(self._used)
            self._used = None
        while (path := self._next_in(folder)) is not None:
            try:
                image = load_picture(path)
            except BadPicture as error:
                folder.broken(path, error)
                continue
            self._used = path
            if self._options.fps is not None:
                self._pace.until(self._position * self._interval)
                self._position += 1
            return None if self._stopped.is_set() else self._stamp.live(image)
        return None

    def _next_in(self, folder: WatchedFolder) -> Path | None:
        while not self._stopped.is_set():
            if not self._queue:
                self._queue.extend(folder.scan())
            if self._queue:
                return self._queue.popleft()
            self._stopped.wait(_POLL)
        return None


def _find(files: tuple[str, ...] | str) -> list[Path]:
    """The files in natural order of a pattern, in the given order of a list."""
    if isinstance(files, str):
        files = (files,)
    found: list[Path] = []
    for text in files:
        # A name with brackets in it is a file before it is a pattern.
        path = Path(text).expanduser()
        matches = [str(path)] if path.is_file() else glob.glob(str(path), recursive=True)  # noqa: PTH207
        if not matches:
            raise SourceUnusable(f"no picture at {text}", "check the files of the source")
        found.extend(Path(match) for match in sorted(matches, key=natural_key))
    return found
