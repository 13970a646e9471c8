"""The thread of a model, with real pipelines and a model without an engine."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import pytest

from edge_agent.errors import InferenceError, ModelError
from edge_agent.event import ModelRef
from edge_agent.result import Result
from edge_agent.rules.options import FilterOptions
from edge_agent.runtime.worker import ModelWorker
from edge_agent.sources.reader import SourceStatus
from tests.support.broker import wait_until
from tests.support.reading import LIMIT
from tests.support.runtime import ONLINE, FakeInference, Rig, cat, hold_time

Answer = Callable[[int], Sequence[Result]]


class Crew:
    """A worker with its pipelines "a", "b", ... and its model; the sources are online."""

    def __init__(self, answer: Answer, pipelines: int = 1, live: bool = True) -> None:
        ready = threading.Condition()
        self.rigs = [Rig(name, live, ready=ready) for name in "abcd"[:pipelines]]
        self.inference = FakeInference(answer)
        self.worker = ModelWorker(
            "m", lambda: self.inference, [rig.pipeline for rig in self.rigs], ready
        )
        for rig in self.rigs:
            rig.pipeline.source_changed(ONLINE)

    def feed(self, count: int = 1) -> None:
        """Give the first pipeline new frames, each after the one before was looked at."""
        for _ in range(count):
            self.rigs[0].take_in()
            wait_until(lambda: len(self.inference.seen) == self.rigs[0].number + 1)

    def wait_for_the_end(self) -> None:
        """Wait until the worker has ended by itself."""
        wait_until(lambda: not self.worker.alive)


@contextmanager
def at_work(crew: Crew) -> Iterator[Crew]:
    """Run the worker; it must end when it is told to, and free its model."""
    crew.worker.start()
    try:
        yield crew
    finally:
        crew.worker.stop(LIMIT)
        assert not crew.worker.alive
        assert crew.inference.closed == 1


def test_a_frame_that_is_too_old_is_passed_over() -> None:
    """The worker goes on with the next one."""
    crew = Crew(lambda number: [cat()])
    pipeline = crew.rigs[0].pipeline
    pipeline.settings = replace(pipeline.settings, max_age=1e-9)
    with at_work(crew):
        crew.rigs[0].take_in()
        wait_until(lambda: pipeline.metrics.counts.dropped == 1, LIMIT)
        pipeline.settings = replace(pipeline.settings, max_age=None)
        crew.rigs[0].take_in()
        wait_until(lambda: len(crew.inference.seen) == 1, LIMIT)


def failing(error: Exception, *numbers: int) -> Answer:
    """A model that finds a cat, but fails on these frames."""

    def answer(number: int) -> Sequence[Result]:
        if number in numbers:
            raise error
        return [cat()]

    return answer


def test_the_model_is_asked_for_all_that_may_count() -> None:
    """The decoder keeps what may go on with an object of the label with the lowest threshold."""
    crew = Crew(lambda number: [])
    filters = {"dog": FilterOptions(threshold=0.3)}
    crew.rigs[0] = Rig("a", filters=filters, ready=crew.rigs[0].ready)
    crew.rigs[0].pipeline.source_changed(ONLINE)
    crew.worker.serve([crew.rigs[0].pipeline])
    with at_work(crew):
        crew.feed()
    assert crew.inference.thresholds == [pytest.approx(0.4 * 0.3)]  # those go on with an object


def test_opened_model_is_told() -> None:
    """Its pipelines go online once the model is open, and events have its name."""
    with at_work(Crew(failing(RuntimeError()), pipelines=2)) as crew:
        wait_until(lambda: all(rig.pipeline.status.online for rig in crew.rigs))
        crew.feed()
        wait_until(lambda: crew.rigs[0].outbox.events("a"))
        assert crew.worker.inference is crew.inference
        assert crew.worker.serves == ("a", "b")
    assert crew.rigs[0].outbox.events("a")[0]["model"]["name"] == "m"
    assert crew.worker.failure is None


def test_round_robin_of_the_newest() -> None:
    """Pipelines that all have frames all the time take turns, each with its newest frame."""
    crew = Crew(lambda number: feed_all(), pipelines=3)
    for index, rig in enumerate(crew.rigs):
        rig.number = 80 * index - 1  # so that a frame shows whose it is

    def feed_all() -> tuple[Result, ...]:
        if len(crew.inference.seen) < 9:
            for rig in crew.rigs:
                rig.take_in()
        return ()

    feed_all()
    with at_work(crew):
        wait_until(lambda: len(crew.inference.seen) == 11)
    assert crew.inference.seen == [80 * (turn % 3) + min(turn, 8) for turn in range(11)]
    # Of nine frames each, those that waited when a newer one came are lost.
    assert [rig.pipeline.metrics.counts.dropped for rig in crew.rigs] == [5, 5, 6]


def test_idle_pipelines_hold_up_nobody() -> None:
    """A pipeline without frames costs the others no turn."""
    with at_work(Crew(lambda number: (), pipelines=4)) as crew:
        crew.feed(5)
        wait_until(lambda: crew.rigs[0].pipeline.metrics.counts.inferred == 5)


def test_one_failure_loses_one_frame(caplog: pytest.LogCaptureFixture) -> None:
    """A frame on which the model fails is counted and logged, and work goes on."""
    with at_work(Crew(failing(RuntimeError("bad frame"), 1))) as crew:
        crew.feed(3)
        counts = crew.rigs[0].pipeline.metrics.counts
        wait_until(lambda: counts.inferred == 2)
        assert (counts.errors, crew.worker.alive) == (1, True)
    (record,) = caplog.records
    assert record.getMessage() == "pipeline a: the model failed on a frame"
    assert record.exc_info


def test_only_failures_in_a_row_count() -> None:
    """A frame that goes well in between makes up for two failures."""
    with at_work(Crew(failing(RuntimeError("bad frame"), 0, 1, 3, 4, 6, 7))) as crew:
        crew.feed(9)
        wait_until(lambda: crew.rigs[0].pipeline.metrics.counts.inferred == 3)
        assert (crew.rigs[0].pipeline.metrics.counts.errors, crew.worker.failure) == (6, None)


@pytest.mark.parametrize("error", [RuntimeError("lost device"), InferenceError("lost device")])
def test_three_failures_in_a_row_end_the_worker(error: Exception) -> None:
    """An engine that fails three times has to be opened anew: the failure is worth a retry."""
    with at_work(Crew(failing(error, 1, 2, 3))) as crew:
        crew.feed(4)
        crew.wait_for_the_end()
    assert crew.worker.failure is error
    assert getattr(crew.worker.failure, "retriable", True)
    counts = crew.rigs[0].pipeline.metrics.counts
    assert (counts.taken, counts.inferred, counts.errors) == (4, 1, 3)


@pytest.mark.parametrize(
    ("error", "tracebacks"), [(ModelError("no file", "restore it"), 0), (MemoryError(), 1)]
)
def test_model_that_cannot_be_opened(
    error: Exception, tracebacks: int, caplog: pytest.LogCaptureFixture
) -> None:
    """The reason is left for the supervisor; only an unexpected one comes with a traceback."""

    def refuse() -> FakeInference:
        raise error

    rig = Rig("a")
    worker = ModelWorker("m", refuse, [rig.pipeline], rig.ready)
    worker.start()
    wait_until(lambda: not worker.alive)
    assert (worker.failure, worker.inference) == (error, None)
    assert len(caplog.records) == tracebacks
    assert not rig.pipeline.status.online


def test_broken_stage_harms_no_other_pipeline() -> None:
    """A pipeline whose tracker raises goes offline, its neighbour goes on, the worker too."""
    with at_work(Crew(failing(RuntimeError()), pipelines=2)) as crew:
        bad, good = crew.rigs
        bad.fuse.blown = {"tracker"}
        for _ in range(3):
            bad.take_in()
            wait_until(lambda: not bad.pipeline.inbox.pending())
        wait_until(lambda: bad.pipeline.metrics.counts.errors)
        good.take_in()
        wait_until(lambda: good.outbox.types("b") == ["new"])
        assert crew.worker.alive
        assert (bad.pipeline.status.online, good.pipeline.status.online) == (False, True)


def test_recording_comes_to_its_end() -> None:
    """Every frame of a recording is inferred, then it is finished and the worker goes on."""
    with at_work(Crew(failing(RuntimeError()), live=False)) as crew:
        (rig,) = crew.rigs
        rig.take_in(20)
        rig.pipeline.source_changed(SourceStatus(False, "end", finished=True))
        assert rig.pipeline.finished.wait(LIMIT)
        assert crew.inference.seen == list(range(20))
        assert rig.outbox.types("a") == ["new", "end"]
        assert crew.worker.alive


def test_busy_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """While a frame is in work the worker tells for how long, else nothing."""
    hand = hold_time(monkeypatch, "worker")
    waited: list[float] = []

    def answer(number: int) -> Sequence[Result]:
        hand.now += 31.0
        waited.append(crew.worker.busy_for())
        if number == 1:
            raise RuntimeError("it was stuck")
        return ()

    with at_work(crew := Crew(answer)):
        for frames in (1, 2):
            crew.feed()
            wait_until(lambda: len(waited) > crew.rigs[0].number and not crew.worker.busy_for())
            assert waited == [31.0] * frames


def test_stop_waits_for_the_frame_in_work() -> None:
    """A frame that is in the model when the stop comes is still told, none after it."""
    entered, release = threading.Event(), threading.Event()

    def answer(number: int) -> Sequence[Result]:
        entered.set()
        release.wait(LIMIT)
        return [cat()]

    with at_work(Crew(answer, pipelines=2)) as crew:
        for rig in crew.rigs:
            rig.take_in()
        assert entered.wait(LIMIT)
        crew.worker.stop(0.0)
        assert crew.worker.alive
        release.set()
    assert [len(rig.outbox.events(rig.name)) for rig in crew.rigs] == [1, 0]


def test_stop_without_start() -> None:
    """A worker that never ran can be stopped."""
    crew = Crew(lambda number: ())
    crew.worker.stop(LIMIT)
    assert (crew.worker.alive, crew.worker.busy_for(), crew.inference.closed) == (False, 0.0, 0)


def test_each_pipeline_has_its_own_memory() -> None:
    """A model that feeds outputs back gets that of the frame's pipeline, anew after a break."""
    with at_work(Crew(lambda number: (), pipelines=2)) as crew:
        crew.feed(2)
        crew.rigs[0].pipeline.source_changed(SourceStatus(False, "unplugged"))
        crew.feed()
        crew.rigs[1].take_in()
        wait_until(lambda: len(crew.inference.memories) == 4)
    first, second, after, other = crew.inference.memories
    assert first is second is not None
    assert len({id(memory) for memory in (first, after, other)}) == 3


