"""The door between a pipeline's source and its model's worker."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

from edge_agent.engines.state import Memory
from edge_agent.frame import Frame
from edge_agent.geometry import Box

_WAITING = 2  # frames of a recording that may wait at least: decoding runs beside inference


@dataclass(frozen=True, slots=True)
class Job:
    """A frame that passed the gate, with what the gate found and took.

    `memory` is that of the stream that the frame belongs to. `track` is set where it is only the
    part of a frame that shows that object.
    """

    frame: Frame
    regions: tuple[Box, ...]
    gate_ms: float
    memory: Memory
    track: int | None = None


class Inbox:
    """Holds the newest frames of a live source or the next of a recording, at most `room`.

    All inboxes of one model share the condition `ready` on which its worker waits.
    """

    def __init__(self, ready: threading.Condition, room: int = 1) -> None:
        self._ready = ready
        self._room = room
        self._waiting = max(room, _WAITING)
        self._jobs: deque[Job] = deque()
        self._finished = False
        self._closed = False

    def push(self, job: Job) -> bool:
        """Put in a live frame; without room the oldest is dropped. True when one was."""
        with self._ready:
            dropped = len(self._jobs) >= self._room
            if dropped:
                self._jobs.popleft()
            if not self._closed:
                self._jobs.append(job)
                self._ready.notify_all()
            return dropped

    def replace(self, *jobs: Job) -> None:
        """Put in these in the place of whatever still waited."""
        with self._ready:
            self._jobs.clear()
            if not self._closed:
                self._jobs.extend(jobs)
                self._ready.notify_all()

    def append(self, job: Job) -> None:
        """Put in a recorded frame; waits for room, until the inbox is closed.

        Frames of stacked windows take the room of as many.
        """
        room = max(_WAITING, self._waiting // job.frame.count)
        with self._ready:
            self._ready.wait_for(lambda: self._closed or len(self._jobs) < room)
            if not self._closed:
                self._jobs.append(job)
                self._ready.notify_all()

    def finish(self) -> None:
        """Say that the recording is over; the worker learns it after the last frame."""
        with self._ready:
            self._finished = True
            self._ready.notify_all()

    def clear(self) -> int:
        """Drop what waits: nobody will take it. Returns how many frames that were."""
        with self._ready:
            dropped = sum(job.frame.count for job in self._jobs)
            self._jobs.clear()
            self._ready.notify_all()
            return dropped

    def close(self) -> None:
        """Drop what waits and release whoever waits for room."""
        with self._ready:
            self._closed = True
            self._jobs.clear()
            self._ready.notify_all()

    def pending(self) -> bool:
        """Whether the worker has something to do here. Call with `ready` held."""
        return bool(self._jobs) or self._finished

    def take(self) -> Job | None:
        """Next job, or None once the recording is over. Call with `ready` held, when pending."""
        if not self._jobs:
            self._finished = False
            return None
        job = self._jobs.popleft()
        # Not at each one that is taken: to wake the source costs more than a small window does.
        if len(self._jobs) <= self._waiting // 2:
            self._ready.notify_all()
        return job
