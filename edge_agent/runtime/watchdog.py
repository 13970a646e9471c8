"""Sees to it that nothing hangs unseen: threads that fail or hang, and the ping to systemd."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import Any

from edge_agent.outbox.base import Outbox
from edge_agent.runtime.assembly import Assembly
from edge_agent.runtime.metrics import RateMeter
from edge_agent.runtime.notify import Systemd
from edge_agent.runtime.pipeline import Pipeline
from edge_agent.runtime.status import STARTING
from edge_agent.runtime.supervisor import Ward
from edge_agent.runtime.worker import ModelWorker

_log = logging.getLogger(__name__)

_STALL = 30.0  # seconds over one frame after which a model counts as hanging
_MOST_HANGING = 3  # threads of one source that never came back


class Watchdog:
    """Watches the threads of an assembly; `look` belongs to the agent's loop.

    Ready is told once every pipeline is online or known not to be. The ping comes as long as the
    loop does, no frame hangs in a model, and no source has hung again and again: only a new process
    helps there. A source that is offline and tried again is progress.
    """

    def __init__(self, assembly: Assembly, systemd: Systemd, outbox: Outbox) -> None:
        self._assembly = assembly
        self._systemd = systemd
        self._outbox = outbox
        self._stalled: set[str] = set()
        self._pace = RateMeter(time.monotonic())
        self._pace.rates(self._inferred())  # counters may go on from an agent before

    def look(self) -> None:
        """Begin anew what failed, give up what hangs, and tell."""
        for ward in self._wards():
            ward.check()
        self._watch_sources()
        self._watch_models()
        self._tell()

    def _wards(self) -> Iterator[Ward[Any]]:
        yield from self._assembly.models
        yield from self._assembly.sources

    def _watch_sources(self) -> None:
        """A device that hangs cannot be stopped, but it may answer when it is opened anew."""
        for ward in self._assembly.sources:
            patience = ward.unit.patience
            if patience is not None and not ward.failed and ward.unit.busy_for() > patience:
                ward.abandon(f"no answer for {patience:g} s: its driver or library hangs")

    def _watch_models(self) -> None:
        """A model that hangs cannot be stopped, but its pipelines are offline."""
        for ward in self._assembly.models:
            worker = ward.unit
            is_stalled = worker.busy_for() > _STALL
            if is_stalled == (ward.name in self._stalled):
                continue
            reason = f"the model has not answered for {_STALL:g} s" if is_stalled else ""
            (self._stalled.add if is_stalled else self._stalled.discard)(ward.name)
            _log.error("%s: %s", ward.name, reason or "it answers again")
            for customer in self._assembly.customers(worker.name):
                customer.model_stalled(reason)

    def _vital_models(self) -> Iterator[Ward[ModelWorker]]:
        """Those that a pipeline cannot do without; one that only looks closer may hang for ever."""
        for ward in self._assembly.models:
            customers = self._assembly.customers(ward.unit.name)
            if any(isinstance(each, Pipeline) for each in customers):
                yield ward

    def _tell(self) -> None:
        starting = any(each.status.reason == STARTING for each in self._assembly.pipelines)
        patience = self._systemd.beat_every or _STALL
        busy = max((ward.unit.busy_for() for ward in self._vital_models()), default=0.0)
        hanging = max((ward.hanging for ward in self._assembly.sources), default=0)
        alive = busy < patience and hanging < _MOST_HANGING
        self._systemd.look(ready=not starting, alive=alive, status=self._status)

    def _status(self) -> str:
        pipelines = self._assembly.pipelines
        online = sum(pipeline.status.online for pipeline in pipelines)
        pace = max(self._pace.rates(self._inferred())["all"], 0.0)  # less where one left
        return (
            f"{online} of {len(pipelines)} pipelines online, {pace:.1f} frames/s inferred, "
            f"{self._outbox.depth} messages waiting"
        )

    def _inferred(self) -> dict[str, int]:
        return {"all": sum(each.metrics.counts.inferred for each in self._assembly.pipelines)}
