"""Builds a replay from a configuration and runs it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from edge_agent.config.schema import Config
from edge_agent.errors import ConfigError
from edge_agent.frame import Frame
from edge_agent.mqtt.messages import Messages
from edge_agent.mqtt.topics import Topics
from edge_agent.runtime.assembly import Assembly
from edge_agent.runtime.composites import Composites
from edge_agent.runtime.maker import OnEvents, both
from edge_agent.runtime.opening import open_for
from edge_agent.runtime.pipeline import Pipeline
from edge_agent.runtime.replay.footage import Footage
from edge_agent.runtime.replay.player import Player, frames_of
from edge_agent.runtime.replay.summary import Summary
from edge_agent.runtime.replay.transcript import Transcript
from edge_agent.runtime.reporter import Identity
from edge_agent.runtime.ulid import new_ulid

BOOT_ID = "00000000-0000-0000-0000-000000000000"
"""The boot of every replay: no machine has it."""

BEGIN = 946728000.0
"""2000-01-01 12:00 UTC: when a recording began that does not know it."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """When each recording begins, by source: epoch s, and seconds after the earliest."""

    wall: Mapping[str, float]
    lead: Mapping[str, float]


def beginning(footage: Mapping[str, Footage], start: float | None) -> Beginning:
    """As the recordings say, moved so that the earliest is at `start` where that is given.

    One that does not know when it was taken begins with the earliest.
    """
    known = [each.began for each in footage.values() if each.began is not None]
    earliest = min(known, default=BEGIN)
    lead = {n: 0.0 if f.began is None else f.began - earliest for n, f in footage.items()}
    first = earliest if start is None else start
    return Beginning({name: first + after for name, after in lead.items()}, lead)


class FrameClock:
    """The moment of the frame that is shown."""

    def __init__(self) -> None:
        self._wall = 0.0
        self._monotonic_ns = 0

    def move_to(self, frame: Frame) -> None:
        """Let it be the moment of that frame."""
        self._wall, self._monotonic_ns = frame.wall, frame.monotonic_ns

    def wall(self) -> float:
        """Seconds since the epoch (UTC)."""
        return self._wall

    def monotonic_ns(self) -> int:
        """Nanoseconds since the earliest recording began."""
        return self._monotonic_ns


class Replay:
    """The pipelines of a configuration that `replayed` has made, and a clock that they share.

    `note` is shown all events. Raises ConfigError for values that only a stage itself can judge.
    """

    def __init__(
        self, config: Config, transcript: Transcript, note: OnEvents = lambda _: None
    ) -> None:
        self._config = config
        self._transcript = transcript
        self._note = note
        self._summary = Summary(config.running)
        self._clock = FrameClock()
        self._identity = self._identify(config)
        self._messages = Messages(Topics(config.mqtt.topic_prefix, config.agent.name), BOOT_ID)
        self._composites = Composites(self._identity, self._messages, transcript, note, self._clock)
        self._assembly = self._assemble(config)

    @property
    def pipelines(self) -> tuple[Pipeline, ...]:
        """All pipelines, in the order of the configuration."""
        return self._assembly.pipelines

    def play(
        self,
        footage: Mapping[str, Footage],
        start: float | None,
        stopped: Callable[[], bool],
        done: Callable[[Frame], None],
    ) -> None:
        """Play all recordings, the first frame at `start` (epoch s); `done` as for `Player`.

        Raises EdgeAgentError where a model or a stage fails.
        """
        begin = beginning(footage, start)
        frames: dict[str, Iterator[Frame]] = {
            name: frames_of(name, each, begin.wall[name], begin.lead[name])
            for name, each in footage.items()
        }

        def over(frame: Frame) -> None:
            self._look()
            done(frame)

        player = Player(self._by_source(), self._workers(), self._move_to, over)
        self._composites.serve(self._config.composites)
        player.play(frames, stopped)
        self._look()
        self._composites.stop()

    def _move_to(self, frame: Frame) -> None:
        self._clock.move_to(frame)
        self._transcript.move_to(frame)

    def _look(self) -> None:
        self._composites.look({each.name: each.status.online for each in self.pipelines})

    def rows(self) -> list[dict[str, Any]]:
        """What came of it, a row for each pipeline."""
        metrics = {pipeline.name: pipeline.metrics for pipeline in self.pipelines}
        return self._summary.rows(
            {name: each.counts for name, each in metrics.items()},
            {name: each.crossings for name, each in metrics.items()},
        )

    @staticmethod
    def _identify(config: Config) -> Identity:
        numbers = itertools.count(1)
        return Identity(
            config.agent.name, BOOT_ID, lambda wall: new_ulid(wall, next(numbers)), lambda: False
        )

    def _assemble(self, config: Config) -> Assembly:
        assembly = Assembly(
            self._identity,
            self._messages,
            self._transcript,
            open_for,
            both(both(self._summary.note, self._note), self._composites.note),
        )
        try:
            assembly.fit(config)
        except ValueError as error:
            raise ConfigError((str(error),)) from error
        return assembly

    def _by_source(self) -> dict[str, tuple[Pipeline, ...]]:
        running = self._config.running
        return {
            source: tuple(each for each in self.pipelines if running[each.name].source == source)
            for source in self._config.sources
        }

    def _workers(self) -> dict[str, Any]:
        return {
            pipeline: ward.unit for ward in self._assembly.models for pipeline in ward.unit.serves
        }
