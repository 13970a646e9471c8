"""A vector that is near those of like pictures: as it is, or as the name it is nearest to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from edge_agent.decoders.base import real_values
from edge_agent.decoders.classification import class_count
from edge_agent.decoders.gallery import Gallery, Vector
from edge_agent.errors import ModelError
from edge_agent.geometry import BoxMapping
from edge_agent.model import ModelInfo
from edge_agent.options import Doc, Fraction, Options
from edge_agent.result import ClassScore, Kind, RawOutput

UNKNOWN = "unknown"
"""The label of what is like nobody in the gallery."""


@dataclass(frozen=True, slots=True)
class EmbeddingOptions(Options):
    """What a vector is compared with."""

    gallery: Annotated[
        Path | None,
        Doc(
            "Folder with a subfolder of pictures for each name, each cut as the model shall see it."
            " It is read when the model is opened: restart after a change. Without it the vector"
            " itself is the result."
        ),
    ] = None
    threshold: Annotated[
        Fraction, Doc("Least similarity (cosine) to a picture of a name; below it: unknown.")
    ] = 0.6
    margin: Annotated[
        Fraction, Doc("How much more similar it must be than to the next name; else: unknown.")
    ] = 0.05


class EmbeddingDecoder:
    """Reads one output of N numbers as a direction.

    With a gallery the score of a name is the similarity, and that of `unknown` what the nearest
    name lacks of 1: what is like two names is neither, with a low score.
    """

    name = "embedding"
    note = ""
    Options: ClassVar[type[EmbeddingOptions]] = EmbeddingOptions

    def __init__(
        self, info: ModelInfo, labels: tuple[str, ...] | None, options: EmbeddingOptions
    ) -> None:
        del labels  # those of what the model was trained on
        count = class_count(info)
        if count is None or count < 2:
            raise ModelError(
                "the embedding decoder needs one output of 1 x numbers; the model has "
                + ", ".join("x".join(map(str, spec.shape)) or "none" for spec in info.outputs),
                "set task: auto, or task: raw to see the numbers",
            )
        self._spec = info.outputs[0]
        self._options = options
        self.gallery = Gallery(options.gallery) if options.gallery is not None else None
        self.kind: Kind = "class" if self.gallery else "raw"
        self.labels = (*self.gallery.names, UNKNOWN) if self.gallery else None

    @classmethod
    def match(cls, info: ModelInfo) -> str | None:
        """A vector that the model itself has made as long as 1."""
        origin = info.origins[0] if info.origins else None
        if class_count(info) is None or origin is None or origin.operator != "L2_NORMALIZATION":
            return None
        return f"output 0 has {class_count(info)} values and comes from {origin.operator}"

    def vector(self, outputs: Sequence[NDArray[Any]]) -> Vector:
        """The direction as a vector as long as 1; all 0 where there is none."""
        # Wider: the squares of large numbers have no room in 32 bits.
        real = real_values(outputs[0], self._spec).astype(np.float64)
        length = float(np.linalg.norm(real))
        if not 0.0 < length < np.inf:
            return np.zeros(real.shape, np.float32)
        return (real / length).astype(np.float32)

    def decode(
        self, outputs: Sequence[NDArray[Any]], mapping: BoxMapping, threshold: float
    ) -> tuple[ClassScore | RawOutput, ...]:
        """The vector, or the name that it is nearest to where its score is high enough."""
        del mapping
        vector = self.vector(outputs)
        if self.gallery is None:
            return (RawOutput(self._spec.name, vector),)
        nearest = self.gallery.nearest(vector)
        if nearest is None:
            return ()
        near = nearest.similarity >= self._options.threshold
        if near and nearest.similarity - nearest.next >= self._options.margin:
            index = self.gallery.names.index(nearest.name)
            found = ClassScore(nearest.name, min(nearest.similarity, 1.0), index)
        else:
            score = 1.0 - min(max(nearest.similarity, 0.0), 1.0)
            found = ClassScore(UNKNOWN, score, len(self.gallery.names))
        return (found,) if found.score >= threshold else ()
