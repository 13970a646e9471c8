"""Windows of a signal, and pictures with numbers, on their way through a pipeline."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge_agent.engines.state import Memory
from edge_agent.frame import Frame, Signal
from edge_agent.preprocess.beside import ONLY, NumbersFraming
from edge_agent.preprocess.framing import SignalFraming, WindowOptions
from edge_agent.sources.reader import SourceStatus
from tests.support.runtime import Rig, live_frame


@pytest.fixture
def rig() -> Rig:
    """A pipeline that cuts a signal of one channel into windows of two rows."""
    rig = Rig()
    rig.pipeline._framing = SignalFraming(WindowOptions(2), {}, {})
    return rig


def block(*numbers: float, is_gap: bool = False) -> Frame:
    """A block of the signal."""
    times = np.arange(len(numbers)) / 10.0
    rows = np.array(numbers, np.float32).reshape(-1, 1)
    signal = Signal(("x",), times, 10.0, is_gap)
    return Frame("s", 0, rows, 0.0, 0, float(times[-1]), signal=signal)


def test_windows_without_numbers_are_counted(rig: Rig) -> None:
    """What cannot be used is taken and dropped, not lost from the account."""
    rig.pipeline.intake(block(1.0, 2.0, np.nan, 4.0, np.inf, 6.0))
    counts = rig.pipeline.metrics.counts
    assert (counts.taken, counts.dropped) == (3, 2)


def memory_of_the_next(rig: Rig, frame: Frame) -> Memory:
    """What goes to the model with a block of one window."""
    rig.pipeline.intake(frame)
    job = rig.job()
    assert job is not None
    return job.memory


def test_a_gap_ends_what_a_model_remembers(rig: Rig) -> None:
    """So does a source that goes away; who comes after it has the same place."""
    first = memory_of_the_next(rig, block(1.0, 2.0))
    assert memory_of_the_next(rig, block(3.0, 4.0)) is first
    behind = memory_of_the_next(rig, block(5.0, 6.0, is_gap=True))
    rig.pipeline.source_changed(SourceStatus(False, "unplugged"))
    after = memory_of_the_next(rig, block(7.0, 8.0))
    assert len({first.stream, behind.stream, after.stream}) == 3
    assert first.seat is behind.seat is after.seat


def test_pictures_without_their_numbers() -> None:
    """They are dropped and counted; when that lasts the pipeline is offline, until one is whole."""
    rig = Rig()
    rig.pipeline._framing = NumbersFraming({ONLY: ["radar.x"]}, {})
    for second in range(12):
        readings = {"radar.x": np.nan}
        rig.pipeline.intake(replace(live_frame(second, 1000.0 + second), readings=readings))
    counts = rig.pipeline.metrics.counts
    assert (counts.taken, counts.dropped) == (12, 12)
    assert rig.pipeline.status.trouble_of("source") == "no number from radar.x"
    rig.pipeline.intake(replace(live_frame(12, 1012.0), readings={"radar.x": 3.0}))
    assert rig.pipeline.status.trouble_of("source") == ""
    assert rig.pipeline.inbox.pending()
