"""The engine "tflite": LiteRT, or its forerunner tflite-runtime."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.engines.base import Rounding, T
from edge_agent.engines.delegate import (
    EDGETPU_OPERATOR,
    DelegateOptions,
    check_model,
    create_delegate,
)
from edge_agent.engines.interpreter import find_runtime
from edge_agent.engines.modelfile.files import read_model_file
from edge_agent.engines.modelfile.graph import Model
from edge_agent.engines.modelfile.parse import parse_model
from edge_agent.engines.stderr import native_stderr
from edge_agent.errors import DelegateError, InferenceError, ModelError
from edge_agent.model import TensorSpec

log = logging.getLogger(__name__)

# OpResolverType of the interpreter; XNNPACK is the default delegate of the first.
_KERNELS: dict[Rounding, str] = {
    "xnnpack": "AUTO",
    "builtin": "BUILTIN_WITHOUT_DEFAULT_DELEGATES",
    "reference": "BUILTIN_REF",
}
_RESOURCES = {"VAR_HANDLE"}
_MAX_REASON = 400
_NOISE = re.compile(r" See instructions: \S+| For the Android.*?dependency\.")
_SENTENCES = re.compile(r"(?<=[.)]) *(?=[A-Z])")
_CURES = (
    ("unresolved custom op", "TFLite has no such operator: export the model without it"),
    ("Select TensorFlow op", "export the model with TFLite's own operators only"),
    ("builtin op", "the model is newer than the runtime: update ai-edge-litert"),
    ("Op builtin_code out of range", "the model is newer than the runtime: use ai-edge-litert"),
)


class TfliteEngine:
    """A model in the TFLite interpreter, which sees it only after our own reader accepted it.

    Raises ModelError where the model cannot be read or run, DelegateError where the delegate
    cannot be used and `delegate.fallback` is off.
    """

    name = "tflite"

    def __init__(
        self,
        path: Path,
        threads: int,
        delegate: DelegateOptions | None,
        rounding: Rounding | None = None,
    ) -> None:
        self._path = path
        self._threads = threads
        self._delegate = delegate
        self._kernels = _KERNELS[rounding or "xnnpack"]
        self.device = "cpu"
        self.fallback_reason = ""
        self._content = read_model_file(path)
        model = parse_model(memoryview(self._content), str(path))
        operators = {operator.name for operator in model.operators()}
        self._has_resources = bool(operators & _RESOURCES)
        self._has_variables = model.has_variables
        self.inputs = tuple(model.main.tensors[index].spec() for index in model.main.inputs)
        self._refuse_texts(model)
        self._runtime = find_runtime()
        self.runtime = self._runtime.name
        self._open(operators)
        self.outputs = self._output_specs(model)

    @property
    def is_delegated(self) -> bool:
        """Whether XNNPACK or the accelerator runs a part of the model; nothing public tells it."""
        details = self._interpreter._get_ops_details()
        return any(each["op_name"] == "DELEGATE" for each in details)

    def run(self, *tensors: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        """Outputs in their native dtypes, valid until the next run; see `Engine.run`."""
        if tensors:
            self._write(tensors)
        try:
            for index, value in self._single.items():
                self._interpreter.set_tensor(index, value)
            self._interpreter.invoke()
            for index, view in enumerate(self._output_views):
                self._collect(index, view)
        except (RuntimeError, ValueError) as error:
            raise InferenceError(f"{self._path.name} failed: {_one_line(error)}") from error
        return tuple(self._results)

    def fill(self, write: Callable[..., T]) -> T:
        """Call `write` with the input tensors to fill in place; see `Engine.fill`."""
        for spec in self.inputs:
            if -1 in spec.shape:
                raise ModelError(
                    f"input {spec.name!r} of {self._path.name} has no fixed size: {spec.shape}",
                    "export the model with a fixed input size",
                )
        return write(*(view() for view in self._input_views))

    def reset(self) -> None:
        """Forget streaming state: variables are zeroed, resources need a new interpreter."""
        if self._has_resources:
            self._drop()
            self._build(self._delegate if self.device != "cpu" else None)
        elif self._has_variables:
            self._interpreter.reset_all_variables()

    def close(self) -> None:
        """Free the interpreter; safe twice."""
        self._drop()

    def _refuse_texts(self, model: Model) -> None:
        for index in (*model.main.inputs, *model.main.outputs):
            tensor = model.main.tensors[index]
            if not tensor.type.bits:
                raise ModelError(
                    f"tensor {tensor.name!r} of {self._path.name} is of type {tensor.type.name}",
                    "only models with numbers as inputs and outputs can be run",
                )

    def _open(self, operators: set[str]) -> None:
        """Build with the delegate, or without it where that is allowed and needed."""
        try:
            check_model(operators, self._delegate)
            self._build(self._delegate)
        except DelegateError as error:
            may_fall_back = self._delegate is not None and self._delegate.fallback
            if not may_fall_back or EDGETPU_OPERATOR in operators:
                raise
            self.fallback_reason = str(error)
        else:
            self.device = self._delegate.library if self._delegate else "cpu"
            return
        self._build(None)
        log.warning("%s runs on the CPU: %s", self._path.name, self.fallback_reason)

    def _build(self, delegate: DelegateOptions | None) -> None:
        said: list[str] = []
        try:
            with native_stderr(said):
                delegates = [create_delegate(self._runtime, delegate)] if delegate else None
                self._interpreter = self._runtime.interpreter(
                    model_content=self._content,
                    num_threads=self._threads,
                    experimental_delegates=delegates,
                    experimental_op_resolver_type=self._runtime.resolvers[self._kernels],
                )
                self._allocate([spec.shape for spec in self.inputs])
        except (RuntimeError, ValueError, MemoryError) as error:
            self._drop()
            raise self._failure(_one_line(error), said, delegate) from error

    def _failure(
        self, problem: str, said: list[str], delegate: DelegateOptions | None
    ) -> ModelError | DelegateError:
        """The error for a model that the interpreter refuses, with the library's own reason."""
        errors = [line.removeprefix("ERROR: ") for line in said if line.startswith("ERROR: ")]
        extra = [line for line in dict.fromkeys(errors) if line[:40] not in problem]
        reason = "; ".join([problem, *extra])[:_MAX_REASON]
        if delegate is not None:
            return DelegateError(
                f"delegate {delegate.library} refuses {self._path.name}: {reason}",
                "check that the model is made for it, or set fallback: true",
            )
        cure = next((cure for sign, cure in _CURES if sign in reason), "export the model again")
        return ModelError(f"{self._runtime.name} cannot run {self._path.name}: {reason}", cure)

    def _allocate(self, shapes: Sequence[tuple[int, ...]]) -> None:
        """Fix the shapes of the inputs (-1 leaves the file's own), and what depends on them."""
        interpreter = self._interpreter
        inputs = interpreter.get_input_details()
        for detail, shape in zip(inputs, shapes, strict=True):
            present = tuple(detail["shape"].tolist())
            fixed = tuple(p if s == -1 else s for p, s in zip(present, shape, strict=True))
            if fixed != present:
                interpreter.resize_tensor_input(detail["index"], fixed)
        interpreter.allocate_tensors()
        self._single: dict[int, NDArray[Any]] = {}
        self._input_views = tuple(self._input_view(detail) for detail in inputs)
        self._shapes = tuple(view().shape for view in self._input_views)
        outputs = interpreter.get_output_details()
        self._output_views = tuple(interpreter.tensor(detail["index"]) for detail in outputs)
        values = [_view_or_none(view) for view in self._output_views]
        self._is_fixed = [value is not None for value in values]
        self._results = [np.empty_like(() if value is None else value) for value in values]

    def _input_view(self, detail: dict[str, Any]) -> Callable[[], NDArray[Any]]:
        """Gives an input to fill; the library shows only a copy of one without axes."""
        index = detail["index"]
        if len(detail["shape"]):
            view: Callable[[], NDArray[Any]] = self._interpreter.tensor(index)
            return view
        self._single[index] = np.zeros((), detail["dtype"])
        return partial(self._single.__getitem__, index)

    def _drop(self) -> None:
        """Let go of the interpreter and everything that points into it."""
        self._interpreter = None
        self._input_views = self._output_views = ()

    def _output_specs(self, model: Model) -> tuple[TensorSpec, ...]:
        """Outputs as allocated; as the file declares them where they depend on the input."""
        tensors = [model.main.tensors[index] for index in model.main.outputs]
        is_free = any(-1 in spec.shape for spec in self.inputs)
        return tuple(
            replace(
                tensor.spec(), shape=result.shape if known and not is_free else tensor.signature
            )
            for tensor, result, known in zip(tensors, self._results, self._is_fixed, strict=True)
        )

    def _write(self, tensors: Sequence[NDArray[Any]]) -> None:
        """Copy the inputs into the interpreter; raises InferenceError where they do not fit."""
        if len(tensors) != len(self.inputs):
            raise InferenceError(
                f"{self._path.name} takes {len(self.inputs)} inputs, {len(tensors)} were given"
            )
        for spec, tensor in zip(self.inputs, tensors, strict=True):
            if tensor.dtype != spec.dtype or not _fits(tensor.shape, spec.shape):
                raise InferenceError(
                    f"input {spec.name!r} of {self._path.name} is {spec.dtype} of shape "
                    f"{spec.shape}, {tensor.dtype} of shape {tensor.shape} was given"
                )
        shapes = tuple(tensor.shape for tensor in tensors)
        if shapes != self._shapes:
            self._allocate(shapes)
        for view, tensor in zip(self._input_views, tensors, strict=True):
            np.copyto(view(), tensor)

    def _collect(self, index: int, view: Callable[[], NDArray[Any]]) -> None:
        """Copy one output out; only one whose shape has changed needs new memory."""
        try:
            values = view()
        except ValueError:
            values = self._empty_output(index)
        result = self._results[index]
        if result.shape == values.shape:
            np.copyto(result, values)
        else:
            self._results[index] = np.array(values)

    def _empty_output(self, index: int) -> NDArray[Any]:
        """An output without elements, such as "nothing found": the library gives no view of it."""
        detail = self._interpreter.get_output_details()[index]
        if detail["shape"].all():
            raise ValueError(f"output {detail['name']!r} has no value")
        return np.empty(detail["shape"], detail["dtype"])


def _fits(shape: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    return len(shape) == len(wanted) and all(
        b in (-1, a) for a, b in zip(shape, wanted, strict=True)
    )


def _view_or_none(view: Callable[[], NDArray[Any]]) -> NDArray[Any] | None:
    """An output, None where the interpreter allocates it only in the run."""
    try:
        return view()
    except ValueError:
        return None


def _one_line(error: Exception) -> str:
    """The reasons that the library gives, each once."""
    text = _NOISE.sub("", " ".join(str(error).split())) or type(error).__name__
    return " ".join(dict.fromkeys(part.strip() for part in _SENTENCES.split(text.strip())))
