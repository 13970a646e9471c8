"""From arrays, tables and sound to a model's input tensors, one sample after another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import InferenceError
from edge_agent.geometry import BoxMapping
from edge_agent.model import TensorSpec
from edge_agent.preprocess.numbers import native_values, shape_of, text_of

Array = NDArray[Any]


class Samples:
    """Inputs of a model, as many samples as the arrays hold.

    `arrays` are known by the names of the inputs, or by "arr_0", "arr_1", ... in their order; the
    only array for a model's only input may have any name. Each has the shape of its input, or one
    axis more in front that counts samples; axes of length one may be left out. An array in the
    input's own dtype goes in as it is, one of real numbers (float) is quantised where the input
    is. Inputs that no array is for are zero. Raises InferenceError that names what is expected.
    """

    def __init__(self, arrays: Mapping[str, Array], specs: Sequence[TensorSpec]) -> None:
        self._specs = specs
        self._arrays = [
            None if array is None else _by_sample(array, spec)
            for array, spec in zip(_matched(arrays, specs), specs, strict=True)
        ]
        self.missing = tuple(
            spec.name for spec, array in zip(specs, self._arrays, strict=True) if array is None
        )
        counts = {len(array) for array in self._arrays if array is not None}
        if len(counts) > 1:
            raise InferenceError(
                f"its arrays hold {' and '.join(map(str, sorted(counts)))} samples",
                "give as many of each",
            )
        (self._count,) = counts

    def __len__(self) -> int:
        return self._count

    def write(self, number: int, *tensors: Array) -> BoxMapping:
        """Fill the model's input tensors with one sample; boxes stay fractions of the input."""
        for array, spec, tensor in zip(self._arrays, self._specs, tensors, strict=True):
            if array is None:
                write_zero(tensor, spec)
            else:
                tensor[...] = native_values(array[number], spec).reshape(tensor.shape)
        return BoxMapping()


def samples_of_rows(rows: NDArray[np.float64], specs: Sequence[TensorSpec]) -> Samples:
    """Real numbers, row by row, into the first input; each sample begins where one is full."""
    spec = specs[0]
    count = int(np.prod(shape_of(spec)))
    if not rows.size or not count or rows.size % count:
        raise InferenceError(
            f"its {rows.size} numbers do not fill {text_of(spec)}",
            f"give {count} numbers for each sample",
        )
    return Samples({"arr_0": rows.reshape(-1, *shape_of(spec))}, specs)


def samples_of_sound(sound: NDArray[np.float32], specs: Sequence[TensorSpec]) -> Samples:
    """Windows of a waveform, -1 to 1, one after another; the last one ends where the sound ends.

    A sound shorter than a window is filled up with silence.
    """
    spec = specs[0]
    size = int(np.prod(shape_of(spec)))
    if not _takes_waveform(spec):
        raise InferenceError(
            f"it is sound, and {text_of(spec)} takes no waveform",
            "give the features that the model was trained on, as .npy",
        )
    padded = np.pad(sound, (0, max(0, size - len(sound))))
    starts = [*range(0, len(padded) - size, size), len(padded) - size]
    windows = np.lib.stride_tricks.sliding_window_view(padded, size)[starts]
    return Samples({"arr_0": windows.reshape(-1, *shape_of(spec))}, specs)


def write_zero(tensor: Array, spec: TensorSpec) -> None:
    """Fill a tensor with what stands for the real number zero."""
    tensor[...] = 0 if spec.zero_point is None else spec.zero_point


def _matched(arrays: Mapping[str, Array], specs: Sequence[TensorSpec]) -> Sequence[Array | None]:
    """The array of each input, None where there is none."""
    if len(arrays) == len(specs) == 1:
        return list(arrays.values())
    found = {
        place: arrays[name]
        for place, spec in enumerate(specs)
        for name in (f"arr_{place}", spec.name)
        if name in arrays
    }
    if not found or len(found) < len(arrays):
        names = {spec.name for spec in specs} | {f"arr_{place}" for place in range(len(specs))}
        unknown = ", ".join(map(repr, sorted(arrays.keys() - names))) or "nothing"
        raise InferenceError(
            f"it holds {unknown}; the model takes {', '.join(map(text_of, specs))}",
            "name each array as its input, or arr_0, arr_1, ... in their order",
        )
    return [found.get(place) for place in range(len(specs))]


def _by_sample(array: Array, spec: TensorSpec) -> Array:
    """The array with an axis of samples in front of the input's own; raises InferenceError."""
    _check_dtype(array, spec)
    shape = shape_of(spec)
    wanted, given = _without_ones(shape), _without_ones(array.shape)
    if array.size and given == wanted:
        return array.reshape(1, *shape)
    if array.size and given[1:] == wanted:
        return array.reshape(-1, *shape)
    raise InferenceError(
        f"an array of shape {'x'.join(map(str, array.shape)) or 'none'} "
        f"does not fit {text_of(spec)}",
        f"give {'x'.join(map(str, shape))}, or N x that for N samples",
    )


def _check_dtype(array: Array, spec: TensorSpec) -> None:
    if array.dtype != spec.dtype and array.dtype.kind != "f":
        real = " or real numbers (float)" if spec.dtype.kind in "iuf" else ""
        raise InferenceError(
            f"an array of {array.dtype} does not fit {text_of(spec)}", f"give {spec.dtype}{real}"
        )


def _takes_waveform(spec: TensorSpec) -> bool:
    """One axis of real numbers that reach about from -1 to 1."""
    shape = _without_ones(shape_of(spec))
    if len(shape) != 1 or not shape[0]:
        return False
    if spec.dtype.kind == "f":
        return True
    if not isinstance(spec.scale, float) or spec.zero_point is None:
        return False
    limits = np.iinfo(spec.dtype)
    ends = (np.array([limits.min, limits.max]) - spec.zero_point) * spec.scale
    return bool(np.allclose(ends, (-1.0, 1.0), atol=0.1))


def _without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(side for side in shape if side != 1)
