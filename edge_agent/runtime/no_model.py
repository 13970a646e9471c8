"""In place of a model for pipelines that have none: the window is the output."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from numpy.typing import NDArray

from edge_agent.config.schema import NO_MODEL
from edge_agent.decoders.raw import RawDecoder, RawOptions
from edge_agent.engines.state import Memory
from edge_agent.errors import ModelError
from edge_agent.event import ModelRef
from edge_agent.model import ModelInfo, TensorSpec
from edge_agent.preprocess.image import NoPictures
from edge_agent.result import RawOutput
from edge_agent.runtime.inference import Inference, Numbers, Outcome

T = TypeVar("T")

_NOTHING = hashlib.sha256(b"").hexdigest()


class NoEngine:
    """Runs nothing."""

    name = runtime = device = NO_MODEL
    fallback_reason = ""
    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()

    def run(self, *tensors: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        """The tensors themselves."""
        return tensors

    def fill(self, write: Callable[..., T]) -> T:
        """Call `write` with no tensor."""
        return write()

    def reset(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class WithoutModel(Inference):
    """Gives each window back as raw numbers."""

    def __init__(self) -> None:
        info = ModelInfo(Path(NO_MODEL), _NOTHING, 0, "", (), (), (), ())
        pictures = NoPictures(
            ModelError("a pipeline without a model takes no pictures", "set model")
        )
        decoder = RawDecoder(info, None, RawOptions())
        ref = ModelRef(NO_MODEL, _NOTHING, NO_MODEL)
        super().__init__(ref, info, NoEngine(), pictures, decoder, "no model", None)

    def run(
        self,
        data: NDArray[Any],
        threshold: float,
        memory: Memory | None = None,
        numbers: Numbers | None = None,
    ) -> Outcome:
        """The window as it is."""
        del threshold, memory, numbers
        start = time.perf_counter()
        results = (RawOutput("window", data),)
        return Outcome(results, 0.0, 0.0, 1e3 * (time.perf_counter() - start))
