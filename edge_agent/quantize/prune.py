"""Smaller float models: whole channels taken out, or the smallest weights set to zero."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.engines.numpy.program import ABSENT, Graph, Operator, Program, Tensor
from edge_agent.errors import ModelError
from edge_agent.quantize.calibrate import Sample
from edge_agent.quantize.channels import MAKERS, Spaces, find_spaces, makers
from edge_agent.quantize.rules import WEIGHTED
from edge_agent.quantize.standin import Moments, guess, moments, strongest

Array = NDArray[Any]
_FITTED = 64  # samples from which weights are fitted

Kept = Mapping[int, NDArray[np.intp]]
"""For each space the channels that stay, rising."""


def prune_weights(program: Program, part: float) -> Program:
    """Set that part of each layer's weights to zero, the smallest ones; shapes stay."""
    graph = program.main
    chosen = {op.inputs[1] for op in graph.operators if op.name in WEIGHTED}
    tensors = tuple(
        replace(tensor, constant=_sparse(tensor.constant, part))
        if tensor.index in chosen and tensor.constant is not None
        else tensor
        for tensor in graph.tensors
    )
    return Program(program.name, (replace(graph, tensors=tensors),))


def _sparse(weights: Array, part: float) -> Array:
    count = int(part * weights.size)
    if not count:
        return weights
    sizes = np.abs(weights).reshape(-1)
    fewer = weights.copy().reshape(-1)
    fewer[np.argpartition(sizes, count - 1)[:count]] = 0.0
    return fewer.reshape(weights.shape)


