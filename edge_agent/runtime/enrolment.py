"""Shows the pictures of a gallery to its model, each once: what that says of them is kept."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from zipfile import BadZipFile

import cv2
import numpy as np

from edge_agent.decoders.embedding import EmbeddingDecoder
from edge_agent.decoders.gallery import Vector
from edge_agent.runtime.inference import Inference

_log = logging.getLogger(__name__)


def enroll(inference: Inference, how: str, folder: Path | None = None) -> None:
    """Fill the gallery of a model, if it has one; raises ModelError where no picture can be read.

    `how` is all that changes what the model says of a picture, besides its file and engine. The
    vectors are kept in `folder`, by SHA-256 of the picture; without one they are made anew.
    """
    decoder = inference.decoder
    if not isinstance(decoder, EmbeddingDecoder) or decoder.gallery is None:
        return
    kept = _Kept(_file(inference, how, folder))

    def embed(path: Path) -> Vector | None:
        content = _content(path)
        if content is None:
            return None
        key = hashlib.sha256(content).hexdigest()
        vector = kept.get(key)
        return vector if vector is not None else kept.put(key, _embed(inference, path, content))

    decoder.gallery.enroll(embed)
    kept.save()
    _log.info(
        "model %s: knows %s, %d pictures looked at anew",
        inference.ref.name, ", ".join(decoder.gallery.names), kept.made,
    )  # fmt: skip


def _file(inference: Inference, how: str, folder: Path | None) -> Path | None:
    """Where the vectors of this model, engine and preparation of pictures are kept."""
    if folder is None:
        return None
    words = (inference.ref.sha256, inference.ref.engine, how)
    return folder / f"{hashlib.sha256(repr(words).encode()).hexdigest()[:24]}.npz"


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError as error:
        _log.warning("%s cannot be read: %s", path, error.strerror)
        return None


def _embed(inference: Inference, path: Path, content: bytes) -> Vector | None:
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR) if content else None
    if image is None:
        _log.warning("%s is no picture that can be read", path)
        return None
    assert isinstance(inference.decoder, EmbeddingDecoder)
    return inference.decoder.vector(inference.outputs(image))


class _Kept:
    """Vectors by key, from a file and into it; those that were not asked for are not kept on."""

    def __init__(self, file: Path | None) -> None:
        self.made = 0
        self._file = file
        self._before = _read(file) if file is not None else {}
        self._now: dict[str, Vector] = {}

    def get(self, key: str) -> Vector | None:
        """The vector that is kept, if any."""
        found = self._now.get(key, self._before.get(key))
        if found is not None:
            self._now[key] = found
        return found

    def put(self, key: str, vector: Vector | None) -> Vector | None:
        """Keep a new one."""
        if vector is not None:
            self.made += 1
            self._now[key] = vector
        return vector

    def save(self) -> None:
        """Write what has changed; where that fails the pictures are looked at again next time."""
        if self._file is None or self._now.keys() == self._before.keys():
            return
        part = self._file.with_suffix(".part")
        try:
            part.parent.mkdir(parents=True, exist_ok=True)
            with part.open("wb") as stream:
                np.savez(stream, keys=[*self._now], vectors=np.stack([*self._now.values()]))
            part.replace(self._file)
        except OSError as error:
            _log.warning("what was learnt of the gallery is not kept: %s", error)


def _read(file: Path) -> dict[str, Vector]:
    """What a file holds; nothing where it is missing or damaged."""
    try:
        with np.load(file, allow_pickle=False) as stored:
            return dict(zip(stored["keys"].tolist(), stored["vectors"], strict=True))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, EOFError, KeyError, BadZipFile) as error:
        _log.warning("%s is damaged and made anew: %s", file, error)
        return {}
