"""`edge-agent schema`: JSON Schemas for editors and subscribers."""

from __future__ import annotations

import argparse
import json

from edge_agent.config.json_schema import config_schema
from edge_agent.config.reference import reference_markdown
from edge_agent.mqtt.payloads import SCHEMAS, load_schema
from edge_agent.mqtt.reference import payload_markdown

EXAMPLES = """\
  edge-agent schema config > edge-agent.schema.json
  edge-agent schema event
  edge-agent schema config --markdown > configuration.md
  edge-agent schema event --markdown
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("name", choices=("config", *SCHEMAS), help="which schema")
    parser.add_argument("--markdown", action="store_true", help="as a reference to read")


def run(arguments: argparse.Namespace) -> int:
    """Print it on stdout."""
    is_config = arguments.name == "config"
    if arguments.markdown:
        text = reference_markdown() if is_config else payload_markdown(arguments.name)
        print(text, end="")
    else:
        schema = config_schema() if is_config else load_schema(arguments.name)
        print(json.dumps(schema, indent=2, ensure_ascii=False))
    return 0
