"""Measures what is normal for a pipeline, by running it without anything being published."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from edge_agent.config.schema import Config
from edge_agent.errors import SignalMismatch, UsageError
from edge_agent.frame import Frame
from edge_agent.result import Result, Scored
from edge_agent.runtime.scoring import basis_of, deviation_of, method_of
from edge_agent.runtime.wire import build_agent
from edge_agent.scoring.averages import MovingAverage
from edge_agent.scoring.calibration import Calibration, limit_of, make_calibration
from edge_agent.scoring.deviation import Distance, put_out
from edge_agent.scoring.options import AnomalyOptions, Method

LEAST_WINDOWS = 20
_KEPT = 512  # normal windows that distances are measured to
_LOOK = 0.1  # s
_PATIENCE = 10.0  # s that a source may be away at a stretch before anything came of it


class Collector:
    """Takes the place of the scorer: notes how far the normal windows are from normal.

    For distances it keeps a fair sample of the windows (reservoir sampling, Vitter 1985).
    """

    needs_all = True

    def __init__(self, method: Method, options: AnomalyOptions) -> None:
        self.values: list[float] = []
        self.windows: list[NDArray[np.float32]] = []
        self.seen = 0
        self._keeps = method == "distance"
        self._deviation = None if self._keeps else deviation_of(method, options, None)()
        self._average = MovingAverage(options.average)
        self._dice = random.Random(0)  # noqa: S311 - a sample, no secret

    def apply(self, frame: Frame, results: Sequence[Result]) -> Sequence[Scored]:
        """Note a window; nothing comes of it."""
        if self._deviation is None:
            self.seen += 1
            self._keep(put_out(results).astype(np.float32))
        elif (value := self._deviation.of(frame, results)) is not None:
            self.seen += 1
            self.values.append(self._average.add(value))
        return ()

    def reset(self) -> None:
        """Forget the windows before, not what was noted."""
        self._average.reset()
        if self._deviation is not None:
            self._deviation.reset()

    def _keep(self, window: NDArray[np.float32]) -> None:
        if self.windows and window.size != self.windows[0].size:
            raise SignalMismatch("the windows have different numbers of values", "set window")
        if len(self.windows) < 2 * _KEPT:
            self.windows.append(window)
        elif (place := self._dice.randrange(self.seen)) < 2 * _KEPT:
            self.windows[place] = window


def calibrate(
    config: Config,
    name: str,
    seconds: float | None,
    stop: threading.Event,
    progress: Callable[[int], None] = lambda _: None,
) -> Calibration:
    """Run the pipeline for so long, or to the end of its recording; the result is not kept yet.

    `progress` is told how many windows there are. Raises UsageError for a pipeline that looks for
    no anomaly, SignalMismatch where there were too few windows.
    """
    item = config.pipelines.get(name)
    if item is None or item.anomaly is None:
        known = ", ".join(n for n, each in config.pipelines.items() if each.anomaly) or "none"
        raise UsageError(
            f"{name} is no pipeline that looks for anomalies (there: {known})",
            "give it a section anomaly, or name another by --pipeline",
        )
    method = method_of(item, item.anomaly)
    collector = Collector(method, item.anomaly)
    alone = config.model_copy(
        update={"pipelines": {name: item.model_copy(update={"enabled": True})}}
    )
    _run(alone, collector, seconds, stop, progress)
    if collector.seen < LEAST_WINDOWS:
        raise SignalMismatch(
            f"only {collector.seen} windows could be judged, and it takes {LEAST_WINDOWS} to know "
            "what is normal",
            "let it run for longer (--for), or see what edge-agent doctor says of the source",
        )
    return _made(basis_of(config, name), collector, item.anomaly)


def _run(
    config: Config,
    collector: Collector,
    seconds: float | None,
    stop: threading.Event,
    progress: Callable[[int], None],
) -> None:
    agent = build_agent(config, publish=False, scorer=lambda *_: collector, follow=False)
    well = time.monotonic()
    until = float("inf") if seconds is None else well + seconds
    (pipeline,) = agent.pipelines
    agent.start()
    try:
        while time.monotonic() < until and not stop.wait(_LOOK):
            agent.look()
            progress(collector.seen)
            if pipeline.finished.is_set():
                return
            if reason := pipeline.status.trouble_of("pipeline"):
                raise SignalMismatch(reason)
            reason = pipeline.status.trouble_of("source")
            if collector.seen or not reason:
                well = time.monotonic()
            elif time.monotonic() > well + _PATIENCE:
                raise SignalMismatch(f"nothing came of the source: {reason}")
    finally:
        agent.stop()


def _made(basis: str, collector: Collector, options: AnomalyOptions) -> Calibration:
    limited = partial(limit_of, quantile=options.quantile, margin=options.margin)
    if not collector.windows:
        values = collector.values
        return make_calibration(basis, values, np.empty((0, 0), np.float32), limited(values))
    windows = np.stack(collector.windows)
    # Distances of normal windows to normal windows: of one half to the other.
    distance = Distance(make_calibration(basis, [0.0], windows[::2], 0.0))
    average = MovingAverage(options.average)
    values = [average.add(distance.to_nearest(each)) for each in windows[1::2]]
    return make_calibration(basis, values, windows[::2], limited(values))
