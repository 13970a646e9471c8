"""Pictures of what is known by name, and whose is nearest to a new one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import ModelError

Vector = NDArray[np.float32]

_ENDINGS = {".jpg", ".jpeg", ".png", ".bmp", ".webp"}
_MOST = 10_000  # pictures
_LAYOUT = "give each name a subfolder of its own with at least one picture in it"


@dataclass(frozen=True, slots=True)
class Nearest:
    """The name nearest to a vector, its similarity, and that of the next name; -1..1."""

    name: str
    similarity: float
    next: float


class Gallery:
    """The subfolders of a folder, each with pictures of what it is named after.

    `names` are in alphabetical order. Empty until `enroll`; until then nothing is near. Raises
    ModelError where the folder holds no such pictures.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._pictures = tuple(_pictures(folder))
        self.names = tuple(dict.fromkeys(name for name, _ in self._pictures))
        if not self.names:
            raise ModelError(f"the gallery {folder} holds no pictures", _LAYOUT)
        if len(self._pictures) > _MOST:
            raise ModelError(f"the gallery {folder} holds more than {_MOST} pictures")
        self._owners: tuple[str, ...] = ()
        self._starts: list[int] = []  # of each owner's vectors, which stand together
        self._vectors: Vector = np.empty((0, 0), np.float32)

    def enroll(self, embed: Callable[[Path], Vector | None]) -> None:
        """Take in all pictures; `embed` gives the unit vector of one, None where it cannot.

        Raises ModelError where it can of none.
        """
        made = ((name, embed(path)) for name, path in self._pictures)
        found = [(name, vector) for name, vector in made if vector is not None]
        if not found:
            raise ModelError(f"no picture of the gallery {self.folder} can be read", _LAYOUT)
        names = [name for name, _ in found]
        self._owners = tuple(dict.fromkeys(names))
        self._starts = [names.index(name) for name in self._owners]
        self._vectors = np.stack([vector for _, vector in found])

    def nearest(self, vector: Vector) -> Nearest | None:
        """Whose picture is the most similar to a unit vector; None while there are none."""
        if not self._owners:
            return None
        best = np.maximum.reduceat(self._vectors @ vector, self._starts)
        first = int(best.argmax())
        others = np.delete(best, first)
        following = float(others.max()) if others.size else -1.0
        return Nearest(self._owners[first], float(best[first]), following)


def _pictures(folder: Path) -> Iterator[tuple[str, Path]]:
    """Name and file of each picture, in order."""
    try:
        for owner in sorted(path for path in folder.iterdir() if path.is_dir()):
            for path in sorted(owner.iterdir()):
                if path.suffix.lower() in _ENDINGS:
                    yield owner.name, path
    except OSError as error:
        reason = error.strerror or "it cannot be read"
        raise ModelError(f"the gallery {folder} cannot be read: {reason}", _LAYOUT) from error
