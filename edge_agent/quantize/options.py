"""What a user may choose about a quantisation."""

from __future__ import annotations

from dataclasses import dataclass

from edge_agent.errors import UsageError
from edge_agent.quantize.ranges import OBSERVERS

INPUT_TYPES = ("int8", "uint8", "float32")
OUTPUT_TYPES = ("int8", "float32")


@dataclass(frozen=True, slots=True)
class Options:
    """How a float model becomes an int8 one; raises UsageError for what is not known.

    `observer` is one of "minmax", "percentile", "mse". `keep_float` names operators that stay as
    they are: by their TFLite name ("SOFTMAX"), their place ("12") or the name of their output.
    """

    observer: str = "minmax"
    equalize: bool = False
    """Even out the ranges of channels between two layers, where ReLU or nothing is in between."""
    correct_bias: bool = False
    """Take the mean error of each output channel out of the bias."""
    keep_float: tuple[str, ...] = ()
    input_type: str = "int8"
    output_type: str = "int8"

    def __post_init__(self) -> None:
        known = {
            "observer": tuple(OBSERVERS),
            "input_type": INPUT_TYPES,
            "output_type": OUTPUT_TYPES,
        }
        for name, choices in known.items():
            value = getattr(self, name)
            if value not in choices:
                raise UsageError(f"{name} is {value!r}, it must be one of {', '.join(choices)}")
