"""Windows that slide over a picture: their geometry, and views of them without a copy."""

from __future__ import annotations

from typing import NamedTuple

from numpy.lib.stride_tricks import as_strided

from edge_agent.engines.numpy.plan import Array, Margins, Unsupported
from edge_agent.engines.numpy.program import Operator, Tensor

SAME, VALID = 0, 1


class Windows(NamedTuple):
    """Geometry of a sliding window; `top` and `left` are the padding before the first pixel."""

    height: int
    width: int
    stride_h: int
    stride_w: int
    dilation_h: int
    dilation_w: int
    top: int
    left: int
    rows: int
    columns: int
    margins: Margins


def windows(operator: Operator, x: Tensor, y: Tensor, height: int, width: int) -> Windows:
    """Geometry of a window of height x width, from the operator's options.

    ComputePaddingHeightWidth in kernels/padding.h: SAME puts the smaller half in front.
    """
    if len(x.shape) != 4 or len(y.shape) != 4 or x.shape[0] != 1:
        raise Unsupported(f"input of shape {x.shape}, only 1 x height x width x channels is known")
    stride_h, stride_w = _whole(operator, "stride_h"), _whole(operator, "stride_w")
    dilation_h, dilation_w = _whole(operator, "dilation_h"), _whole(operator, "dilation_w")
    reach_h, reach_w = (height - 1) * dilation_h + 1, (width - 1) * dilation_w + 1
    _, rows, columns, _ = y.shape
    needed_h = (rows - 1) * stride_h + reach_h - x.shape[1]
    needed_w = (columns - 1) * stride_w + reach_w - x.shape[2]
    is_same = operator.options["padding"] == SAME
    top = max(needed_h, 0) // 2 if is_same else 0
    left = max(needed_w, 0) // 2 if is_same else 0
    margins = Margins(top, max(needed_h - top, 0), left, max(needed_w - left, 0))
    return Windows(
        height, width, stride_h, stride_w, dilation_h, dilation_w, top, left, rows, columns, margins
    )


def _whole(operator: Operator, name: str) -> int:
    value = operator.number(name) if name in operator.options else 1
    if value < 1:
        raise Unsupported(f"{name} is {value}")
    return value


def view(base: Array, present: Margins, shape: Windows, channels: int) -> Array:
    """Every window of a padded tensor: rows x columns x height x width x channels.

    `present` are the margins that `base` has, at least those that the windows need.
    """
    origin = base[0, present.top - shape.top :, present.left - shape.left :]
    row, column, channel = origin.strides
    return as_strided(
        origin,
        (shape.rows, shape.columns, shape.height, shape.width, channels),
        (
            shape.stride_h * row,
            shape.stride_w * column,
            shape.dilation_h * row,
            shape.dilation_w * column,
            channel,
        ),
        writeable=False,
    )
