"""Single-shot detectors on paper, with the encodings of a known truth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_agent.decoders.priors import FAMILIES, Family
from edge_agent.model import ModelInfo, Origin
from tests.decoders.head_models import inverse_sigmoid
from tests.decoders.yolo_models import CLASSES, Truth
from tests.support.models import make_info, make_spec

Floats = NDArray[np.float32]

SIZE = 256
"""Both sides of the picture, in px."""


def encode(family: Family, priors: Floats, box: Sequence[float], size: int) -> tuple[int, Floats]:
    """The prior that is nearest to the box in shape and place, and the numbers of the box."""
    corners = np.array(box).reshape(2, 2)
    centre, sides = corners.mean(axis=0), corners[1] - corners[0]
    distance = np.abs(priors[:, :2] - centre).sum(axis=1)
    distance += 0.3 * np.abs(np.log(sides / priors[:, 2:])).sum(axis=1)
    place = int(distance.argmin())
    prior = priors[place]
    if family.linear:
        pair = ((centre - prior[:2]) * size, sides * size)
    else:
        of_centre, of_size = family.variances
        pair = (
            (centre - prior[:2]) / prior[2:] / of_centre,
            np.log(sides / prior[2:]) / of_size,
        )
    return place, np.concatenate([each[::-1] if family.yx else each for each in pair])


def tables(
    name: str,
    objects: Sequence[Truth],
    priors: Floats,
    classes: int = CLASSES,
    activated: bool = False,
    background: bool | None = None,
) -> tuple[Floats, Floats]:
    """Numbers and scores (probabilities, or what the family's activation turns into them)."""
    family = FAMILIES[name]
    first = int(family.has_background if background is None else background)
    numbers = np.zeros((len(priors), family.numbers), np.float32)
    scores = np.zeros((len(priors), classes + first), np.float32)
    for each in objects:
        place, numbers[place, :4] = encode(family, priors, each.box, SIZE)
        scores[place, first + each.index] = each.score
    if first:
        scores[:, 0] = 1.0 - scores[:, 1:].sum(axis=1)
    if not activated:
        is_softmax = family.activation == "softmax"
        scores = np.log(scores + 1e-9) if is_softmax else inverse_sigmoid(scores)
    return numbers, scores.astype(np.float32)


def ssd_raw_model(
    name: str, objects: Sequence[Truth], classes: int = CLASSES, **how: Any
) -> tuple[ModelInfo, list[NDArray[Any]]]:
    """A model of that family with one output for boxes and one for scores."""
    outputs = list(tables(name, objects, FAMILIES[name].generate((SIZE, SIZE)), classes, **how))
    origin = Origin("SOFTMAX" if how.get("activated") else "CONCATENATION", 0)
    specs = [make_spec((1, *o.shape), name=n) for o, n in zip(outputs, ("box", "cls"), strict=True)]
    picture = make_spec((1, SIZE, SIZE, 3))
    return make_info(specs, [None, origin], inputs=[picture]), [o[None] for o in outputs]
