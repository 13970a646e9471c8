"""Records clips in a thread of its own, so that neither source nor model ever waits for a disk."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path

import cv2

from edge_agent.event import Event
from edge_agent.frame import Frame
from edge_agent.recorder.options import RecordOptions
from edge_agent.recorder.shelf import Shelf
from edge_agent.recorder.tape import Picture, Tape

_log = logging.getLogger(__name__)

_WAITING = 3  # frames that may wait for the thread
_IDLE = 5.0  # s without a frame after which a clip ends
_TIDY = 60.0  # s between looks at the age of the clips


class Recorder:
    """Keeps clips of one pipeline in a folder; nothing is touched before the first frame.

    `offer` and `note` may be called from different threads and never wait; a frame for which there
    is no room is left out and counted in `dropped`. A disk that refuses costs clips, nothing else.
    """

    def __init__(self, folder: Path, options: RecordOptions) -> None:
        self.dropped = 0
        self._options = options
        self._shelf = Shelf(folder, options)
        self._tape = Tape(self._shelf, options)
        self._ready = threading.Condition()
        self._frames: deque[Frame] = deque()
        self._closing = False
        self._wanted = False
        self._there: set[int | None] = set()
        self._until = -math.inf
        self._newest = -math.inf
        self._due: float | None = None
        self._tidied = -math.inf
        self._refused = ""
        self._told_dropped = 0
        self._thread: threading.Thread | None = None

    def offer(self, frame: Frame) -> None:
        """Take a frame, already masked; called in the source's thread."""
        with self._ready:
            if self._closing or not self._is_due(frame.timeline):
                return
            if len(self._frames) >= _WAITING:
                self.dropped += 1
                return
            self._frames.append(frame)
            self._ready.notify()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
                self._thread.start()

    def _is_due(self, now: float) -> bool:
        """Whether a frame of that time is one of `fps` a second."""
        period = 1.0 / self._options.fps
        began_anew, self._newest = now < self._newest, now
        if self._due is None or began_anew or now - self._due > period:
            self._due = now
        # A thousandth of a period: frame times are rounded to microseconds.
        if now < self._due - 1e-3 * period:
            return False
        self._due += period
        return True

    def note(self, events: Iterable[Event]) -> None:
        """Take in what happened: something new, or that moves again, begins a clip."""
        with self._ready:
            for event in events:
                if event.type == "new" or "moving" in event.changes:
                    self._wanted = True
                if event.type == "end" or event.stationary:
                    self._there.discard(event.track)
                else:
                    self._there.add(event.track)
            self._until = self._newest + self._options.after

    def close(self, timeout: float = 1.0) -> None:
        """End the clip in work; waits at most `timeout` seconds. Safe twice."""
        with self._ready:
            self._closing = True
            self._ready.notify()
        if self._thread is not None:
            self._thread.join(timeout)

    def _run(self) -> None:
        self._guarded(self._shelf.recover)
        while not self._is_over():
            self._guarded(self._step)
        if self._wanted:
            self._guarded(self._tape.begin)
        self._guarded(self._tape.end)

    def _is_over(self) -> bool:
        with self._ready:
            return self._closing and not self._frames

    def _step(self) -> None:
        with self._ready:
            idle = max(_IDLE, self._options.after)
            self._ready.wait_for(lambda: self._frames or self._closing, idle)
            frame = self._frames.popleft() if self._frames else None
            if frame is None and self._closing:
                return
            begin, self._wanted = self._wanted, False
            until = math.inf if self._there else self._until
        if time.monotonic() - self._tidied >= _TIDY:
            self._tidied = time.monotonic()
            self._shelf.make_room(0)
            self._tell_dropped()
        if frame is not None:
            self._tape.add(self._picture(frame), begin, until)
        elif begin:
            self._tape.begin()
        else:
            self._tape.end()

    def _tell_dropped(self) -> None:
        if self.dropped > self._told_dropped:
            self._told_dropped = self.dropped
            _log.warning(
                "%s: %d frames so far came too fast to be recorded (lower record.fps)",
                self._shelf.folder.name, self.dropped,
            )  # fmt: skip

    def _picture(self, frame: Frame) -> Picture:
        quality = [cv2.IMWRITE_JPEG_QUALITY, self._options.quality]
        jpeg = cv2.imencode(".jpg", frame.data, quality)[1].tobytes()
        return Picture(jpeg, frame.wall, frame.timeline)

    def _guarded(self, act: Callable[[], object]) -> None:
        """Act; what fails costs the clip in work, and is said once."""
        try:
            act()
        except OSError as error:
            self._give_up(f"clips of {self._shelf.folder.name} are not kept: {error}")
        except Exception:  # noqa: BLE001 - the thread's edge
            _log.exception("recorder of %s: internal error", self._shelf.folder.name)
            self._give_up("")

    def _give_up(self, reason: str) -> None:
        if reason and reason != self._refused:
            self._refused = reason
            _log.warning("%s", reason)
        try:
            self._tape.end()
        except OSError as error:
            _log.debug("the clip in work cannot be ended: %s", error)
