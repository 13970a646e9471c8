"""Options that several commands share, and what they stand for in a configuration."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from edge_agent.config.load import config_from_values
from edge_agent.config.schema import Config, ModelConfig
from edge_agent.errors import ConfigError, UsageError
from edge_agent.options import Duration


def add_config(parser: argparse.ArgumentParser, required: bool = False) -> None:
    """`-c/--config`."""
    parser.add_argument(
        "-c", "--config", type=Path, metavar="FILE", required=required, help="configuration (YAML)"
    )


def add_model(parser: argparse.ArgumentParser, required: bool = True) -> None:
    """`-m/--model` and how it is run."""
    parser.add_argument(
        "-m", "--model", metavar="FILE", required=required, help="model file (.tflite)"
    )
    parser.add_argument(
        "--engine", default="auto", metavar="NAME", help="auto, tflite or numpy (default: auto)"
    )
    parser.add_argument("--threads", type=positive, default=1, metavar="N", help="CPU threads")
    parser.add_argument(
        "--task", default="auto", metavar="NAME",
        help="decoder (default: auto), also with options: '{name: yolo, iou: 0.7}'",
    )  # fmt: skip
    parser.add_argument(
        "--preprocess", default="{}", metavar="OPTIONS",
        help="how a picture becomes the input, such as '{fit: letterbox, pad: 114}'",
    )  # fmt: skip
    parser.add_argument(
        "--state", metavar="WIRES",
        help="outputs that are inputs of the next frame: '{OUTPUT: INPUT}'",
    )  # fmt: skip
    parser.add_argument(
        "--model-labels", metavar="FILE", help="names of the classes, one a line, if not inside"
    )
    parser.add_argument("--delegate", metavar="LIBRARY", help="TFLite delegate to run it on")


def model_values(arguments: argparse.Namespace) -> dict[str, Any]:
    """The options of `add_model` as the YAML would have them."""
    values: dict[str, Any] = {
        "file": arguments.model,
        "engine": arguments.engine,
        "threads": arguments.threads,
        "task": read_mapping(arguments.task, "--task"),
        "preprocess": read_mapping(arguments.preprocess, "--preprocess"),
    }
    if arguments.state:
        values["state"] = read_mapping(arguments.state, "--state")
    if arguments.model_labels:
        values["labels"] = arguments.model_labels
    if arguments.delegate:
        values["delegate"] = {"library": arguments.delegate}
    return values


def read_mapping(text: str, option: str) -> Any:
    """A mapping as YAML has it in one line; any other text is itself."""
    if not text.lstrip().startswith("{"):
        return text
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        reason = getattr(error, "problem", None) or "no YAML"
        raise UsageError(f"{option} {text!r} cannot be read: {reason}") from error


def model_config(arguments: argparse.Namespace) -> tuple[str, ModelConfig]:
    """Name and configuration of the model that the options of `add_model` describe.

    Raises UsageError for options that make no sense.
    """
    name = Path(arguments.model).stem
    return name, lone_model(name, model_values(arguments))


def lone_model(name: str, values: dict[str, Any]) -> ModelConfig:
    """The configuration of a model that no pipeline is for; raises UsageError."""
    config = from_values(
        {
            "models": {name: values},
            "sources": {"none": {"type": "images", "files": "*.jpg"}},
            "pipelines": {"none": {"source": "none", "model": name}},
        }
    )
    return config.models[name]


def from_values(values: dict[str, Any]) -> Config:
    """The configuration of an option list; its mistakes are mistakes of the command line."""
    try:
        return config_from_values(values, Path.cwd())
    except ConfigError as error:
        raise usage_error(error) from error


def usage_error(error: ConfigError) -> UsageError:
    """The mistakes of a configuration that came from the command line."""
    return UsageError("\nedge-agent: ".join(error.problems))


def fraction(text: str) -> float:
    """A number from 0 to 1, for argparse."""
    value = float(text)
    if not 0.0 <= value <= 1.0:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return value


def duration(text: str) -> float:
    """Seconds of a text such as 90s, 10m or 1h, for argparse."""
    try:
        seconds: float = TypeAdapter(Duration).validate_python(text)
    except ValidationError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time such as 90s, 10m or 1h") from None
    return seconds


def positive(text: str) -> int:
    """A whole number from 1 on, for argparse."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return value
