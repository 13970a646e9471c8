"""What every engine offers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

from numpy.typing import NDArray

from edge_agent.model import TensorSpec

if TYPE_CHECKING:
    from edge_agent.engines.delegate import DelegateOptions

T = TypeVar("T")

Rounding = Literal["xnnpack", "builtin", "reference"]
"""Whose kernels' results: XNNPACK's (fastest), TFLite's own, or those of TFLite's reference kernels
(slow, the same bytes on every machine). They differ by some quantisation steps."""


class Wrapper:
    """What is around another engine, and says of itself what that says."""

    def __init__(self, engine: Engine) -> None:
        self.name = engine.name
        self.runtime = engine.runtime
        self.device = engine.device
        self.fallback_reason = engine.fallback_reason
        self.inputs = engine.inputs
        self.outputs = engine.outputs


class Engine(Protocol):
    """A model that is loaded and ready to run; one thread at a time may use it.

    `name` is its name in the registry, `runtime` the library with its version, `device` "cpu" or
    the delegate's library. `fallback_reason` says why a delegate that was asked for is not used,
    and is empty otherwise.
    """

    name: str
    runtime: str
    device: str
    fallback_reason: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    def __init__(
        self,
        path: Path,
        threads: int,
        delegate: DelegateOptions | None,
        rounding: Rounding | None,
    ) -> None: ...

    def run(self, *tensors: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        """Outputs in their native dtypes, valid until the next run.

        `tensors` are the inputs in native dtypes; without any it runs on what `fill` wrote.
        Raises InferenceError.
        """

    def fill(self, write: Callable[..., T]) -> T:
        """Call `write(*inputs)` with the input tensors to fill in place; returns its result.

        The arrays must not be kept. Raises ModelError where an input has no fixed size.
        """

    def reset(self) -> None:
        """Forget all streaming state, as after opening."""

    def close(self) -> None:
        """Free the model; safe twice."""
