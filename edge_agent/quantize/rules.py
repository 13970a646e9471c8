"""What the int8 specification of TensorFlow Lite asks of each operator.

https://ai.google.dev/edge/litert/models/quantization_spec: weights are symmetric, from -127 to 127,
with a scale for each output channel where the operator is a convolution; activations have one
scale and zero point for the tensor; biases are int32 with the scale of input times weights.
"""

from __future__ import annotations

from collections.abc import Mapping

WEIGHTED: Mapping[str, int | None] = {
    "CONV_2D": 0,
    "DEPTHWISE_CONV_2D": 3,
    "FULLY_CONNECTED": None,
}
"""Operators with weights and a bias: the dimension along which weights have a scale each."""

_TIED = """
    AVERAGE_POOL_2D MAX_POOL_2D RESHAPE SQUEEZE EXPAND_DIMS TRANSPOSE PAD MIRROR_PAD
    CONCATENATION RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR GATHER GATHER_ND SPLIT SPLIT_V SLICE
    STRIDED_SLICE SPACE_TO_DEPTH DEPTH_TO_SPACE PACK UNPACK TILE MAXIMUM MINIMUM REDUCE_MAX
    REDUCE_MIN BROADCAST_TO
"""
TIED = frozenset(_TIED.split())
"""Operators whose inputs and outputs of real numbers have the same scale and zero point."""

FIXED: Mapping[str, tuple[float, int]] = {
    "SOFTMAX": (1 / 256, -128),
    "LOGISTIC": (1 / 256, -128),
    "TANH": (1 / 128, 0),
}
"""Operators whose output has this scale and zero point."""

_FREE = """
    ADD SUB MUL MEAN RELU RELU6 RELU_N1_TO_1 RELU_0_TO_1 LEAKY_RELU HARD_SWISH PRELU ELU
"""
FREE = frozenset(_FREE.split())
"""Operators whose inputs and outputs have any scale."""

QUANTIZABLE = frozenset({*WEIGHTED, *TIED, *FIXED, *FREE})
