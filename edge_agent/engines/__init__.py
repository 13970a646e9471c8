"""Engines run the model: `open_engine` opens one, by name or the first that can.

An engine is a class of the registry that is built with `(path, threads, delegate, rounding)` and
follows `edge_agent.engines.base.Engine`. With "auto" they are tried in the order of the registry.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from edge_agent.engines.numpy.npz import is_npz
from edge_agent.errors import ModelError
from edge_agent.registry import Registry, UnknownName

if TYPE_CHECKING:
    from edge_agent.engines.base import Engine, Rounding
    from edge_agent.engines.delegate import DelegateOptions
    from edge_agent.model import ModelInfo

__all__ = ["ENGINES", "engine_support", "open_engine"]

log = logging.getLogger(__name__)

ENGINES: Registry[Engine] = Registry(
    "edge_agent.engines",
    {
        "tflite": "edge_agent.engines.tflite:TfliteEngine",
        "numpy": "edge_agent.engines.numpy.engine:NumpyEngine",
    },
)


def open_engine(
    path: str | Path,
    kind: str = "auto",
    threads: int = 1,
    delegate: DelegateOptions | None = None,
    rounding: Rounding | None = None,
) -> Engine:
    """Open a model with the engine of that name; "auto" takes the first that can run it.

    `rounding` chooses whose results it gives, None being the engine's fastest.

    Raises ModelError where the model cannot be read or run, DelegateError where the accelerator
    cannot be used, ValueError where `threads` is below 1.
    """
    if threads < 1:
        raise ValueError(f"threads is {threads}, it must be at least 1")
    if kind == "auto" and is_npz(Path(path)):
        kind = "numpy"
    if kind != "auto":
        return _open(kind, Path(path), threads, delegate, rounding)
    reasons: dict[str, ModelError] = {}
    for name in ENGINES.names():
        try:
            engine = _open(name, Path(path), threads, delegate, rounding)
        except ModelError as error:
            reasons.setdefault(str(error), error)
            continue
        for reason in reasons:
            log.warning("%s runs in the engine %s: %s", path, name, reason)
        return engine
    raise _together(list(reasons.values()))


def _together(errors: list[ModelError]) -> ModelError:
    """One error for all engines: the same reason is told once."""
    if len(errors) == 1:
        return errors[0]
    cure = next((error.cure for error in errors if error.cure), "")
    return ModelError("; ".join(error.message for error in errors), cure)


def _open(
    name: str,
    path: Path,
    threads: int,
    delegate: DelegateOptions | None,
    rounding: Rounding | None,
) -> Engine:
    try:
        engine: type[Engine] = ENGINES.load(name)
    except UnknownName as error:
        known = ", ".join(("auto", *ENGINES.names()))
        raise ModelError(
            f"engine {name!r} is not part of this version", f"known: {known}"
        ) from error
    return engine(path, threads, delegate, rounding)


def engine_support(info: ModelInfo) -> dict[str, bool | str]:
    """For each engine, True where it runs the model, else the reason.

    Each is tried out in a process of its own, which a bad model may crash or stall.
    """
    from edge_agent.engines.probe import probe  # noqa: PLC0415 - only `inspect` needs it

    return {name: probe(name, info.path) or True for name in ENGINES.names()}
