"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from edge_agent.errors import OutputError


@contextmanager
def whole_text(path: Path) -> Iterator[TextIO]:
    """A text that takes the place of `path` at the end, if nothing is raised; `-` is stdout.

    What is no file, such as a pipe, is written at once. Raises OutputError.
    """
    if str(path) == "-":
        yield sys.stdout
        return
    with whole_file(path) as draft:
        try:
            with draft.open("w", encoding="utf-8", newline="\n") as lines:
                yield lines
        except OSError as error:
            raise _refused(path, error) from error


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """The path of a file that takes the place of `path` at the end, if nothing is raised.

    It has the same ending and lies in the same folder. Raises OutputError.
    """
    if path.exists() and not path.is_file():
        yield path
        return
    draft = path.with_name(f".{path.stem[:200]}.{os.getpid()}{path.suffix}")
    try:
        draft.touch()
    except OSError as error:
        raise _refused(path, error) from error
    try:
        yield draft
        draft.replace(path)
    except OSError as error:
        raise _refused(path, error) from error
    finally:
        draft.unlink(missing_ok=True)


def _refused(path: Path, error: OSError) -> OutputError:
    return OutputError(
        f"cannot write {path}: {error.strerror or error}",
        "check the folder, its access and free space",
    )
