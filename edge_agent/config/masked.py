"""A configuration in the shape of its YAML, to be shown: every secret is stars."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from edge_agent.config.by_name import SourceConfig, TaskConfig
from edge_agent.config.fields import fields_of
from edge_agent.config.problem import YamlPath, is_secret_path
from edge_agent.config.schema import Config
from edge_agent.options import Secret
from edge_agent.sources.parts import PartConfig

STARS = "***"


def masked(config: Config) -> dict[str, Any]:
    """The configuration as plain values for a person or a log.

    Hidden are passwords, addresses with credentials, values whose key speaks of a secret, and
    all that came from outside the file through `${...}`.
    """
    values: dict[str, Any] = _masked(_yaml_values(config), (), config.hidden)
    return values


def leaves(config: Config) -> Iterator[tuple[YamlPath, Any]]:
    """Every single value with its place in the YAML."""
    return _leaves(_yaml_values(config), ())


def _yaml_values(value: Any) -> Any:
    if isinstance(value, SourceConfig | PartConfig):
        return {"type": value.type, **_yaml_values(value.options)}
    if isinstance(value, TaskConfig):
        name = value.name or "auto"
        options = _yaml_values(value.options) if value.name else {}
        return {"name": name, **options} if options else name
    if isinstance(value, BaseModel) or dataclasses.is_dataclass(value):
        return {name: _yaml_values(item) for name, item in _named_values(value)}
    if isinstance(value, dict):
        return {key: _yaml_values(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_yaml_values(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def _named_values(section: Any) -> Iterator[tuple[str, Any]]:
    """Values by the names of the YAML, where an option called `from_` is `from`."""
    names = fields_of(type(section)) or {}
    if isinstance(section, BaseModel):
        attributes: Any = names
    else:
        attributes = (item.name for item in dataclasses.fields(section))
    for name, attribute in zip(names, attributes, strict=True):
        yield name, getattr(section, attribute)


def _masked(value: Any, path: YamlPath, hidden: frozenset[YamlPath]) -> Any:
    if isinstance(value, dict):
        return {key: _masked(item, (*path, key), hidden) for key, item in value.items()}
    if isinstance(value, list):
        return [_masked(item, (*path, i), hidden) for i, item in enumerate(value)]
    if value is None or isinstance(value, bool):
        return value
    may_hold_password = isinstance(value, str) and "@" in value  # as part of an address
    if isinstance(value, Secret) or path in hidden or is_secret_path(path) or may_hold_password:
        return STARS
    return value


def _leaves(value: Any, path: YamlPath) -> Iterator[tuple[YamlPath, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, (*path, key))
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from _leaves(item, (*path, i))
    else:
        yield path, value
