"""The engine itself: plans a program and runs it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.engines.base import Rounding, T
from edge_agent.engines.delegate import DelegateOptions
from edge_agent.engines.numpy import xnnpack
from edge_agent.engines.numpy.blas import allow_threads
from edge_agent.engines.numpy.findings import Findings
from edge_agent.engines.numpy.operators import PLANNERS
from edge_agent.engines.numpy.operators.convolution import margins_of
from edge_agent.engines.numpy.plan import Call, Margins, Plan, Unsupported, Variables, refuse
from edge_agent.engines.numpy.plan_cache import PlanCache
from edge_agent.engines.numpy.program import Graph, Operator, Program, Tensor
from edge_agent.engines.numpy.reading import read_program
from edge_agent.errors import DelegateError, InferenceError, ModelError

_DO_NOT_FIT = (ArithmeticError, AssertionError, LookupError, MemoryError, TypeError, ValueError)
"""What a planner stumbles over when a file's shapes, types and options are at odds."""


class NumpyEngine:
    """A quantised model in plain NumPy, with the results of TFLite's reference kernels.

    With the rounding "xnnpack" they are those of LiteRT on x86-64.
    A program that is in memory already may be given in place of a file; its searches are not kept.
    With `keep_all`, every tensor has its value after a run, in memory of its own.
    Raises ModelError that names every operator it does not know, before anything is allocated.
    """

    name = "numpy"
    device = "cpu"
    fallback_reason = ""
    runtime = f"numpy {np.__version__}"

    def __init__(
        self,
        model: Path | Program,
        threads: int = 1,
        delegate: DelegateOptions | None = None,
        rounding: Rounding | None = None,
        *,
        keep_all: bool = False,
    ) -> None:
        allow_threads(threads)
        if delegate is not None:
            raise DelegateError("the numpy engine runs on the CPU alone", "remove the delegate")
        self._is_xnnpack = rounding == "xnnpack"
        self._program = model if isinstance(model, Program) else read_program(model)
        _check_operators(self._program)
        self._variables = Variables()
        cache = None
        if not isinstance(model, Program):
            cache = PlanCache(model, "xnnpack" if self._is_xnnpack else "reference")
        self._findings, is_known = (Findings(), False) if cache is None else cache.read()
        self._plan = self._planned(self._program.main, shares=not keep_all)
        self._connect()
        self._try_once(is_known)
        if not keep_all:
            self._forget_constants()
        if cache is not None and self._findings.misses:
            cache.write(self._findings)

    def _connect(self) -> None:
        """Calls from the inputs through the plan to the outputs."""
        main = self._program.main
        try:
            self._inputs = [_Port(self._plan, main.tensors[index]) for index in main.inputs]
            self._outputs = [_Port(self._plan, main.tensors[index]) for index in main.outputs]
        except (Unsupported, *_DO_NOT_FIT) as error:
            raise _refused(self._program, [f"its inputs and outputs: {error}"]) from error
        self.inputs = tuple(port.tensor.spec() for port in self._inputs)
        self.outputs = tuple(port.tensor.spec() for port in self._outputs)
        self._answers = tuple(port.native for port in self._outputs)
        self._calls: Sequence[Call] = (
            *(call for port in self._inputs for call in port.taking),
            *self._plan.calls,
            *(call for port in self._outputs for call in port.giving),
        )

    def _forget_constants(self) -> None:
        """The plan has them in its own form: let go of the file, or of the second copy."""
        first, *others = self._program.graphs
        tensors = tuple(replace(tensor, constant=None) for tensor in first.tensors)
        main = self._plan.graph = replace(first, tensors=tensors)
        self._program = replace(self._program, graphs=(main, *others))

    def _try_once(self, is_known: bool) -> None:
        """A run on zeros, which finds shapes that a file only claims; leaves a fresh state.

        A file that is known from before has been through it.
        """
        try:
            with np.errstate(all="ignore"):
                self._start_up()
                if is_known:
                    return
                with suppress(InferenceError):  # zeros need not be an input that makes sense
                    self.run()
                self.reset()
        except _DO_NOT_FIT as error:
            what = f"its tensors do not fit its operators: {error}"
            raise _refused(self._program, [what]) from error

    def run(self, *tensors: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        """Outputs in their native dtypes, valid until the next run; see `Engine.run`."""
        if tensors:
            self._write(tensors)
        for function, arguments in self._calls:
            function(*arguments)
        return self._answers

    def fill(self, write: Callable[..., T]) -> T:
        """Call `write` with the input tensors to fill in place; see `Engine.fill`."""
        return write(*(port.native for port in self._inputs))

    def reset(self) -> None:
        """Forget streaming state, as after opening."""
        self._variables.clear()
        for state in self._plan.states:
            state.fill(0)
        self._start_up()

    def close(self) -> None:
        """Free the memory; safe twice."""
        self._calls = ()

    def value(self, index: int) -> NDArray[Any]:
        """A copy of a tensor after a run, in its native dtype, for tests.

        Of outputs; with `keep_all`, of all tensors of the graph.
        """
        port = _Port(self._plan, self._program.main.tensors[index])
        for function, arguments in port.giving:
            function(*arguments)
        return port.native.copy()

    def _planned(self, graph: Graph, shares: bool = False) -> Plan:
        plan = Plan(
            graph,
            "xnnpack" if self._is_xnnpack else "reference",
            _margins(graph),
            self._variables,
            findings=self._findings,
            shares=shares,
        )
        for place, operator in enumerate(graph.operators):
            try:
                if self._is_xnnpack and (reason := xnnpack.objection(operator, graph)):
                    refuse(reason)
                PLANNERS[operator.name](operator, plan)
            except Unsupported as error:
                raise _refused(self._program, [f"{_place(operator)}: {error}"]) from error
            except _DO_NOT_FIT as error:
                what = f"{_place(operator)} does not fit its tensors: {error}"
                raise _refused(self._program, [what]) from error
            plan.release(place)
        return plan

    def _start_up(self) -> None:
        """Run what CALL_ONCE asks for."""
        for operator in self._program.main.operators:
            if operator.name == "CALL_ONCE":
                for function, arguments in self._planned(self._once(operator)).calls:
                    function(*arguments)

    def _once(self, operator: Operator) -> Graph:
        number = operator.options["graph"]
        if not isinstance(number, int) or not 0 < number < len(self._program.graphs):
            raise _refused(self._program, [f"{_place(operator)}: there is no graph {number}"])
        return self._program.graphs[number]

    def _write(self, tensors: Sequence[NDArray[Any]]) -> None:
        if len(tensors) != len(self._inputs):
            raise InferenceError(
                f"{self._program.name} takes {len(self._inputs)} inputs, {len(tensors)} were given"
            )
        for spec, port, tensor in zip(self.inputs, self._inputs, tensors, strict=True):
            if tensor.dtype != spec.dtype or tensor.shape != spec.shape:
                raise InferenceError(
                    f"input {spec.name!r} of {self._program.name} is {spec.dtype} of shape "
                    f"{spec.shape}, {tensor.dtype} of shape {tensor.shape} was given"
                )
            np.copyto(port.native, tensor)


class _Port:
    """A tensor where it meets the world, in its native dtype: `native`.

    `taking` are the calls that bring it into the plan's array, `giving` those that bring it out.
    """

    def __init__(self, plan: Plan, tensor: Tensor) -> None:
        self.tensor = tensor
        array = plan.array(tensor)
        self.native = np.zeros(tensor.shape, tensor.dtype)
        self.taking: list[Call] = []
        self.giving: list[Call] = []
        if tensor.is_quantized:
            zero = np.float32(tensor.zero)
            whole = np.zeros(tensor.shape, np.float32)
            self.taking = [(np.subtract, (self.native, zero, array))]
            self.giving = [(np.add, (array, zero, whole)), (_cast, (self.native, whole))]
        else:
            self.taking = [(np.copyto, (array, self.native))]
            self.giving = [(np.copyto, (self.native, array))]


def _cast(target: NDArray[Any], source: NDArray[Any]) -> None:
    np.copyto(target, source, casting="unsafe")


def _margins(graph: Graph) -> dict[int, Margins]:
    """Padding that the readers of each tensor need around it."""
    margins: dict[int, Margins] = {}
    for operator in graph.operators:
        with suppress(Unsupported, *_DO_NOT_FIT):  # its planner will say what is wrong with it
            for index, wanted in margins_of(operator, graph):
                margins[index] = margins.get(index, Margins()).joined(wanted)
    return margins


def _check_operators(program: Program) -> None:
    """Name all that is not known at once, before any memory is taken."""
    unknown = [
        _place(operator)
        for graph in program.graphs
        for operator in graph.operators
        if operator.name not in PLANNERS
    ]
    if unknown:
        raise _refused(program, unknown)


def _place(operator: Operator) -> str:
    return f"operator {operator.index} ({operator.name})"


def _refused(program: Program, reasons: Sequence[str]) -> ModelError:
    shown = "; ".join(reasons[:5]) + ("; ..." if len(reasons) > 5 else "")
    return ModelError(
        f"the numpy engine cannot run {program.name}: {shown}",
        "use engine: tflite, or export the model with the supported operators",
    )
