"""What a scorer is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from edge_agent.frame import Frame
from edge_agent.result import Result, Scored


class Scorer(Protocol):
    """Makes of a model's results for one frame those that count, knowing the frames before it.

    `needs_all` says that it wants results of any score, not only those above the threshold.
    """

    needs_all: bool

    def apply(self, frame: Frame, results: Sequence[Result]) -> Sequence[Scored]:
        """The results that count in this frame."""

    def reset(self) -> None:
        """Forget the frames before: the stream broke off."""


@runtime_checkable
class StackScorer(Scorer, Protocol):
    """One that takes windows stacked as well, which costs less than one by one."""

    def apply_each(self, frame: Frame, results: Sequence[Result]) -> Sequence[Sequence[Scored]]:
        """What `apply` gives for each of the windows, in their order."""


class Unscored:
    """Each frame's results count as they are."""

    needs_all = False

    def apply(self, frame: Frame, results: Sequence[Result]) -> Sequence[Scored]:  # noqa: ARG002
        """The results themselves."""
        return results

    def reset(self) -> None:
        """Do nothing."""
