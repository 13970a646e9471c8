"""Functions of two 8-bit numbers: float32 arithmetic proven on all pairs, else a table of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain as joined
from typing import Any, Literal

import numpy as np

from edge_agent.engines.numpy.arithmetic import Ints, all_values
from edge_agent.engines.numpy.operators.lookup import nudged, take
from edge_agent.engines.numpy.operators.parts import parts, plan_clip
from edge_agent.engines.numpy.plan import Array, Plan, stored
from edge_agent.engines.numpy.program import Tensor

_AWAY = 1.0 + 2.0**-20  # makes halves of a float32 product round away from zero, nothing else
_STEPS = (0, 1, -1, 2, -2, 3, -3, 4, -4, 6, -6, 8, -8)
_NOTHING = np.float32(0)
_KINDS: tuple[Literal["sum", "product", "twice"], ...] = ("sum", "product", "twice")
_HARD = 64  # counterexamples that are kept of each candidate


@dataclass(frozen=True, slots=True)
class PairChain:
    """Float32 operations on a and b, then a clip.

    "sum" is `rint(a * first + b * second)`, "product" is `rint(a * b * first)`, "twice" rounds a
    product once more: `rint(rint(a * b * first) * second)`.
    """

    kind: Literal["sum", "product", "twice"]
    first: np.float32
    second: np.float32 = _NOTHING

    def apply(self, a: Any, b: Any) -> Any:
        """The chain without its clip, the operations of the run."""
        if self.kind == "sum":
            return np.rint(a * self.first + b * self.second)
        product = np.rint(a * b * self.first)
        return np.rint(product * self.second) if self.kind == "twice" else product

    def plan(self, plan: Plan, a: Array, b: Array, result: Array) -> None:
        """Write the calls; `result` has the shape to which a and b broadcast."""
        if self.kind == "sum":
            second = plan.scratch(b.shape)
            plan.call(np.multiply, a, self.first, result)
            plan.call(np.multiply, b, self.second, second)
            plan.call(np.add, result, second, result)
        else:
            plan.call(np.multiply, a, b, result)
            plan.call(np.multiply, result, self.first, result)
        plan.call(np.rint, result, result)
        if self.kind == "twice":
            plan.call(np.multiply, result, self.second, result)
            plan.call(np.rint, result, result)


def sums(first: float, second: float) -> Iterator[PairChain]:
    """Candidates for `a * first + b * second`: both changed alike, then each by itself."""
    for c1, c2 in zip(nudged(first), nudged(second), strict=True):
        yield PairChain("sum", c1, c2)
    for steps_a in _STEPS:
        for steps_b in _STEPS:
            yield PairChain("sum", _moved(first, steps_a), _moved(second, steps_b))


def products(multiplier: int, shift: int) -> Iterator[PairChain]:
    """Candidates for a * b * multiplier * 2**(shift - 31), rounded once, then as gemmlowp does."""
    for factor in nudged(multiplier * 2.0 ** (shift - 31)):
        yield PairChain("product", factor)
    right = max(-shift, 0)
    last = np.float32(2.0**-right * _AWAY)
    for factor in nudged(multiplier * 2.0 ** (max(shift, 0) - 31)):
        yield PairChain("twice", factor, last)


def _moved(real: float, steps: int) -> np.float32:
    return np.float32(np.float32(real) * np.float32(1.0 + steps * 2.0**-23))


def plan_pairs(
    plan: Plan,
    operands: tuple[Tensor, Tensor],
    y: Tensor,
    limits: tuple[int, int],
    exact: Callable[[Ints, Ints], Ints],
    candidates: Iterable[PairChain],
) -> None:
    """Calls for y = clip(exact(a, b)), all less their zero points, with broadcasting."""
    chain = _known(plan, operands, y, limits, exact, candidates)
    table = None
    if chain is None:
        a, b = (all_values(each) for each in operands)
        table = np.clip(exact(a[:, None], b), *limits).astype(np.float32).ravel()
    sources = (plan.array(each) for each in operands)
    for goal, a_part, b_part in parts(plan.array(y), *sources):
        result = plan.scratch(goal.shape)
        if chain is not None:
            chain.plan(plan, a_part, b_part, result)
            plan_clip(plan, result, *limits, goal)
        else:
            _look_up(plan, operands, table, (a_part, b_part, result, goal))
        plan.free_scratch()


def _look_up(
    plan: Plan, operands: tuple[Tensor, Tensor], table: Any, arrays: tuple[Array, ...]
) -> None:
    a, b, result, goal = arrays
    lowest = operands[0].limits[0] * 256 + operands[1].limits[0]
    index = plan.scratch(goal.shape, np.intp)
    plan.call(_pair_index, a, b, np.float32(lowest), result, index)
    plan.call(take, table, index, result)
    plan.call(np.copyto, goal, result)


def _pair_index(a: Array, b: Array, lowest: np.float32, work: Array, index: Array) -> None:
    np.multiply(a, np.float32(256), work)
    np.add(work, b, work)
    np.subtract(work, lowest, out=index, casting="unsafe")


def _known(
    plan: Plan,
    operands: tuple[Tensor, Tensor],
    y: Tensor,
    limits: tuple[int, int],
    exact: Callable[[Ints, Ints], Ints],
    candidates: Iterable[PairChain],
) -> PairChain | None:
    """What `_proven` finds, or found for the same function of the same tensors."""
    untried = iter(candidates)
    first = next(untried, None)
    question = (plan.rounding, repr(first), *limits, *_facts(operands, y, exact))

    def search() -> tuple[Array, ...]:
        found = _proven(operands, limits, exact, joined(() if first is None else (first,), untried))
        if found is None:
            return ()
        factors = np.array([found.first, found.second], np.float32)
        return np.array([_KINDS.index(found.kind)], np.int64), factors

    def fits(answer: tuple[Array, ...]) -> bool:
        return not answer or (
            [each.shape for each in answer] == [(1,), (2,)]
            and answer[0][0] in range(len(_KINDS))
            and answer[1].dtype == np.float32
        )

    answer = plan.findings.recall(question, search, fits)
    return PairChain(_KINDS[answer[0][0]], *answer[1]) if answer else None


def _facts(
    operands: tuple[Tensor, Tensor], y: Tensor, exact: Callable[[Ints, Ints], Ints]
) -> tuple[object, ...]:
    """All that a function of two tensors depends on, with some of its results.

    But for the sign of a sum, which the first candidate has.
    """
    a, b = (_possible(each) for each in operands)
    sample = exact(a[:: max(1, len(a) // 8), None], b[:: max(1, len(b) // 8)])
    facts = [fact for each in (*operands, y) for fact in (each.dtype, each.scale, each.zero_point)]
    return ("pairs", exact.__qualname__, *facts, a, b, sample)


def _proven(
    operands: tuple[Tensor, Tensor],
    limits: tuple[int, int],
    exact: Callable[[Ints, Ints], Ints],
    candidates: Iterable[PairChain],
) -> PairChain | None:
    """The first candidate that is right for every pair that can come up.

    Pairs that one candidate got wrong are tried first with the next: few are worth a full check.
    """
    a, b = (_possible(each) for each in operands)
    expected = np.clip(exact(a[:, None], b), *limits).astype(np.float32).ravel()
    a_all = np.repeat(a, len(b)).astype(np.float32)
    b_all = np.tile(b, len(a)).astype(np.float32)

    def wrong(chain: PairChain, places: Any) -> Any:
        found = np.clip(chain.apply(a_all[places], b_all[places]), *limits)
        return found != expected[places]

    hard = np.zeros(0, np.int64)
    for chain in candidates:
        if wrong(chain, hard).any():
            continue
        bad = np.flatnonzero(wrong(chain, slice(None)))
        if not bad.size:
            return chain
        hard = np.union1d(hard, bad[:_HARD])
    return None


def _possible(tensor: Tensor) -> Ints:
    """The numbers that a tensor can hold, less the zero point; of a constant those it has."""
    if tensor.constant is None:
        return all_values(tensor)
    return np.unique(stored(tensor, tensor.constant)).astype(np.int64)
