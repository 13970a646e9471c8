"""One thread per model: takes the frames of its pipelines in turn and infers them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from edge_agent.errors import EdgeAgentError, SignalMismatch
from edge_agent.runtime.inbox import Job
from edge_agent.runtime.inference import Inference
from edge_agent.runtime.pipeline import Pipeline

_log = logging.getLogger(__name__)
_FAILURES_IN_A_ROW = 3  # an engine that fails so often is opened anew


class ModelWorker:
    """Serves the pipelines of one model round robin, the newest frame of each.

    The model is opened inside the thread, so that a slow or failing one holds up nobody else.
    A thread that ends without `stop()` leaves the reason in `failure`.
    """

    def __init__(
        self,
        name: str,
        open_model: Callable[[], Inference],
        pipelines: Sequence[Pipeline],
        ready: threading.Condition,
    ) -> None:
        self.name = name
        self.failure: BaseException | None = None
        self.inference: Inference | None = None
        self._open_model = open_model
        self._pipelines = tuple(pipelines)
        self._ready = ready
        self._next = 0
        self._failures = 0
        self._stopping = False
        self._busy_since: float | None = None
        self._thread = threading.Thread(target=self._run, name=f"model-{name}", daemon=True)

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    @property
    def serves(self) -> tuple[str, ...]:
        """Names of its pipelines."""
        return tuple(pipeline.name for pipeline in self._pipelines)

    def serve(self, pipelines: Sequence[Pipeline]) -> None:
        """Serve these from now on; those that are new are told of the model."""
        with self._ready:
            added = [pipeline for pipeline in pipelines if pipeline not in self._pipelines]
            self._pipelines = tuple(pipelines)
            self._ready.notify_all()
        # Either the thread, once the model is open, sees the new ones, or we see the open model.
        if self.inference is not None:
            self._introduce(self.inference, added)

    def busy_for(self) -> float:
        """Seconds that the frame in work has taken so far."""
        since = self._busy_since
        return 0.0 if since is None else time.monotonic() - since

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

    def _run(self) -> None:
        try:
            self.inference = self._open_model()
            self._introduce(self.inference, self._pipelines)
            self._serve(self.inference)
        except EdgeAgentError as error:
            self.failure = error
        except Exception as error:  # noqa: BLE001 - the thread's edge
            _log.exception("model %s: the worker failed", self.name)
            self.failure = error
        finally:
            if self.inference is not None:
                self.inference.close()

    def _serve(self, inference: Inference) -> None:
        while True:
            with self._ready:
                self._ready.wait_for(self._anything)
                if self._stopping:
                    return
                pipeline = self._choose()
                job = pipeline.inbox.take()
            if job is None:
                pipeline.finish()
            elif pipeline.wants(job):
                self._work(pipeline, job, inference)

    @staticmethod
    def _introduce(inference: Inference, pipelines: Sequence[Pipeline]) -> None:
        for pipeline in pipelines:
            pipeline.model_opened(inference.ref, inference.decoder.kind, inference.labels)

    def _anything(self) -> bool:
        return self._stopping or any(p.inbox.pending() for p in self._pipelines)

    def _choose(self) -> Pipeline:
        """Next pipeline with something to do, after the one served last."""
        count = len(self._pipelines)
        for step in range(count):
            pipeline = self._pipelines[(self._next + step) % count]
            if pipeline.inbox.pending():
                self._next = (self._next + step + 1) % count
                return pipeline
        raise AssertionError("woken without work")

    def _work(self, pipeline: Pipeline, job: Job, inference: Inference) -> None:
        self._busy_since = time.monotonic()
        try:
            outcome = inference.run(job.frame.data, pipeline.least_score, pipeline.memory)
            self._failures = 0
        except SignalMismatch as error:
            pipeline.refused(error)
            return
        except Exception:
            self._failures += 1
            pipeline.metrics.counts.errors += 1
            if self._failures >= _FAILURES_IN_A_ROW:
                raise
            _log.exception("pipeline %s: the model failed on a frame", pipeline.name)
            return
        finally:
            self._busy_since = None
        pipeline.complete(job, outcome)
