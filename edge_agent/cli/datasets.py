"""Samples for a model from files and folders: pictures, films, sound, tables, arrays.

Labelled data is a folder with a folder for each class, a .csv of `file,label` rows, or an .npz with
an array `labels` beside the inputs.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_agent.cli.inputs import is_picture, load_samples
from edge_agent.clip import SUFFIX
from edge_agent.errors import InferenceError, UsageError
from edge_agent.model import TensorSpec
from edge_agent.preprocess.image import ImagePreprocessor, NoPictures
from edge_agent.preprocess.samples import Samples, write_zero
from edge_agent.sources.arrays import BadNumbers, load_arrays
from edge_agent.sources.base import Image
from edge_agent.sources.pictures import BadPicture, load_picture

Array = NDArray[Any]
Tensors = tuple[Array, ...]

_ENDINGS = frozenset(
    (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".npy", ".npz", ".csv", ".wav")
)
_FILMS = frozenset((SUFFIX, ".mp4", ".avi", ".mkv", ".mov"))
_MOST_OF_A_FILM = 256  # pictures, evenly spread
_LABELS = "labels"


@dataclass(frozen=True, slots=True)
class Reader:
    """Turns files into input tensors of a model with these specs."""

    specs: tuple[TensorSpec, ...]
    preprocessor: ImagePreprocessor | NoPictures

    def samples(self, path: Path) -> Iterator[Tensors]:
        """All samples of one file; raises UsageError that names it where it cannot be used."""
        try:
            if is_film(path) or is_picture(path):
                yield from map(self._seen, pictures_of(path))
            else:
                yield from self._written(load_samples(path, self.specs))
        except (BadPicture, BadNumbers, InferenceError) as error:
            raise UsageError(f"{path} cannot be used: {error}") from error

    def labelled_arrays(self, path: Path) -> tuple[list[Tensors], list[int]]:
        """Samples and labels of one .npz."""
        arrays = load_arrays(path)
        labels = arrays.pop(_LABELS)
        try:
            samples = list(self._written(Samples(arrays, self.specs)))
        except InferenceError as error:
            raise UsageError(f"{path} cannot be used: {error}") from error
        if labels.shape != (len(samples),) or labels.dtype.kind not in "iu":
            raise UsageError(
                f"{path} has {len(samples)} samples and labels of {labels.dtype} {labels.shape}",
                "give one whole number for each",
            )
        return samples, labels.tolist()

    def _seen(self, picture: Image) -> Tensors:
        tensors = self._empty()
        self.preprocessor.write(picture, tensors[0])
        for tensor, spec in zip(tensors[1:], self.specs[1:], strict=True):
            write_zero(tensor, spec)
        return tensors

    def _written(self, samples: Samples) -> Iterator[Tensors]:
        for number in range(len(samples)):
            tensors = self._empty()
            samples.write(number, *tensors)
            yield tensors

    def _empty(self) -> Tensors:
        return tuple(np.zeros(spec.shape, spec.dtype) for spec in self.specs)


def is_film(path: Path) -> bool:
    """Whether the file is read as a film, such as a clip that the agent recorded."""
    return path.suffix.lower() in _FILMS


def pictures_of(path: Path) -> Iterator[Image]:
    """The picture in a file, or those of a film, evenly spread; raises BadPicture where none is."""
    if not is_film(path):
        yield load_picture(path)
        return
    count = 0
    with _opened(path) as film:
        while film.grab():
            count += 1
    if not count:
        raise BadPicture(f"{path} holds no picture that can be read")
    chosen = set(np.linspace(0, count - 1, min(count, _MOST_OF_A_FILM)).astype(int).tolist())
    with _opened(path) as film:
        for number in range(count):
            if film.grab() and number in chosen and (read := film.retrieve())[0]:
                yield read[1].astype(np.uint8, copy=False)


@contextmanager
def _opened(path: Path) -> Iterator[cv2.VideoCapture]:
    film = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    try:
        yield film
    finally:
        film.release()


def files_of(paths: Sequence[Path]) -> list[Path]:
    """The files that are named, and all that a folder holds at any depth, in order."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = [each for each in path.rglob("*") if each.suffix.lower() in _ENDINGS | _FILMS]
            found += sorted(inside)
        elif path.exists():
            found.append(path)
        else:
            raise UsageError(f"{path} does not exist", "check the path")
    if not found:
        raise UsageError(
            f"there is no data in {', '.join(map(str, paths))}",
            "give pictures, films, .npy, .npz, .csv or .wav files, or a folder of them",
        )
    return found


def load_unlabelled(reader: Reader, paths: Sequence[Path], limit: int) -> list[Tensors]:
    """At most `limit` samples, evenly spread over the files."""
    files = files_of(paths)
    files = [files[i] for i in np.linspace(0, len(files) - 1, min(len(files), limit)).astype(int)]
    samples = [sample for path in files for sample in _unlabelled(reader, path)]
    chosen = np.linspace(0, len(samples) - 1, min(len(samples), limit)).astype(int)
    return [samples[i] for i in chosen]


def _unlabelled(reader: Reader, path: Path) -> list[Tensors]:
    if path.suffix.lower() == ".npz" and _LABELS in load_arrays(path):
        return reader.labelled_arrays(path)[0]
    return list(reader.samples(path))


def load_labelled(
    reader: Reader, path: Path, labels: Sequence[str] | None
) -> tuple[list[Tensors], list[int]]:
    """Samples and the index of each one's class; raises UsageError where a label is not known."""
    if path.suffix.lower() == ".npz":
        if _LABELS not in load_arrays(path):
            raise UsageError(f"{path} has no array called {_LABELS!r}", "add one")
        return reader.labelled_arrays(path)
    rows = list(_rows(path))
    names = labels or sorted({name for _, name in rows})
    samples: list[Tensors] = []
    indices: list[int] = []
    for file, name in rows:
        some = list(reader.samples(file))
        samples += some
        indices += [_index(name, names, path)] * len(some)
    if not samples:
        raise UsageError(
            f"{path} holds no labelled data",
            "give a folder with a folder for each class, a .csv of file,label, or an .npz",
        )
    return samples, indices


def _rows(path: Path) -> Iterator[tuple[Path, str]]:
    """Files with the names of their classes."""
    if path.is_dir():
        for folder in sorted(each for each in path.iterdir() if each.is_dir()):
            for file in sorted(folder.rglob("*")):
                if file.suffix.lower() in _ENDINGS | _FILMS:
                    yield file, folder.name
        return
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read as a table of file,label: {error}") from error
    for number, row in enumerate(csv.reader(text.splitlines()), 1):
        if len(row) != 2:
            raise UsageError(f"{path}:{number}: {len(row)} columns, there must be file,label")
        if (number, row[0].strip().lower()) != (1, "file"):
            yield path.parent / row[0].strip(), row[1].strip()


def _index(name: str, names: Sequence[str], path: Path) -> int:
    if name in names:
        return list(names).index(name)
    if name.isdecimal():
        return int(name)
    raise UsageError(
        f"{path}: {name!r} is no label of the model",
        f"it has {', '.join(list(names)[:10])}; or use numbers",
    )
