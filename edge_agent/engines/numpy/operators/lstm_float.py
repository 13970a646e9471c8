"""UNIDIRECTIONAL_SEQUENCE_LSTM in float32, with weights of float32 or of 8 bits.

Source: LstmStepFloat and LstmStepHybrid in kernels/lstm_eval.cc of TFLite 2.14. Sums are taken in
another order than TFLite takes them, so the last bits may differ.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edge_agent.engines.numpy.arithmetic import round_away
from edge_agent.engines.numpy.operators.lstm_cell import (
    BIASES,
    CELL_STATE,
    GATES,
    INPUT_WEIGHTS,
    OUTPUT_STATE,
    RECURRENT_WEIGHTS,
    in_steps,
)
from edge_agent.engines.numpy.plan import Array, Plan, Unsupported
from edge_agent.engines.numpy.program import Operator

Product = Callable[[Array], Array]


def plan_float_lstm(operator: Operator, plan: Plan) -> None:
    """The input's part of all steps at once, then step by step."""
    x, y = plan.input(operator, 0), plan.output(operator)
    state, cell = plan.input(operator, OUTPUT_STATE), plan.input(operator, CELL_STATE)
    if {each.dtype.name for each in (y, state, cell)} != {"float32"}:
        raise Unsupported(f"states of {state.dtype} and {cell.dtype}")
    given = _product(operator, plan, INPUT_WEIGHTS)
    again = _product(operator, plan, RECURRENT_WEIGHTS)
    biases = [plan.constant(plan.input(operator, BIASES + gate)) for gate in range(len(GATES))]
    bias = np.concatenate(biases).astype(np.float32)
    clip = np.float32(operator.options["cell_clip"])  # type: ignore[arg-type]
    source, target = in_steps(operator, plan.array(x)), in_steps(operator, plan.array(y))
    hidden, kept = plan.array(state), plan.array(cell)

    def run() -> None:
        for gates, output in zip(given(source) + bias, target, strict=True):
            _step(gates + again(hidden), hidden, kept, clip)
            np.copyto(output, hidden)

    plan.call(run)


def _step(gates: Array, hidden: Array, cell: Array, clip: np.float32) -> None:
    """Change the output state and the cell state, both rows of numbers."""
    taken, forget, new, output = np.split(gates, len(GATES), axis=1)
    cell *= _logistic(forget)
    cell += _logistic(taken) * np.tanh(new)
    if clip > 0:
        np.clip(cell, -clip, clip, out=cell)
    np.multiply(_logistic(output), np.tanh(cell), out=hidden)


def _logistic(x: Array) -> Array:
    value: Array = np.float32(1) / (np.float32(1) + np.exp(-x))
    return value


def _product(operator: Operator, plan: Plan, first: int) -> Product:
    """What multiplies rows of numbers by the weights of all four gates."""
    tensors = [plan.input(operator, first + gate) for gate in range(len(GATES))]
    weights = np.concatenate([plan.constant(each) for each in tensors]).T.astype(np.float32)
    kinds = {each.dtype.name for each in tensors}
    if kinds == {"float32"}:
        return lambda values: values @ weights
    is_symmetric = all(each.is_quantized and each.zero == 0 for each in tensors)
    if kinds != {"int8"} or not is_symmetric or operator.options["asymmetric"]:
        raise Unsupported(f"float32 with weights of {', '.join(sorted(kinds))}")
    scales = np.concatenate([np.full(each.shape[0], each.step) for each in tensors])
    return lambda values: _by_whole_numbers(values, weights, scales)


def _by_whole_numbers(values: Array, weights: Array, scales: Array) -> Array:
    """Each row in steps of a 127th of its largest number: SymmetricQuantizeFloats."""
    largest = np.abs(values).max(axis=-1, keepdims=True)
    steps = np.where(largest > 0, largest, np.float32(1)) / np.float32(127)
    whole = round_away(values * (np.float32(127) / np.where(largest > 0, largest, 1)))
    sums: Array = (whole @ weights) * (steps * scales)
    return sums
