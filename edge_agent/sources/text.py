"""Lines of text: from a file, a socket, a FIFO or the standard input."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, BinaryIO, ClassVar, Literal

from annotated_types import Ge

from edge_agent import options as words
from edge_agent.clock import Clock
from edge_agent.frame import Frame
from edge_agent.options import Doc, Positive
from edge_agent.sources.base import SYSTEM_CLOCK, Medium, Pace, Stamp, patience_for
from edge_agent.sources.connections import ConnectionOptions, only
from edge_agent.sources.feed import Feed
from edge_agent.sources.guard import Guard
from edge_agent.sources.linebuffer import LineBuffer
from edge_agent.sources.ports import PIECE, Port
from edge_agent.sources.tail import TailPort
from edge_agent.sources.textfile import open_file
from edge_agent.sources.usable import UsableWatch

_BYTES_PER_CHARACTER = 4  # at most, in UTF-8
_LEAST_LONGEST = 64 * 1024  # bytes of a line that is not thrown away


@dataclass(frozen=True, slots=True)
class TextOptions(ConnectionOptions):
    """Options of the source `text`."""

    file: Annotated[Path | None, Doc("A text file.")] = None
    pace: Annotated[
        Literal["follow", "real", "fast", "loop"],
        Doc(
            "Of a file. follow: what is written to it from now on; real: all of it, `rate` lines "
            "a second; fast: all of it, as fast as they are taken; loop: real, again and again."
        ),
    ] = "follow"
    rate: Annotated[
        Positive, Doc("Lines per second in the time of a file that is not followed.")
    ] = 1.0
    max_chars: Annotated[
        int, Ge(1), Doc("The rest of a longer line is left out, and all of one of many times that.")
    ] = 4096

    def ports(self) -> Iterator[Port]:
        """A port for each way that is given; raises ValueError."""
        yield from ConnectionOptions.ports(self)
        if self.file is not None:
            yield TailPort(self.file)


class TextSource:
    """One frame for each line that is not empty; bytes that are no UTF-8 are replaced.

    No line is lost: it waits for its reader, and a sender waits for it (but over UDP, where nobody
    does). All of a file is a recording: line n, counted from 0, is at n / `rate` seconds of it.
    """

    medium: ClassVar[Medium] = "text"
    Options: ClassVar[type[words.Options]] = TextOptions
    live = False

    def __init__(self, name: str, options: TextOptions, clock: Clock = SYSTEM_CLOCK) -> None:
        port = only(options.ports(), "file, tcp, listen, udp, fifo or stdin")
        if options.file is None and options.pace != "follow":
            raise ValueError("pace is for a file")
        self.name = name
        self._lines: _Recorded | _Coming
        if options.file is not None and options.pace != "follow":
            self._lines = _Recorded(options.file, options, clock, Stamp(name, clock))
            self.patience = None
            self.may_be_quiet = False
        else:
            self._lines = _Coming(port, options, Stamp(name, clock))
            silence = options.silence
            self.may_be_quiet = silence is None
            self.patience = None if silence is None else silence + patience_for(options.timeout)

    def start(self) -> None:
        """Open the file or the port; raises SourceError."""
        self._lines.start()

    def read(self) -> Frame | None:
        """Next line; None at the end of a file or of the standard input. Raises SourceError."""
        return self._lines.read()

    def stop(self) -> None:
        """End a running wait and close the file or the port."""
        self._lines.stop()


class _Coming:
    """Lines that come as somebody writes them."""

    def __init__(self, port: Port, options: TextOptions, stamp: Stamp) -> None:
        self._limit = options.max_chars
        self._feed = Feed(port, _longest(options))
        self._watch = UsableWatch(self._feed.shown, options.silence)
        self._stamp = stamp
        self._waiting: deque[str] = deque()

    def start(self) -> None:
        self._waiting.clear()
        self._watch.begin()
        self._feed.open()

    def read(self) -> Frame | None:
        while not self._waiting:
            lines = self._feed.lines(self._watch.until)
            if lines is None:
                return None
            texts = (_text(line.data, self._limit) for line in lines)
            self._waiting.extend(text for text in texts if text)
            self._watch.look(lines, usable=bool(self._waiting))
        return None if self._feed.closing else self._stamp.line(self._waiting.popleft())

    def stop(self) -> None:
        self._feed.close()


class _Recorded:
    """All lines of a file."""

    def __init__(self, path: Path, options: TextOptions, clock: Clock, stamp: Stamp) -> None:
        self._path = path
        self._options = options
        self._clock = clock
        self._stamp = stamp
        self._guard = Guard(self._release)
        self._guard.closing.set()
        self._file: BinaryIO | None = None
        self._frames: Iterator[Frame] = iter(())

    def start(self) -> None:
        self.stop()
        self._guard.reopen()
        self._file = open_file(self._path)
        self._frames = self._play(self._file, Pace(self._clock, self._guard.closing.wait))

    def read(self) -> Frame | None:
        with self._guard.use() as allowed:
            frame = next(self._frames, None) if allowed else None
            return None if self._guard.closing.is_set() else frame

    def stop(self) -> None:
        self._guard.close()

    def _play(self, file: BinaryIO, pace: Pace) -> Iterator[Frame]:
        timeline = 0.0
        while True:
            count = 0
            for text in self._texts(file):
                if self._options.pace != "fast":
                    pace.until(timeline)
                yield replace(self._stamp.line(text, count / self._options.rate), timeline=timeline)
                count += 1
                timeline += 1.0 / self._options.rate
            if self._options.pace != "loop" or not count or self._guard.closing.is_set():
                return
            file.seek(0)

    def _texts(self, file: BinaryIO) -> Iterator[str]:
        buffer = LineBuffer(_longest(self._options))
        while piece := file.read(PIECE):
            for line in buffer.feed(piece):
                if text := _text(line, self._options.max_chars):
                    yield text
        for line in buffer.flush():
            yield _text(line, self._options.max_chars)

    def _release(self) -> None:
        file, self._file = self._file, None
        self._frames = iter(())
        if file is not None:
            file.close()


def _longest(options: TextOptions) -> int:
    return max(_LEAST_LONGEST, _BYTES_PER_CHARACTER * options.max_chars)


def _text(line: bytes, limit: int) -> str:
    """The text of a line, none where it holds only spaces."""
    return line.decode(errors="replace")[:limit].rstrip()
