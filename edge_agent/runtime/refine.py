"""A second model that looks closer at each object of a pipeline and names it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from edge_agent.engines.state import Memory
from edge_agent.errors import EdgeAgentError
from edge_agent.event import ModelRef
from edge_agent.frame import Frame
from edge_agent.geometry import Box, iou
from edge_agent.result import ClassScore, Detection, Kind, Result, Track
from edge_agent.runtime.inbox import Inbox, Job
from edge_agent.runtime.inference import Outcome
from edge_agent.runtime.status import STARTING
from edge_agent.runtime.tiling import Tiling, Whole
from edge_agent.tracking.opinions import Opinions
from edge_agent.tracking.options import RefineOptions

_log = logging.getLogger(__name__)

_SAME = 0.5  # least overlap of a detection with the track that it belongs to


class Refiner:
    """What one second model is asked about the objects of one pipeline.

    Its worker takes the crops as it takes frames of other pipelines: in turn, the newest first;
    what waits when the next frame comes is dropped, and asked again. So the pipeline never waits
    for it, unless it shows a recording, which calls `settle`. While the model is down objects go
    without a name, and `reason` tells why; it is empty while all is well.
    """

    def __init__(self, pipeline: str, model: str, options: RefineOptions, inbox: Inbox) -> None:
        self.name = f"{pipeline}/{model}"
        self.model = model
        self.inbox = inbox
        self._trouble = STARTING
        self._stall = ""
        self._is_closed = False
        self._margin = options.margin
        self._threshold = options.threshold
        self._opinions = Opinions(options)
        self._answered = threading.Condition()
        self._asked = 0  # crops that were not answered yet
        self._ref: ModelRef | None = None
        self._memory = Memory()

    @property
    def least_score(self) -> float:
        """Score below which a class is of no use."""
        return self._threshold

    @property
    def tiling(self) -> Tiling:
        """Each crop as it is."""
        return Whole()

    @property
    def reason(self) -> str:
        """Why it names nothing; empty where it does."""
        return self._trouble or self._stall

    @property
    def _is_idle(self) -> bool:
        """Whether nobody would answer."""
        return self._is_closed or self.reason not in ("", STARTING)

    # Pipeline

    def look(self, frame: Frame, tracks: Sequence[Track]) -> None:
        """Ask about the objects of a frame that need it; `tracks` are all of the pipeline."""
        with self._answered:
            due = self._opinions.due(tracks, frame.timeline, frame.size)
            if self._is_idle or not due:
                return
            self._asked = len(due)
        # No crop follows from another, so each has a memory of its own.
        self.inbox.replace(
            *(_crop_job(frame, each, self._margin, self._memory.anew()) for each in due)
        )

    def named(self, track: Track) -> Track:
        """The track with the name that was found for it, if any."""
        with self._answered:
            return self._opinions.named(track)

    def settle(self) -> None:
        """Wait until everything asked is answered, or nobody will."""
        with self._answered:
            self._answered.wait_for(lambda: self._is_idle or self._asked <= 0)

    def close(self) -> None:
        """Ask no more, and release who waits."""
        self._is_closed = True
        self.inbox.close()
        self._give_up()

    # Model's worker

    def model_opened(self, ref: ModelRef, kind: Kind, labels: Sequence[str] | None = None) -> None:
        """Take note of the model; only one that names classes will do."""
        del labels
        with self._answered:
            if self._ref not in (None, ref):
                self._opinions.forget()
            self._ref = ref
        fault = unfit(self.model, kind)
        if fault:
            _log.error("pipeline %s: %s", self.name, fault)
        self._trouble = fault
        self._give_up()

    def wants(self, job: Job) -> bool:
        """Every crop is worth a look: those that wait are of the newest frame."""
        del job
        return True

    def complete(self, job: Job, outcome: Outcome) -> None:
        """Let the best class vote on the object."""
        best = next((each for each in outcome.results if isinstance(each, ClassScore)), None)
        with self._answered:
            if job.track is not None:
                self._opinions.vote(job.track, best, job.frame.timeline)
            self._note_answer()

    def failed_on(self, job: Job) -> None:
        """A crop on which the model failed has no vote."""
        del job
        with self._answered:
            self._note_answer()

    def refused(self, error: EdgeAgentError) -> None:
        """A second model that cannot take crops names nothing."""
        self._trouble = str(error)
        self._give_up()

    def finish(self) -> None:
        """Nothing: the end of a recording is the pipeline's."""

    # Supervisor

    def model_failed(self, reason: str) -> None:
        """Go without names until the model is opened again."""
        self._trouble = reason
        self._give_up()

    def model_stalled(self, reason: str) -> None:
        """Take note that the model takes far too long; empty once it is done."""
        self._stall = reason
        self._give_up()

    def _give_up(self) -> None:
        """Where nobody will answer any more, drop what is asked and release who waits."""
        if not self._is_idle:
            return
        self.inbox.clear()
        with self._answered:
            self._asked = 0
            self._answered.notify_all()

    def _note_answer(self) -> None:
        self._asked -= 1
        self._answered.notify_all()


