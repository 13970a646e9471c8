"""`edge-agent schema`: JSON Schemas for editors and subscribers."""

from __future__ import annotations

import argparse
import json
from typing import Any

from edge_agent.config.json_schema import config_schema
from edge_agent.config.reference import reference_markdown
from edge_agent.errors import UsageError
from edge_agent.mqtt.payloads import SCHEMAS, load_schema
from edge_agent.mqtt.reference import payload_markdown
from edge_agent.runtime.doctor.report import report_schema

EXAMPLES = """\
  edge-agent schema config > edge-agent.schema.json
  edge-agent schema event
  edge-agent schema config --markdown > configuration.md
  edge-agent schema event --markdown
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("name", choices=("config", *SCHEMAS, "doctor"), help="which schema")
    parser.add_argument("--markdown", action="store_true", help="as a reference to read")


def run(arguments: argparse.Namespace) -> int:
    """Print it on stdout."""
    is_config = arguments.name == "config"
    if arguments.markdown and arguments.name == "doctor":
        raise UsageError("--markdown is for the configuration and the payloads")
    if arguments.markdown:
        text = reference_markdown() if is_config else payload_markdown(arguments.name)
        print(text, end="")
    else:
        print(json.dumps(_schema(arguments.name), indent=2, ensure_ascii=False))
    return 0


def _schema(name: str) -> dict[str, Any]:
    match name:
        case "config":
            return config_schema()
        case "doctor":
            return report_schema()
    return load_schema(name)
