"""Writes the calls of a requantization: sums to eight bits, in place, then to where they belong."""

from __future__ import annotations

from typing import Any

import numpy as np

from edge_agent.engines.numpy.arena import aligned
from edge_agent.engines.numpy.findings import Findings
from edge_agent.engines.numpy.plan import Array, Plan
from edge_agent.engines.numpy.requantize import Chain, Requantization
from edge_agent.engines.numpy.xnnpack import SingleRequantization

Rule = Requantization | SingleRequantization

_WIDE = 2048  # numbers in a row that make NumPy's inner loop long enough
_SMALL = 24 << 10  # up to here a whole layer is one row: setting up two dimensions costs more
_HAS_FAST_CLIP = int(np.__version__.split(".")[0]) >= 2  # before, scalars took the slow path

# The ufunc behind np.clip: np.clip itself costs two microseconds a call.
_clip: Any = (np._core if _HAS_FAST_CLIP else np.core).umath.clip  # type: ignore[attr-defined]


class Epilogue:
    """The requantization of one layer, ready for sums of any number of rows."""

    def __init__(
        self, what: Rule, kind: Any = np.float32, findings: Findings | None = None
    ) -> None:
        """`kind` is the precision of the sums; `findings` may know the chain already."""
        findings = findings or Findings()
        self._what = what
        self._kind = kind
        self.chain: Chain = findings.chain(what, kind)
        self._patch: Chain | None = None
        if kind is np.float32 and self.chain.unproven.size > 0:
            self._patch = findings.chain(what.some(self.chain.unproven), np.float64)
        self._tiles: dict[tuple[str, int], Any] = {}

    def plan(self, plan: Plan, sums: Array, target: Array) -> None:
        """From `sums` (pixels x channels, contiguous, used up) to `target`.

        `target` is rows x (columns * channels), its rows contiguous.
        """
        patch = self._plan_patch(plan, sums) if self.chain.unproven.size else None
        pixels, channels = sums.shape
        repeat = _repeat(pixels, channels)
        wide = sums.reshape(pixels // repeat, repeat * channels)
        if pixels == repeat:
            wide = wide[0]
        self._plan_chain(plan, wide, repeat)
        if patch is not None:
            plan.call(_put, sums, self.chain.unproven, patch)
        self._plan_clip(plan, wide, sums.reshape(target.shape), target)

    def _plan_chain(self, plan: Plan, wide: Array, repeat: int) -> None:
        chain = self.chain
        if chain.add.any():
            plan.call(np.add, wide, self._tile("add", chain.add, repeat), wide)
        plan.call(np.multiply, wide, self._tile("factor", chain.factor, repeat), wide)
        plan.call(np.rint, wide, wide)
        if chain.is_twice:
            plan.call(np.multiply, wide, self._tile("last", chain.last, repeat), wide)
            plan.call(np.rint, wide, wide)

    def _plan_patch(self, plan: Plan, sums: Array) -> Array:
        """The few channels without a chain, before their sums are used up: in float64."""
        channels = self.chain.unproven
        values = plan.scratch((len(sums), len(channels)), np.float64)
        plan.call(_take, sums, channels, plan.scratch(values.shape, sums.dtype), values)
        if self._patch is None or self._patch.unproven.size:
            plan.call(self._exactly, values, self._what.some(channels))
            return values
        plan.call(np.add, values, self._patch.add, values)
        for factor in (self._patch.factor, self._patch.last):
            plan.call(np.multiply, values, factor, values)
            plan.call(np.rint, values, values)
        return values

    def _plan_clip(self, plan: Plan, wide: Array, sums: Array, target: Array) -> None:
        low, high = self._kind(self._what.low), self._kind(self._what.high)
        if target.flags.c_contiguous:
            source, goal = wide, target.reshape(wide.shape)
        else:
            source, goal = sums, target
        if _HAS_FAST_CLIP:
            plan.call(_clip, source, low, high, goal)
            return
        width = source.shape[-1]
        plan.call(np.maximum, source, self._tile("low", low, width), source)
        plan.call(np.minimum, source, self._tile("high", high, width), goal)

    def _tile(self, name: str, values: Any, repeat: int) -> Any:
        """Numbers of the channels over and over, one number alone where all are the same."""
        if np.ndim(values) and (values == values[0]).all() and _HAS_FAST_CLIP:
            return values[0]
        key = (name, repeat)
        if key not in self._tiles:
            tiled = np.tile(values, repeat)
            self._tiles[key] = aligned(tiled.shape, np.dtype(self._kind))
            self._tiles[key][:] = tiled
        return self._tiles[key]

    @staticmethod
    def _exactly(values: Array, what: Rule) -> None:
        """What no chain was found for, in integers."""
        np.copyto(values, what.exactly(values.astype(np.int64)), casting="unsafe")


def _take(sums: Array, channels: Any, narrow: Array, out: Array) -> None:
    np.take(sums, channels, 1, narrow, "clip")
    np.copyto(out, narrow)


def _put(sums: Array, channels: Any, patch: Array) -> None:
    sums[:, channels] = patch


def _repeat(pixels: int, channels: int) -> int:
    """How many pixels make one row of the inner loop."""
    if pixels * channels <= _SMALL:
        return pixels
    most = max(1, min(pixels, _WIDE // channels))
    return next(n for n in range(most, 0, -1) if pixels % n == 0)
