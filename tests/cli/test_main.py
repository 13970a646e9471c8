"""`edge-agent COMMAND`: commands are found, their errors become a line and an exit code."""

from __future__ import annotations

import argparse
import os
import re
import shlex
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import edge_agent.cli.schema
from edge_agent import __version__
from edge_agent.cli.main import COMMANDS
from edge_agent.errors import ConfigError, EdgeAgentError, ModelError, UsageError
from tests.support.cli import MODEL, Children, Terminal, finish

PRINTING = [["--help"], ["schema", "config"], ["inspect", MODEL]]
HEAVY = {"numpy", "cv2", "pydantic", "yaml", "paho"}


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Make the command `schema` fail with that error."""

    def run(_arguments: Any) -> int:
        raise error

    monkeypatch.setattr(edge_agent.cli.schema, "run", run)


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]], ids=repr)
def test_help_lists_every_command(terminal: Terminal, words: list[str]) -> None:
    """Whoever asks for help, or for nothing, sees each command with what it does."""
    answer = terminal(*words)
    assert answer.code == 0
    for name, text in COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(text)}$", answer.out, re.MULTILINE)


def test_version(terminal: Terminal) -> None:
    """It is one line with the name and the version."""
    answer = terminal("--version")
    assert (answer.code, answer.out) == (0, f"edge-agent {__version__}\n")


def test_an_unknown_command(terminal: Terminal) -> None:
    """Wrong usage: the commands that there are stand in the message."""
    answer = terminal("bogus")
    assert answer.code == 2
    assert "'bogus'" in answer.err
    assert all(name in answer.err for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help_with_an_example(terminal: Terminal, name: str) -> None:
    """What it does, and at the end how it is called."""
    answer = terminal(name, "--help")
    assert answer.code == 0
    assert COMMANDS[name] in answer.out
    assert f"  edge-agent {name}" in answer.out.partition("\nexamples:\n")[2]


@pytest.mark.parametrize("name", COMMANDS)
def test_the_examples_are_right(name: str) -> None:
    """Each example, up to a first empty line, is one that the command itself accepts."""
    command = import_module(f"edge_agent.cli.{name}")
    parser = argparse.ArgumentParser(exit_on_error=False)
    command.add_arguments(parser)
    for line in command.EXAMPLES.partition("\n\n")[0].splitlines():
        words = shlex.split(re.split(r"  +|[|>]", line.strip())[0])
        assert words[:2] == ["edge-agent", name]
        assert parser.parse_args(words[2:])


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (EdgeAgentError("it broke", "mend it"), 1, "it broke (mend it)"),
        (ModelError("a bad model", "another"), 1, "a bad model (another)"),
        (UsageError("what?"), 2, "what?"),
        (ModuleNotFoundError("no", name="cv2"), 1, "cv2 is not installed (pip install edge-agent)"),
        (OSError(28, "No space left"), 1, "cannot write: No space left (make room there)"),
        (
            PermissionError(13, "Permission denied", "/root/a.tflite"),
            1,
            "/root/a.tflite: Permission denied (chmod it, or run this as who may use it)",
        ),
    ],
    ids=repr,
)
def test_an_error_is_one_line(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, error: Exception, code: int, line: str
) -> None:
    """The name of the program, what happened, the cure; the class decides the exit code."""
    monkeypatch.setattr("edge_agent.cli.main._give_up_stdout", lambda: None)
    failing(monkeypatch, error)
    answer = terminal("schema", "config")
    assert (answer.code, answer.complaint, answer.out) == (code, line, "")


def test_a_bad_configuration_is_bare_lines(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Editors read FILE:LINE:COL at the start of a line; 78 keeps systemd from trying again."""
    failing(monkeypatch, ConfigError(("c.yaml:1:2: a: bad", "c.yaml:3:4: b: bad")))
    answer = terminal("schema", "config")
    assert answer.code == 78
    assert answer.err == "c.yaml:1:2: a: bad\nc.yaml:3:4: b: bad\n"


def test_ctrl_c(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends a command silently, with the exit code of a shell."""
    failing(monkeypatch, KeyboardInterrupt())
    answer = terminal("schema", "config")
    assert (answer.code, answer.out, answer.err) == (130, "", "")


def test_a_mistake_of_ours_is_not_hidden(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error that no one foresaw keeps its traceback."""
    failing(monkeypatch, OSError(9, "Bad file descriptor"))
    with pytest.raises(OSError, match="Bad file descriptor"):
        terminal("schema", "config")


def test_help_imports_nothing_heavy(children: Children) -> None:
    """`edge-agent --help` answers at once, also on a Raspberry Pi."""
    answer = finish(children("--help", options=("-X", "importtime")))
    imported = {line.rpartition("|")[2].strip() for line in answer.err.splitlines()}
    assert answer.code == 0
    assert "edge_agent.cli.main" in imported
    assert not HEAVY & {name.partition(".")[0] for name in imported}


@pytest.mark.parametrize("words", PRINTING, ids=lambda words: words[0])
def test_a_broken_pipe_is_silent(children: Children, words: list[str]) -> None:
    """`edge-agent ... | head` does not end in a traceback, however little is printed."""
    reading, writing = os.pipe()
    os.close(reading)
    process = children(*words, stdout=writing)
    os.close(writing)
    answer = finish(process)
    assert (answer.code, answer.err) == (1, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("words", PRINTING, ids=lambda words: words[0])
def test_a_full_disk_is_one_line(children: Children, words: list[str]) -> None:
    """Output that cannot be written is told, and the exit code shows it."""
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        answer = finish(children(*words, stdout=full))
    assert answer.code == 1
    assert answer.complaint == "cannot write: No space left on device (make room there)"


def test_as_a_module(children: Children) -> None:
    """`python -m edge_agent` is the same command, with its exit codes."""
    assert finish(children("--version")).out == f"edge-agent {__version__}\n"
    assert finish(children("bogus")).code == 2
