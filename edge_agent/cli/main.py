"""`edge-agent COMMAND`: finds the command and turns its errors into a line and an exit code.

Nothing heavy is imported here: a command's module, with all that it needs, is imported when that
command is asked for.
"""

from __future__ import annotations

import argparse
import errno
import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Protocol, cast

from edge_agent import __version__
from edge_agent.errors import ConfigError, EdgeAgentError

COMMANDS = {
    "run": "run the agent in the foreground",
    "check": "check a configuration and print every mistake in it",
    "demo": "see the whole agent at work on bundled recordings and models",
    "infer": "run a model on pictures, once",
    "inspect": "tell what a model file holds and how it would be read",
    "convert": "turn a .tflite model into the numpy engine's own format",
    "quantize": "turn a float model into an int8 one",
    "prune": "make a float model smaller, with a table of what that costs",
    "compare": "tell how far two models, or two engines, agree on data",
    "bench": "measure a model, or the pipelines of a configuration",
    "replay": "run recorded input through the real pipelines, the same way each time",
    "calibrate": "measure what is normal for a pipeline that looks for anomalies",
    "models": "fetch, install, check and take back models",
    "watch": "show live what agents publish",
    "doctor": "look for what is wrong here and say how to cure it",
    "schema": "print the JSON Schema of the configuration or of a payload",
}

_EXIT_INTERRUPTED = 130
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_EXAMPLE = """\
first steps:
  edge-agent demo                                    the whole thing, without camera and broker
  edge-agent run --camera 0 --model coco_ssd.tflite --broker broker.local
  edge-agent run -c edge-agent.yaml                  the daemon
"""


class Command(Protocol):
    """What the module of a command offers; `EXAMPLES` end its help."""

    EXAMPLES: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the options."""

    def run(self, arguments: argparse.Namespace) -> int:
        """Do it; returns the exit code. Raises EdgeAgentError."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        return _dispatch_and_flush(words)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except EdgeAgentError as error:
        print(f"edge-agent: {error}", file=sys.stderr)
        return error.exit_code
    except ModuleNotFoundError as error:
        text = f"{error.name} is not installed (pip install edge-agent)"
        print(f"edge-agent: {text}", file=sys.stderr)
        return 1
    except ImportError as error:  # a library of an old version, as the system's may be
        text = f"{error} (update it: pip install --upgrade edge-agent)"
        print(f"edge-agent: {text}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # whoever read our output has gone
        _give_up_stdout()
        return 1
    except OSError as error:
        text = _told(error)
        if not text:
            raise
        print(f"edge-agent: {text}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return _EXIT_INTERRUPTED


def _told(error: OSError) -> str:
    """What the user can do about it; empty where it is ours."""
    if error.errno in _FULL:
        _give_up_stdout()
        return f"cannot write: {error.strerror} (make room there)"
    if isinstance(error, PermissionError) and error.filename is not None:
        return f"{error.filename}: {error.strerror} (chmod it, or run this as who may use it)"
    return ""


def _dispatch_and_flush(words: list[str]) -> int:
    """Run the command; output that cannot be written is noticed here and not after our end."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A file name that is no text must not end us. In JSON this way of writing it is right.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        return _dispatch(words)
    finally:
        if sys.stdout is not None:
            sys.stdout.flush()


def _give_up_stdout() -> None:
    """Python must not try, and complain, once more at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _dispatch(words: list[str]) -> int:
    top = _top_parser()
    if not words or words[0] not in COMMANDS:
        top.parse_args(words or ["--help"])
        top.error("a command is needed")
    name, rest = words[0], words[1:]
    command = cast("Command", import_module(f"edge_agent.cli.{name}"))
    parser = argparse.ArgumentParser(
        prog=f"edge-agent {name}",
        description=COMMANDS[name],
        epilog=f"examples:\n{command.EXAMPLES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_arguments(parser)
    return command.run(parser.parse_args(rest))


def _top_parser() -> argparse.ArgumentParser:
    width = max(map(len, COMMANDS))
    listed = "\n".join(f"  {name:<{width}}  {text}" for name, text in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="edge-agent",
        usage="edge-agent COMMAND [OPTIONS]",
        description=f"Quantized neural networks on this device, their events over MQTT.\n\n"
        f"commands:\n{listed}\n\n`edge-agent COMMAND --help` tells more of each.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"edge-agent {__version__}")
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND", help=argparse.SUPPRESS)
    return parser
