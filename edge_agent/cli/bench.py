"""`edge-agent bench`: how fast a model runs here, or what the pipelines of a configuration cost."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from edge_agent.cli.options import add_config, add_model, model_config, positive
from edge_agent.cli.output import print_json, progress, table
from edge_agent.config.by_name import SourceConfig
from edge_agent.config.load import load_or_raise
from edge_agent.config.schema import Config
from edge_agent.engines import ENGINES, open_engine
from edge_agent.engines.base import Engine
from edge_agent.errors import EdgeAgentError, UsageError
from edge_agent.runtime.logs import set_up_logging
from edge_agent.runtime.metrics import STAGES
from edge_agent.runtime.pipeline import Pipeline
from edge_agent.runtime.recording import without_recorders
from edge_agent.runtime.signals import stop_on_signals
from edge_agent.runtime.system import rss_bytes
from edge_agent.runtime.wire import build_agent
from edge_agent.sources.video import VideoOptions

EXAMPLES = """\
  edge-agent bench -m coco_ssd.tflite
  edge-agent bench -m coco_ssd.tflite --engine all --threads 4 --json
  edge-agent bench -c edge-agent.yaml --seconds 20
"""

_WARM_UP = 5
_WORK = ("preprocess", "infer", "decode")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_config(parser)
    add_model(parser, required=False)
    parser.add_argument("--runs", type=positive, default=100, metavar="N", help="runs of a model")
    parser.add_argument(
        "--seconds", type=positive, default=10, metavar="N", help="how long pipelines run"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")


def run(arguments: argparse.Namespace) -> int:
    """Measure a model, or with -c the pipelines; fails where none of them could be measured."""
    if (arguments.config is None) == (arguments.model is None):
        raise UsageError("give either -m MODEL or -c FILE")
    set_up_logging("warning")
    if arguments.model is not None:
        rows = _model_rows(arguments)
    else:
        rows = _pipeline_rows(load_or_raise(arguments.config), arguments.seconds)
    if arguments.json:
        print_json({"rows": rows})
    else:
        header = list(dict.fromkeys(key for row in rows for key in row))
        print(table(header, [[_cell(row.get(key, "")) for key in header] for row in rows]))
    return 1 if all("error" in row for row in rows) else 0


def _cell(value: Any) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def _model_rows(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """One row for each engine; with `all`, one that cannot run the model says why.

    The engines take turns, so that a machine that changes its pace does so for all of them.
    `rss_mib` is the memory of this process once the engine had run, those before it included.
    """
    wants_all = arguments.engine == "all"
    names = ENGINES.names() if wants_all else (arguments.engine,)
    arguments.engine = "auto"
    name, model = model_config(arguments)
    rows: list[dict[str, Any]] = []
    measured: list[tuple[Engine, dict[str, Any]]] = []
    for kind in names:
        try:
            engine = open_engine(model.file, kind, model.threads, model.delegate)
        except EdgeAgentError as error:
            if not wants_all:
                raise
            rows.append({"model": name, "engine": kind, "error": str(error)})
            continue
        engine.fill(_write_noise)
        engine.run()
        row = {"model": name, "engine": engine.name, "threads": model.threads}
        row["rss_mib"] = round(rss_bytes() / 2**20, 1)
        rows.append(row)
        measured.append((engine, row))
    _measure(measured, arguments.runs)
    return rows


def _measure(measured: Sequence[tuple[Engine, dict[str, Any]]], runs: int) -> None:
    """Times of whole runs on random input, in ms, added to the rows."""
    times = np.empty((len(measured), runs))
    with progress("measuring", runs + _WARM_UP) as bar:
        for number in range(-_WARM_UP, runs):
            for place, (engine, _) in enumerate(measured):
                start = time.perf_counter()
                engine.run()
                if number >= 0:
                    times[place, number] = 1e3 * (time.perf_counter() - start)
            bar.step()
    for (engine, row), its_times in zip(measured, times, strict=True):
        p50, p99 = np.percentile(its_times, (50, 99))
        row |= {
            "runs": runs,
            "min_ms": round(float(its_times.min()), 3),
            "p50_ms": round(float(p50), 3),
            "p99_ms": round(float(p99), 3),
            "fps": round(1e3 / float(p50), 1),
            "rss_mib": row.pop("rss_mib"),
        }
        engine.close()


def _write_noise(*inputs: Any) -> None:
    noise = np.random.default_rng(0)
    for tensor in inputs:
        if tensor.dtype.kind == "f":
            tensor[...] = noise.random(tensor.shape)
        elif tensor.dtype.kind == "b":
            tensor[...] = noise.random(tensor.shape) < 0.5
        else:
            limits = np.iinfo(tensor.dtype)
            low, high = max(limits.min, -128), min(limits.max, 255)
            tensor[...] = noise.integers(low, high, tensor.shape, endpoint=True)


def _pipeline_rows(config: Config, seconds: int) -> list[dict[str, Any]]:
    """Run all pipelines together for a while, recordings as fast as they go."""
    config = without_recorders(_as_fast_as_possible(config))
    agent = build_agent(config, publish=False, follow=False)
    with stop_on_signals() as stop, progress("measuring", seconds * 10) as bar:
        agent.start()
        until = time.monotonic() + seconds
        while time.monotonic() < until and not stop.wait(0.1):
            agent.look()
            bar.step()
            if all(pipeline.finished.is_set() for pipeline in agent.pipelines):
                break
        rows = [_pipeline_row(pipeline) for pipeline in agent.pipelines]
        agent.stop()
    return rows


def _as_fast_as_possible(config: Config) -> Config:
    """The same with recordings at pace `fast`: what a camera at any rate would find here."""
    sources = {
        name: SourceConfig(source.type, replace(source.options, pace="fast"))
        if isinstance(source.options, VideoOptions)
        else source
        for name, source in config.sources.items()
    }
    return config.model_copy(update={"sources": sources})


def _pipeline_row(pipeline: Pipeline) -> dict[str, Any]:
    """What one pipeline did; `sustainable_fps` is what its model's worker could do all alone."""
    metrics = pipeline.metrics
    if not metrics.counts.inferred:
        return {"pipeline": pipeline.name, "error": pipeline.status.reason or "no frame inferred"}
    p50 = {stage: metrics.latency[stage].percentiles().get("p50", 0.0) for stage in STAGES}
    work = sum(p50[stage] for stage in _WORK)
    row: dict[str, Any] = {
        "pipeline": pipeline.name,
        "fps_in": round(metrics.fps(), 1),
        "sustainable_fps": round(1e3 / work, 1),
        "inferred": metrics.counts.inferred,
        "dropped": metrics.counts.dropped,
        "gate_p50_ms": round(p50["gate"], 3),
    }
    for stage in _WORK:
        row[f"{stage}_p50_ms"] = round(p50[stage], 3)
        row[f"{stage}_share"] = round(p50[stage] / work, 3)
    return row | {"rss_mib": round(rss_bytes() / 2**20, 1)}
