"""Which part of a configuration is replayed, and the configuration of that."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from edge_agent.config.by_name import SourceConfig
from edge_agent.config.problem import did_you_mean
from edge_agent.config.schema import Config
from edge_agent.errors import UsageError
from edge_agent.runtime.recording import without_recorders
from edge_agent.sources.images import ImagesOptions
from edge_agent.sources.video import VideoOptions


def replayed(config: Config, recordings: Mapping[str, Path], only: str | None = None) -> Config:
    """The configuration of the pipelines of those sources, or of `only` one of them.

    The recordings stand in the place of the sources; nothing is listened on. Raises UsageError
    for names that are not there, and where nothing is left.
    """
    for name in recordings:
        if name not in config.sources:
            hint = did_you_mean(name, config.sources) or "name one of the configuration"
            raise UsageError(f"--source {name}: there is no source of that name", hint)
        if not config.sources[name].gives_pictures:
            cure = "run it with a recorded source at pace: fast"
            raise UsageError(f"--source {name}: only pictures are replayed", cure)
    if only is not None and only not in config.running:
        raise UsageError(f"--pipeline {only}: {_why_not(config, only)}")
    wanted = config.running if only is None else {only: config.running[only]}
    chosen = {name: item for name, item in wanted.items() if item.source in recordings}
    if not chosen:
        raise UsageError("no pipeline is left to replay", _cure(config, only))
    for name, item in chosen.items():
        if item.inputs or any(each.readings for each in item.filters.values()):
            cure = "leave inputs and filters by readings out, or run it with its fusion"
            raise UsageError(f"pipeline {name}: numbers beside pictures are not replayed", cure)
    used = {item.source for item in chosen.values()}
    sources = {
        name: _stand_in(source, recordings[name])
        for name, source in config.sources.items()
        if name in used
    }
    composites = {
        name: each
        for name, each in config.composites.items()
        if all(part.pipeline in chosen for part in each.all.values())
    }
    changes = {
        "sources": sources,
        "pipelines": chosen,
        "composites": composites,
        "page": None,
        "prometheus": None,
    }
    return without_recorders(config.model_copy(update=changes))


def left_out(config: Config, recordings: Collection[str]) -> list[str]:
    """A line for each pipeline that cannot be replayed, and for each recording that nobody uses."""
    lines = [
        f"pipeline {name} is left out: no --source {item.source}=FILE"
        for name, item in config.running.items()
        if item.source not in recordings
    ]
    used = {item.source for item in config.running.values()}
    return lines + [
        f"--source {name} is left out: no pipeline uses it"
        for name in recordings
        if name not in used
    ]


def _why_not(config: Config, name: str) -> str:
    if name in config.pipelines:
        return "it is not enabled (set enabled: true)"
    hint = did_you_mean(name, config.running)
    return "there is no pipeline of that name" + (f" ({hint})" if hint else "")


def _cure(config: Config, only: str | None) -> str:
    wanted = config.running if only is None else {only: config.running[only]}
    sources = dict.fromkeys(item.source for item in wanted.values())
    return "give " + " or ".join(f"--source {name}=FILE" for name in sources)


def _stand_in(source: SourceConfig, file: Path) -> SourceConfig:
    """A recording that is waited for; what its frames are, pictures or a course, stays."""
    if source.is_pictures:
        return SourceConfig("images", ImagesOptions(files=(str(file),)))
    return SourceConfig("video", VideoOptions(file, "fast"))
