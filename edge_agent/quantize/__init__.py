"""From a trained float model to an int8 one that both engines run: see docs/quantize.md."""

from edge_agent.quantize.layers import (
    Activation,
    AveragePool,
    BatchNorm,
    Conv1D,
    Conv2D,
    Dense,
    DepthwiseConv1D,
    DepthwiseConv2D,
    Flatten,
    GlobalAveragePool,
    MaxPool,
)
from edge_agent.quantize.options import Options
from edge_agent.quantize.pipeline import Model, Quantized, quantize, quantize_layers

__all__ = [
    "Activation",
    "AveragePool",
    "BatchNorm",
    "Conv1D",
    "Conv2D",
    "Dense",
    "DepthwiseConv1D",
    "DepthwiseConv2D",
    "Flatten",
    "GlobalAveragePool",
    "MaxPool",
    "Model",
    "Options",
    "Quantized",
    "quantize",
    "quantize_layers",
]
