"""Configurations for tests: written to a folder, loaded, their problems as text."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

from edge_agent.config.load import Loaded, load_config
from edge_agent.config.schema import Config

MINIMAL = """\
models:
  m: {file: m.tflite}
sources:
  s: {type: camera}
pipelines:
  p:
    source: s
    model: m
"""


def write(folder: Path, text: str) -> Path:
    """The YAML as a file in the folder, beside an empty model file m.tflite."""
    (folder / "m.tflite").touch()
    file = folder / "c.yaml"
    file.write_text(dedent(text), encoding="utf-8")
    return file


def load(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> Loaded:
    """What becomes of a YAML text in that folder."""
    return load_config(write(folder, text), environ or {})


def good(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> Config:
    """The configuration of a YAML text without mistakes."""
    loaded = load(folder, text, environ)
    assert loaded.config is not None, loaded.problems
    return loaded.config


def problems(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> list[str]:
    """Lines of the problems, without the folder."""
    found = load(folder, text, environ).problems
    return [str(problem).replace(f"{folder}/", "") for problem in found]


def warnings(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> list[str]:
    """Lines of the warnings, without the folder."""
    found = load(folder, text, environ).warnings
    return [str(problem).replace(f"{folder}/", "") for problem in found]
