"""Reads a configuration file: the checked values, or every mistake with its line."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator
from collections.abc import Mapping as Environment
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edge_agent.config import (
    checks,
    composite_checks,
    device_checks,
    media_checks,
    refine_checks,
    rule_checks,
    text_checks,
    update_checks,
)
from edge_agent.config.fields import field_at
from edge_agent.config.lookalikes import odd_place, plain_hint, without_odd_ends
from edge_agent.config.paths import rebased
from edge_agent.config.problem import Mistake, Problem, YamlPath, path_text
from edge_agent.config.schema import Config
from edge_agent.config.stage_words import mistake_of
from edge_agent.config.stored import with_stored_models
from edge_agent.config.substitute import Substitution
from edge_agent.config.validate import node_at, place_of, plain_values, validate
from edge_agent.config.yaml_tree import (
    Mapping,
    Node,
    Repeated,
    Scalar,
    Sequence,
    YamlError,
    from_values,
    parse,
)
from edge_agent.errors import ConfigError

MAX_BYTES = 2**20

_log = logging.getLogger(__name__)


_LATER: tuple[tuple[str, ...], ...] = (("pipelines", "*", "gate", "trigger"),)
"""Keys that the documentation promises and that this version may not have yet."""

_ERRORS = (
    *checks.ERRORS,
    *rule_checks.ERRORS,
    *refine_checks.ERRORS,
    *composite_checks.ERRORS,
    *media_checks.ERRORS,
    *update_checks.ERRORS,
)
_WARNINGS = (
    *checks.WARNINGS,
    *media_checks.WARNINGS,
    *composite_checks.WARNINGS,
    *device_checks.WARNINGS,
)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What became of a configuration.

    `config` is None where a problem keeps all of it from being run; it is there where problems
    take out no more than the pipelines of one model.
    """

    config: Config | None
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    root: Mapping | None = None

    def problem(self, file: str, path: YamlPath, message: str, hint: str = "") -> Problem:
        """A problem at a place of the file that was found by looking further."""
        if self.root is None:
            return Problem(file, 0, 0, path_text(path), message, hint)
        return _problem(file, self.root, Mistake(path, message, hint))

    def located(self, file: str, text: str) -> Problem:
        """The problem of a stage's own words, such as `sources.door: url must be ...`."""
        if self.root is None:
            return Problem(file, 0, 0, "", text)
        return _problem(file, self.root, mistake_of(text, self.root))

    def or_raise(self) -> Config:
        """The configuration; logs warnings and problems, or raises ConfigError with all of them."""
        for warning in self.warnings:
            _log.warning("%s", warning)
        if self.config is None:
            raise ConfigError(tuple(str(problem) for problem in self.problems))
        for problem in self.problems:
            _log.error("%s", problem)
        return self.config


def load_config(path: str | Path, environ: Environment[str, str] = os.environ) -> Loaded:
    """Read and check a YAML file; never raises for what the file holds."""
    file = str(path)
    try:
        root, repeated = parse(_read(Path(path)))
    except _Unreadable as error:
        return Loaded(None, (Problem(file, error.line, error.column, "", *error.words),))
    except YamlError as error:
        at = error.at
        return Loaded(None, (Problem(file, at.line, at.column, "", error.message, error.hint),))
    twice = [_twice(file, item) for item in repeated]
    return _check(root, file, Path(path).absolute().parent, environ, twice)


def _twice(file: str, item: Repeated) -> Problem:
    hint = f"it is on line {item.first.line} already"
    if item.is_section:
        hint += f"; put the content of both under one {item.path[-1]}:"
    path = path_text(item.path)
    return Problem(file, item.at.line, item.at.column, path, "stands here again", hint)


def load_or_raise(path: str | Path, environ: Environment[str, str] = os.environ) -> Config:
    """Read and check a YAML file; raises ConfigError with every problem, logs warnings."""
    return load_config(path, environ).or_raise()


def config_from_values(values: dict[str, Any], base: Path) -> Config:
    """A configuration of plain values instead of a file; paths begin at `base`.

    Raises ConfigError. The texts are taken as they are: `${...}` is not filled.
    """
    root = from_values(values)
    assert isinstance(root, Mapping)
    loaded = _check(root, "", base.absolute(), None, [])
    if loaded.config is None:
        return loaded.or_raise()
    return loaded.config


class _Unreadable(Exception):
    def __init__(self, message: str, hint: str, line: int = 0, column: int = 0) -> None:
        super().__init__(message)
        self.words = (message, hint)
        self.line = line
        self.column = column


def _read(path: Path) -> str:
    try:
        if path.is_dir():
            raise _Unreadable("this is a folder", "give the YAML file in it")
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise _Unreadable("no such file", "an example is config/edge-agent.yaml") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "the file cannot be read"
        raise _Unreadable(reason, "check its name and access rights") from None
    if len(content) > MAX_BYTES:
        raise _Unreadable("larger than 1 MiB", "is this the configuration?")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        column = error.start - content.rfind(b"\n", 0, error.start)
        raise _Unreadable("not UTF-8 text", "save the file as UTF-8", line, column) from None