OTHER = ModelRef("m", "77" * 32, "tflite")


def swapped(crew: Crew, fresh: FakeInference) -> None:
    """Let another model take the place of the first."""
    crew.worker.swap(fresh, 2.0)
    wait_until(lambda: crew.worker.inference is fresh)


def test_another_model_takes_over_between_two_frames() -> None:
    """The pipelines are told, and the one before is closed once the new one is kept."""
    crew, fresh = Crew(lambda number: [cat()], 2), FakeInference(lambda number: [cat()], OTHER)
    with at_work(crew):
        crew.feed()
        swapped(crew, fresh)
        crew.rigs[0].take_in()
        wait_until(lambda: fresh.seen)
        crew.worker.keep()
        wait_until(lambda: crew.inference.closed)
        assert crew.worker.probation is None
    assert fresh.closed == 1
    assert crew.inference.seen == [0]
    assert [rig.statuses[1:] for rig in crew.rigs] == [[(True, "")], [(True, "")]]


def test_a_model_that_fails_goes_back() -> None:
    """The frame is not lost, and the pipeline is told of the model of before again."""
    crew, fresh = (
        Crew(lambda number: [cat()]),
        FakeInference(failing(InferenceError("no luck"), 1), OTHER),
    )
    with at_work(crew):
        crew.feed()
        swapped(crew, fresh)
        crew.rigs[0].take_in()
        wait_until(lambda: len(crew.inference.seen) == 2)
        wait_until(lambda: crew.worker.inference is crew.inference)
        wait_until(lambda: crew.rigs[0].pipeline.metrics.counts.inferred == 2)
        probation = crew.worker.probation
        assert probation is not None
        assert probation.fault == "it fails on a frame: no luck"
        crew.worker.keep()
        wait_until(lambda: crew.worker.probation is None)
    assert fresh.closed == 1
    assert crew.rigs[0].pipeline.metrics.counts.errors == 0


