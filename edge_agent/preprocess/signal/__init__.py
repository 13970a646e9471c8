"""Signal processing: windows over a stream, and the features that models are trained on."""

from __future__ import annotations

from edge_agent.preprocess.signal.base import Block, StreamStage, WindowStage
from edge_agent.preprocess.signal.windows import Windows
from edge_agent.registry import Registry

_HERE = "edge_agent.preprocess.signal"

STREAM_STAGES: Registry[StreamStage] = Registry(
    "edge_agent.stream_stages",
    {
        "z_score": f"{_HERE}.scaling:ZScoreStream",
        "min_max": f"{_HERE}.scaling:MinMaxStream",
        "difference": f"{_HERE}.trend:DifferenceStream",
        "resample": f"{_HERE}.resample:Resample",
        "band_pass": f"{_HERE}.band_pass:BandPass",
        "log_mel": f"{_HERE}.log_mel:LogMelStream",
        "mfcc": f"{_HERE}.mfcc:MfccStream",
        "micro_frontend": f"{_HERE}.micro_frontend:MicroFrontendStream",
    },
)
WINDOW_STAGES: Registry[WindowStage] = Registry(
    "edge_agent.window_stages",
    {
        "z_score": f"{_HERE}.scaling:ZScoreWindow",
        "min_max": f"{_HERE}.scaling:MinMaxWindow",
        "standardize": f"{_HERE}.standardize:Standardize",
        "detrend": f"{_HERE}.trend:Detrend",
        "difference": f"{_HERE}.trend:DifferenceWindow",
        "statistics": f"{_HERE}.statistics:Statistics",
        "fft": f"{_HERE}.spectrum:FftMagnitude",
        "welch": f"{_HERE}.spectrum:Welch",
        "band_power": f"{_HERE}.spectrum:BandPower",
        "envelope_spectrum": f"{_HERE}.envelope:EnvelopeSpectrum",
        "log_mel": f"{_HERE}.log_mel:LogMelWindow",
        "mfcc": f"{_HERE}.mfcc:MfccWindow",
        "micro_frontend": f"{_HERE}.micro_frontend:MicroFrontendWindow",
    },
)

__all__ = ["STREAM_STAGES", "WINDOW_STAGES", "Block", "StreamStage", "WindowStage", "Windows"]
