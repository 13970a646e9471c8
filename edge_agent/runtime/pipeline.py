"""One pipeline: frames of a source through gate, model, tracker and rules to messages."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from edge_agent.backoff import Backoff
from edge_agent.engines.state import Memory
from edge_agent.errors import EdgeAgentError
from edge_agent.event import EventKind, ModelRef
from edge_agent.frame import Frame
from edge_agent.gates.chain import GateChain
from edge_agent.preprocess.framing import AsItComes, Framing
from edge_agent.preprocess.mask import PrivacyMask
from edge_agent.result import Kind, Reading, Result, Scored, Track
from edge_agent.rules.base import Happening
from edge_agent.rules.filters import ResultFilter
from edge_agent.rules.objects import ObjectRules
from edge_agent.runtime.inbox import Inbox, Job
from edge_agent.runtime.inference import Outcome
from edge_agent.runtime.metrics import PipelineMetrics
from edge_agent.runtime.pictures import Seen
from edge_agent.runtime.refine import Refinement
from edge_agent.runtime.reporter import Moment, Reporter
from edge_agent.runtime.settings import PipelineSettings, few_labels
from edge_agent.runtime.snapshots import NoSnapshots, Snapshots
from edge_agent.runtime.stacked import worth_a_look
from edge_agent.runtime.status import PipelineStatus
from edge_agent.runtime.tiling import Tiling
from edge_agent.scoring.base import Scorer, Unscored
from edge_agent.sources.reader import SourceStatus
from edge_agent.tracking.base import Tracker

_log = logging.getLogger(__name__)

PARTS = ("source", "model", "pipeline")
"""What a pipeline needs to be online."""


@dataclass(frozen=True, slots=True)
class StageFactory:
    """Makes the stages that have a memory, anew after a fault."""

    gate: Callable[[], GateChain]
    tracker: Callable[[Kind], Tracker]
    rules: Callable[[], ObjectRules]
    framing: Callable[[], Framing] = AsItComes
    scorer: Callable[[], Scorer] = Unscored


class Pipeline:
    """Joins the stages of one pipeline.

    `threshold` is the least score of a result whose label has none of its own; of the frames of a
    live source that pass the gate one of `divisor` is inferred. Both may be changed at any time.
    What a model remembers of this pipeline's frames begins anew wherever these break off.
    `intake` runs in the source's thread, `complete` and `finish` in the model's worker, `tick` in
    the supervisor. A stage that raises takes only this pipeline out: its objects are ended, it is
    offline with the reason, and its stages are made anew after a back-off.
    """

    def __init__(
        self,
        settings: PipelineSettings,
        mask: PrivacyMask,
        stages: StageFactory,
        reporter: Reporter,
        inbox: Inbox,
        on_status: Callable[[bool, str], None],
        snapshots: Snapshots | None = None,
        metrics: PipelineMetrics | None = None,
        refinement: Refinement | None = None,
    ) -> None:
        self.settings = settings
        self.refinement = refinement or Refinement()
        self.threshold = settings.threshold
        self.snapshots = snapshots or NoSnapshots()
        self.divisor = 1
        self._memory = Memory()
        self._turn = 0
        self.inbox = inbox
        self.metrics = metrics or PipelineMetrics()
        self.status = PipelineStatus(PARTS, on_status)
        self.finished = threading.Event()
        self._filter = ResultFilter(settings.labels, settings.filters)
        self._mask = mask
        self._stages = stages
        self._reporter = reporter
        self._framing = stages.framing()
        self._gate = stages.gate()
        self._scorer = stages.scorer()
        self._rules = stages.rules()
        self._tracker: Tracker | None = None
        self._model: tuple[ModelRef, Kind] | None = None
        self._model_is_down = False
        self._blindness = ""
        self._is_enabled = True
        self._lock = threading.RLock()
        self._backoff = Backoff(cap=60.0)
        self._retry_at: float | None = None
        self._expected: Sequence[str] = ()
        self._lack = ""
        self._last: tuple[float, Moment] | None = None

    @property
    def name(self) -> str:
        """Name in the configuration."""
        return self.settings.name

    @property
    def least_score(self) -> float:
        """Score below which no result is of any use, whatever its label."""
        if self._scorer.needs_all:
            return 0.0
        tracker = self._tracker
        part = 1.0 if tracker is None else tracker.faint
        return min(part * self._filter.least(self.threshold), self.snapshots.least_score)

    @property
    def tiling(self) -> Tiling:
        """How its frames go through the model."""
        return self.settings.tiling

    @property
    def enabled(self) -> bool:
        """Whether it takes frames."""
        return self._is_enabled

    def enable(self, enabled: bool) -> None:
        """Take frames or let them pass by; what was followed ends, so that nothing stays on."""
        with self._lock:
            if enabled == self._is_enabled:
                return
            self._is_enabled = enabled
            self.metrics.counts.gated += self.inbox.clear()
            self._break_off()
            self._end_all()

    # Source's thread

    def intake(self, frame: Frame) -> None:
        """Take a frame from the source; hand to the worker what of it the gate lets pass.

        While the model is down a frame is dropped, also one of a recording: other pipelines may
        share the source.
        """
        if not self._is_enabled:
            self._pass_by()
            return
        if self._retry_at is not None or self._model_is_down:
            self.metrics.took()
            self.metrics.counts.dropped += 1
            return
        if frame.signal is not None and frame.signal.is_gap:
            self._memory = self._memory.anew()
        self._take(partial(self._framing.cut, frame))

    def _take(self, pieces: Callable[[], Iterable[Frame]]) -> None:
        useless = self._framing.dropped
        try:
            for piece in pieces():
                job = self._admit(piece)
                if job is not None:
                    self._hand_over(job)
            for _ in range(self._framing.dropped - useless):
                self.metrics.took()
                self.metrics.counts.dropped += 1
            if self._framing.lack != self._lack:
                self._note_lack(self._framing.lack)
        except Exception as error:  # noqa: BLE001 - the pipeline's edge; `_fault` logs it
            self._fault(error)

    def _note_lack(self, lack: str) -> None:
        """Take note that nothing can be made of the frames; empty once it can."""
        self._lack = lack
        if lack:
            self.status.trouble("source", lack)
            self._guarded(self._break_off)
        else:
            self.status.fine("source")

    def _hand_over(self, job: Job) -> None:
        if not self.settings.live:
            self.inbox.append(job)
        elif self.inbox.push(job):
            self.metrics.counts.dropped += 1

    def _pass_by(self) -> None:
        """Let a frame go; what the gate remembers of the scene grows stale."""
        self.metrics.took()
        self.metrics.counts.gated += 1
        self._guarded(self._gate.reset)
        self._guarded(self._framing.reset)

    def _admit(self, frame: Frame) -> Job | None:
        self.metrics.took(frame.count)
        start = time.perf_counter()
        visible = self._mask.apply(frame)
        self.snapshots.frame(visible)
        tracker = self._tracker
        # What is parked need not be looked at as often as what moves.
        is_busy = tracker is not None and tracker.active and not self._rules.at_rest
        verdict = self._gate.check(visible, is_busy)
        gate_ms = 1e3 * (time.perf_counter() - start) / frame.count
        self.metrics.latency["gate"].add(gate_ms, frame.count)
        if verdict.closed and tracker is not None and tracker.active:
            self._end_all()
        if not verdict.passed or (frame.is_picture and self._is_left_out()):
            self.metrics.counts.gated += frame.count
            return None
        return Job(visible, verdict.regions, gate_ms, self._memory)

    def _is_left_out(self) -> bool:
        """Whether this frame is not the one of `divisor` that is inferred."""
        self._turn = (self._turn + 1) % self.divisor
        return self._turn != 0 and self.settings.live

    def source_changed(self, status: SourceStatus) -> None:
        """Take note that the source went online, offline or came to its end."""
        if status.finished:
            self._take(self._framing.flush)
            self.inbox.finish()
        elif status.online:
            self.status.fine("source")
        else:
            self.status.trouble("source", status.reason)
            self._guarded(self._break_off)
            self._guarded(self._gate.reset)
            self._guarded(self._framing.reset)

    def _break_off(self) -> None:
        """Forget what belongs to the frames so far: the next one does not follow them."""
        self._memory = self._memory.anew()
        self._scorer.reset()

    # Model's worker

    def model_opened(self, ref: ModelRef, kind: Kind, labels: Sequence[str] | None = None) -> None:
        """Take note of the model, which decides what is tracked and, with few labels, counted.

        What is followed is followed on where another one of the same kind takes over.
        """
        with self._lock:
            self._expected = few_labels(labels) if self.settings.labels is None else ()
            by_model: EventKind = "keyword" if kind == "keyword" else "class"
            self._reporter.whole_frame = self.settings.event_kind or by_model
            self._rules.expect(self._expected)
            if self._tracker is None or self._model is None or self._model[1] != kind:
                self._end_all()
                self._tracker = self._stages.tracker(kind)
            self._model = (ref, kind)
            self._model_is_down = False
            self._publish_counts()
            self.snapshots.model_opened(kind, labels)
            self._blindness = self._judge_labels(labels)
            self._model_works()
            if self._retry_at is None:
                self.status.fine("pipeline")

    def _judge_labels(self, known: Sequence[str] | None) -> str:
        """Why it can never see anything: then it must not look as if it worked."""
        wanted = self.settings.labels
        if not wanted or not known or not wanted.isdisjoint(known):
            return ""
        return f"the model has no label {', '.join(map(repr, sorted(wanted)))} (correct labels)"

    def _model_works(self) -> None:
        if self._blindness:
            self.status.trouble("model", self._blindness)
        else:
            self.status.fine("model")

    def wants(self, job: Job) -> bool:
        """Whether a frame is still worth inferring; one that waited for too long is dropped."""
        limit = self.settings.max_age
        if limit is None or not self.settings.live:
            return True
        if time.monotonic_ns() - job.frame.monotonic_ns <= 1e9 * limit:
            return True
        self.metrics.counts.dropped += 1
        return False

    def refused(self, error: EdgeAgentError) -> None:
        """Take note that the model cannot take what the pipeline makes of its frames."""
        with self._lock:
            if self._retry_at is None:
                self._fault(error)

    def complete(self, job: Job, outcome: Outcome) -> None:
        """Turn the results of a frame into events."""
        self._guarded(lambda: self._complete(job, outcome))
        if not self.settings.live:
            self.refinement.settle()  # so that a recording tells the same at any pace

    def failed_on(self, job: Job) -> None:
        """Take note that the model failed on a frame."""
        del job
        self.metrics.counts.errors += 1

    def _complete(self, job: Job, outcome: Outcome) -> None:
        frame, tracker, model = job.frame, self._tracker, self._model
        if tracker is None or model is None or self._retry_at is not None:
            self.metrics.counts.dropped += frame.count
            return
        if not self._is_enabled:
            self.metrics.counts.gated += frame.count
            return
        self.metrics.counts.inferred += frame.count
        latency = self._latency(job, outcome)
        for each, scored in worth_a_look(
            job, outcome.results, self._scorer, tracker, self._reporter
        ):
            moment = Moment.of_frame(each.frame, latency, model[0])
            self._last = (each.frame.timeline, moment)
            self._follow(each, outcome.results, scored, moment)
        self._backoff.reset()

    def _follow(
        self, job: Job, found: Sequence[Result], scored: Sequence[Scored], moment: Moment
    ) -> None:
        """Make of what counts in a frame tracks, and of these events."""
        assert self._tracker is not None
        frame = job.frame
        for reading in scored:
            if isinstance(reading, Reading):
                self._reporter.reading(reading, frame.timeline, moment)
        results = self._filter.apply(scored, self.threshold, frame.size, frame.readings)
        part = self._tracker.faint
        faint = self._filter.faint(scored, self.threshold, frame.size, part, frame.readings)
        followed = self._tracker.update(results, frame.timeline, faint)
        tracks = self.refinement.named(followed)
        happenings = self._tell(tracks, frame.timeline, moment)
        fresh = {each.track.id for each in happenings if each.type == "new"}
        self.snapshots.inferred(frame, Seen(found, tracks, fresh))
        if self.settings.detections:
            told = self.refinement.marked(results, tracks)
            self._reporter.detections(moment, told, job.regions)
        self.refinement.look(frame, tracks)

    def _latency(self, job: Job, outcome: Outcome) -> dict[str, float]:
        count = job.frame.count
        latency = {
            "gate": job.gate_ms,
            "preprocess": outcome.preprocess_ms / count,
            "infer": outcome.infer_ms / count,
            "decode": outcome.decode_ms / count,
            "total": (time.monotonic_ns() - job.frame.monotonic_ns) / 1e6,
        }
        for stage, samples in self.metrics.latency.items():
            if stage != "gate":  # counted at intake, for the frames that it held back too
                samples.add(latency[stage], count)
        return latency

    def finish(self) -> None:
        """End what is still followed: the recording is over."""
        with self._lock:
            self._end_all()
            self._reporter.newest_reading()
        self.status.trouble("source", "end of the recording")
        self.finished.set()

    # Supervisor

    def model_failed(self, reason: str) -> None:
        """Take note that the model cannot be used for now."""
        self.metrics.counts.restarts += 1
        self._model_is_down = True
        self.metrics.counts.dropped += self.inbox.clear()
        self.status.trouble("model", reason)

    def model_stalled(self, reason: str) -> None:
        """Take note that the model takes far too long over one frame; empty once it is done."""
        if reason:
            self.status.trouble("model", reason)
        elif not self._model_is_down:
            self._model_works()

    def tick(self) -> None:
        """End objects that cannot be seen any more; come back after a fault."""
        self._guarded(self._tick)

    def _tick(self) -> None:
        if self._retry_at is not None and time.monotonic() >= self._retry_at:
            self._rebuild()
        if self.status.online or self._tracker is None or self._model is None:
            return
        timeline, moment = self._now(self._model[0])
        ended = self._tracker.expire(timeline)
        if ended:
            self._tell(self.refinement.named(ended), timeline, moment)

    def new_day(self) -> None:
        """Begin the line counts anew."""
        self._guarded(self._new_day)

    def _new_day(self) -> None:
        self._rules.new_day()
        self._publish_counts()

    def close(self) -> None:
        """Take no more frames, and release whoever waits for room or for an answer."""
        self.inbox.close()
        self.refinement.close()

    def stop(self) -> None:
        """Release the source's thread and end all objects, so that no state stays on.

        A model that hangs may still answer afterwards: nothing comes of it.
        """
        self.close()
        with self._lock:
            self._end_all()
            self._tracker = None
            self.status.close()
        self.snapshots.close()

    def leave_to(self, heir: Pipeline | None) -> None:
        """After `stop`: remove the retained states that no `heir` of the same name goes on with."""
        with self._lock:
            if heir is None:
                self._reporter.retract()
                return
            heir._reporter.take_over(self._reporter)
            if self.snapshots.allowed and self._shown != heir._shown:
                self._reporter.retract_snapshot()

    @property
    def _shown(self) -> tuple[object, ...]:
        """What decides how much its pictures show."""
        return self.snapshots.options, self._mask.areas

    # Shared; call with the lock held

    def _tell(
        self, tracks: Sequence[Track], timeline: float, moment: Moment
    ) -> Sequence[Happening]:
        happenings = self._rules.apply(tracks, timeline)
        if happenings:
            self._reporter.events(happenings, timeline, moment)
        if tracks:
            self._publish_counts()
        return happenings

    def _publish_counts(self) -> None:
        if self._retry_at is None:  # after a fault the rules still know objects that were ended
            self._reporter.counts(self._rules.counts())

    def _end_all(self) -> None:
        self._guarded(self._flush)

    def _flush(self) -> None:
        if self._tracker is not None and self._model is not None:
            ended = self.refinement.named(self._tracker.flush())
            self._tell(ended, *self._now(self._model[0]))

    def _now(self, model: ModelRef) -> tuple[float, Moment]:
        """The present on the frames' time line; that of a recording stands still between frames."""
        if self._last is not None and self._last[1].media_time is not None:
            timeline, moment = self._last
            return timeline, replace(moment, latency_ms={})
        return time.monotonic(), Moment.between_frames(model)

    def _guarded(self, act: Callable[[], None]) -> None:
        """Act with the lock held; a stage that raises is this pipeline's fault alone."""
        with self._lock:
            try:
                act()
            except Exception as error:  # noqa: BLE001 - the pipeline's edge; `_fault` logs it
                self._fault(error)

    def _fault(self, error: Exception) -> None:
        delay = self._backoff.next_delay()
        if isinstance(error, EdgeAgentError):
            reason = str(error)
            _log.error("pipeline %s failed, again in %.1f s: %s", self.name, delay, reason)
        else:
            reason = f"internal error: {error!r}"
            _log.error("pipeline %s failed, again in %.1f s", self.name, delay, exc_info=error)
        self.metrics.counts.errors += 1
        with self._lock:
            self._retry_at = time.monotonic() + delay
            self._tracker = None  # what it follows is ended here, once
            if self._model is not None:
                self._reporter.end_open(self._now(self._model[0])[1])
            self.status.trouble("pipeline", reason)

    def _rebuild(self) -> None:
        self._gate, self._rules = self._stages.gate(), self._stages.rules()
        self._framing, self._scorer = self._stages.framing(), self._stages.scorer()
        self._rules.expect(self._expected)
        self._retry_at = None
        if self._model is not None:
            self._tracker = self._stages.tracker(self._model[1])
            self._publish_counts()
        self.metrics.counts.restarts += 1
        self.status.fine("pipeline")