def _check(
    root: Mapping,
    file: str,
    folder: Path,
    environ: Environment[str, str] | None,
    problems: list[Problem],
) -> Loaded:
    root, later = _without_later(root)
    mistakes: list[Mistake] = []
    if environ is not None:
        root, mistakes = _filled(root, environ, folder)
    rebased_root = rebased(root, folder)
    assert isinstance(rebased_root, Mapping)
    root = with_stored_models(root, rebased_root)
    config, found = validate(root)
    unfilled = {mistake.path for mistake in mistakes}
    odd = list(text_checks.odd_names(root))
    told = unfilled | {(*m.path[:-1], without_odd_ends(str(m.path[-1]))) for m in odd}
    mistakes += [*odd, *(m for m in _apart_from(found, odd) if m.path not in told)]
    mistakes += _apart_from(_run(_ERRORS, root), mistakes)
    is_usable = not mistakes and not problems
    mistakes += _apart_from(_run(checks.PARTIAL, root), mistakes)
    warnings = [*later, *_apart_from(_run(_WARNINGS, root), mistakes)]
    lines = (_problem(file, root, mistake) for mistake in mistakes)
    problems = sorted([*problems, *lines], key=_place)
    if config is not None:
        config.hide(frozenset(_hidden(root, ())))
    return Loaded(
        config if is_usable else None,
        tuple(problems),
        tuple(sorted((_problem(file, root, warning) for warning in warnings), key=_place)),
        root,
    )


def _run(some: Iterable[checks.Check], root: Mapping) -> list[Mistake]:
    return [mistake for check in some for mistake in check(root)]


def _apart_from(new: Iterable[Mistake], known: Iterable[Mistake]) -> list[Mistake]:
    """Mistakes at places where nothing is known to be wrong, neither above nor below."""
    wrong = {mistake.path for mistake in known}
    above = {start for path in wrong for start in _starts(path)}
    return [
        mistake
        for mistake in new
        if mistake.path not in above and wrong.isdisjoint(_starts(mistake.path))
    ]


def _starts(path: YamlPath) -> Iterator[YamlPath]:
    """The path itself and all that lead to it, but for the whole file."""
    return (path[:length] for length in range(1, len(path) + 1))


def _filled(
    root: Mapping, environ: Environment[str, str], folder: Path
) -> tuple[Mapping, list[Mistake]]:
    substitution = Substitution(environ, folder)
    filled = substitution.tree(root)
    assert isinstance(filled, Mapping)
    return filled, [
        Mistake(path, error.message, error.hint) for path, _, error in substitution.failures
    ]


def _without_later(root: Mapping) -> tuple[Mapping, list[Mistake]]:
    """The tree without what a later version will do, and a warning for each such key."""
    warnings = []
    values = plain_values(root)
    for path in _later_paths(root):
        if field_at(Config, path, values) is not None:
            continue  # this version has it
        node = node_at(root, path)
        removed = _without(root, path)
        root = removed if isinstance(removed, Mapping) else root
        if not (isinstance(node, Scalar) and node.text == "off"):
            warnings.append(Mistake(path, "not in this version yet, it is ignored", at_key=True))
    return root, warnings


def _later_paths(root: Mapping) -> Iterator[YamlPath]:
    for first, *rest in _LATER:
        if rest[0] != "*":
            paths: list[YamlPath] = [(first, *rest)]
        else:
            paths = [(first, name, *rest[1:]) for name in checks.entries(root, first)]
        yield from (path for path in paths if node_at(root, path) is not None)


def _without(node: Node, path: YamlPath) -> Node:
    assert isinstance(node, Mapping)
    key = str(path[0])
    items = {name: item for name, item in node.items.items() if name != key}
    if len(path) > 1:
        items = {**node.items, key: _without(node.items[key], path[1:])}
    return replace(node, items=items)


def _hidden(node: Node, path: YamlPath) -> Iterator[YamlPath]:
    """Places of the values that came from outside the file."""
    if isinstance(node, Mapping):
        for key, item in node.items.items():
            yield from _hidden(item, (*path, key))
    elif isinstance(node, Sequence):
        for i, item in enumerate(node.items):
            yield from _hidden(item, (*path, i))
    elif node.secret:
        yield path


def _problem(file: str, root: Mapping, mistake: Mistake) -> Problem:
    at = place_of(root, mistake.path, mistake.at_key)
    path = path_text(mistake.path)
    hint = _odd_hint(node_at(root, mistake.path)) or mistake.hint
    return Problem(file, at.line, at.column, path, mistake.message, hint)


def _odd_hint(node: Node | None) -> str:
    """Of a value that is wrong, a character that is not what it looks like is the likely cause."""
    if not isinstance(node, Scalar) or node.secret:
        return ""
    place = odd_place(node.text)
    return "" if place is None else plain_hint(node.text[place])


def _place(problem: Problem) -> tuple[int, int]:
    return problem.line, problem.column
