"""One pipeline and its model, which may go and come back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edge_agent.event import ModelRef
from edge_agent.result import ClassArea, Keypoint
from edge_agent.rules.options import FilterOptions, PublishOptions
from tests.support.runtime import LOST, REF, Rig, cat


@pytest.mark.parametrize("live", [True, False])
def test_frames_are_dropped_while_the_model_is_down(live: bool) -> None:
    """Without a model frames are counted as lost, also the waiting one, and nobody is held up."""
    rig = Rig(live=live).begin()
    rig.take_in()
    rig.pipeline.model_failed("no file")
    rig.take_in(5)
    counts = rig.pipeline.metrics.counts
    assert (counts.taken, counts.dropped, counts.restarts) == (6, 6, 1)
    assert rig.job() is None
    assert rig.statuses[-1] == (False, "no file")
    rig.pipeline.model_opened(REF, "object")
    rig.see(cat())
    assert rig.statuses[-1] == (True, "")
    assert rig.outbox.types() == ["new"]


def test_model_opened_anew(rig: Rig) -> None:
    """One of the same kind goes on with the objects; another kind ends them and begins afresh."""
    rig.see(cat())
    other = ModelRef("m", "66" * 32, "tflite")
    rig.pipeline.model_opened(other, "object")
    rig.see(cat())
    assert rig.outbox.types() == ["new"]
    rig.pipeline.model_opened(other, "keypoints")
    rig.see(cat())
    assert rig.outbox.types() == ["new", "end", "new"]
    hashes = [event["model"]["sha256"] for event in rig.outbox.events()]
    assert hashes == [REF.sha256, other.sha256, other.sha256]


def test_stalled_model(rig: Rig) -> None:
    """A model that hangs takes the pipeline offline, its objects end, and it comes back."""
    rig.see(cat())
    rig.pipeline.model_stalled("it hangs")
    rig.tick(after=LOST)
    assert rig.outbox.types() == ["new", "end"]
    rig.pipeline.model_stalled("")
    assert rig.statuses[1:] == [(True, ""), (False, "it hangs"), (True, "")]


def test_labels_that_the_model_does_not_have() -> None:
    """A pipeline that can never see anything is not online; one label that it has is enough."""
    rig = Rig(labels=frozenset(["persn"])).begin()
    rig.pipeline.model_opened(REF, "object", ["person", "cat"])
    rig.pipeline.model_stalled("it hangs")
    rig.pipeline.model_stalled("")
    assert rig.statuses[-1] == (False, "the model has no label 'persn' (correct labels)")
    rig = Rig(labels=frozenset(["persn", "cat"])).begin()
    rig.pipeline.model_opened(REF, "object", ["person", "cat"])
    assert rig.statuses[-1] == (True, "")


def test_stalled_model_that_fails(rig: Rig) -> None:
    """A model that hung and then failed is not taken for one that answers again."""
    rig.pipeline.model_stalled("it hangs")
    rig.pipeline.model_failed("broken")
    rig.pipeline.model_stalled("")
    assert rig.statuses[-1] == (False, "broken")


def test_people_with_keypoints_are_objects() -> None:
    """They have a box, so they are followed and counted; their keypoints are published."""
    rig = Rig(publish=PublishOptions(detections=True)).begin("keypoints")
    rig.see(replace(cat(label="person"), keypoints=(Keypoint("nose", 0.3, 0.5, 0.9),)))
    assert [(e["kind"], e["label"]) for e in rig.outbox.events()] == [("object", "person")]
    assert rig.outbox.states()["p/counts/person"] == "1"
    (result,) = rig.outbox.json("p/detections")[0]["results"]
    assert result["keypoints"] == [{"name": "nose", "x": 0.3, "y": 0.5, "score": 0.9}]


def test_areas_are_classes_of_the_frame() -> None:
    """A class is there while it has an area, and its label's filter says how large that must be."""
    filters = {"road": FilterOptions(min_area=0.2)}
    rig = Rig(publish=PublishOptions(detections=True), filters=filters).begin("segmentation")
    triangle = (((0.0, 0.5), (1.0, 0.5), (0.5, 1.0)),)
    rig.see(ClassArea("road", 0.25, triangle, 1), ClassArea("car", 0.01, triangle, 2))
    rig.see(ClassArea("road", 0.15, triangle, 1), after=LOST)
    rig.see(after=LOST)
    told = [(e["type"], e["kind"], e["label"]) for e in rig.outbox.events()]
    assert told[:2] == [("new", "class", "road"), ("new", "class", "car")]
    assert ("end", "class", "road") in told
    road = rig.outbox.json("p/detections")[0]["results"][0]
    assert (road["area"], road["box"]) == (0.25, None)
    assert road["polygons"] == [[[0.0, 0.5], [1.0, 0.5], [0.5, 1.0]]]
