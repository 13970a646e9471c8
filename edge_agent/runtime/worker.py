"""One thread per model: takes the frames of its pipelines in turn and infers them."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from edge_agent.engines.state import Memory
from edge_agent.errors import EdgeAgentError, SignalMismatch
from edge_agent.event import ModelRef
from edge_agent.result import Kind
from edge_agent.runtime.inbox import Inbox, Job
from edge_agent.runtime.inference import Inference, Outcome
from edge_agent.runtime.probation import RECENT, Probation, took
from edge_agent.runtime.tiling import Tiling

_log = logging.getLogger(__name__)
_FAILURES_IN_A_ROW = 3  # an engine that fails so often is opened anew


class Customer(Protocol):
    """Whoever has frames for a model: a pipeline, or what looks closer at its objects."""

    @property
    def name(self) -> str:
        """The pipeline's name, or one that begins with it."""

    @property
    def inbox(self) -> Inbox:
        """Where its frames wait."""

    @property
    def least_score(self) -> float:
        """Score below which no result is of any use."""

    @property
    def tiling(self) -> Tiling:
        """How its frames go through the model."""

    def wants(self, job: Job) -> bool:
        """Whether a frame is still worth inferring."""

    def complete(self, job: Job, outcome: Outcome) -> None:
        """Take the results of a frame."""

    def failed_on(self, job: Job) -> None:
        """Take note that the model failed on a frame."""

    def refused(self, error: EdgeAgentError) -> None:
        """Take note that the model cannot take what is made of the frames."""

    def finish(self) -> None:
        """Take note that the last frame of a recording is done."""

    def model_opened(self, ref: ModelRef, kind: Kind, labels: Sequence[str] | None) -> None:
        """Take note of the model."""

    def model_failed(self, reason: str) -> None:
        """Take note that the model cannot be used for now."""

    def model_stalled(self, reason: str) -> None:
        """Take note that the model hangs; empty once it answers again."""


