"""What the configuration says of one pipeline, as the pipeline needs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from edge_agent.event import EventKind
from edge_agent.rules.options import FilterOptions
from edge_agent.runtime.tiling import Tiling, Whole

_FEW = 20


def few_labels(labels: Sequence[str] | None) -> Sequence[str]:
    """The labels of a model that names at most 20, else none.

    They are counted from the start and shown in Home Assistant where the configuration names no
    labels; the 80 or 1000 of a general model would bury the one that matters.
    """
    return labels if labels is not None and len(labels) <= _FEW else ()


@dataclass(frozen=True, slots=True)
class PipelineSettings:
    """Name and choices of one pipeline.

    `live` is False for a recording, which waits for its frames to be inferred; `labels` None
    means all, and `filters` narrow some of them. A live frame older than `max_age` seconds is not
    inferred. `event_kind` is that of events without a box, None where the model decides; `tiling`
    is how a frame goes through the model.
    """

    name: str
    labels: frozenset[str] | None
    threshold: float
    live: bool
    detections: bool
    filters: Mapping[str, FilterOptions] = field(default_factory=dict)
    max_age: float | None = None
    tiling: Tiling = field(default_factory=Whole)
    event_kind: EventKind | None = None
