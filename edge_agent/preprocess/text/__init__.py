"""Text to numbers: hashed n-grams, bytes, and the word pieces of a vocabulary."""

from __future__ import annotations

from edge_agent.preprocess.text.base import TextStage
from edge_agent.registry import Registry

_HERE = "edge_agent.preprocess.text"

TEXT_STAGES: Registry[TextStage] = Registry(
    "edge_agent.text_stages",
    {
        "hashing": f"{_HERE}.hashing:Hashing",
        "bytes": f"{_HERE}.tokens:Bytes",
        "word_piece": f"{_HERE}.word_piece:WordPiece",
    },
)

__all__ = ["TEXT_STAGES", "TextStage"]