class ModelWorker:
    """Serves those who use one model round robin, the newest frame of each.

    The model is opened inside the thread, so that a slow or failing one holds up nobody else.
    A thread that ends without `stop()` leaves the reason in `failure`. Another model can take its
    place between two frames; while that is on `probation` the one before stays open.
    """

    def __init__(
        self,
        name: str,
        open_model: Callable[[], Inference],
        pipelines: Sequence[Customer],
        ready: threading.Condition,
    ) -> None:
        self.name = name
        self.failure: BaseException | None = None
        self.inference: Inference | None = None
        self.probation: Probation | None = None
        self._open_model = open_model
        self._pipelines = tuple(pipelines)
        self._ready = ready
        self._next = 0
        self._failures = 0
        self._took: deque[float] = deque(maxlen=RECENT)
        self._errands: deque[Callable[[], None]] = deque()
        self._stopping = False
        self._is_given_up = False
        self._busy_since: float | None = None
        self._thread = threading.Thread(target=self._run, name=f"model-{name}", daemon=True)

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    @property
    def serves(self) -> tuple[str, ...]:
        """Names of those whom it serves."""
        return tuple(pipeline.name for pipeline in self._pipelines)

    def serve(self, pipelines: Sequence[Customer]) -> None:
        """Serve these from now on; those that are new are told of the model."""
        with self._ready:
            added = [pipeline for pipeline in pipelines if pipeline not in self._pipelines]
            self._pipelines = tuple(pipelines)
            self._ready.notify_all()
        # Either the thread, once the model is open, sees the new ones, or we see the open model:
        # the last one, if another takes its place meanwhile.
        told = None
        while (inference := self.inference) is not None and inference is not told:
            self._introduce(inference, added)
            told = inference

    def busy_for(self) -> float:
        """Seconds that the frame in work has taken so far."""
        since = self._busy_since
        return 0.0 if since is None else time.monotonic() - since

    def swap(self, fresh: Inference, slowdown: float) -> None:
        """Use another model, which is open, from the next frame on; see `Probation`."""
        self._between_frames(lambda: self._swap(fresh, slowdown))

    def keep(self) -> None:
        """The model on probation stays; the one before is closed."""
        self._between_frames(self._keep)

    def take_back(self, reason: str) -> None:
        """The model on probation has a fault that it does not see itself: use the one before."""
        self._between_frames(lambda: self._take_back(reason))

    def give_up(self) -> Inference | None:
        """Heed no more what this thread says, which hangs; the model before the one on probation.

        That is not used or closed by this thread any more.
        """
        self._is_given_up = True
        with self._ready:
            probation, self.probation = self.probation, None
        return None if probation is None else probation.give_up()

    def start(self) -> None:
        """Open the model and begin, in the background."""
        self._thread.start()

    def stop(self, timeout: float = 2.0) -> None:
        """End after the frame in work; waits at most `timeout` seconds."""
        with self._ready:
            self._stopping = True
            self._ready.notify_all()
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def open(self) -> Inference:
        """Open the model in this thread and tell the pipelines of it; raises ModelError."""
        self.inference = self._open_model()
        if not self._is_given_up:
            self._introduce(self.inference, self._pipelines)
        return self.inference

    def work_off(self, inference: Inference) -> None:
        """Do all that waits now, in this thread: for a replay, which starts none."""
        while self._anything():
            with self._ready:
                pipeline = self._choose()
                job = pipeline.inbox.take()
            self._take_on(pipeline, job, inference)

    def _run(self) -> None:
        try:
            self.open()
            self._serve()
        except EdgeAgentError as error:
            self.failure = error
        except Exception as error:  # noqa: BLE001 - the thread's edge
            _log.exception("model %s: the worker failed", self.name)
            self.failure = error
        finally:
            self._close()

    def _close(self) -> None:
        before = self._release()
        for inference in (self.inference, before):
            if inference is not None:
                inference.close()

    def _serve(self) -> None:
        while True:
            with self._ready:
                self._ready.wait_for(self._anything)
                if self._stopping:
                    return
                errand = self._errands.popleft() if self._errands else None
                if errand is None:
                    pipeline = self._choose()
                    job = pipeline.inbox.take()
            if errand is not None:
                errand()
            else:
                assert self.inference is not None
                self._take_on(pipeline, job, self.inference)

    def _between_frames(self, errand: Callable[[], None]) -> None:
        with self._ready:
            self._errands.append(errand)
            self._ready.notify_all()

    def _swap(self, fresh: Inference, slowdown: float) -> None:
        assert self.inference is not None
        self._keep()
        self.probation = Probation(fresh, self.inference, tuple(self._took), slowdown)
        self._use(fresh)

    def _release(self) -> Inference | None:
        with self._ready:
            probation, self.probation = self.probation, None
        return None if probation is None or probation.fault else probation.before

    def _keep(self) -> None:
        before = self._release()
        if before is not None:
            before.close()

    def _take_back(self, reason: str) -> None:
        if self.probation is not None and not self.probation.fault:
            self.probation.fault = reason
            self._go_back(self.probation)

    def _go_back(self, probation: Probation) -> None:
        """The reason stays in `probation.fault`."""
        self._use(probation.before)
        probation.fresh.close()

    def _use(self, inference: Inference) -> None:
        self.inference = inference
        self._took.clear()
        self._introduce(inference, self._pipelines)

    def _take_on(self, pipeline: Customer, job: Job | None, inference: Inference) -> None:
        if job is None:
            pipeline.finish()
        elif pipeline.wants(job):
            self._work(pipeline, job, inference)

    @staticmethod
    def _introduce(inference: Inference, pipelines: Sequence[Customer]) -> None:
        for pipeline in pipelines:
            pipeline.model_opened(inference.ref, inference.decoder.kind, inference.labels)

    def _anything(self) -> bool:
        return (
            self._stopping or bool(self._errands) or any(p.inbox.pending() for p in self._pipelines)
        )

    def _choose(self) -> Customer:
        """Next pipeline with something to do, after the one served last."""
        count = len(self._pipelines)
        for step in range(count):
            pipeline = self._pipelines[(self._next + step) % count]
            if pipeline.inbox.pending():
                self._next = (self._next + step + 1) % count
                return pipeline
        raise AssertionError("woken without work")

    def _work(self, pipeline: Customer, job: Job, inference: Inference) -> None:
        self._busy_since = time.monotonic()
        try:
            outcome = self._infer(pipeline, job, inference)
            self._failures = 0
        except SignalMismatch as error:
            if not self._is_given_up:
                pipeline.refused(error)
            return
        except Exception:
            self._failures += 1
            pipeline.failed_on(job)
            if self._failures >= _FAILURES_IN_A_ROW:
                raise
            _log.exception("pipeline %s: the model failed on a frame", pipeline.name)
            return
        finally:
            self._busy_since = None
        if not self._is_given_up:
            pipeline.complete(job, outcome)

    def _infer(self, pipeline: Customer, job: Job, inference: Inference) -> Outcome:
        def infer(inference: Inference, memory: Memory) -> Outcome:
            return pipeline.tiling.run(
                inference,
                job.frame.data,
                job.regions,
                pipeline.least_score,
                memory,
                job.frame.numbers,
            )

        probation = self.probation
        is_over = probation is None or bool(probation.fault)
        if probation is None or is_over:
            outcome = infer(inference, job.memory)
        else:
            outcome = probation.run(infer, job.memory)
            if probation.fault and not self._is_given_up:
                self._go_back(probation)
        self._took.append(took(outcome))
        return outcome
