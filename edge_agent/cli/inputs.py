"""What `edge-agent infer` takes: pictures, arrays, tables of numbers, sound."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from edge_agent.model import TensorSpec
from edge_agent.preprocess.samples import Samples, samples_of_rows, samples_of_sound
from edge_agent.sources.arrays import load_arrays, load_sound, load_table

_USUAL_RATE = 16_000
"""Samples a second that models of sound and speech are trained on, with few exceptions."""


def is_picture(path: Path) -> bool:
    """Whether the file is read as a picture: all that has no ending of the others is."""
    return path.suffix.lower() not in _READERS


def load_samples(path: Path, specs: Sequence[TensorSpec]) -> Samples:
    """The samples of a file that is no picture, for inputs of these specs.

    Raises BadNumbers where the file cannot be read, InferenceError where it does not fit.
    """
    return _READERS[path.suffix.lower()](path, specs)


def _arrays(path: Path, specs: Sequence[TensorSpec]) -> Samples:
    return Samples(load_arrays(path), specs)


def _table(path: Path, specs: Sequence[TensorSpec]) -> Samples:
    return samples_of_rows(load_table(path), specs)


def _sound(path: Path, specs: Sequence[TensorSpec]) -> Samples:
    sound = load_sound(path)
    samples = samples_of_sound(sound.samples, specs)
    if sound.rate != _USUAL_RATE:
        print(
            f"edge-agent: {path} has {sound.rate} samples a second and goes in as it is: most "
            f"models want {_USUAL_RATE}",
            file=sys.stderr,
        )
    return samples


_READERS: Mapping[str, Callable[[Path, Sequence[TensorSpec]], Samples]] = {
    ".npy": _arrays,
    ".npz": _arrays,
    ".csv": _table,
    ".wav": _sound,
}