def test_a_model_is_taken_back_on_request() -> None:
    """For a fault that shows elsewhere."""
    crew, fresh = Crew(lambda number: [cat()]), FakeInference(lambda number: [], OTHER)
    with at_work(crew):
        crew.feed()
        swapped(crew, fresh)
        crew.worker.take_back("a pipeline fails")
        wait_until(lambda: crew.worker.inference is crew.inference)
        wait_until(lambda: fresh.closed)


def given_up(late: Answer) -> tuple[Crew, FakeInference]:
    """Another model that hangs in its first frame and is given up before it answers so."""
    going_on = threading.Event()

    def hang(number: int) -> Sequence[Result]:
        going_on.wait(LIMIT)
        return late(number)

    crew, fresh = Crew(lambda number: [cat()]), FakeInference(hang, OTHER)
    crew.worker.start()
    crew.feed()
    swapped(crew, fresh)
    crew.rigs[0].take_in()
    wait_until(lambda: fresh.seen)
    assert crew.worker.give_up() is crew.inference
    crew.worker.stop(0.0)
    going_on.set()
    crew.wait_for_the_end()
    return crew, fresh


def test_a_model_that_hangs_is_given_up() -> None:
    """The one before is taken out of its thread, whose late answer nobody hears."""
    crew, fresh = given_up(lambda number: [cat()])
    assert (fresh.closed, crew.inference.closed) == (1, 0)
    assert crew.rigs[0].pipeline.metrics.counts.inferred == 1


def test_a_model_that_fails_after_it_was_given_up() -> None:
    """Its thread keeps its hands off the one before, which another thread uses by now."""
    crew, fresh = given_up(failing(InferenceError("the accelerator is gone"), 1))
    assert (fresh.closed, crew.inference.closed, crew.inference.seen) == (1, 0, [0])


def test_a_model_that_comes_too_late() -> None:
    """Who was given up while it opened tells nobody of its model, and closes it."""
    crew = Crew(lambda number: [cat()])
    going_on = threading.Event()
    inference = crew.inference

    def slow() -> FakeInference:
        going_on.wait(LIMIT)
        return inference

    crew.worker._open_model = slow
    crew.worker.start()
    crew.worker.give_up()
    crew.worker.stop(0.0)
    going_on.set()
    crew.wait_for_the_end()
    assert crew.rigs[0].statuses == [(False, "starting")]
    assert inference.closed == 1