def prune_channels(program: Program, part: float, samples: Sequence[Sample] = ()) -> Program:
    """Take that part of the channels out wherever operators allow it, the weakest ones.

    Without samples a channel is as strong as the weights that make it, beside those of the others.
    With them, space by space, those go without which the layers that read them lose least, and
    these layers weigh what the others tell of them instead: see `standin`. Raises ModelError where
    no channel can go.
    """
    first = now = _unshared(program.main)
    spaces = find_spaces(first)
    cuttable = spaces.cuttable()
    found = {space: ops for space, ops in makers(first, spaces).items() if space in cuttable}
    if not found:
        raise ModelError(
            f"{program.name} has no channels that could go",
            "channels between two convolutions or dense layers can",
        )
    some = samples[:: max(1, len(samples) // _FITTED)][:_FITTED]
    for space, operators in found.items():
        strength = _strength(operators, first)
        count = max(1, round((1.0 - part) * strength.size))
        seen: Mapping[int, Moments] = {}
        read = _readers(now, spaces, space)
        if some and read:
            repeats = {op.inputs[0]: spaces.repeats.get(op.inputs[0], 1) for op in read}
            seen = moments(first, now, some, repeats)
            kept = strongest([_weighed(op, now, seen) for op in read], count)
        else:
            kept = np.sort(np.argsort(-strength, kind="stable")[:count])
        now = _Cutter(now, spaces, {space: kept}, seen).cut()
    return Program(program.name, (now,))


def _readers(graph: Graph, spaces: Spaces, space: int) -> list[Operator]:
    """The layers that weigh the channels of a space."""
    return [
        op
        for op in graph.operators
        if op.name in MAKERS and op.inputs[0] in spaces.of and spaces.root(op.inputs[0]) == space
    ]


def _weighed(
    operator: Operator, graph: Graph, seen: Mapping[int, Moments]
) -> tuple[Moments, Array]:
    """What a layer reads, and its weights as rows x channels."""
    found = seen[operator.inputs[0]]
    weights = graph.tensors[operator.inputs[1]].constant
    assert weights is not None
    return found, weights.reshape(-1, found.mean.size)


def _unshared(graph: Graph) -> Graph:
    """Every operator with constants of its own, so that each can be cut by itself."""
    tensors, seen, operators = list(graph.tensors), set(), []
    for operator in graph.operators:
        inputs = []
        for index in operator.inputs:
            own = index
            if index != ABSENT and tensors[index].constant is not None:
                if index in seen:
                    own = len(tensors)
                    tensors.append(replace(tensors[index], index=own))
                seen.add(index)
            inputs.append(own)
        operators.append(replace(operator, inputs=tuple(inputs)))
    return replace(graph, tensors=tuple(tensors), operators=tuple(operators))


def _strength(operators: list[Operator], graph: Graph) -> Array:
    """The size of each channel's weights over all layers that share it, each of a mean of one."""
    total: Any = 0.0
    for operator in operators:
        weights = graph.tensors[operator.inputs[1]].constant
        assert weights is not None
        axis = WEIGHTED[operator.name] or 0
        others = tuple(i for i in range(weights.ndim) if i != axis)
        sizes = np.sqrt(np.square(weights, dtype=np.float64).sum(axis=others))
        total = total + sizes / max(float(sizes.mean()), 1e-30)
    return np.asarray(total)


class _Cutter:
    """Writes every tensor anew, without what goes."""

    def __init__(
        self, graph: Graph, spaces: Spaces, kept: Kept, seen: Mapping[int, Moments]
    ) -> None:
        self._graph = graph
        self._spaces = spaces
        self._kept = kept
        self._seen = seen
        self._tensors = list(graph.tensors)

    def cut(self) -> Graph:
        for index in self._spaces.of:
            self._cut_tensor(index)
        operators = tuple(self._cut_operator(operator) for operator in self._graph.operators)
        return replace(self._graph, tensors=tuple(self._tensors), operators=operators)

    def _channels(self, index: int) -> NDArray[np.intp] | None:
        """Places along a tensor's last axis that stay, None where all of them do."""
        if index not in self._spaces.of:
            return None
        kept = self._kept.get(self._spaces.root(index))
        if kept is None:
            return None
        repeats = self._spaces.repeats.get(index, 1)
        count = self._graph.tensors[index].shape[-1] // repeats
        return np.concatenate([kept + count * i for i in range(repeats)])

    def _cut_tensor(self, index: int) -> None:
        kept = self._channels(index)
        if kept is not None:
            tensor = self._tensors[index]
            self._tensors[index] = replace(tensor, shape=(*tensor.shape[:-1], len(kept)))

    def _cut_operator(self, operator: Operator) -> Operator:
        if operator.name in WEIGHTED:
            self._cut_weights(operator)
        elif operator.name == "RESHAPE":
            return self._reshaped(operator)
        else:
            kept = self._channels(operator.outputs[0]) if operator.outputs else None
            for index in operator.inputs:
                if kept is not None and index != ABSENT and self._is_row(index):
                    self._set(index, self._constant(index)[..., kept])
        return operator

    def _is_row(self, index: int) -> bool:
        """Whether a tensor is a constant with a real number for each channel."""
        tensor = self._graph.tensors[index]
        return (
            tensor.constant is not None and tensor.dtype == np.float32 and tensor.constant.size > 1
        )

    def _cut_weights(self, operator: Operator) -> None:
        x, w = operator.inputs[:2]
        coming, going = self._channels(x), self._channels(operator.outputs[0])
        weights = self._constant(w)
        is_depthwise = operator.name == "DEPTHWISE_CONV_2D"
        has_bias = len(operator.inputs) > 2 and operator.inputs[2] != ABSENT
        if coming is not None and not is_depthwise:
            fits = has_bias and x in self._seen
            weights = self._with_guesses(operator, weights) if fits else weights[..., coming]
        if going is not None:
            weights = weights[..., going] if is_depthwise else weights[going]
            if has_bias:
                self._set(operator.inputs[2], self._constant(operator.inputs[2])[going])
        self._set(w, weights)

    def _with_guesses(self, operator: Operator, weights: Array) -> Array:
        """Weights of the kept channels that stand for all; the bias gets the constant part."""
        x, bias = operator.inputs[0], operator.inputs[2]
        seen = self._seen[x]
        found = guess(seen, self._kept[self._spaces.root(x)])
        taps = weights.reshape(len(weights), -1, seen.mean.size).astype(np.float64)
        self._set(bias, self._constant(bias) + taps.sum(axis=1) @ found.offset)
        fewer = taps @ found.factors.T
        return fewer.reshape(*weights.shape[:-1], -1)

    def _reshaped(self, operator: Operator) -> Operator:
        """The new shape stands in a constant, in the options, or in both."""
        shape = self._tensors[operator.outputs[0]].shape
        if shape == self._graph.tensors[operator.outputs[0]].shape:
            return operator
        for index in operator.inputs[1:]:
            if index != ABSENT and self._graph.tensors[index].constant is not None:
                target = np.array(shape, np.int32)
                self._tensors[index] = replace(self._tensors[index], constant=target)
        return replace(operator, options={**operator.options, "new_shape": shape})

    def _constant(self, index: int) -> Array:
        values = self._tensors[index].constant
        assert values is not None
        return values

    def _set(self, index: int, values: Array) -> None:
        tensor: Tensor = self._tensors[index]
        whole = np.ascontiguousarray(values.astype(np.float32))
        self._tensors[index] = replace(tensor, constant=whole, shape=whole.shape)
