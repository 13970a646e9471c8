"""What a model takes beside a picture: numbers, from the readings of the frame to its inputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import SignalMismatch
from edge_agent.frame import Frame
from edge_agent.model import TensorSpec
from edge_agent.options import Options
from edge_agent.preprocess.numbers import native_values, shape_of, text_of
from edge_agent.preprocess.signal import WINDOW_STAGES, WindowStage

T = TypeVar("T")

ONLY = ""
"""Stands for the name of the one input beside the picture."""

_PATIENCE = 10.0  # seconds without numbers after which that is told as a fault
_RATE = 1.0  # rows a second of what is one row: stages ask for one


class NumbersFraming:
    """Adds to each picture the numbers that the model takes beside it.

    `inputs` names the channels of each input of the model, in their order. The stages of
    `features` work on all of these as on a window of one row. A picture whose numbers are missing
    (NaN) is dropped and counted; `lack` tells of it once that goes on for ten seconds.
    Raises ValueError where the stages do not fit.
    """

    def __init__(
        self, inputs: Mapping[str, Sequence[str]], features: Mapping[str, Options]
    ) -> None:
        self._channels = [channel for names in inputs.values() for channel in names]
        self._stages, size = _stages(features, len(self._channels))
        if len(inputs) > 1 and size != len(self._channels):
            raise ValueError(f"features: they make {size} numbers of {len(self._channels)}, which "
                             "only a model with one input beside the picture can take")  # fmt: skip
        lengths = [size] if len(inputs) == 1 else [len(names) for names in inputs.values()]
        self.sizes = dict(zip(inputs, lengths, strict=True))
        self._ends = np.cumsum(lengths)[:-1]
        self._since: float | None = None
        self.dropped = 0
        self.lack = ""

    def cut(self, frame: Frame) -> Iterable[Frame]:
        """The picture with its numbers, or nothing; raises SignalMismatch for unknown channels."""
        row = np.array([self._values(frame)], np.float32)
        if np.isfinite(row).all():
            for stage in self._stages:
                row = stage.apply(row)
        if not np.isfinite(row).all():
            self._note_lack(frame)
            return ()
        self._since, self.lack = None, ""
        parts = np.split(row.ravel(), self._ends)
        return (replace(frame, numbers=dict(zip(self.sizes, parts, strict=True))),)

    def flush(self) -> Iterable[Frame]:
        """Nothing."""
        return ()

    def reset(self) -> None:
        """Forget for how long numbers were missing."""
        self._since, self.lack = None, ""

    def _values(self, frame: Frame) -> list[float]:
        known = frame.readings
        if known is None:
            raise SignalMismatch(
                f"source {frame.source} gives pictures without numbers",
                "leave inputs out, or make it a fusion",
            )
        for channel in self._channels:
            part = channel.partition(".")[0]
            if channel not in known and any(name.partition(".")[0] == part for name in known):
                raise SignalMismatch(
                    f"source {frame.source} has no channel {channel}", f"it has {', '.join(known)}"
                )
        return [known.get(channel, np.nan) for channel in self._channels]

    def _note_lack(self, frame: Frame) -> None:
        self.dropped += 1
        now = frame.monotonic_ns / 1e9
        if self._since is None:
            self._since = now
        if now - self._since >= _PATIENCE and not self.lack:
            values = zip(self._channels, self._values(frame), strict=True)
            missing = [name for name, value in values if not np.isfinite(value)]
            self.lack = f"no number from {', '.join(missing or self._channels)}"


def others(items: Sequence[T], place: int) -> Sequence[T]:
    """All but the one at that place."""
    return (*items[:place], *items[place + 1 :])


class Beside:
    """The inputs of a model beside the one that takes its picture."""

    def __init__(self, specs: Sequence[TensorSpec]) -> None:
        self._specs = {spec.name: spec for spec in specs}

    def __len__(self) -> int:
        return len(self._specs)

    def fault(self, sizes: Mapping[str, int]) -> tuple[str, str]:
        """Why so many numbers by the name of an input do not fit, and the cure; empty if they do.

        ONLY stands for the name where there is one input.
        """
        names = ", ".join(self._specs) or "none"
        unknown = [name for name in sizes if name not in self._specs and name != ONLY]
        if unknown or (sizes and not self._specs):
            which = f" {unknown[0]!r}" if unknown else ""
            cure = f"those beside the picture: {names}; one that was taken for a state: state: {{}}"
            return f"the model has no input{which} for numbers", cure
        if ONLY in sizes and len(self._specs) > 1:
            return "the model has several inputs for numbers", f"name the channels of each: {names}"
        for name, spec in self._specs.items():
            wanted, given = int(np.prod(shape_of(spec))), sizes.get(name, sizes.get(ONLY))
            if given is None:
                return (
                    f"{text_of(spec)} gets no numbers",
                    "name its channels under inputs of the pipeline",
                )
            if given != wanted:
                cure = f"name {wanted} channels, in the order of its training"
                return f"{text_of(spec)} takes {wanted} numbers and gets {given}", cure
        return "", ""

    def zeros(self) -> dict[str, NDArray[np.float32]]:
        """Zero for each of them: for a trial."""
        return {name: np.zeros(shape_of(spec), np.float32) for name, spec in self._specs.items()}

    def write(self, numbers: Mapping[str, NDArray[np.float32]], tensors: Sequence[Any]) -> None:
        """Fill the inputs' tensors, quantised where these are; raises SignalMismatch."""
        if len(numbers) != len(self._specs):
            raise self._mismatch(numbers)
        for (name, spec), tensor in zip(self._specs.items(), tensors, strict=True):
            values = numbers.get(name, numbers.get(ONLY))
            if values is None or values.size != tensor.size:
                raise self._mismatch(numbers)
            tensor[...] = native_values(values, spec).reshape(tensor.shape)

    def _mismatch(self, numbers: Mapping[str, NDArray[np.float32]]) -> SignalMismatch:
        return SignalMismatch(*self.fault({name: each.size for name, each in numbers.items()}))


def _stages(features: Mapping[str, Options], channels: int) -> tuple[list[WindowStage], int]:
    """The stages for one row of so many numbers, and how many they make of it."""
    shape: tuple[int, ...] = (1, channels)
    stages: list[WindowStage] = []
    for name, options in features.items():
        try:
            stages.append(WINDOW_STAGES.load(name)(options, _RATE, cast("tuple[int, int]", shape)))
        except ValueError as error:
            raise ValueError(f"features.{name}: {error}") from error
        shape = stages[-1].shape
    return stages, int(np.prod(shape))
