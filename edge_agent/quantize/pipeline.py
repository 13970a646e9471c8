"""The way from a float32 model to an int8 one."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.engines.numpy.engine import NumpyEngine
from edge_agent.engines.numpy.npz import Notes, write_npz
from edge_agent.engines.numpy.program import Program
from edge_agent.engines.numpy.writing import write_tflite
from edge_agent.errors import ModelError, OutputError, UsageError
from edge_agent.quantize.arrays import program_of_layers
from edge_agent.quantize.calibrate import Sample, Step, no_step, observe
from edge_agent.quantize.choose import choose
from edge_agent.quantize.convert import convert
from edge_agent.quantize.equalize import equalize
from edge_agent.quantize.layers import Layer
from edge_agent.quantize.measure import (
    constant_bytes,
    layer_errors,
    native_inputs,
    real_values,
)
from edge_agent.quantize.options import Options
from edge_agent.quantize.prepare import check, simplify
from edge_agent.quantize.ranges import Range
from edge_agent.quantize.report import Report

Array = NDArray[Any]

_MEASURED = 32  # samples on which errors are measured


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A program with its maker's notes: what a model file holds.

    `labels` and `metadata` (such as {"mean": [...], "std": [...]}) go into the file.
    """

    program: Program
    notes: Notes = field(default_factory=lambda: Notes("", None, {}))

    def save(self, path: str | Path) -> Path:
        """Write it as `.npz` or `.tflite`, as the name ends; raises UsageError, OutputError."""
        target = Path(path)
        if target.suffix == ".npz":
            buffer = io.BytesIO()
            write_npz(self.program, self.notes, buffer)
            content = buffer.getvalue()
        elif target.suffix == ".tflite":
            content = write_tflite(self.program, self.notes)
        else:
            raise UsageError(f"{target} must end in .npz or .tflite")
        try:
            target.write_bytes(content)
        except OSError as error:
            raise OutputError(
                f"cannot write {target}: {error.strerror}", "check the folder and free space"
            ) from error
        return target

    def predict(self, inputs: Array) -> Array:
        """Real numbers of the first output for N samples of the first input, without a file."""
        engine = NumpyEngine(self.program)
        shape = self.program.main.tensors[self.program.main.inputs[0]].shape
        output = self.program.main.tensors[self.program.main.outputs[0]]
        answers = []
        for sample in np.asarray(inputs, np.float32).reshape(-1, *shape):
            (first, *_) = engine.run(*native_inputs(self.program, (sample,)))
            answers.append(real_values(first, output)[0])
        return np.array(answers)


@dataclass(frozen=True, slots=True, eq=False)
class Quantized(Model):
    """An int8 model with the report on how it was made, and the float one that it was made from."""

    report: Report = field(kw_only=True)
    original: Model = field(kw_only=True)


def quantize(
    model: Model,
    samples: Sequence[Sample],
    options: Options | None = None,
    step: Step = no_step,
    spans: Sequence[Range] = (),
) -> Quantized:
    """Quantise a float32 model with samples of its inputs.

    `spans` are what the inputs may hold, one for each, where that is known to be more than the
    samples show: black to white of a picture.

    Raises ModelError where the model is no float model or holds what cannot be run, or the samples
    are none or not finite; UsageError where an option fits nothing.
    """
    options = options or Options()
    check(model.program)
    program = original = simplify(model.program)
    choice = choose(program.main, options.keep_float)
    if options.equalize:
        program = equalize(program)
    observed = observe(program, samples, options.observer, step)
    observed = observed.widened(dict(zip(program.main.inputs, spans, strict=False)))
    converted = convert(program, observed, choice, options)
    measured = samples[:: max(1, len(samples) // _MEASURED)][:_MEASURED]
    report = Report(
        constant_bytes(program),
        constant_bytes(converted.program),
        len(samples),
        layer_errors(program, converted, measured, step),
        {at: f"{program.main.operators[at].name}: {why}" for at, why in choice.kept.items()},
    )
    return Quantized(
        converted.program, model.notes, report=report, original=Model(original, model.notes)
    )


def quantize_layers(
    layers: Sequence[Layer],
    calibration: Array,
    *,
    labels: Sequence[str] | None = None,
    options: Options | None = None,
    metadata: Mapping[str, Any] | None = None,
    name: str = "model",
) -> Quantized:
    """Quantise layers given as arrays.

    `calibration` is N samples as the first layer takes them: N x features, N x time x channels or
    N x height x width x channels, some hundred of them as they come in use. Raises ModelError that
    names the layer that does not fit, UsageError for options that make no sense.
    """
    data = np.asarray(calibration, np.float32)
    if data.ndim < 2 or not len(data):
        raise ModelError(
            f"the calibration data has shape {data.shape}", "give N samples, N in front"
        )
    program = program_of_layers(layers, data.shape[1:], name)
    notes = Notes("", None if labels is None else tuple(labels), dict(metadata or {}))
    return quantize(Model(program, notes), [(sample[np.newaxis],) for sample in data], options)
