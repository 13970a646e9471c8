"""What happens to a model that is to take another's place in a running agent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Stage = Literal["trying", "refused", "swapped", "kept", "rolled_back"]


@dataclass(frozen=True, slots=True)
class ModelStep:
    """One step of a swap.

    `trying`: a child process has it on trial; `refused`: it never came into use; `swapped`: it is
    in use and watched; `kept`: it did well; `rolled_back`: the one before is in use again.

    `model` is the name in the configuration, `version` that in the store, None for a file outside
    of it; `before` is the SHA-256 of the model in use until then; `reason` is empty where all is
    well, `time` epoch seconds.
    """

    model: str
    stage: Stage
    sha256: str
    version: str | None
    before: str
    reason: str
    time: float
