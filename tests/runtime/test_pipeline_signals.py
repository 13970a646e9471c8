"""Windows of a signal on their way through a pipeline."""

from __future__ import annotations

import numpy as np
import pytest

from edge_agent.frame import Frame, Signal
from edge_agent.preprocess.framing import SignalFraming, WindowOptions
from tests.support.runtime import Rig


@pytest.fixture
def rig() -> Rig:
    """A pipeline that cuts a signal of one channel into windows of two rows."""
    rig = Rig()
    rig.pipeline._framing = SignalFraming(WindowOptions(2), {}, {})
    return rig


def block(*numbers: float) -> Frame:
    """A block of the signal."""
    times = np.arange(len(numbers)) / 10.0
    rows = np.array(numbers, np.float32).reshape(-1, 1)
    return Frame("s", 0, rows, 0.0, 0, float(times[-1]), signal=Signal(("x",), times, 10.0))


def test_windows_without_numbers_are_counted(rig: Rig) -> None:
    """What cannot be used is taken and dropped, not lost from the account."""
    rig.pipeline.intake(block(1.0, 2.0, np.nan, 4.0, np.inf, 6.0))
    counts = rig.pipeline.metrics.counts
    assert (counts.taken, counts.dropped) == (3, 2)
