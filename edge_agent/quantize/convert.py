"""From a float32 program and the ranges of its tensors to an int8 program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from edge_agent.engines.numpy.program import ABSENT, Graph, Operator, Program, Tensor
from edge_agent.quantize.calibrate import Observed
from edge_agent.quantize.choose import Choice
from edge_agent.quantize.draft import Draft
from edge_agent.quantize.options import Options
from edge_agent.quantize.ranges import Parameters
from edge_agent.quantize.rules import FIXED, WEIGHTED
from edge_agent.quantize.scales import choose_parameters
from edge_agent.quantize.weights import quantize_weights

_UINT8 = 128  # by which zero points of uint8 are higher


@dataclass(frozen=True, slots=True)
class Converted:
    """The int8 program, and where each computed tensor of the float one is in it."""

    program: Program
    places: Mapping[int, int]


def convert(program: Program, observed: Observed, choice: Choice, options: Options) -> Converted:
    """Write the program in int8, with what `choice` says left in float32."""
    graph = program.main
    parameters = choose_parameters(graph, observed.ranges, choice)
    writer = _Writer(graph, parameters, observed, choice, options)
    return writer.write(program.name)


class _Writer:
    """Writes operator by operator; a tensor is at hand as int8, as float32, or as both."""

    def __init__(
        self,
        graph: Graph,
        parameters: Mapping[int, Parameters],
        observed: Observed,
        choice: Choice,
        options: Options,
    ) -> None:
        self._graph = graph
        self._parameters = parameters
        self._means = observed.means
        self._choice = choice
        self._options = options
        self._draft = Draft()
        self._int8: dict[int, int] = {}
        self._native: dict[int, int] = {}

    def write(self, name: str) -> Converted:
        inputs = [self._input(self._graph.tensors[index]) for index in self._graph.inputs]
        for operator in self._graph.operators:
            if operator.index in self._choice.quantized:
                self._write_quantized(operator)
            else:
                self._write_native(operator)
        outputs = [self._output(index) for index in self._graph.outputs]
        graph = self._draft.finish(inputs, outputs)
        kept = {**self._native, **self._int8}
        places = {
            index: self._draft.places[place]
            for index, place in kept.items()
            if place in self._draft.places
            if self._graph.tensors[index].constant is None
        }
        return Converted(Program(name, (graph,)), places)

    def _input(self, tensor: Tensor) -> int:
        """The graph's input in the type that was asked for, where it is used as int8 at all."""
        kind = self._options.input_type
        if tensor.index not in self._parameters or kind == "float32":
            self._native[tensor.index] = self._draft.add(tensor)
            return self._native[tensor.index]
        found = self._parameters[tensor.index]
        if kind == "int8":
            self._int8[tensor.index] = self._tensor(tensor, found)
            return self._int8[tensor.index]
        given = self._draft.add(
            replace(
                tensor,
                dtype=np.dtype(np.uint8),
                scale=np.array([found.scale], np.float32),
                zero_point=np.array([found.zero_point + _UINT8], np.int64),
            )
        )
        self._int8[tensor.index] = self._tensor(tensor, found, "_int8")
        self._draft.apply("QUANTIZE", (given,), (self._int8[tensor.index],))
        return given

    def _output(self, index: int) -> int:
        if index in self._int8 and self._options.output_type == "int8":
            return self._int8[index]
        return self._as_native(index)

    def _write_native(self, operator: Operator) -> None:
        inputs = [ABSENT if i == ABSENT else self._as_native(i) for i in operator.inputs]
        outputs = []
        for index in operator.outputs:
            self._native[index] = self._draft.add(self._graph.tensors[index])
            outputs.append(self._native[index])
        between = [self._draft.add(self._graph.tensors[i]) for i in operator.intermediates]
        self._draft.apply(operator.name, inputs, outputs, operator.options)
        if between:
            last = self._draft.operators[-1]
            self._draft.operators[-1] = replace(last, intermediates=tuple(between))

    def _write_quantized(self, operator: Operator) -> None:
        if operator.name in WEIGHTED:
            inputs = self._weighted_inputs(operator)
        else:
            inputs = [self._as_input(index) for index in operator.inputs]
        outputs = []
        later: list[tuple[int, int]] = []
        for index in operator.outputs:
            tensor, found = self._graph.tensors[index], self._parameters[index]
            fixed = FIXED.get(operator.name)
            if fixed is not None and Parameters(np.float32(fixed[0]), fixed[1]) != found:
                own = self._tensor(tensor, Parameters(np.float32(fixed[0]), fixed[1]), "_own")
                later.append((own, index))
                outputs.append(own)
                continue
            self._int8[index] = self._tensor(tensor, found)
            outputs.append(self._int8[index])
        self._draft.apply(operator.name, inputs, outputs, operator.options)
        for own, index in later:
            self._int8[index] = self._tensor(self._graph.tensors[index], self._parameters[index])
            self._draft.apply("QUANTIZE", (own,), (self._int8[index],))

    def _as_input(self, index: int) -> int:
        if index == ABSENT:
            return ABSENT
        is_real = self._graph.tensors[index].dtype == np.float32
        return self._as_int8(index) if is_real else self._as_native(index)

    def _as_int8(self, index: int) -> int:
        if index not in self._int8:
            tensor, found = self._graph.tensors[index], self._parameters[index]
            self._int8[index] = self._tensor(tensor, found, "_int8")
            if tensor.constant is None:
                self._draft.apply("QUANTIZE", (self._native[index],), (self._int8[index],))
        return self._int8[index]

    def _as_native(self, index: int) -> int:
        """The tensor in the type that the float model has it in."""
        if index not in self._native:
            tensor = self._graph.tensors[index]
            is_ours = index in self._int8 and tensor.constant is None
            name = f"{tensor.name}_float" if is_ours else tensor.name
            self._native[index] = self._draft.add(replace(tensor, name=name))
            if is_ours:
                self._draft.apply("DEQUANTIZE", (self._int8[index],), (self._native[index],))
        return self._native[index]

    def _tensor(self, tensor: Tensor, found: Parameters, suffix: str = "") -> int:
        """An int8 tensor; a constant with its values."""
        values = None if tensor.constant is None else found.stored(tensor.constant)
        return self._draft.add(
            replace(
                tensor,
                name=tensor.name + suffix,
                dtype=np.dtype(np.int8),
                scale=np.array([found.scale], np.float32),
                zero_point=np.array([found.zero_point], np.int64),
                constant=values,
            )
        )

    def _weighted_inputs(self, operator: Operator) -> list[int]:
        """Input, weights and bias; a bias is made where there was none."""
        x, w = operator.inputs[:2]
        tensor = self._graph.tensors[w]
        assert tensor.constant is not None
        dimension = WEIGHTED[operator.name]
        count = tensor.shape[0 if dimension is None else dimension]
        bias, name = np.zeros(count), f"{tensor.name}_bias"
        if len(operator.inputs) > 2 and operator.inputs[2] != ABSENT:
            given = self._graph.tensors[operator.inputs[2]]
            assert given.constant is not None
            bias, name = given.constant.astype(np.float64).reshape(-1), given.name
        mean = self._mean(x, tensor) if self._options.correct_bias else None
        weights = tensor.constant.astype(np.float64)
        made = quantize_weights(weights, bias, self._parameters[x], dimension, mean)
        stored = self._whole(tensor.name, made.stored, made.scale, dimension or 0)
        return [self._as_int8(x), stored, self._whole(name, made.bias, made.bias_scale, 0)]

    def _mean(self, x: int, weights: Tensor) -> Any:
        """The mean of each number that a filter sees; None where channels do not tell."""
        mean = self._means.get(x)
        is_dense = len(weights.shape) == 2
        fits = mean is not None and (not is_dense or mean.size == weights.shape[1])
        return mean if fits else None

    def _whole(self, name: str, values: Any, scale: Any, dimension: int) -> int:
        zeros = np.zeros(scale.size, np.int64)
        tensor = Tensor(0, name, values.shape, values.dtype, scale, zeros, dimension, values)
        return self._draft.add(tensor)
