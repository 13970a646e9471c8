"""Whether each model can be run and is quick enough for its pipelines."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from edge_agent.config.schema import Config
from edge_agent.errors import EdgeAgentError
from edge_agent.runtime.doctor.commands import edge_agent
from edge_agent.runtime.doctor.finding import Finding, fail, failed, ok, warn
from edge_agent.runtime.opening import check_model

_SPARE = 0.9  # of the time that a model may be at work


def wanted_fps(config: Config, model: str) -> Mapping[str, float]:
    """Frames a second that each enabled pipeline may ask of a model, where that is known."""
    found = {}
    for name, pipeline in config.pipelines.items():
        if pipeline.enabled and pipeline.model == model:
            rate = getattr(pipeline.gate.get("rate"), "fps", None)
            source = config.sources[pipeline.source]
            # That of `http` is for stills: whether it is a stream only the camera knows.
            given = None if source.type == "http" else getattr(source.options, "fps", None)
            known = [fps for fps in (rate, given) if fps is not None]
            if known:
                found[name] = min(known)
    return found


def model(config: Config, name: str, try_out: Callable[[], dict[str, Any]]) -> Finding:
    """File, sha256, labels and decoder here; `try_out` runs it in a process of its own."""
    file = config.models[name].file
    if not file.exists():
        return fail(f"{file} is not there", f"copy it there, or correct models.{name}.file")
    try:
        check_model(config, name)
        found = try_out()
    except EdgeAgentError as error:
        return failed(error, f"see what it is: {edge_agent('inspect', file)}")
    return judge_model(name, found, wanted_fps(config, name), config.models[name].sha256)


def judge_model(
    name: str, found: Mapping[str, Any], wanted: Mapping[str, float], sha256: str | None
) -> Finding:
    """`found` is what its trial found, `wanted` the frames a second by pipeline."""
    fps = 1e3 / found["ms"]
    sha = f"sha256 {sha256[:12]} as configured, " if sha256 else ""
    text = (
        f"{sha}{found['runtime']} on {found['device']}, decoder {found['decoder']}, "
        f"{found['ms']:.1f} ms a frame ({fps:.0f} frames/s), {found['rss'] // 2**20} MiB"
    )
    if found["fallback"]:
        cure = f"mend that, or remove models.{name}.delegate"
        return warn(f"{text}; not on its accelerator: {found['fallback']}", cure)
    asked = sum(wanted.values())
    if asked > _SPARE * fps:
        most = _SPARE * fps / len(wanted)
        shown = f"{_floor(most):g}"
        greedy = [
            f"pipelines.{each}.gate.rate.fps: {shown}" for each in wanted if wanted[each] > most
        ]
        cure = f"set {', '.join(greedy)}, or use a smaller model"
        return warn(f"{text}: {', '.join(wanted)} may ask for {asked:g} frames/s", cure)
    return ok(text + (f"; asked for {asked:g} frames/s at most" if wanted else ""))


def _floor(fps: float) -> float:
    """Two digits that are not more: rounded up, the cure would not do."""
    step = 10.0 ** (math.floor(math.log10(fps)) - 1)
    return math.floor(fps / step) * step
