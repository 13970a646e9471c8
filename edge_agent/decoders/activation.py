"""Whether the scores of a head are probabilities already, or what a sigmoid makes them of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from numpy.typing import NDArray

from edge_agent.decoders.base import real_range
from edge_agent.decoders.priors import Activation
from edge_agent.decoders.ssd_scores import is_probability
from edge_agent.model import ModelInfo
from edge_agent.options import Doc

Wanted = Annotated[
    Literal["auto", "none", "sigmoid"],
    Doc("What turns the scores into 0..1. auto: by operator and numbers; logits go below 0."),
]


class ToldActivation:
    """Known by the option, the operator or the quantisation of the outputs with the scores.

    Where these leave it open, the first numbers below 0 tell: most places of a head show nothing,
    and the logit of nothing is far below.
    """

    def __init__(self, info: ModelInfo, outputs: Iterable[int], wanted: Wanted) -> None:
        self._known = _known(info, set(outputs)) if wanted == "auto" else wanted

    def of(self, scores: Iterable[NDArray[Any]]) -> Activation:
        """What the scores of this frame need; they count only where they are real numbers."""
        if self._known is not None:
            return self._known
        if any((values < 0).any() for values in scores):
            self._known = "sigmoid"
        return self._known or "none"


def _known(info: ModelInfo, outputs: set[int]) -> Activation | None:
    limits = [real_range(info.outputs[output]) for output in outputs]
    if any(each is not None and each[0] < 0.0 for each in limits):
        return "sigmoid"
    if None not in limits or all(is_probability(info, output) for output in outputs):
        return "none"
    return None
