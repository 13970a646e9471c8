"""The reference of the configuration as Markdown, made from the types it is checked against."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from edge_agent.config.by_name import TaskConfig
from edge_agent.config.fields import (
    REQUIRED,
    Field,
    describe,
    held_section,
    section_fields,
    unit_text,
    unwrap,
)
from edge_agent.config.schema import Config
from edge_agent.gates import GATES
from edge_agent.options import Secret
from edge_agent.preprocess.signal import STREAM_STAGES, WINDOW_STAGES
from edge_agent.preprocess.text import TEXT_STAGES
from edge_agent.registry import Registry
from edge_agent.rules.options import SnapshotOptions

_INTRODUCTION = """\
# Configuration

One YAML file. `edge-agent check -c FILE` prints every mistake in it as `FILE:LINE:COL: path:
message (hint)`. An unknown key is a mistake; a key with nothing after it counts as left out.

- Durations: `500ms`, `3s`, `5m`, `2h`, `7d`, or plain seconds.
- Sizes: `500kB`, `64MiB`, `1GB`, or plain bytes.
- Coordinates: 0 to 1 of the source frame, x to the right, y downwards.
- Files: relative to the folder of the configuration; `~` is the home folder. A model that is not
  there is looked for in the model store by its name (`edge-agent models list`).
- `${VAR}` and `${VAR:-default}` are filled from the environment, `${credential:NAME}` from a
  systemd credential (`LoadCredential=`), `${file:PATH}` from a file. `$$` is a dollar sign. What is
  filled in this way is never shown.
- `NAME` below stands for a name of your own.
"""


_STAGES: dict[str, Registry[Any]] = {
    "gate": GATES,
    "stream": STREAM_STAGES,
    "features": WINDOW_STAGES,
    "text": TEXT_STAGES,
}


def reference_markdown() -> str:
    """The whole reference: one table for each section, source type, gate and decoder."""
    return "\n".join([_INTRODUCTION, *_sections("", Config, "")]).rstrip() + "\n"


def _sections(path: str, annotation: Any, doc: str) -> Iterator[str]:
    kind = unwrap(annotation)[0]
    if hasattr(kind, "variants"):
        for choice, fields in kind.variants().items():
            yield from _section(f"{path}` with `{choice}", fields, "")
        return
    stages = _STAGES.get(path.rpartition(".")[2])
    used = dict.fromkeys(stages.names()) if stages else None
    fields = section_fields(annotation, used)
    yield from _section(path, fields, doc or _first_paragraph(kind))


def _section(path: str, fields: dict[str, Field], doc: str) -> Iterator[str]:
    rows = [_row(name, field) for name, field in fields.items() if _has_row(field.annotation)]
    if path:
        yield from (f"## `{path}`", "", *([doc, ""] if doc else []))
        yield from rows and ("| key | value | default | meaning |", "|---|---|---|---|", *rows, "")
        if not rows:
            yield from (_contents(fields), "")
    for name, field in fields.items():
        inner, by_name = held_section(field.annotation)
        if inner is not None:
            yield from _sections(
                _below(path, f"{name}.NAME" if by_name else name), inner, field.doc
            )


def _below(path: str, name: str) -> str:
    """A key of a section, which may be one of a choice: `sources.NAME` with `type: mqtt`."""
    section, with_choice, choice = path.partition("` with `")
    return f"{section}.{name}{with_choice}{choice}" if section else name


def _has_row(annotation: Any) -> bool:
    """True for a plain value, and for a section that a single word may stand for."""
    return held_section(annotation)[0] is None or hasattr(unwrap(annotation)[0], "words")


def _contents(fields: dict[str, Field]) -> str:
    """What there is in a section without plain values."""
    names = [f"`{name}`" for name, field in fields.items() if held_section(field.annotation)[0]]
    return f"Sections of it, each described below: {', '.join(names)}." if names else "No options."


def _row(name: str, field: Field) -> str:
    cells = (f"`{name}`", describe(field.annotation), _default(field), field.doc)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _default(field: Field) -> str:
    if field.default is REQUIRED:
        return "required"
    if field.default in (None, "", (), [], {}) or field.default == Secret(""):
        return "-"
    if isinstance(field.default, TaskConfig):
        return "`auto`"
    if isinstance(field.default, SnapshotOptions):
        return f"`{field.default.mode}`"
    if isinstance(field.default, bool):
        return f"`{str(field.default).lower()}`"
    if isinstance(field.default, tuple):
        return f"`[{', '.join(map(str, field.default))}]`"
    return f"`{unit_text(field.annotation, field.default)}`"


def _first_paragraph(kind: Any) -> str:
    return " ".join((inspect.getdoc(kind) or "").split("\n\n", maxsplit=1)[0].split())
