"""A word that is listened for: one probability of a model that hears a stream."""

from __future__ import annotations

from typing import ClassVar

from edge_agent.decoders.classification import (
    ClassificationDecoder,
    ClassificationOptions,
    class_count,
)
from edge_agent.model import ModelInfo
from edge_agent.result import Kind


class KeywordDecoder(ClassificationDecoder):
    """Class scores of words, told as keywords; a model of one word is named by its file.

    Streaming wake-word models, as microWakeWord makes them, keep what they heard in variables of
    their own and put out one probability.
    """

    name = "keyword"
    kind: Kind = "keyword"
    Options: ClassVar[type[ClassificationOptions]] = ClassificationOptions

    def __init__(
        self, info: ModelInfo, labels: tuple[str, ...] | None, options: ClassificationOptions
    ) -> None:
        if labels is None and class_count(info) == 1:
            labels = (info.path.stem,)
        self.labels = labels
        super().__init__(info, labels, options)

    @classmethod
    def match(cls, info: ModelInfo) -> str | None:
        """One probability of a model that remembers what it heard."""
        if class_count(info) != 1 or not info.remembers or super().match(info) is None:
            return None
        return "output 0 is one probability, and the model remembers its stream"
