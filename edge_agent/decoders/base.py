"""What every decoder offers, and the helpers they share."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from edge_agent.geometry import BoxMapping
from edge_agent.model import ModelInfo, TensorSpec, dequantize
from edge_agent.result import Kind, Result


class Unsure(Exception):
    """What a model may be, why that is not certain, and the option that settles it."""


class Decoder(Protocol):
    """Turns the outputs of one model into results.

    `note` tells what the constructor decided beyond the options (say, a label row left out), else
    it is empty. `Options` is the dataclass of its options. A decoder may have two more attributes:
    `labels`, those that it reports (see `known_labels`), and `pictures`, the form of those that its
    family is trained on (see `picture_notes`).
    """

    name: str
    kind: Kind
    note: str
    Options: ClassVar[type[Any]]

    def __init__(self, info: ModelInfo, labels: tuple[str, ...] | None, options: Any) -> None:
        """Raise ModelError with the cure where the model or its labels do not fit."""

    @classmethod
    def match(cls, info: ModelInfo) -> str | None:
        """Why this decoder fits the model, in words; None where it does not.

        Raise Unsure where it may well fit, but another may too.
        """

    def decode(
        self, outputs: Sequence[NDArray[Any]], mapping: BoxMapping, threshold: float
    ) -> tuple[Result, ...]:
        """Results with a score of at least `threshold`, best first.

        `outputs` are the model's tensors in its order and native dtypes, valid only during the
        call. Boxes are 0..1 of the frame, clipped to it.
        """


def known_labels(decoder: Decoder, labels: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """The labels that a decoder reports, where it has an attribute for them; else the given ones.

    A decoder may leave rows out, or know the names that its family has.
    """
    known: tuple[str, ...] | None = getattr(decoder, "labels", labels)
    return known


def picture_notes(decoder: Decoder, info: ModelInfo) -> Mapping[str, Any]:
    """What the file says of its pictures and, where it is silent, what its family is trained on.

    `pad` is the grey of a letterbox, `color` the order of the channels, `mean` and `std` are in
    pixel units. A quantised input tells its range itself, and so needs no mean.
    """
    notes = dict(getattr(decoder, "pictures", {}))
    is_real = bool(info.inputs) and info.inputs[0].dtype.kind == "f"
    if not is_real or {"mean", "std"} & info.metadata.keys():
        notes = {key: value for key, value in notes.items() if key not in ("mean", "std")}
    return {**notes, **info.metadata}


def input_size(info: ModelInfo) -> tuple[int, int] | None:
    """Width and height of the model's picture; None where it takes none of a fixed size."""
    shape = info.inputs[0].shape if info.inputs else ()
    if len(shape) != 4 or min(shape[1:]) < 1:
        return None
    channels_first = shape[1] in (1, 3) and shape[3] not in (1, 3, 4)
    height, width = shape[2:] if channels_first else shape[1:3]
    return width, height


class Reader:
    """One output in its own numbers: compared as they are, made real only where they count."""

    def __init__(self, spec: TensorSpec) -> None:
        self.spec = spec
        self._whole = spec.dtype.kind in "iu" and isinstance(spec.scale, float)

    def native(self, values: NDArray[Any]) -> NDArray[Any]:
        """Numbers that order as the real ones do: the tensor itself, or float32."""
        return values if self._whole else real_values(values, self.spec).reshape(values.shape)

    def least(self, real: float) -> float:
        """The least of the native numbers whose real one is at least `real`."""
        if not self._whole:
            return real
        assert isinstance(self.spec.scale, float)
        assert isinstance(self.spec.zero_point, int)
        limits = np.iinfo(self.spec.dtype)
        if real <= self._one(limits.min):
            return limits.min
        if real > self._one(limits.max):
            return limits.max + 1
        least = math.ceil(real / self.spec.scale) + self.spec.zero_point
        while self._one(least - 1) >= real:
            least -= 1
        while self._one(least) < real:
            least += 1
        return least

    def real(self, native: NDArray[Any]) -> NDArray[np.float32]:
        """Real numbers of some of the native ones, in their shape."""
        return dequantize(native, self.spec) if self._whole else native

    def _one(self, native: int) -> float:
        return float(dequantize(np.array(native), self.spec))


def real_values(values: NDArray[Any], spec: TensorSpec) -> NDArray[np.float32]:
    """Real numbers of an output as a flat array; not copied where it is float32 already."""
    if values.dtype == np.float32 and spec.scale is None:
        return values.reshape(-1)
    return dequantize(values, spec).reshape(-1)


def real_range(spec: TensorSpec) -> tuple[float, float] | None:
    """Smallest and largest real number that the tensor can hold; None where not quantised."""
    if spec.scale is None or spec.zero_point is None or spec.dtype.kind not in "iu":
        return None
    limits = np.iinfo(spec.dtype)
    ends = dequantize(np.array([limits.min, limits.max], spec.dtype).reshape(2, 1), spec)
    return float(ends.min()), float(ends.max())
