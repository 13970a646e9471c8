"""One pipeline and its model, which may go and come back."""

from __future__ import annotations

import pytest

from edge_agent.event import ModelRef
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
    """The same model goes on with the objects; another one ends them and begins afresh."""
    rig.see(cat())
    rig.pipeline.model_opened(REF, "object")
    rig.see(cat())
    assert rig.outbox.types() == ["new"]
    other = ModelRef("m", "66" * 32, "tflite")
    rig.pipeline.model_opened(other, "object")
    rig.see(cat())
    assert rig.outbox.types() == ["new", "end", "new"]
    hashes = [event["model"]["sha256"] for event in rig.outbox.events()]
    assert hashes == [REF.sha256, REF.sha256, other.sha256]


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
