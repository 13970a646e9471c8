"""Signal processing: windows over a stream, and the features that models are trained on."""

from __future__ import annotations

from edge_agent.preprocess.signal.base import Block, StreamStage, WindowStage
from edge_agent.preprocess.signal.windows import Windows
from edge_agent.registry import Registry

STREAM_STAGES: Registry[StreamStage] = Registry(
    "edge_agent.stream_stages",
    {
        "log_mel": "edge_agent.preprocess.signal.log_mel:LogMelStream",
        "mfcc": "edge_agent.preprocess.signal.mfcc:MfccStream",
        "micro_frontend": "edge_agent.preprocess.signal.micro_frontend:MicroFrontendStream",
    },
)
WINDOW_STAGES: Registry[WindowStage] = Registry(
    "edge_agent.window_stages",
    {
        "log_mel": "edge_agent.preprocess.signal.log_mel:LogMelWindow",
        "mfcc": "edge_agent.preprocess.signal.mfcc:MfccWindow",
        "micro_frontend": "edge_agent.preprocess.signal.micro_frontend:MicroFrontendWindow",
    },
)

__all__ = ["STREAM_STAGES", "WINDOW_STAGES", "Block", "StreamStage", "WindowStage", "Windows"]
