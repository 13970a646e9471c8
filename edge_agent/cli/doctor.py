"""`edge-agent doctor`: what is wrong on this machine, and how to cure it."""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from edge_agent.cli.check import load_with_models, print_problems
from edge_agent.cli.options import add_config
from edge_agent.cli.output import print_json
from edge_agent.cli.privacy import print_manifest
from edge_agent.config.load import Loaded
from edge_agent.errors import ConfigError, UsageError
from edge_agent.runtime.doctor.checks import checks
from edge_agent.runtime.doctor.commands import edge_agent
from edge_agent.runtime.doctor.examine import examine
from edge_agent.runtime.doctor.finding import Finding, fail
from edge_agent.runtime.doctor.machine import Machine
from edge_agent.runtime.doctor.report import report
from edge_agent.runtime.doctor.systemd import CONFIG
from edge_agent.runtime.doctor.unit import drop_in
from edge_agent.runtime.logs import set_up_logging
from edge_agent.runtime.privacy.manifest import manifest

EXAMPLES = """\
  edge-agent doctor -c edge-agent.yaml
  edge-agent doctor                               this machine, and /etc/edge-agent/edge-agent.yaml
  edge-agent doctor -c edge-agent.yaml --json
  edge-agent doctor -c edge-agent.yaml --unit     a systemd drop-in: only what the file names
  edge-agent doctor -c edge-agent.yaml --privacy  what may leave this device, and to whom
"""

_NAME = 16


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add_config(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")
    parser.add_argument("--unit", action="store_true", help="print a drop-in for the service")
    parser.add_argument(
        "--privacy", action="store_true", help="print what may leave this device, and to whom"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print a line for each check; fails where one fails, with 78 for a bad configuration."""
    set_up_logging("error")
    file: Path | None = arguments.config
    if arguments.unit and arguments.privacy:
        raise UsageError("--unit and --privacy do not go together")
    if file is None and (arguments.unit or arguments.privacy):
        raise UsageError(f"--{'unit' if arguments.unit else 'privacy'} needs -c FILE")
    if file is None and os.access(CONFIG, os.R_OK):
        file = CONFIG
    if file is None:
        fault = "cannot be read" if os.path.lexists(CONFIG) else "does not exist"
        print(f"{CONFIG} {fault}: looking at the machine alone", file=sys.stderr)
        return _examine(None, None, arguments.json)
    loaded = load_with_models(file, labels_only=True)
    if loaded.config is None:
        return _refuse(loaded, file, arguments.json)
    if arguments.unit:
        print(drop_in(loaded.config, file, Machine()), end="")
        return 0
    if arguments.privacy:
        print_manifest(manifest(loaded.config), arguments.json)
        return 0
    return _examine(loaded, file, arguments.json)


def _refuse(loaded: Loaded, file: Path, as_json: bool) -> int:
    """The mistakes of a configuration that cannot be run."""
    if as_json:
        text = "; ".join(str(problem) for problem in loaded.problems)
        print_json(report([("configuration", fail(text, edge_agent("check", "-c", file)))]))
    else:
        print_problems(loaded)
    return ConfigError.exit_code


def _examine(loaded: Loaded | None, file: Path | None, as_json: bool) -> int:
    listed = checks(loaded, file, Machine())
    found = examine(listed)
    if as_json:
        told = list(found)
        print_json(report(told))
        return _exit_code(told)
    width = max(_NAME, *(len(check.name) for check in listed))
    told = []
    for name, finding in found:
        told.append((name, finding))
        print(as_lines(name, finding, width), flush=True)
    counted = Counter(finding.state for _, finding in told)
    print(", ".join(f"{count} {state}" for state, count in counted.items()), file=sys.stderr)
    return _exit_code(told)


def _exit_code(found: Sequence[tuple[str, Finding]]) -> int:
    failed = [name for name, finding in found if finding.state == "FAIL"]
    if "configuration" in failed:
        return ConfigError.exit_code
    return 1 if failed else 0


def as_lines(name: str, finding: Finding, width: int = _NAME) -> str:
    """The finding for a person: what was found, and below it the cure; names take `width`."""
    found = " ".join(finding.found.split())
    line = f"{finding.state:<4}  {name:<{width}}  {found}"
    return f"{line}\n{'':{width + 8}}fix: {finding.fix}" if finding.fix else line
