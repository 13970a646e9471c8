"""From a file of numbers or of sound to arrays: .npy, .npz, .csv and .wav."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.sources.wav import BadSound, WavFile

_MAX_FILE_BYTES = 256 * 2**20
_SEPARATORS = (";", ",", "\t")


class BadNumbers(ValueError):
    """This file holds no numbers or sound that can be used; the text says why."""


@dataclass(frozen=True, slots=True)
class Sound:
    """Samples from -1 to 1 of one channel (float32), and how many of them make a second."""

    samples: NDArray[np.float32]
    rate: int


def load_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Arrays of a .npy or .npz by their names; the only one of a .npy is "arr_0".

    Pickles are refused. Raises BadNumbers, also for a file that cannot be read.
    """
    _check_size(path)
    try:
        if path.suffix.lower() == ".npz":
            return _load_npz(path)
        # Mapped: a header that claims more than the file holds costs no memory.
        return {"arr_0": np.lib.format.open_memmap(path, mode="r")}
    except OSError as error:
        raise BadNumbers(f"it cannot be read: {error.strerror or error}") from error
    except (ValueError, EOFError, MemoryError, zipfile.BadZipFile) as error:
        raise BadNumbers(f"it is no {path.suffix} file of plain arrays: {error}") from error


def _load_npz(path: Path) -> dict[str, NDArray[Any]]:
    with zipfile.ZipFile(path) as archive:
        if sum(member.file_size for member in archive.infolist()) > _MAX_FILE_BYTES:
            raise BadNumbers(f"unpacked it is larger than {_MAX_FILE_BYTES // 2**20} MiB")
    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def load_table(path: Path) -> NDArray[np.float64]:
    """Rows x columns of a text file with commas, semicolons, tabs or spaces between numbers.

    Empty lines, what follows a "#", and a first line of column names are passed over. Raises
    BadNumbers that names the line.
    """
    _check_size(path)
    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise BadNumbers(f"it cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadNumbers("it is no text") from error
    rows: list[list[float]] = []
    for number, cells in _lines(text):
        numbers = _numbers(number, cells, may_be_header=not rows)
        if numbers and rows and len(numbers) != len(rows[0]):
            raise BadNumbers(
                f"line {number} has {len(numbers)} numbers, those before it have {len(rows[0])}"
            )
        if numbers:
            rows.append(numbers)
    if not rows:
        raise BadNumbers("it holds no numbers")
    return np.array(rows)


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    """Number and cells of every line that holds something."""
    for number, line in enumerate(text.splitlines(), 1):
        content = line.split("#", 1)[0].strip()
        if content:
            separator = next((mark for mark in _SEPARATORS if mark in content), None)
            yield number, [cell.strip() for cell in content.split(separator)]


def _numbers(number: int, cells: list[str], may_be_header: bool) -> list[float]:
    """The cells as numbers; none for a line of column names."""
    values = [_number(cell) for cell in cells]
    if may_be_header and not any(value is not None for value in values):
        return []
    for cell, value in zip(cells, values, strict=True):
        if value is None:
            raise BadNumbers(f"line {number}: {cell!r} is no number: leave such columns out")
    return [value for value in values if value is not None]


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def load_sound(path: Path) -> Sound:
    """A WAVE file, its channels averaged: PCM of 8, 16, 24 or 32 bits, or float of 32 or 64.

    Raises BadNumbers, also for a file that cannot be read.
    """
    _check_size(path)
    try:
        file = WavFile(path)
        samples = file.read(file.left)
        file.close()
    except BadSound as error:
        raise BadNumbers(str(error)) from error
    return Sound(samples.mean(axis=1, dtype=np.float64).astype(np.float32), file.rate)


def _check_size(path: Path) -> None:
    try:
        size = path.stat().st_size
    except OSError as error:
        raise BadNumbers(f"it cannot be read: {error.strerror}") from error
    if size > _MAX_FILE_BYTES:
        raise BadNumbers(f"it is larger than {_MAX_FILE_BYTES // 2**20} MiB")