class Refinement:
    """All second models of one pipeline; with none of them it does nothing.

    `work` is set by whoever runs the models without threads: it answers all that was asked.
    """

    def __init__(self, refiners: Sequence[Refiner] = ()) -> None:
        self.refiners = tuple(refiners)
        self.work: Callable[[], None] = _wait_for_threads

    def reasons(self) -> Mapping[str, str]:
        """By model: why it names nothing, empty where it does."""
        return {each.model: each.reason for each in self.refiners}

    def look(self, frame: Frame, tracks: Sequence[Track]) -> None:
        """Ask about the objects of a frame that need it."""
        for each in self.refiners:
            each.look(frame, tracks)

    def named(self, tracks: Sequence[Track]) -> Sequence[Track]:
        """The tracks with the names that were found for them."""
        for each in self.refiners:
            tracks = [each.named(track) for track in tracks]
        return tracks

    @staticmethod
    def marked(results: Sequence[Result], tracks: Sequence[Track]) -> Sequence[Result]:
        """The detections of a frame with the names of the tracks that they belong to."""
        named = [each for each in tracks if each.sublabel is not None and each.seen]
        return [_marked(each, named) for each in results] if named else results

    def settle(self) -> None:
        """Wait until everything asked is answered, or nobody will."""
        self.work()
        for each in self.refiners:
            each.settle()

    def close(self) -> None:
        """Ask no more, and release who waits."""
        for each in self.refiners:
            each.close()


def _wait_for_threads() -> None:
    """Nothing: the models answer in threads of their own."""


def unfit(model: str, kind: Kind) -> str:
    """Why a model of that kind cannot name objects; empty where it can."""
    if kind == "class":
        return ""
    finds = {"object": "finds objects", "keypoints": "finds keypoints"}
    what = finds.get(kind, f"gives {kind} results")
    return f"the model {model} {what} and names no classes (refine needs a classifier)"


def _marked(result: Result, tracks: Sequence[Track]) -> Result:
    if not isinstance(result, Detection):
        return result
    fitting = [
        (iou(result.box, each.box), each)
        for each in tracks
        if each.box is not None and each.label == result.label
    ]
    overlap, best = max(fitting, key=lambda pair: pair[0], default=(0.0, None))
    if best is None or overlap < _SAME:
        return result
    return replace(result, sublabel=best.sublabel, sublabel_score=best.sublabel_score)


def _crop_job(frame: Frame, track: Track, margin: float, memory: Memory) -> Job:
    assert track.box is not None
    left, top, right, bottom = crop_area(track.box, margin, frame.size)
    crop = replace(frame, data=frame.data[top:bottom, left:right], numbers=None)
    return Job(crop, (), 0.0, memory, track.id)


def crop_area(box: Box, margin: float, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom pixel of a box with a margin, inside a frame of `size`.

    `margin` is a part of the box's width and height, on each side. It is one pixel at least.
    """
    (x1, y1, x2, y2), (width, height) = box, size
    across, down = margin * (x2 - x1), margin * (y2 - y1)
    left = min(max(round((x1 - across) * width), 0), width - 1)
    top = min(max(round((y1 - down) * height), 0), height - 1)
    right = min(max(round((x2 + across) * width), left + 1), width)
    bottom = min(max(round((y2 + down) * height), top + 1), height)
    return left, top, right, bottom
