"""Sliding windows of ONNX nodes in terms of TFLite's options."""

from __future__ import annotations

from typing import NamedTuple

from edge_agent.engines.numpy.program import Option
from edge_agent.quantize.onnx.model import Node, Unsupported

_SAME, _VALID = 0, 1


class Sliding(NamedTuple):
    """Options of the operator, and rows and columns that it gives.

    `before` and `after` are zeros that must be put around its input first, None where none are.
    """

    options: dict[str, Option]
    counts: list[int]
    before: list[int] | None
    after: list[int] | None


def slide(node: Node, shape: tuple[int, ...], size: tuple[int, int]) -> Sliding:
    """A window over an input of this shape; padding that is TensorFlow's SAME is its option."""
    is_time = len(shape) == 3
    stride = _both(node.several("strides", []), is_time)
    dilation = _both(node.several("dilations", []), is_time)
    reach = [(n - 1) * d + 1 for n, d in zip(size, dilation, strict=True)]
    sides = [1, shape[2]] if is_time else list(shape[2:])
    before, after = _pads(node, is_time)
    room = [n + a + b for n, a, b in zip(sides, before, after, strict=True)]
    counts = [(n - r) // s + 1 for n, r, s in zip(room, reach, stride, strict=True)]
    options: dict[str, Option] = {
        "padding": _VALID,
        "stride_h": stride[0], "stride_w": stride[1],
        "dilation_h": dilation[0], "dilation_w": dilation[1],
    }  # fmt: skip
    same = [-(-n // s) for n, s in zip(sides, stride, strict=True)]
    steps = zip(same, stride, reach, sides, strict=True)
    needs = [max((c - 1) * s + r - n, 0) for c, s, r, n in steps]
    halves = [need // 2 for need in needs]
    rests = [need - half for need, half in zip(needs, halves, strict=True)]
    if node.text("auto_pad") == "SAME_UPPER" or (counts, before, after) == (same, halves, rests):
        return Sliding({**options, "padding": _SAME}, same, None, None)
    if any((*before, *after)):
        return Sliding(options, counts, before, after)
    return Sliding(options, counts, None, None)


def _pads(node: Node, is_time: bool) -> tuple[list[int], list[int]]:
    """Zeros in front of and behind rows and columns."""
    auto = node.text("auto_pad")
    if auto not in ("", "NOTSET", "VALID", "SAME_UPPER"):
        raise Unsupported(auto)
    axes = 1 if is_time else 2
    pads = node.several("pads", [0] * (2 * axes))
    before, after = pads[:axes], pads[axes:]
    return ([0, *before], [0, *after]) if is_time else (before, after)


def _both(values: list[int], is_time: bool) -> list[int]:
    """For rows and columns; time has no rows."""
    if not values:
        return [1, 1]
    return [1, *values] if is_time else values
