"""Trains the model of config/log-severity.yaml: how bad is what a line of a log says."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_agent.preprocess.text.hashing import Hashing, HashingOptions
from edge_agent.quantize import Quantized, quantize_layers
from scripts.log_lines import FOREIGN, LABELS, lines
from scripts.small_net import Training, train

HASHING = HashingOptions(size=2048, ngram_range=(1, 2))
"""As `text: {hashing: {size: 2048, ngram_range: [1, 2]}}`."""

_TRAIN, _TEST = 4000, 1500  # lines
_TRAINING = Training(hidden=0, epochs=30, rate=0.02, decay=1e-4)


def features(texts: Sequence[str]) -> NDArray[np.float64]:
    """The numbers of each line, a row each."""
    stage = Hashing(HASHING)
    return np.array([stage.apply(text) for text in texts], np.float64)


def numbers(labels: Sequence[str]) -> NDArray[np.intp]:
    """Each label as its place among LABELS."""
    return np.array([LABELS.index(label) for label in labels], np.intp)


def make(count: int = _TRAIN) -> Quantized:
    """The quantised model, trained with so many lines."""
    texts, labels = zip(*lines(count, 1, unseen=False), strict=True)
    x = features(texts)
    layers = train(x, numbers(labels), len(LABELS), _TRAINING)
    return quantize_layers(layers, x[:400], labels=LABELS, name="log-severity")


def accuracy(model: Quantized, examples: Sequence[tuple[str, str]]) -> float:
    """Part of the lines whose most likely label is theirs."""
    texts, labels = zip(*examples, strict=True)
    return float((model.predict(features(texts)).argmax(axis=1) == numbers(labels)).mean())


def main() -> None:
    """Train, write the file and tell how good it is."""
    parser = argparse.ArgumentParser(description="Trains a model of the severity of log lines.")
    parser.add_argument("--out", type=Path, required=True, help="where it is written (.npz)")
    path: Path = parser.parse_args().out
    model = make()
    path.parent.mkdir(parents=True, exist_ok=True)
    model.save(path)
    made = lines(_TEST, 2, unseen=True)
    print(f"{path}: {path.stat().st_size} bytes")
    print(f"lines of pairs that were not trained with: {accuracy(model, made):.4f} of {len(made)}")
    print(f"lines of other programs: {accuracy(model, FOREIGN):.4f} of {len(FOREIGN)}")


if __name__ == "__main__":
    main()
