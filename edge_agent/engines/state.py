"""Models whose outputs go back in as inputs with the next frame, such as recurrent detectors."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.engines.base import Engine, T, Wrapper
from edge_agent.errors import ModelError
from edge_agent.model import ModelInfo, TensorSpec

_WORD = re.compile(r"[a-z]+|\d+")
# What tells the two ends of a wire apart, and what converters put around every name.
_ENDS = {
    *("in", "input", "inputs", "init", "initial", "old", "prev", "previous", "current"),
    *("out", "output", "outputs", "new", "next", "raw"),
    *("serving", "default", "partitionedcall", "statefulpartitionedcall"),
}
_COLOURS = (1, 3, 4)


@dataclass(frozen=True, slots=True)
class Wire:
    """An output that is the input of the next run, by their places in the model."""

    output: int
    input: int


class Seat:
    """The model that only one stream at a time has, where it remembers inside.

    `own` is that model with whoever opened it, `stream` stands for the one that it heard last.
    """

    __slots__ = ("own", "stream")

    def __init__(self) -> None:
        self.own: tuple[object, Engine] | None = None
        self.stream: object = None


class Memory:
    """What a model remembers of one stream; empty at its beginning, and given to one model only.

    `stream` stands for the stream, which has the `seat` until the next one comes into it.
    """

    __slots__ = ("engine", "seat", "stream", "tensors")

    def __init__(self, seat: Seat | None = None) -> None:
        self.engine: object = None
        self.seat = seat or Seat()
        self.stream = object()
        self.tensors: tuple[NDArray[Any], ...] = ()

    def anew(self) -> Memory:
        """An empty one, for the stream that comes when this one is over."""
        return Memory(self.seat)


class StatefulEngine(Wrapper):
    """An engine that feeds outputs back; the inputs that they go to are no inputs any more.

    `memory` is that of the stream in work: give it another to go on with another stream. The first
    run of a stream has zeros there. A run that fails leaves the memory as it was.
    """

    def __init__(self, engine: Engine, wires: Sequence[Wire]) -> None:
        super().__init__(engine)
        self._engine = engine
        self._wires = tuple(wires)
        fed = {wire.input for wire in wires}
        self._free = [place for place in range(len(engine.inputs)) if place not in fed]
        self.inputs = tuple(engine.inputs[place] for place in self._free)
        self.memory = Memory()

    def run(self, *tensors: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        """Outputs in their native dtypes, those that are fed back among them; see `Engine.run`."""
        remembered = self._remembered()
        if tensors:
            outputs = self._engine.run(*self._joined(tensors, remembered))
        else:
            self._engine.fill(self._recall)
            outputs = self._engine.run()
        for wire, tensor in zip(self._wires, remembered, strict=True):
            np.copyto(tensor, outputs[wire.output])
        return outputs

    def fill(self, write: Callable[..., T]) -> T:
        """Call `write` with the inputs that are left; see `Engine.fill`."""
        return self._engine.fill(lambda *inputs: write(*(inputs[place] for place in self._free)))

    def reset(self) -> None:
        """Forget the stream in work, and what the model itself remembers."""
        self.memory.engine = None
        self._engine.reset()

    def close(self) -> None:
        """Free the model; safe twice."""
        self._engine.close()

    def _remembered(self) -> tuple[NDArray[Any], ...]:
        """The tensors of the stream, zero where it begins or was that of another model."""
        if self.memory.engine is not self:
            self.memory.engine = self
            self.memory.tensors = tuple(_zeros(self._engine.inputs[w.input]) for w in self._wires)
        return self.memory.tensors

    def _recall(self, *inputs: NDArray[Any]) -> None:
        for wire, tensor in zip(self._wires, self.memory.tensors, strict=True):
            np.copyto(inputs[wire.input], tensor)

    def _joined(
        self, tensors: Sequence[NDArray[Any]], remembered: Sequence[NDArray[Any]]
    ) -> Sequence[NDArray[Any]]:
        """All inputs of the model in its order; too many or too few stay so, for it to refuse."""
        known = dict(zip((wire.input for wire in self._wires), remembered, strict=True))
        given = iter(tensors)
        joined = [
            known[place] if place in known else next(given, None)
            for place in range(len(self._engine.inputs))
        ]
        return [tensor for tensor in joined if tensor is not None] + list(given)


def state_wires(info: ModelInfo, wanted: Mapping[str, str] | None = None) -> tuple[Wire, ...]:
    """Which outputs go back in: as `wanted` (output: input, by name), else what is certain.

    That is an output and an input beside the picture of the same shape, type and quantisation
    whose names differ only in words such as "in" and "out", or that have no other of their kind
    while the model has other outputs too.
    Raises ModelError where what is wanted does not fit the model.
    """
    if wanted is None:
        return _certain_wires(info)
    wires = tuple(_wanted_wire(info, output, fed) for output, fed in wanted.items())
    if len({wire.input for wire in wires}) < len(wires):
        raise ModelError("state: two outputs go to one input", "give each output its own input")
    return wires


def without_state(info: ModelInfo, wires: Sequence[Wire]) -> ModelInfo:
    """The model as one sees it from outside: without the inputs that it feeds itself."""
    fed = {wire.input for wire in wires}
    inputs = tuple(spec for place, spec in enumerate(info.inputs) if place not in fed)
    return replace(info, inputs=inputs)


def _wanted_wire(info: ModelInfo, output: str, fed: str) -> Wire:
    wire = Wire(_place(info.outputs, output, "output"), _place(info.inputs, fed, "input"))
    source, target = info.outputs[wire.output], info.inputs[wire.input]
    if not _alike(source, target):
        raise ModelError(
            f"state: output {output!r} ({_form(source)}) is not of the shape, type and "
            f"quantisation of input {fed!r} ({_form(target)})",
            "name the two that belong together; edge-agent inspect shows all",
        )
    return wire


def _place(specs: Sequence[TensorSpec], name: str, what: str) -> int:
    names = [spec.name for spec in specs]
    if name not in names:
        raise ModelError(
            f"state: the model has no {what} {name!r}", f"its {what}s: {', '.join(names)}"
        )
    return names.index(name)


def _certain_wires(info: ModelInfo) -> tuple[Wire, ...]:
    picture = next((p for p, spec in enumerate(info.inputs) if _is_picture(spec)), None)
    if picture is None:
        return ()
    pairs = [
        Wire(output, fed)
        for fed, target in enumerate(info.inputs)
        for output, source in enumerate(info.outputs)
        if fed != picture and source.name != target.name and _alike(source, target)
    ]
    named = [wire for wire in pairs if _agree(info, wire)]
    certain = [wire for wire in pairs if _is_alone(wire, pairs) and _may_be_state(info, wire)]
    found = {wire for wire in named if _is_alone(wire, named)}
    return tuple(sorted(found.union(certain), key=lambda wire: wire.input))


def _is_alone(wire: Wire, pairs: Sequence[Wire]) -> bool:
    """Whether neither of its ends has another that it may belong to."""
    return sum(wire.input == other.input or wire.output == other.output for other in pairs) == 1


def _may_be_state(info: ModelInfo, wire: Wire) -> bool:
    """Not where a threshold may stand against a count, or a second picture against the result."""
    return len(info.outputs) > 1 and int(np.prod(info.inputs[wire.input].shape)) > 1


def _agree(info: ModelInfo, wire: Wire) -> bool:
    ends = (info.outputs[wire.output].name, info.inputs[wire.input].name)
    source, target = ([w for w in _WORD.findall(n.lower()) if w not in _ENDS] for n in ends)
    return bool(source) and source == target


def _is_picture(spec: TensorSpec) -> bool:
    return len(spec.shape) == 4 and (spec.shape[3] in _COLOURS or spec.shape[1] in _COLOURS)


def _alike(a: TensorSpec, b: TensorSpec) -> bool:
    """Whether the numbers of one mean the same in the other; per channel and free sizes do not."""
    if isinstance(a.scale, np.ndarray) or isinstance(b.scale, np.ndarray) or -1 in b.shape:
        return False
    return (a.shape, a.dtype, a.scale, a.zero_point) == (b.shape, b.dtype, b.scale, b.zero_point)


def _zeros(spec: TensorSpec) -> NDArray[Any]:
    """What stands for the real number zero."""
    return np.full(spec.shape, 0 if spec.zero_point is None else spec.zero_point, spec.dtype)


def _form(spec: TensorSpec) -> str:
    shape = "x".join("?" if side < 0 else str(side) for side in spec.shape) or "?"
    scale = "" if spec.scale is None else f", scale {spec.scale}, zero point {spec.zero_point}"
    return f"{spec.dtype} {shape}{scale}"
