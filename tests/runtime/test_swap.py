"""Which models can take the place of another under running pipelines."""

from __future__ import annotations

from typing import Any

import pytest

from edge_agent.config.schema import PipelineConfig
from edge_agent.runtime.swap import Opening, why_not
from tests.support.broker import wait_until
from tests.support.runtime import FakeInference


def knowing(*labels: str) -> FakeInference:
    """A model with these labels."""
    model = FakeInference()
    model.labels = labels or None
    return model


def pipeline(**values: Any) -> PipelineConfig:
    """A pipeline with a model."""
    return PipelineConfig(source="s", model="m", **values)


@pytest.mark.parametrize(
    ("fresh", "present", "values", "reason"),
    [
        (("cat", "dog"), ("cat",), {"labels": ["cat"]}, ""),
        (("dog",), ("cat",), {"labels": ["cat"]}, "it has no label 'cat', which pipeline p looks"),
        (("dog",), ("dog",), {"labels": ["cat"]}, ""),
        ((), ("cat",), {"labels": ["cat"]}, ""),
        (("dog",), ("cat",), {}, ""),
        (("dog",), ("cat",), {"filters": {"cat": {"threshold": 0.9}}}, "it has no label 'cat'"),
        ((), (), {"anomaly": {}}, "pipeline p is calibrated for the model in use"),
        ((), (), {"anomaly": {"method": "robust_z"}}, ""),
        ((), (), {"anomaly": {"limit": 3.0}}, ""),
    ],
)
def test_why_not(
    fresh: tuple[str, ...], present: tuple[str, ...], values: dict[str, Any], reason: str
) -> None:
    """A label that would be missed, and what was learnt of the model in use, are reasons."""
    found = why_not(knowing(*fresh), knowing(*present), {"p": pipeline(**values)})
    assert found.startswith(reason)
    assert bool(found) == bool(reason)


class Warm(FakeInference):
    """A model that can be warmed up."""

    def warm_up(self) -> None:
        """Do nothing."""


def test_a_model_that_nobody_wants_any_more_is_closed() -> None:
    """Whether it came already or comes later."""
    model = Warm()
    opening = Opening(lambda: model)
    opening.discard()
    wait_until(lambda: opening.done)
    assert model.closed == 1


def test_a_fault_of_ours_while_opening() -> None:
    """It is a reason like any other, and the log has the rest."""
    opening = Opening(lambda: 1 // 0)  # type: ignore[arg-type, return-value]
    wait_until(lambda: opening.done)
    assert opening.error.startswith("internal error: ZeroDivisionError")
