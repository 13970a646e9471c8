"""Labelled boxes, and how well a model finds them."""

from __future__ import annotations

import argparse
import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from edge_agent.cli.options import model_config
from edge_agent.errors import ModelError, UsageError
from edge_agent.quantize import Model
from edge_agent.quantize.agreement import mean_average_precision
from edge_agent.result import Detection
from edge_agent.runtime.opening import open_inference
from edge_agent.sources.pictures import BadPicture, load_picture

_HEADER = ["file", "label", "x1", "y1", "x2", "y2"]
_LEAST = 0.01  # score from which boxes count, so that precision is known at every recall


def holds_boxes(path: Path) -> bool:
    """Whether a .csv begins as one of labelled boxes does."""
    if path.suffix.lower() != ".csv" or not path.is_file():
        return False
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        return next(csv.reader(file), []) == _HEADER


def load_boxes(path: Path, labels: Sequence[str] | None) -> dict[Path, list[Detection]]:
    """The boxes of each picture, 0..1 of it; raises UsageError with the line that is wrong.

    A row whose label is empty names a picture without any.
    """
    if labels is None:
        raise UsageError("the model has no labels", "give --labels FILE")
    found: dict[Path, list[Detection]] = {}
    rows = csv.reader(path.read_text("utf-8-sig").splitlines()[1:])
    for number, row in enumerate(rows, 2):
        boxes = found.setdefault(path.parent / row[0], []) if row else []
        if len(row) != len(_HEADER) or (row[1] and row[1] not in labels):
            raise UsageError(f"{path}:{number}: {','.join(row)}", f"labels: {', '.join(labels)}")
        if row[1]:
            try:
                x1, y1, x2, y2 = map(float, row[2:])
            except ValueError as error:
                raise UsageError(f"{path}:{number}: {error}") from error
            boxes.append(Detection(row[1], 1.0, (x1, y1, x2, y2), labels.index(row[1])))
    if not any(found.values()):
        raise UsageError(f"{path} holds no boxes")
    return found


def box_map(
    model: Model, truth: Mapping[Path, list[Detection]], arguments: argparse.Namespace
) -> float:
    """MAP at IoU 0.5 of a model in the numpy engine; raises ModelError where it finds no boxes."""
    given = {"task": "auto", "state": None, "delegate": None, "engine": "numpy", "threads": 1}
    given |= {"preprocess": arguments.preprocess, "model_labels": None}
    with TemporaryDirectory() as folder:
        given["model"] = str(model.save(Path(folder) / "model.npz"))
        inference = open_inference(*model_config(argparse.Namespace(**given)))
        if inference.decoder.kind != "object":
            raise ModelError(f"{model.program.name} finds no boxes: {inference.decoder_why}")
        pairs = []
        for path, boxes in truth.items():
            try:
                outcome = inference.run(load_picture(path), _LEAST)
            except BadPicture as error:
                raise UsageError(f"{path} cannot be used: {error}") from error
            pairs.append((boxes, [r for r in outcome.results if isinstance(r, Detection)]))
        inference.close()
    return mean_average_precision(pairs)
