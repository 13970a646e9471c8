"""People with keypoints, of MoveNet."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_agent.decoders.choose import choose_decoder
from edge_agent.decoders.keypoints import COCO_17
from edge_agent.decoders.movenet import MovenetDecoder, MovenetOptions
from edge_agent.errors import ModelError
from edge_agent.geometry import BoxMapping
from edge_agent.model import ModelInfo
from tests.support.models import make_info, make_spec

SINGLE = make_info([make_spec((1, 1, 17, 3))])
MULTI = make_info([make_spec((1, 6, 56))])


def body(scores: list[float]) -> NDArray[Any]:
    """17 x 3: from (0.2, 0.1) down to (0.6, 0.9) in x, y; the first scores as given, 0.9 after."""
    points = np.linspace((0.1, 0.2, 0.9), (0.9, 0.6, 0.9), 17, dtype=np.float32)
    points[: len(scores), 2] = scores
    return points


def decode(points: NDArray[Any], threshold: float = 0.5, info: ModelInfo = SINGLE) -> Any:
    """People in the output of a model, without labels and with the usual options."""
    outputs = [points.reshape(info.outputs[0].shape)]
    return MovenetDecoder(info, None, MovenetOptions()).decode(outputs, BoxMapping(), threshold)


def test_a_person() -> None:
    """Each keypoint has its name, x before y; the score is their mean, the box around them all."""
    (found,) = decode(body([]))
    assert (found.label, found.index) == ("person", 0)
    assert found.score == pytest.approx(0.9)
    assert found.box == pytest.approx((0.2, 0.1, 0.6, 0.9))
    assert tuple(point.name for point in found.keypoints) == COCO_17
    last = found.keypoints[-1]
    assert (last.x, last.y, last.score) == pytest.approx((0.6, 0.9, 0.9))


def test_unsure_keypoints_do_not_reach_for_the_box() -> None:
    """They are told all the same, and lower the score."""
    (found,) = decode(body([0.1] * 4))
    assert found.box == pytest.approx((0.3, 0.3, 0.6, 0.9))
    assert found.score == pytest.approx((4 * 0.1 + 13 * 0.9) / 17)
    assert len(found.keypoints) == 17
    assert decode(body([0.1] * 4), threshold=0.75) == ()


def test_nothing_sure_has_a_box_around_all() -> None:
    """With a threshold that low, that is what was asked for."""
    (found,) = decode(body([0.2] * 17), threshold=0.1)
    assert found.box == pytest.approx((0.2, 0.1, 0.6, 0.9))


def test_the_letterbox_is_taken_off() -> None:
    """Keypoints and boxes are those of the frame, clipped to it."""
    mapping = BoxMapping(1.0, 2.0, 0.0, -0.5)
    decoder = MovenetDecoder(SINGLE, None, MovenetOptions())
    (found,) = decoder.decode([body([])[None, None]], mapping, 0.5)
    assert found.box == pytest.approx((0.2, 0.0, 0.6, 1.0))
    assert found.keypoints[8].y == pytest.approx(2 * 0.5 - 0.5)


def test_several_people() -> None:
    """Best first, by the model's own scores; rows below the threshold are nobody."""
    rows = np.zeros((6, 56), np.float32)
    for row, score in zip(rows, (0.6, 0.1, 0.8, 0.0, 0.0, 0.0), strict=True):
        row[:51], row[-1] = body([]).reshape(-1), score
    assert [each.score for each in decode(rows, info=MULTI)] == pytest.approx([0.8, 0.6])


def test_broken_numbers_are_nobody() -> None:
    """A person with a keypoint at no place is left out."""
    points = body([])
    points[3, 0] = np.nan
    assert decode(points) == ()


@pytest.mark.parametrize("info", [SINGLE, MULTI])
def test_is_chosen_by_itself(info: ModelInfo) -> None:
    """The shape alone tells."""
    assert choose_decoder(info, None)[0].name == "movenet"


def test_labels() -> None:
    """One, for the person; more are of another model."""
    decoder = MovenetDecoder(SINGLE, ("worker",), MovenetOptions())
    assert decoder.decode([body([])], BoxMapping(), 0.5)[0].label == "worker"
    with pytest.raises(ModelError, match="2 labels do not fit a model with 1 classes"):
        choose_decoder(SINGLE, ("a", "b"))
