"""Operators that take parts of a tensor: views where they have no gaps, copies else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edge_agent.engines.numpy.operators.moving import (
    axis_of,
    one_number,
    view_or_move,
    whole_numbers,
)
from edge_agent.engines.numpy.plan import Plan, Unsupported
from edge_agent.engines.numpy.program import Operator, Tensor


def plan_slice(operator: Operator, plan: Plan) -> None:
    """A box: its first corner and its sides, -1 for all that is left."""
    x, y = plan.input(operator, 0), plan.output(operator)
    begin = whole_numbers(plan, plan.input(operator, 1))
    size = whole_numbers(plan, plan.input(operator, 2))
    if not len(begin) == len(size) == len(x.shape):
        raise Unsupported(f"{len(begin)} beginnings for an input of shape {x.shape}")
    box = []
    for first, count, side in zip(begin, size, x.shape, strict=True):
        last = side if count == -1 else first + count
        if not 0 <= first <= last <= side:
            raise Unsupported(f"a slice from {first} to {last} of {side}")
        box.append(slice(first, last))
    view_or_move(plan, x, plan.array(x)[tuple(box)], y)


def plan_strided_slice(operator: Operator, plan: Plan) -> None:
    """A box with steps, and axes that come and go."""
    x, y = plan.input(operator, 0), plan.output(operator)
    begin, end, step = (whole_numbers(plan, plan.input(operator, i)) for i in (1, 2, 3))
    if not len(begin) == len(end) == len(step):
        raise Unsupported(f"{len(begin)} beginnings, {len(end)} ends, {len(step)} strides")
    if operator.options.get("offset"):  # 2.14 neither masks nor clips the ends then
        raise Unsupported("ends that count from the beginnings")
    ranges = _Ranges(operator, begin, end, step)
    view_or_move(plan, x, plan.array(x)[ranges.index(x.shape)], y)


@dataclass(frozen=True, slots=True)
class _Ranges:
    """One range for each axis of the result and each that is dropped, with the masks' bits.

    BuildStridedSliceParams in strided_slice.cc and reference/strided_slice.h of TFLite 2.14.
    """

    operator: Operator
    begin: list[int]
    end: list[int]
    step: list[int]

    def index(self, shape: tuple[int, ...]) -> tuple[Any, ...]:
        """As NumPy takes it. An ellipsis stands for one axis at least, as in TFLite."""
        count = len(self.begin)
        added = sum(self._has("new_axis", i) and not self._has("ellipsis", i) for i in range(count))
        axes = len(shape) + added
        picked: list[Any] = []
        place = axis = 0
        while len(picked) < axes:
            if place < count and self._has("ellipsis", place):
                rest = min(axes + 1 - count, axes - len(picked))
                wide = [slice(None)] * max(1, rest)
            elif place < count and self._has("new_axis", place):
                picked.append(None)
                place += 1
                continue
            else:
                wide = [self._range(place, shape[axis]) if place < count else slice(None)]
            picked += wide
            axis += len(wide)
            place += 1
        return (*picked, ...)

    def _has(self, mask: str, place: int) -> bool:
        return bool(self.operator.number(f"{mask}_mask") >> place & 1)

    def _range(self, place: int, side: int) -> Any:
        step = self.step[place]
        if step == 0:
            raise Unsupported("a stride of 0")
        first = self._inside(self.begin[place], side, step)
        if self._has("begin", place):
            first = 0 if step > 0 else side - 1
        if self._has("shrink_axis", place):
            if not 0 <= first < side or step < 0:
                raise Unsupported(f"index {self.begin[place]} of an axis of {side}")
            return first
        last = self._inside(self.end[place], side, step)
        if self._has("end", place) or last < 0:
            return slice(first, None, step) if first >= 0 else slice(0, 0)
        return slice(first, last, step) if first >= 0 else slice(0, 0)

    @staticmethod
    def _inside(place: int, side: int, step: int) -> int:
        place += side if place < 0 else 0
        return min(max(place, 0), side) if step > 0 else min(max(place, -1), side - 1)


def plan_split(operator: Operator, plan: Plan) -> None:
    """Parts of the same size."""
    axis, x = one_number(plan, plan.input(operator, 0)), plan.input(operator, 1)
    side = x.shape[axis_of(axis, len(x.shape))]
    count = len(operator.outputs)
    if side % count:
        raise Unsupported(f"{count} equal parts of {side}")
    _split(operator, plan, x, axis, [side // count] * count)


def plan_split_v(operator: Operator, plan: Plan) -> None:
    """Parts of any sizes, -1 for what is left."""
    x, axis = plan.input(operator, 0), one_number(plan, plan.input(operator, 2))
    sizes = whole_numbers(plan, plan.input(operator, 1))
    left = x.shape[axis_of(axis, len(x.shape))] - sum(size for size in sizes if size >= 0)
    _split(operator, plan, x, axis, [left if size == -1 else size for size in sizes])


def _split(operator: Operator, plan: Plan, x: Tensor, axis: int, sizes: list[int]) -> None:
    axis = axis_of(axis, len(x.shape))
    if sum(sizes) != x.shape[axis] or min(sizes) < 0 or len(sizes) != len(operator.outputs):
        raise Unsupported(f"parts of {sizes} for an axis of {x.shape[axis]}")
    first = 0
    for place, size in enumerate(sizes):
        box = (slice(None),) * axis + (slice(first, first + size),)
        view_or_move(plan, x, plan.array(x)[box], plan.output(operator, place))
        first += size


def plan_unpack(operator: Operator, plan: Plan) -> None:
    """One output for each index of an axis."""
    x = plan.input(operator, 0)
    axis = axis_of(operator.number("axis"), len(x.shape))
    if len(operator.outputs) != x.shape[axis]:
        raise Unsupported(f"{len(operator.outputs)} outputs for an axis of {x.shape[axis]}")
    for place in range(x.shape[axis]):
        part = plan.array(x)[(slice(None),) * axis + (place, ...)]
        view_or_move(plan, x, part, plan.output(operator, place))


PLANNERS = {
    "SLICE": plan_slice,
    "STRIDED_SLICE": plan_strided_slice,
    "SPLIT": plan_split,
    "SPLIT_V": plan_split_v,
    "UNPACK": plan_unpack,
}
