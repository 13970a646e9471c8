"""The scorer of a pipeline, by what its configuration asks for and what was calibrated here."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import partial

from edge_agent.config.schema import Config, PipelineConfig
from edge_agent.engines.modelfile import read_model_info
from edge_agent.errors import EdgeAgentError, SignalMismatch
from edge_agent.event import EventKind
from edge_agent.frame import Frame
from edge_agent.result import Result, Scored
from edge_agent.scoring.anomaly import LABEL, AnomalyScorer
from edge_agent.scoring.base import Scorer, Unscored
from edge_agent.scoring.calibration import Calibration, CalibrationStore
from edge_agent.scoring.deviation import Deviation, Distance, Reconstruction, RobustZ
from edge_agent.scoring.forecast import Forecast
from edge_agent.scoring.options import AnomalyOptions, Method
from edge_agent.scoring.reading import ReadingScorer
from edge_agent.scoring.smooth import Smooth
from edge_agent.sources.base import Medium
from edge_agent.state import state_folder

_USUAL_Z = 6.0  # robust standard deviations from which on it is an anomaly

ScorerFactory = Callable[[Config, str], Scorer]
"""Makes the scorer of the pipeline of that name."""


def calibrations(config: Config) -> CalibrationStore:
    """Where this device keeps what was measured of normal."""
    return CalibrationStore(state_folder(config.agent.state_dir) / f"{config.agent.name}.normal")


def method_of(item: PipelineConfig, options: AnomalyOptions) -> Method:
    """How a pipeline tells what is normal."""
    if options.method != "auto":
        return options.method
    return "robust_z" if item.model is None else "reconstruction"


def basis_of(config: Config, name: str) -> str:
    """What a calibration holds for: method, model, and what is made of the signal.

    Raises ModelError for a model file that cannot be read.
    """
    item = config.pipelines[name]
    assert item.anomaly is not None
    method = method_of(item, item.anomaly)
    model = "" if item.model is None else read_model_info(config.models[item.model].file).sha256
    made = repr((item.stream, item.window, item.features, item.anomaly.average, model))
    return f"{method} {hashlib.sha256(made.encode()).hexdigest()[:16]}"


def make_scorer(config: Config, name: str) -> Scorer:
    """As the YAML says; one that cannot work yet says why with the first frame."""
    item = config.pipelines[name]
    if item.reading is not None:
        return ReadingScorer(item.reading)
    if item.smooth is not None:
        return Smooth(item.smooth)
    if item.anomaly is None:
        return Unscored()
    try:
        return _anomaly(config, name, item, item.anomaly)
    except EdgeAgentError as error:
        return _Unfit(error)


def event_kind(item: PipelineConfig, medium: Medium) -> EventKind | None:
    """The kind of events without a box; None where the model decides."""
    if item.anomaly is not None:
        return "anomaly"
    if item.reading is not None:
        return "reading"
    return "text" if medium == "text" else None


def labels_of(item: PipelineConfig) -> Sequence[str]:
    """Labels that a pipeline tells of, as far as the configuration knows them."""
    if item.anomaly is not None:
        return (LABEL,)
    if item.reading is not None:
        bounds = {"high": item.reading.above, "low": item.reading.below}
        return tuple(label for label, bound in bounds.items() if bound is not None)
    return item.labels or ()


def is_calibrated(item: PipelineConfig) -> bool:
    """Whether a pipeline judges by what it learnt of its present model."""
    options = item.anomaly
    if options is None:
        return False
    method = method_of(item, options)
    return method == "distance" or (options.limit is None and method != "robust_z")


def _anomaly(config: Config, name: str, item: PipelineConfig, options: AnomalyOptions) -> Scorer:
    method = method_of(item, options)
    known = _calibrated(config, name) if is_calibrated(item) else None
    limit = options.limit
    if limit is None:
        limit = _USUAL_Z if known is None else known.limit
    return AnomalyScorer(
        deviation_of(method, options, known), limit, options.hysteresis, options.average
    )


def deviation_of(
    method: Method, options: AnomalyOptions, known: Calibration | None
) -> Callable[[], Deviation]:
    """What measures how far a window is from normal."""
    if method == "robust_z":
        return partial(RobustZ, options.history)
    if method == "distance":
        assert known is not None
        return partial(Distance, known)
    return Forecast if method == "forecast" else Reconstruction


def _calibrated(config: Config, name: str) -> Calibration:
    known = calibrations(config).newest(name)
    cure = f"edge-agent calibrate -c FILE --pipeline {name}, while all is normal"
    if known is None:
        raise SignalMismatch("it is not known yet what is normal here", cure)
    if known.basis != basis_of(config, name):
        raise SignalMismatch("it was calibrated with another model, window or features", cure)
    return known


class _Unfit:
    """In place of a scorer that cannot be made: the pipeline is offline with the reason."""

    needs_all = False

    def __init__(self, error: EdgeAgentError) -> None:
        self._error = error

    def apply(self, frame: Frame, results: Sequence[Result]) -> Sequence[Scored]:  # noqa: ARG002
        """Raise the reason."""
        raise self._error

    def reset(self) -> None:
        """Do nothing."""
