"""UNIDIRECTIONAL_SEQUENCE_LSTM in whole numbers: 8-bit inputs and weights, a 16-bit cell.

Source: LstmStepInteger8x8_16 in kernels/lstm_eval.cc and PopulateQuantizedLstmParams8x8_16 in
kernels/unidirectional_sequence_lstm.cc of TFLite 2.14.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge_agent.engines.numpy.arithmetic import (
    Ints,
    multiply_by_quantized_multiplier,
    quantize_multiplier,
    rounding_shift_right,
)
from edge_agent.engines.numpy.operators.fixed_point import logistic_table, tanh_table
from edge_agent.engines.numpy.operators.lstm_cell import (
    BIASES,
    CELL_STATE,
    GATES,
    INPUT_WEIGHTS,
    OUTPUT_STATE,
    RECURRENT_WEIGHTS,
    check_plain,
    in_steps,
)
from edge_agent.engines.numpy.operators.lstm_float import plan_float_lstm
from edge_agent.engines.numpy.plan import Array, Plan, Unsupported
from edge_agent.engines.numpy.program import Operator, Tensor

_GATE_BITS = 3  # integer bits of a gate before its activation
_LOW, _HIGH = -(1 << 15), (1 << 15) - 1


@dataclass(frozen=True, slots=True)
class _Side:
    """Weights of all four gates side by side, and the multiplier of each column."""

    weights: Ints
    bias: Any
    multiplier: Ints
    shift: Ints

    def gates(self, values: Any) -> Any:
        """What these values add to the gates, for rows of values."""
        sums = np.rint(values.astype(np.float64) @ self.weights).astype(np.int64) + self.bias
        return multiply_by_quantized_multiplier(sums, self.multiplier, self.shift)


def plan_lstm(operator: Operator, plan: Plan) -> None:
    """In the numbers that its input has."""
    x = plan.input(operator, 0)
    if len(x.shape) != 3:
        raise Unsupported(f"an input of shape {x.shape}")
    check_plain(operator)
    if x.dtype == np.float32:
        plan_float_lstm(operator, plan)
    elif x.dtype == np.int8 and x.is_quantized:
        _plan_whole_numbers(operator, plan)
    else:
        raise Unsupported(f"a sequence of {x.dtype}")


def _plan_whole_numbers(operator: Operator, plan: Plan) -> None:
    """The input's part of all steps at once, then step by step."""
    x, y = plan.input(operator, 0), plan.output(operator)
    _check(operator, plan)
    state, cell = plan.input(operator, OUTPUT_STATE), plan.input(operator, CELL_STATE)
    given = _side(operator, plan, x.step, INPUT_WEIGHTS, has_bias=True)
    again = _side(operator, plan, state.step, RECURRENT_WEIGHTS, has_bias=False)
    step = _Step(operator, plan, again)
    source, target = in_steps(operator, plan.array(x)), in_steps(operator, plan.array(y))
    hidden, kept = plan.array(state), plan.array(cell)
    offset = np.float32(state.zero - y.zero)

    def run() -> None:
        wide = np.clip(given.gates(source), _LOW, _HIGH)
        for gates, output in zip(wide, target, strict=True):
            step.run(gates, hidden, kept)
            np.add(hidden, offset, out=output)

    plan.call(run)


class _Step:
    """One step of the cell."""

    def __init__(self, operator: Operator, plan: Plan, again: _Side) -> None:
        state, cell = plan.input(operator, OUTPUT_STATE), plan.input(operator, CELL_STATE)
        self._again = again
        self._exponent = _log2(cell)
        self._clip = _cell_clip(operator, cell)
        self._logistic = logistic_table(_GATE_BITS)
        self._tanh = tanh_table(_GATE_BITS)
        self._cell_tanh = tanh_table(15 + self._exponent)
        middle = plan.tensor(operator.intermediates[4])
        self._zero, self._state_zero = middle.zero, state.zero
        real = np.float32(2.0**-15) / middle.step * np.float32(2.0**-15)
        self._multiplier, self._shift = quantize_multiplier(float(real))

    def run(self, gates: Any, hidden: Array, cell: Array) -> None:
        """Change the output state and the cell state, both rows of numbers."""
        gates = np.clip(gates + self._again.gates(hidden), _LOW, _HIGH)
        taken, forget, new, output = np.split(gates, 4, axis=1)
        forgotten = _product(self._logistic[forget - _LOW], cell.astype(np.int64), 15)
        scale = 30 + self._exponent
        added = _product(self._logistic[taken - _LOW], self._tanh[new - _LOW], scale)
        kept = np.clip(forgotten + added, _LOW, _HIGH)
        if self._clip > 0:
            kept = np.clip(kept, -self._clip, self._clip)
        cell[...] = kept
        shown = self._logistic[output - _LOW] * self._cell_tanh[kept - _LOW]
        shown = multiply_by_quantized_multiplier(shown, self._multiplier, self._shift)
        hidden[...] = np.clip(shown + self._zero, -128, 127) - self._state_zero


def _product(a: Any, b: Any, shift: int) -> Any:
    return rounding_shift_right(a * b, shift)


def _check(operator: Operator, plan: Plan) -> None:
    if len(operator.intermediates) != 5:
        raise Unsupported(f"{len(operator.intermediates)} scales of steps inside the cell")
    state, cell = plan.input(operator, OUTPUT_STATE), plan.input(operator, CELL_STATE)
    if state.dtype != np.int8 or not state.is_quantized or cell.dtype != np.int16:
        raise Unsupported(f"states of {state.dtype} and {cell.dtype}")


def _side(operator: Operator, plan: Plan, step: np.float32, first: int, has_bias: bool) -> _Side:
    weights, biases, multipliers, shifts = [], [], [], []
    for gate in range(len(GATES)):
        w = plan.input(operator, first + gate)
        values = plan.constant(w).astype(np.int64)
        if values.dtype != np.int64 or w.dtype != np.int8 or not w.is_quantized or w.zero != 0:
            raise Unsupported(f"weights of {w.dtype} for the {GATES[gate]} gate")
        real = step * w.step / np.float32(2.0**-12)
        multiplier, shift = quantize_multiplier(float(real))
        weights.append(values.T)
        multipliers += [multiplier] * len(values)
        shifts += [shift] * len(values)
        if has_bias:
            biases.append(plan.constant(plan.input(operator, BIASES + gate)).astype(np.int64))
    return _Side(
        np.concatenate(weights, axis=1).astype(np.float64),
        np.concatenate(biases) if has_bias else 0,
        np.array(multipliers, np.int64),
        np.array(shifts, np.int64),
    )


def _log2(cell: Tensor) -> int:
    """The exponent of the cell's scale, which must be a power of two: CheckedLog2."""
    assert cell.scale is not None
    exponent = round(math.log2(float(cell.scale[0])))
    if float(cell.scale[0]) != 2.0**exponent or not -15 <= exponent <= -9:
        raise Unsupported(f"a cell of scale {cell.scale[0]}")
    return exponent


def _cell_clip(operator: Operator, cell: Tensor) -> int:
    clip: Any = np.float32(operator.options["cell_clip"])  # type: ignore[arg-type]
    return int(min(max(clip / cell.step, np.float32(_LOW)), np.float32(_HIGH))) if clip > 0 else 0


PLANNERS = {"UNIDIRECTIONAL_SEQUENCE_LSTM": plan_lstm}
