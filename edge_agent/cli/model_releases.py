"""The options of `edge-agent models add`, and what signs: `keygen` and `release`."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from edge_agent.cli.golden import declare_golden
from edge_agent.cli.options import fraction, positive
from edge_agent.cli.output import print_json
from edge_agent.modelstore.keys import make_key
from edge_agent.modelstore.manifest import Manifest
from edge_agent.modelstore.publish import publish


def declare_add(add: argparse.ArgumentParser, what: str) -> None:
    """Options of `models add`; `what` says which files it takes."""
    add.add_argument("file", type=Path, metavar="FILE", help=what)
    add.add_argument("--name", help="default: that of the file")
    add.add_argument("--version", default="", help="default: the first digits of its SHA-256")
    add.add_argument("--task", default="auto", help="decoder, for the record")
    add.add_argument("--labels", type=Path, metavar="FILE", help="names of the classes, one a line")
    add.add_argument("--licence", default="", metavar="TEXT")
    add.add_argument("--source", default="", metavar="TEXT", help="where it is from")
    add.add_argument(
        "--threshold", type=_threshold, action="append", default=[], metavar="LABEL=T",
        help="score of a label, for the record",
    )  # fmt: skip
    declare_golden(add)


def declare_keygen(parser: argparse.ArgumentParser) -> None:
    """Options of `models keygen`."""
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="KEY.pem",
        help="where the private key goes; whoever has it decides what your devices run",
    )  # fmt: skip


def declare_release(parser: argparse.ArgumentParser) -> None:
    """What `models release` takes beside the options of `models add`."""
    parser.add_argument("--key", type=Path, required=True, metavar="KEY.pem")
    parser.add_argument(
        "--serial", type=positive, metavar="N",
        help="rises with every release of a model (default: the seconds since 1970)",
    )  # fmt: skip
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="DIR",
        help="what a web server serves: DIR/NAME/VERSION/ is written, then DIR/NAME/latest.json",
    )  # fmt: skip


def _threshold(text: str) -> tuple[str, float]:
    label, mark, number = text.rpartition("=")
    if not mark or not label:
        raise argparse.ArgumentTypeError(f"{text!r} is not LABEL=SCORE")
    return label, fraction(number)


def keygen(arguments: argparse.Namespace) -> int:
    """Make a private key; its public part goes to stdout as the YAML has it."""
    key = make_key(arguments.output)
    if arguments.json:
        print_json({"private": str(arguments.output), "public": str(key), "id": key.id})
    else:
        print(f"updates: {{keys: [{key}]}}")
    return 0


def release(arguments: argparse.Namespace, manifest: Manifest, golden: list[Path]) -> int:
    """Write a signed release of a model file."""
    manifest = dataclasses.replace(manifest, source=arguments.source)  # no path of this machine
    folder, serial = publish(
        arguments.output, manifest, arguments.file, golden, arguments.key, arguments.serial
    )
    version = folder.name
    if arguments.json:
        values = {"name": manifest.name, "version": version, "serial": serial}
        print_json({**values, "folder": str(folder)})
    else:
        print(f"{manifest.name} {version} with the serial {serial} is released: {folder}")
    return 0
