"""Which options each operator has, and where its table in a .tflite file keeps them.

Slots and defaults: tensorflow/lite/schema/schema.fbs, in the order of the declarations.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from edge_agent.engines.modelfile.flatbuffer import BOOL, F32, I8, I32, Table
from edge_agent.engines.modelfile.writing import Fields
from edge_agent.engines.numpy.program import Option

_TEXT, _VECTOR = "text", "vector"
_INT32 = np.dtype("<i4")


class _Field(NamedTuple):
    slot: int
    layout: Any
    default: Option = 0


_STRIDES = {"padding": _Field(0, I8), "stride_w": _Field(1, I32), "stride_h": _Field(2, I32)}
_ACTIVATION = {"activation": _Field(0, I8)}
_POOL = {
    **_STRIDES,
    "filter_w": _Field(3, I32),
    "filter_h": _Field(4, I32),
    "activation": _Field(5, I8),
}
_KEEP_DIMS = {"keep_dims": _Field(0, BOOL, False)}
_SPLITS = {"splits": _Field(0, I32)}

_FIELDS: Mapping[str, Mapping[str, _Field]] = {
    "CONV_2D": {
        **_STRIDES,
        "activation": _Field(3, I8),
        "dilation_w": _Field(4, I32, 1),
        "dilation_h": _Field(5, I32, 1),
    },
    "DEPTHWISE_CONV_2D": {
        **_STRIDES,
        "multiplier": _Field(3, I32),
        "activation": _Field(4, I8),
        "dilation_w": _Field(5, I32, 1),
        "dilation_h": _Field(6, I32, 1),
    },
    "FULLY_CONNECTED": {
        **_ACTIVATION,
        "weights_format": _Field(1, I8),
        "keep_num_dims": _Field(2, BOOL, False),
    },
    "AVERAGE_POOL_2D": _POOL,
    "MAX_POOL_2D": _POOL,
    "ADD": _ACTIVATION,
    "SUB": _ACTIVATION,
    "MUL": _ACTIVATION,
    "DIV": _ACTIVATION,
    "CONCATENATION": {"axis": _Field(0, I32), "activation": _Field(1, I8)},
    "SOFTMAX": {"beta": _Field(0, F32, 0.0)},
    "RESIZE_BILINEAR": {
        "align_corners": _Field(2, BOOL, False),
        "half_pixel_centers": _Field(3, BOOL, False),
    },
    "RESIZE_NEAREST_NEIGHBOR": {
        "align_corners": _Field(0, BOOL, False),
        "half_pixel_centers": _Field(1, BOOL, False),
    },
    "RESHAPE": {"new_shape": _Field(0, _VECTOR, ())},
    "SQUEEZE": {"dimensions": _Field(0, _VECTOR, ())},
    "GATHER": {"axis": _Field(0, I32), "batch_dims": _Field(1, I32)},
    "MEAN": _KEEP_DIMS,
    "SUM": _KEEP_DIMS,
    "REDUCE_MAX": _KEEP_DIMS,
    "REDUCE_MIN": _KEEP_DIMS,
    "SPLIT": _SPLITS,
    "SPLIT_V": _SPLITS,
    "STRIDED_SLICE": {
        "begin_mask": _Field(0, I32),
        "end_mask": _Field(1, I32),
        "ellipsis_mask": _Field(2, I32),
        "new_axis_mask": _Field(3, I32),
        "shrink_axis_mask": _Field(4, I32),
        "offset": _Field(5, BOOL, False),
    },
    "MIRROR_PAD": {"mode": _Field(0, I8)},
    "PACK": {"count": _Field(0, I32), "axis": _Field(1, I32)},
    "UNPACK": {"count": _Field(0, I32), "axis": _Field(1, I32)},
    "SVDF": {"rank": _Field(0, I32), "activation": _Field(1, I8)},
    "LEAKY_RELU": {"alpha": _Field(0, F32, 0.0)},
    "UNIDIRECTIONAL_SEQUENCE_LSTM": {
        "activation": _Field(0, I8),
        "cell_clip": _Field(1, F32, 0.0),
        "projection_clip": _Field(2, F32, 0.0),
        "time_major": _Field(3, BOOL, False),
        "asymmetric": _Field(4, BOOL, False),
    },
    "CALL_ONCE": {"graph": _Field(0, I32)},
    "VAR_HANDLE": {"container": _Field(0, _TEXT, ""), "shared_name": _Field(1, _TEXT, "")},
    "DEPTH_TO_SPACE": {"block": _Field(0, I32)},
    "SPACE_TO_DEPTH": {"block": _Field(0, I32)},
    "BATCH_MATMUL": {"adjoint_x": _Field(0, BOOL, False), "adjoint_y": _Field(1, BOOL, False)},
    "CAST": {"from_type": _Field(0, I8), "to_type": _Field(1, I8)},
    "SHAPE": {"type": _Field(0, I8)},
    "ARG_MAX": {"type": _Field(0, I8)},
    "ARG_MIN": {"type": _Field(0, I8)},
}

_TYPES: Mapping[str, int] = {
    "CONV_2D": 1, "DEPTHWISE_CONV_2D": 2, "AVERAGE_POOL_2D": 5, "MAX_POOL_2D": 5, "SVDF": 6,
    "FULLY_CONNECTED": 8, "SOFTMAX": 9, "CONCATENATION": 10, "ADD": 11, "RESIZE_BILINEAR": 15,
    "RESHAPE": 17, "SPACE_TO_DEPTH": 19, "MUL": 21, "PAD": 22, "GATHER": 23, "TRANSPOSE": 26,
    "MEAN": 27, "SUM": 27, "REDUCE_MAX": 27, "REDUCE_MIN": 27, "SUB": 28, "DIV": 29, "SQUEEZE": 30,
    "STRIDED_SLICE": 32, "SPLIT": 35, "CAST": 37, "DEQUANTIZE": 38, "MAXIMUM": 39, "MINIMUM": 39,
    "ARG_MAX": 40, "SLICE": 48, "EXPAND_DIMS": 52, "SHAPE": 55, "ARG_MIN": 57, "PACK": 59,
    "UNPACK": 64, "UNIDIRECTIONAL_SEQUENCE_LSTM": 71, "RESIZE_NEAREST_NEIGHBOR": 74,
    "LEAKY_RELU": 75, "MIRROR_PAD": 77, "SPLIT_V": 79, "QUANTIZE": 89, "HARD_SWISH": 91,
    "DEPTH_TO_SPACE": 94, "BATCH_MATMUL": 101, "CALL_ONCE": 103, "VAR_HANDLE": 111,
}  # fmt: skip
"""Numbers of the tables in the union BuiltinOptions; 0 where an operator has none."""


def read_options(name: str, table: Table | None) -> dict[str, Option]:
    """Options of an operator by our own names; the schema's defaults where the file has none."""
    fields = _FIELDS.get(name, {})
    if table is None:
        return {option: field.default for option, field in fields.items()}
    return {option: _read(table, option, field) for option, field in fields.items()}


def write_options(name: str, options: Mapping[str, Option]) -> tuple[int, Fields | None]:
    """The number of an operator's options in the union and their table, None where it has none."""
    number = _TYPES.get(name, 0)
    if not number:
        return 0, None
    fields = _FIELDS.get(name, {})
    given = {field: options[option] for option, field in fields.items() if option in options}
    return number, {field.slot: _written(field, value) for field, value in given.items()}


def _written(field: _Field, value: Option) -> Any:
    if field.layout is _TEXT:
        return str(value)
    if field.layout is _VECTOR:
        return np.array(value, _INT32)
    return field.layout.format, value


def _read(table: Table, name: str, field: _Field) -> Option:
    if field.layout is _TEXT:
        return table.text(field.slot, name)
    if field.layout is _VECTOR:
        return tuple(table.vector(field.slot, _INT32, name).tolist())
    value: Option = table.number(field.slot, field.layout, field.default)
    return value
