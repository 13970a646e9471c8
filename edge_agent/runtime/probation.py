"""A model that took another's place is watched: the one before stays open and comes back."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from statistics import median

from edge_agent.engines.state import Memory
from edge_agent.runtime.inference import Inference, Outcome

RECENT = 30
"""Frames whose times tell how fast a model is."""

LONGEST = 10.0
"""So many times the time of watching a model is watched at most, where it sees no frames."""

_SEEN = 20  # frames that a model must have seen before it is trusted
_ENOUGH = 10  # frames after which a model may be called slow
_PAIRS = 5  # frames that both models infer where one seems slow
_SLACK = 1.0  # ms that nobody minds

Infer = Callable[[Inference, Memory], Outcome]


class Probation:
    """The first frames of a model in the place of another.

    It has a `fault` once it fails on a frame that the one before does not fail on, or takes more
    than `slowdown` times as long. `usual` are the milliseconds that the one before took for its
    last frames. Since a busy machine makes any model slow, one that seems so is measured against
    the other on the same frames. Nothing is lost: a frame on which it fails goes to the one before.
    """

    def __init__(
        self, fresh: Inference, before: Inference, usual: Sequence[float], slowdown: float
    ) -> None:
        self.fresh = fresh
        self.before = before
        self.fault = ""
        self.frames = 0
        self._usual = median(usual) if usual else 0.0
        self._slowdown = slowdown
        self._took: deque[float] = deque(maxlen=RECENT)
        self._pairs: list[tuple[float, float]] = []
        self._shadow = Memory()
        self._is_given_up = False
        self._before_in_use = threading.Lock()

    @property
    def usual(self) -> float:
        """Milliseconds that the one before took for a frame."""
        return self._usual

    def run(self, infer: Infer, memory: Memory) -> Outcome:
        """Infer a frame; raises what both models raise on it."""
        try:
            outcome = infer(self.fresh, memory)
        except Exception as error:
            with self._before_in_use:
                if self._is_given_up:
                    raise
                outcome = infer(self.before, memory)
            self.fault = f"it fails on a frame: {error or repr(error)}"
            return outcome
        self.frames += 1
        self._took.append(took(outcome))
        if self._seems_slow():
            self._compare(infer, took(outcome))
        return outcome

    def give_up(self) -> Inference | None:
        """The one before, for another thread; this one, which hangs, never touches it again.

        None where it has gone back to it, or is at it just now.
        """
        if not self._before_in_use.acquire(blocking=False):
            return None
        self._is_given_up = True
        self._before_in_use.release()
        return None if self.fault else self.before

    def _seems_slow(self) -> bool:
        return len(self._took) >= _ENOUGH and self._is_slow(median(self._took), self._usual)

    def _is_slow(self, fresh: float, before: float) -> bool:
        return fresh > self._slowdown * before + _SLACK

    def _compare(self, infer: Infer, fresh: float) -> None:
        """Measure the other model on the same frame, which has no influence on anything."""
        try:
            with self._before_in_use:
                if self._is_given_up:
                    return
                before = took(infer(self.before, self._shadow))
        except Exception:  # noqa: BLE001 - the new model did not fail on it
            return
        self._pairs.append((fresh, before))
        if len(self._pairs) < _PAIRS:
            return
        now, then = (median(times) for times in zip(*self._pairs, strict=True))
        if self._is_slow(now, then):
            self.fault = f"it takes {now:.3g} ms for a frame, the model before takes {then:.3g} ms"
        self._pairs.clear()
        self._took.clear()


def is_enough(seconds: float, frames: int, watch: float) -> bool:
    """Whether a model that was watched for so long, and has seen so many frames, is trusted."""
    return seconds >= watch and (frames >= _SEEN or seconds >= LONGEST * watch)


def took(outcome: Outcome) -> float:
    """Milliseconds from the frame to its results."""
    return outcome.preprocess_ms + outcome.infer_ms + outcome.decode_ms
