"""One model on its way into the place of another, step by step, in the agent's thread."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Literal

from edge_agent.config.schema import ModelConfig, PipelineConfig
from edge_agent.errors import EdgeAgentError
from edge_agent.event import SwapStage
from edge_agent.modelstore.options import UpdatesOptions
from edge_agent.runtime.assembly import Assembly
from edge_agent.runtime.inference import Inference
from edge_agent.runtime.probation import is_enough
from edge_agent.runtime.scoring import is_calibrated
from edge_agent.runtime.status import PipelineStatus
from edge_agent.runtime.supervisor import Ward
from edge_agent.runtime.worker import ModelWorker

_log = logging.getLogger(__name__)

_OPENING = 300.0  # seconds after which opening a model hangs; its child has less
_HANGS = 5.0  # seconds over one frame after which a new model hangs ...
_TIMES = 50.0  # ... or so many times as long as the one before took ...
_MOST = 20.0  # ... but before systemd would say so of the agent

Outcome = Literal["kept", "refused", "rolled_back", "rebuild", "unused"]


class Opening:
    """Opens a model in the background and runs it once, then has an `inference` or `error`."""

    def __init__(self, open_model: Callable[[], Inference]) -> None:
        self.inference: Inference | None = None
        self.error = ""
        self._open = open_model
        self._is_discarded = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="model-opening", daemon=True)
        self._thread.start()

    @property
    def done(self) -> bool:
        """Whether it has come to an end."""
        return not self._thread.is_alive()

    def discard(self) -> None:
        """Close the model, now or when it comes."""
        with self._lock:
            self._is_discarded = True
            if self.inference is not None:
                self.inference.close()

    def _run(self) -> None:
        try:
            inference = self._open()
            inference.warm_up()
        except EdgeAgentError as error:
            self.error = str(error)
        except Exception as error:  # noqa: BLE001 - the thread's edge
            _log.exception("a model cannot be opened")
            self.error = f"internal error: {error!r}"
        else:
            with self._lock:
                self.inference = inference
                if self._is_discarded:
                    inference.close()


class Swap:
    """Brings a model in: tries it, uses it from one frame to the next, watches it, keeps it or not.

    `look` belongs to the agent's thread; it returns how all ended, None while it goes on. `enter`
    is called right before the model comes into use, with whether it will be watched; an
    EdgeAgentError from it keeps the model out. `tell` is called at each step with the reason.
    """

    def __init__(
        self,
        assembly: Assembly,
        name: str,
        wanted: ModelConfig,
        open_model: Callable[[], Inference],
        options: UpdatesOptions,
        enter: Callable[[bool], None],
        tell: Callable[[SwapStage, str], None],
    ) -> None:
        self.name = name
        self._assembly = assembly
        self._wanted = wanted
        self._before = assembly.config.models[name]
        self._options = options
        self._enter = enter
        self._tell = tell
        self._began = time.monotonic()
        self._fine: frozenset[str] = frozenset()
        self._ward = assembly.model(name)
        self._worker: ModelWorker | None = None
        self._look: Callable[[], Outcome | None] = self._try
        tell("trying", "")
        self._opening = Opening(open_model)

    def look(self) -> Outcome | None:
        """Go on as far as possible; how it ended, None while it goes on."""
        return self._look()

    def withdraw(self, reason: str) -> Outcome | None:
        """Go back to the one before, if the model is in use already: it is wanted no more."""
        if self._look != self._watch or self._is_unused:
            return None
        return self._roll_back(reason)

    def stop(self) -> bool:
        """Leave everything as it is: the agent ends, its models have been stopped.

        False where this one has not, so that it hangs.
        """
        if self._worker is not None and self._worker.alive:
            return False
        if self._look != self._watch:
            self._opening.discard()
        return True

    def _try(self) -> Outcome | None:
        if not self._opening.done:
            hangs = time.monotonic() - self._began > _OPENING
            return self._refuse(f"it is not open after {_OPENING:g} s") if hangs else None
        fresh, ward = self._opening.inference, self._ward
        if ward is None or self._is_unused:
            self._refuse("it is not used any more")
            return "unused"
        if fresh is None:
            return self._refuse(self._opening.error)
        if ward.failed:
            return self._open_at_last(ward, fresh)
        # Where none is open yet, that will be soon, or fail.
        present = ward.unit.inference
        return None if present is None else self._take_over(ward.unit, fresh, present)

    def _take_over(
        self, worker: ModelWorker, fresh: Inference, present: Inference
    ) -> Outcome | None:
        if fresh.decoder.kind != present.decoder.kind:
            self._opening.discard()
            return "rebuild"
        if why := why_not(fresh, present, self._items()):
            return self._refuse(why)
        try:
            self._enter(True)
        except EdgeAgentError as error:
            return self._refuse(str(error))
        users = self._assembly.users(self.name).items()
        self._fine = frozenset(name for name, pipeline in users if not _trouble(pipeline.status))
        self._worker = worker
        worker.swap(fresh, self._options.slowdown)
        self._look = self._place
        return None

    def _open_at_last(self, ward: Ward[ModelWorker], fresh: Inference) -> Outcome:
        """No model was open, so there is none to go back to."""
        self._enter(False)
        self._tell("swapped", "")
        self._assembly.adopt(self.name, self._wanted, fresh)
        # Its thread may just be trying the other one once more.
        ward.unit.give_up()
        ward.replace()
        self._tell("kept", "")
        return "kept"

    def _place(self) -> Outcome | None:
        assert self._worker is not None
        if self._is_unused:
            self._refuse("it is not used any more")
            return "unused"
        probation = self._worker.probation
        if probation is not None and probation.fresh is self._opening.inference:
            self._assembly.adopt(self.name, self._wanted)
            self._tell("swapped", "")
            self._began = time.monotonic()
            self._look = self._watch
            return None
        if self._thread_failure():
            return self._refuse("the model before failed meanwhile")
        return None

    def _watch(self) -> Outcome | None:
        assert self._worker is not None
        if self._is_unused:
            self._tell("kept", "it is not used any more")
            return "unused"
        probation = self._worker.probation
        watched = time.monotonic() - self._began
        if why := self._fault():
            return self._roll_back(why)
        seen = probation.frames if probation is not None else 0
        if not is_enough(watched, seen, self._options.watch):
            return None
        self._worker.keep()
        self._tell("kept", "")
        return "kept"

    def _fault(self) -> str:
        """In which way the new model does worse; empty where it does not."""
        if failure := self._thread_failure():
            return failure
        assert self._worker is not None
        probation = self._worker.probation
        if probation is not None and probation.fault:
            return probation.fault
        usual = probation.usual if probation is not None else 0.0
        limit = max(_HANGS, min(_TIMES * usual / 1e3, _MOST))
        if self._worker.busy_for() > limit:
            return f"it does not answer for {limit:g} s"
        for name, pipeline in self._assembly.users(self.name).items():
            if name in self._fine and (trouble := _trouble(pipeline.status)):
                return f"pipeline {name}: {trouble}"
        return ""

    def _thread_failure(self) -> str:
        ward = self._ward
        assert self._worker is not None
        assert ward is not None
        if ward.unit is self._worker and not ward.failed and self._worker.alive:
            return ""
        return f"its thread ended: {self._worker.failure or 'it was begun anew'}"

    @property
    def _is_unused(self) -> bool:
        """Whether a reload took the model away meanwhile, or built all of it anew."""
        return self._assembly.model(self.name) is not self._ward

    def _refuse(self, reason: str) -> Outcome:
        self._opening.discard()
        self._tell("refused", reason)
        return "refused"

    def _roll_back(self, reason: str) -> Outcome:
        worker, ward = self._worker, self._ward
        assert worker is not None
        assert ward is not None
        spare = None
        if ward.unit is worker and worker.alive:
            if worker.busy_for() > _HANGS:
                spare = worker.give_up()
                ward.abandon(reason)
            else:
                worker.take_back(reason)
                worker.keep()
        self._assembly.adopt(self.name, self._before, spare)
        ward.hurry()
        self._tell("rolled_back", reason)
        return "rolled_back"

    def _items(self) -> Mapping[str, PipelineConfig]:
        pipelines = self._assembly.config.pipelines
        return {name: pipelines[name] for name in self._assembly.users(self.name)}


def why_not(fresh: Inference, present: Inference, pipelines: Mapping[str, PipelineConfig]) -> str:
    """Why pipelines that use a model could not go on with another; empty where they could."""
    for name, item in pipelines.items():
        if is_calibrated(item):
            return (
                f"pipeline {name} is calibrated for the model in use (stop the agent, put the new "
                "one to use, run edge-agent calibrate)"
            )
        for label in dict.fromkeys([*(item.labels or ()), *item.filters]):
            if label in (present.labels or ()) and label not in (fresh.labels or (label,)):
                return f"it has no label {label!r}, which pipeline {name} looks for"
    return ""


def _trouble(status: PipelineStatus) -> str:
    return status.trouble_of("model") or status.trouble_of("pipeline")
