"""Detections of single-shot detectors that give encodings of boxes for their priors.

Liu et al., "SSD: Single Shot MultiBox Detector", 2016, as coded by `FasterRcnnBoxCoder` of
TensorFlow and by PyTorch and Caffe models; the linear form as MediaPipe's
`TensorsToDetectionsCalculator` has it.
The families and their priors are in `priors.py`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from edge_agent.decoders.base import Reader, Unsure, input_size
from edge_agent.decoders.boxes import BoxOptions, Candidates, Details, Finish, joined
from edge_agent.decoders.keypoints import keypoints
from edge_agent.decoders.labels import Labels, fit_to_classes, has_background
from edge_agent.decoders.nms import Floats, Indices
from edge_agent.decoders.priors import FAMILIES, Activation, Family, fitting, load_priors
from edge_agent.decoders.ssd_boxes import DECODED, BoxForm, PriorBoxes
from edge_agent.decoders.ssd_levels import Level, Levels, read_levels
from edge_agent.decoders.ssd_scores import AnchorScores, is_probability
from edge_agent.errors import ModelError
from edge_agent.geometry import BoxMapping
from edge_agent.model import ModelInfo
from edge_agent.options import Doc, Positive
from edge_agent.result import Detection, Kind


@dataclass(frozen=True, slots=True)
class SsdRawOptions(BoxOptions):
    """How encoded boxes and scores are read."""

    priors: Annotated[
        Literal[
            "auto", "ssd_mobilenet", "ultraface", "efficientdet", "efficientdet-lite",
            "blazeface", "blazeface-back", "blazeface-full", "blazepalm",
        ],
        Doc(
            "The family, which says what the priors are and how boxes and scores are coded. auto: "
            "the one that has as many priors for the input as the model has boxes."
        ),
    ] = "auto"  # fmt: skip
    priors_file: Annotated[
        Path | None,
        Doc(
            "The priors themselves, .npy or .csv: a row of centre x, centre y, width, height, 0..1 "
            "of the input, for each box. With it, the family only says how they are coded."
        ),
    ] = None
    boxes: Annotated[
        BoxForm,
        Doc(
            "encoded for the priors; or decoded by the model itself, and so without priors, to "
            "corners, or centres and sizes. auto: encoded or corners, by the first frame's numbers."
        ),
    ] = "auto"
    order: Annotated[
        Literal["auto", "xy", "yx"], Doc("Which comes first in a box; auto: by the family.")
    ] = "auto"
    variances: Annotated[
        tuple[Positive, Positive] | None,
        Doc("What encoded centres and sizes are multiplied by; default: the family's."),
    ] = None
    activation: Annotated[
        Literal["auto", "none", "sigmoid", "softmax"],
        Doc("What turns the scores into 0..1. auto: none where the model does it, else by family."),
    ] = "auto"
    background: Annotated[
        Literal["auto", "first", "none"],
        Doc("Whether class 0 means nothing. auto: by the number of labels, else by the family."),
    ] = "auto"


class SsdRawDecoder:
    """Reads boxes and scores from one pair of outputs, or from a pair for each grid."""

    name = "ssd_raw"
    kind: Kind = "object"
    Options: ClassVar[type[SsdRawOptions]] = SsdRawOptions

    def __init__(
        self, info: ModelInfo, labels: tuple[str, ...] | None, options: SsdRawOptions
    ) -> None:
        levels, size = read_levels(info), input_size(info)
        if levels is None:
            raise _no_levels()
        family = _family(levels, size, options)
        self._levels = levels.levels
        self._classes, self._per_box = levels.classes, levels.numbers
        self._first = int(_has_background(levels.classes, labels, family, options))
        labels = labels if labels is not None else family.labels
        self.labels, self.note = fit_to_classes(
            _names(labels, self._first), levels.classes - self._first
        )
        self.pictures = family.pictures
        self._names = family.points if levels.numbers == family.numbers else ()
        priors = _priors(levels, size, family, options)
        self._boxes = PriorBoxes(family, priors, size, options.boxes)
        self._finish = Finish(options, self.labels)
        self._readers = [Reader(spec) for spec in info.outputs]
        activation = _activation(info, levels, family, options)
        self._scores = [
            AnchorScores(self._readers[level.scores], activation, self._first)
            for level in self._levels
        ]

    @classmethod
    def match(cls, info: ModelInfo) -> str | None:
        """By the number of priors that one published family has for the input."""
        levels, size = read_levels(info), input_size(info)
        if levels is None or size is None:
            return None
        found = fitting(size, levels.places, levels.numbers, levels.classes)
        shapes = f"{levels.places} boxes with {levels.classes} scores"
        if len(found) == 1:
            return f"the outputs hold {shapes} for the priors of {found[0]}"
        if levels.numbers == 4 and levels.places > 16:
            raise Unsure(
                f"the outputs may be {shapes}, but of priors that are not known: set task: "
                "{name: ssd_raw, priors_file: ...}, or priors, or boxes: corners or centres"
            )
        return None

    def decode(
        self, outputs: Sequence[NDArray[Any]], mapping: BoxMapping, threshold: float
    ) -> tuple[Detection, ...]:
        """Detections best first, after NMS over all levels."""
        with np.errstate(all="ignore"):  # broken numbers are left out
            if not self._boxes.is_told:
                self._boxes.tell(
                    np.concatenate([self._numbers(outputs, each) for each in self._levels])
                )
            found, numbers, index, start = [], [], [], 0
            for level, scores in zip(self._levels, self._scores, strict=True):
                places = scores.find(level.table(outputs[level.scores], self._classes), threshold)
                numbers.append(self._numbers(outputs, level, places.index))
                index.append(places.index + start)
                boxes = self._boxes.corners(numbers[-1][:, :4].T, index[-1])
                found.append(Candidates(boxes, places.scores, places.classes))
                start += level.places
            if not self._names:
                return self._finish.detections(joined(found), mapping, threshold)
            points = self._boxes.points(np.concatenate(numbers), np.concatenate(index))
            points_of = self._pointed(points, mapping)
            return self._finish.detections(joined(found), mapping, threshold, points_of)

    def _pointed(self, points: Floats, mapping: BoxMapping) -> Details:
        """Adds the keypoints of a row, where all are numbers."""

        def details(row: int, detection: Detection) -> Detection:
            if not np.isfinite(points[row]).all():
                return detection
            named = keypoints(points[row], mapping, self._names)
            return dataclasses.replace(detection, keypoints=named)

        return details

    def _numbers(
        self, outputs: Sequence[NDArray[Any]], level: Level, index: Indices | None = None
    ) -> Floats:
        """Real numbers of some boxes of a level with what follows them; all N x 4 without index."""
        reader = self._readers[level.boxes]
        native = level.table(reader.native(outputs[level.boxes]), self._per_box)
        return reader.real(native[:, :4] if index is None else native[index])


# Boxes of no family: what is exported decoded has its scores 0..1 and no background.
_DECODED = Family(lambda _: np.zeros((0, 4), np.float32), "none", has_background=False)
_CURE = "set task: auto, or task: raw to see the numbers"


def _no_levels() -> ModelError:
    return ModelError(
        "the ssd_raw decoder needs an output of 1 x boxes x 4 and one of 1 x boxes x classes, or a "
        "pair of such grids for each layer",
        _CURE,
    )


def _family(levels: Levels, size: tuple[int, int] | None, options: SsdRawOptions) -> Family:
    """The family that is named or fits, with what the options put in its place."""
    found = [options.priors]
    if options.priors == "auto":
        fits = fitting(size, levels.places, levels.numbers, levels.classes) if size else []
        found = fits or (["ssd_mobilenet"] if options.priors_file else [])  # type: ignore[assignment]
    if len(found) != 1 and options.boxes not in DECODED:
        raise ModelError(
            f"the priors of {levels.places} boxes are not known for this input",
            f"set priors_file, priors to one of {', '.join(FAMILIES)}, or boxes to corners or "
            "centres; task: raw shows the numbers",
        )
    family = FAMILIES[found[0]] if found else _DECODED
    if options.order != "auto":
        family = dataclasses.replace(family, yx=options.order == "yx")
    if options.variances is not None:
        family = dataclasses.replace(family, variances=options.variances)
    return family


def _priors(
    levels: Levels, size: tuple[int, int] | None, family: Family, options: SsdRawOptions
) -> Floats | None:
    if options.boxes in DECODED:
        return None
    if options.priors_file is not None:
        priors = load_priors(options.priors_file)
    elif size is not None:
        priors = family.generate(size)
    else:
        raise ModelError("priors can be generated only for an input of fixed size", _CURE)
    if len(priors) != levels.places:
        raise ModelError(
            f"there are {len(priors)} priors for {levels.places} boxes", "give those of this model"
        )
    return priors


def _has_background(classes: int, labels: Labels, family: Family, options: SsdRawOptions) -> bool:
    if options.background != "auto":
        return options.background == "first"
    if (
        labels is not None
        and not has_background(labels)
        and classes in (len(labels), len(labels) + 1)
    ):
        return classes == len(labels) + 1
    return family.has_background


def _names(labels: Labels, first: int) -> Labels:
    """Labels without the row of the background, where the model has that class."""
    return labels[1:] if labels is not None and first and has_background(labels) else labels


def _activation(
    info: ModelInfo, levels: Levels, family: Family, options: SsdRawOptions
) -> Activation:
    if options.activation != "auto":
        return options.activation
    done = all(is_probability(info, level.scores) for level in levels.levels)
    return "none" if done else family.activation
