"""`edge-agent check`: every mistake of a configuration at once, each with its line."""

from __future__ import annotations

import argparse
import dataclasses
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

from edge_agent.cli.options import add_config
from edge_agent.cli.output import print_json
from edge_agent.config.load import Loaded, load_config
from edge_agent.config.problem import Problem, YamlPath, did_you_mean
from edge_agent.config.schema import Config, PipelineConfig
from edge_agent.errors import ConfigError, ModelError
from edge_agent.preprocess.beside import Beside, NumbersFraming
from edge_agent.runtime.opening import check_model
from edge_agent.runtime.refine import unfit
from edge_agent.runtime.wire import build_agent

EXAMPLES = """\
  edge-agent check -c edge-agent.yaml
  edge-agent check -c edge-agent.yaml --json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_config(parser, required=True)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")


def run(arguments: argparse.Namespace) -> int:
    """Print mistakes on stdout and warnings on stderr; the exit code tells whether it is valid."""
    loaded = load_with_models(arguments.config)
    if arguments.json:
        print_json(
            {
                "file": str(arguments.config),
                "errors": [dataclasses.asdict(problem) for problem in loaded.problems],
                "warnings": [dataclasses.asdict(problem) for problem in loaded.warnings],
            }
        )
    else:
        print_problems(loaded)
        _print_summary(loaded)
    return ConfigError.exit_code if loaded.problems else 0


def load_with_stages(file: Path) -> Loaded:
    """What becomes of a configuration, with what only a stage itself can tell of its options."""
    loaded = load_config(file)
    if loaded.config is None:
        return loaded
    try:
        build_agent(loaded.config)
    except ConfigError as error:
        found = tuple(loaded.located(str(file), text) for text in error.problems)
        problems = (*loaded.problems, *found)
        return dataclasses.replace(
            loaded, config=None, problems=problems, warnings=_apart(loaded.warnings, found)
        )
    return loaded


def load_with_models(file: Path, *, labels_only: bool = False) -> Loaded:
    """The same with what only a model itself can tell, once the rest is right.

    With `labels_only` models that cannot be read are passed over.
    """
    loaded = load_with_stages(file)
    if loaded.config is None or loaded.problems:
        return loaded
    problems = tuple(_model_problems(loaded, loaded.config, str(file), labels_only))
    return dataclasses.replace(
        loaded, problems=problems, warnings=_apart(loaded.warnings, problems)
    )


def _apart(warnings: tuple[Problem, ...], problems: tuple[Problem, ...]) -> tuple[Problem, ...]:
    """The warnings about what is not wrong altogether."""
    wrong = {problem.path for problem in problems}
    return tuple(warning for warning in warnings if warning.path not in wrong)


def _model_problems(
    loaded: Loaded, config: Config, file: str, labels_only: bool
) -> Iterator[Problem]:
    """Models that cannot be read as pictures' models, and labels that they do not know."""
    for name, model in config.models.items():
        try:
            kind, labels, beside = check_model(config, name)
        except ModelError as error:
            if not labels_only:
                yield loaded.problem(file, ("models", name, "file"), error.message, error.cure)
            continue
        for pipeline, item in config.pipelines.items():
            if item.model == name and (mismatch := _numbers_fault(config, item, beside)):
                yield loaded.problem(file, ("pipelines", pipeline, "inputs"), *mismatch)
            if name in item.refine and (fault := unfit(name, kind)):
                yield loaded.problem(file, ("pipelines", pipeline, "refine", name), fault)
            if item.refine and item.model == name and kind not in ("object", "keypoints"):
                fault = f"the model {name} finds no objects that could be looked at"
                yield loaded.problem(file, ("pipelines", pipeline, "refine"), fault)
            for place, label in _labels_in(item) if item.model == name else ():
                if labels and label not in labels:
                    path = ("pipelines", pipeline, *place)
                    message = f"the model has no label {label!r}"
                    hint = did_you_mean(label, labels) or _see_labels(model.file)
                    yield loaded.problem(file, path, message, hint)


def _numbers_fault(config: Config, item: PipelineConfig, beside: Beside) -> tuple[str, str] | None:
    """What is wrong with the numbers that a model is given beside a picture, and the cure."""
    if not config.sources[item.source].gives_pictures:
        return None
    sizes = NumbersFraming(item.numbers, item.features).sizes if item.inputs else {}
    message, cure = beside.fault(sizes)
    return (message, cure) if message else None


def _see_labels(model: Path) -> str:
    return f"see them: {shlex.join(['edge-agent', 'inspect', '--labels', str(model)])}"


def _labels_in(item: PipelineConfig) -> Iterator[tuple[YamlPath, str]]:
    """Every label that a pipeline names, with its place in it."""
    yield from ((("labels", i), label) for i, label in enumerate(item.labels or ()))
    yield from ((("filters", label), label) for label in item.filters)
    hidden = item.publish.snapshots.labels or ()
    yield from ((("publish", "snapshots", "labels", i), label) for i, label in enumerate(hidden))
    for name, zone in item.zones.items():
        yield from ((("zones", name, "filters", label), label) for label in zone.filters)
    for name, second in item.refine.items():
        looked_at = enumerate(second.labels or ())
        yield from ((("refine", name, "labels", i), label) for i, label in looked_at)


def print_problems(loaded: Loaded) -> None:
    """Warnings on stderr, mistakes on stdout, a line each."""
    for warning in loaded.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    for problem in loaded.problems:
        print(problem)


def _print_summary(loaded: Loaded) -> None:
    if loaded.config is not None and not loaded.problems:
        config = loaded.config
        counted = {
            "source": len(config.sources),
            "model": len(config.models),
            "pipeline": len(config.pipelines),
        }
        texts = (f"{count} {name}{'' if count == 1 else 's'}" for name, count in counted.items())
        print(f"valid: {', '.join(texts)}, broker {config.mqtt.host}", file=sys.stderr)
