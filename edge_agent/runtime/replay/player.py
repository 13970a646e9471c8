"""Drives the pipelines of a replay: one thread, all recordings merged by their time."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial

from edge_agent.errors import EdgeAgentError
from edge_agent.frame import Frame
from edge_agent.runtime.inference import Inference
from edge_agent.runtime.pipeline import Pipeline
from edge_agent.runtime.replay.footage import Footage, Shot
from edge_agent.runtime.worker import ModelWorker
from edge_agent.sources.reader import SourceStatus

_ONLINE = SourceStatus(True, "")
_OVER = SourceStatus(False, "end of the recording", finished=True)


def frames_of(name: str, footage: Footage, began: float, lead: float) -> Iterator[Frame]:
    """A recording's frames on the common clock, which is at 0 where the earliest one begins.

    `began` is the wall time of its first frame, `lead` how long after the earliest that is.
    """
    shift = None if footage.began is None else began - footage.began
    for number, shot in enumerate(footage):
        now = lead + shot.media_time
        wall = _wall(shot, began, shift)
        yield Frame(name, number, shot.image, wall, round(1e9 * now), now, shot.media_time)


def _wall(shot: Shot, began: float, shift: float | None) -> float:
    return began + shot.media_time if shot.wall is None or shift is None else shot.wall + shift


class Player:
    """Plays recordings to pipelines, which are by source.

    `workers` run the models, by the names of pipelines and of what looks closer at their objects.
    `move_to` is told of each frame before anything comes of it, `done` once all came of it.
    """

    def __init__(
        self,
        pipelines: Mapping[str, tuple[Pipeline, ...]],
        workers: Mapping[str, ModelWorker],
        move_to: Callable[[Frame], None],
        done: Callable[[Frame], None],
    ) -> None:
        self._pipelines = pipelines
        self._workers = workers
        self._move_to = move_to
        self._done = done
        self._models: dict[str, Inference] = {}
        self._day: int | None = None

    def play(self, recordings: Mapping[str, Iterator[Frame]], stopped: Callable[[], bool]) -> None:
        """Play all of it; raises EdgeAgentError where a model or a stage fails."""
        heads = {name: next(frames) for name, frames in recordings.items()}
        self._move_to(min(heads.values(), key=lambda frame: frame.monotonic_ns))
        try:
            self._open_models()
            while heads and not stopped():
                # The first of equals, in the order in which they were given.
                name = min((n for n in recordings if n in heads), key=lambda n: _due(heads[n]))
                self._show(heads.pop(name))
                if (frame := next(recordings[name], None)) is not None:
                    heads[name] = frame
                else:
                    self._end(name)
        finally:
            for model in self._models.values():
                model.close()

    def _open_models(self) -> None:
        for worker in dict.fromkeys(self._workers.values()):
            self._models[worker.name] = worker.open()
        for pipeline in itertools.chain(*self._pipelines.values()):
            pipeline.refinement.work = partial(self._answer, pipeline)

    def _answer(self, pipeline: Pipeline) -> None:
        """Let the second models look at what they were asked about."""
        for each in pipeline.refinement.refiners:
            worker = self._workers[each.name]
            worker.work_off(self._models[worker.name])

    def _show(self, frame: Frame) -> None:
        self._move_to(frame)
        self._begin_new_day(frame.wall)
        for pipeline in self._pipelines[frame.source]:
            pipeline.source_changed(_ONLINE)
            pipeline.intake(frame)
            self._work(pipeline)
            if pipeline.metrics.counts.errors:
                raise EdgeAgentError(
                    f"pipeline {pipeline.name} failed {frame.media_time:.3f} s into {frame.source}",
                    "the lines above say why",
                )
        self._done(frame)

    def _end(self, source: str) -> None:
        for pipeline in self._pipelines[source]:
            pipeline.source_changed(_OVER)
            self._work(pipeline)

    def _work(self, pipeline: Pipeline) -> None:
        worker = self._workers[pipeline.name]
        worker.work_off(self._models[worker.name])

    def _begin_new_day(self, wall: float) -> None:
        day = time.localtime(wall).tm_yday
        if self._day not in (None, day):
            for pipeline in itertools.chain(*self._pipelines.values()):
                pipeline.new_day()
        self._day = day


def _due(frame: Frame) -> int:
    return frame.monotonic_ns
