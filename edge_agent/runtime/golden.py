"""Golden samples: inputs of a model with what it put out for them when it was installed.

A sample is an .npz: the input tensors by name or as `arr_0`, `arr_1`, ..., and the outputs as
`output_0`, `output_1`, ... in the order of the model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import InferenceError, ModelError
from edge_agent.geometry import BoxMapping, iou
from edge_agent.model import TensorSpec, dequantize
from edge_agent.preprocess.samples import Samples
from edge_agent.result import ClassArea, ClassScore, Detection, Result
from edge_agent.runtime.inference import Inference

_OUTPUT = "output_"
_CLOSE = 0.1  # of the root mean square of what is expected
# Kernels of another engine or processor round otherwise: results may be so far apart.
_SURE = 0.5  # score from which a result counts
_SCORES = 0.15
_FAINT = 0.05
_OVERLAP = 0.5
_AREAS = 0.05
_POINTS = 0.05

Tensors = Sequence[NDArray[Any]]
_Named = Detection | ClassScore | ClassArea


def check_golden(inference: Inference, samples: Iterable[Path]) -> None:
    """Raise ModelError where a model puts out something else than its samples say.

    Outputs may differ by a tenth, root mean square; where they differ by more, as those of other
    kernels do where a model is unsure, the results that are sure must be the same. A sample without
    outputs says nothing.
    """
    for path in samples:
        arrays = _read(path)
        expected = _expected(path, arrays, inference.engine.outputs)
        if expected is None:
            continue
        found = _run(inference, path, arrays)
        if why := _apart(inference, expected, found):
            raise ModelError(
                f"{inference.info.path} does not give the results of its golden sample "
                f"{path.name}: {why}",
                "install the right file, or record the sample anew: edge-agent models add --golden",
            )


def has_outputs(path: Path) -> bool:
    """Whether a sample says what the model must put out; raises ModelError."""
    return any(name.startswith(_OUTPUT) for name in _read(path))


def make_golden(inference: Inference, fill: Callable[..., object], target: Path) -> bool:
    """Write a sample: what `fill` puts into the input tensors, and what the model makes of it.

    False where that is nothing, so that the sample tells little.
    """

    def copy(*tensors: NDArray[Any]) -> list[NDArray[Any]]:
        fill(*tensors)
        return [tensor.copy() for tensor in tensors]

    inputs = inference.engine.fill(copy)
    named = {spec.name: each for spec, each in zip(inference.engine.inputs, inputs, strict=True)}
    outputs = [each.copy() for each in inference.engine.run()]
    inference.forget()
    results = {f"{_OUTPUT}{number}": each for number, each in enumerate(outputs)}
    with target.open("wb") as file:
        np.savez_compressed(file, **named, **results)  # type: ignore[arg-type]
    return bool(inference.decoder.decode(outputs, BoxMapping(), _SURE))


def _read(path: Path) -> dict[str, NDArray[Any]]:
    reason = "it is no .npz, or damaged"  # NumPy's own words are about pickles
    try:
        arrays = np.load(path, allow_pickle=False)
        if isinstance(arrays, np.lib.npyio.NpzFile):
            with arrays:
                return dict(arrays)
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        reason = getattr(error, "strerror", None) or reason
    raise ModelError(f"the golden sample {path} cannot be read: {reason}", "write it by np.savez")


def _expected(
    path: Path, arrays: dict[str, NDArray[Any]], specs: Sequence[TensorSpec]
) -> Tensors | None:
    names = [f"{_OUTPUT}{number}" for number in range(len(specs))]
    lacking = [name for name in names if name not in arrays]
    if len(lacking) == len(names):
        return None
    if lacking:
        raise ModelError(
            f"the golden sample {path} has no {lacking[0]}, and the model has {len(names)} outputs",
            "keep all of them in it, or none",
        )
    return [arrays[name] for name in names]


def _run(inference: Inference, path: Path, arrays: dict[str, NDArray[Any]]) -> Tensors:
    inputs = {name: array for name, array in arrays.items() if not name.startswith(_OUTPUT)}
    try:
        samples = Samples(inputs, inference.engine.inputs)
        inference.engine.fill(lambda *tensors: samples.write(0, *tensors))
        return [each.copy() for each in inference.engine.run()]
    except InferenceError as error:
        raise ModelError(f"the golden sample {path} does not fit the model: {error}") from error
    finally:
        inference.forget()


def _apart(inference: Inference, expected: Tensors, found: Tensors) -> str:
    """In which way they differ; empty where they do not."""
    numbers = ""
    for one, other, spec in zip(expected, found, inference.engine.outputs, strict=True):
        if one.shape != other.shape or one.dtype != other.dtype:
            return f"{spec.name} is {_form(other)}, not {_form(one)}"
        difference = _difference(dequantize(one, spec), dequantize(other, spec))
        if not difference <= _CLOSE:
            numbers = numbers or f"{spec.name} differs by {100 * difference:.0f} %"
    if not numbers:
        return ""
    decoder = inference.decoder
    before, now = (decoder.decode(each, BoxMapping(), _FAINT) for each in (expected, found))
    if not before and not now:
        return ""  # what stands in the outputs behind "nothing found" is anything
    return _told_apart(_named(before), _named(now), numbers)


def _told_apart(before: Sequence[_Named], now: Sequence[_Named], numbers: str) -> str:
    """By the results that are sure; where there are none `numbers` tell."""
    if not any(each.score >= _SURE for each in before):
        return numbers
    if why := _changed(before, now):
        return why
    return numbers if _changed(now, before) else ""


def _difference(expected: NDArray[Any], found: NDArray[Any]) -> float:
    """Root mean square of the difference, as a part of that of what is expected."""
    if not expected.size:
        return 0.0
    one, other = expected.astype(np.float64), found.astype(np.float64)
    apart = np.sqrt(np.mean(np.square(one - other)))
    return float(apart / max(np.sqrt(np.mean(np.square(one))), 1e-9)) if apart else 0.0


def _named(results: Sequence[Result]) -> list[_Named]:
    return [each for each in results if isinstance(each, Detection | ClassScore | ClassArea)]


def _changed(results: Sequence[_Named], others: Sequence[_Named]) -> str:
    """The first sure result that is not among the others, in words."""
    for each in results:
        if each.score >= _SURE and not any(_alike(each, other) for other in others):
            here = ", ".join(f"{other.label} {other.score:.2f}" for other in others[:3])
            return f"{each.label} {each.score:.2f} is expected, here is {here or 'nothing'}"
    return ""


def _alike(one: _Named, other: _Named) -> bool:
    if one.label != other.label or abs(one.score - other.score) > _SCORES:
        return False
    if isinstance(one, Detection) and isinstance(other, Detection):
        return iou(one.box, other.box) >= _OVERLAP and _points_alike(one, other)
    if isinstance(one, ClassArea) and isinstance(other, ClassArea):
        return abs(one.area - other.area) <= _AREAS
    return isinstance(one, ClassScore) and isinstance(other, ClassScore)


def _points_alike(one: Detection, other: Detection) -> bool:
    pairs = zip(one.keypoints, other.keypoints, strict=False)
    return all(
        abs(a.x - b.x) <= _POINTS and abs(a.y - b.y) <= _POINTS
        for a, b in pairs
        if min(a.score, b.score) >= _SURE
    )


def _form(array: NDArray[Any]) -> str:
    return f"{array.dtype} of shape {array.shape}"
