"""`edge-agent models`: the model store of this device."""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edge_agent.cli.golden import recorded
from edge_agent.cli.model_releases import (
    declare_add,
    declare_keygen,
    declare_release,
    keygen,
    release,
)
from edge_agent.cli.output import print_json, progress, table
from edge_agent.config.load import load_config
from edge_agent.config.schema import Config
from edge_agent.engines.modelfile import load_labels, read_model_info
from edge_agent.errors import ModelError, StoreError, UsageError
from edge_agent.modelstore import Manifest, ModelStore, store_folder
from edge_agent.modelstore.catalogue import Offer, catalogue, offer_of
from edge_agent.modelstore.check import check_release, install_release
from edge_agent.modelstore.fetch import fetch
from edge_agent.modelstore.keys import PublicKey
from edge_agent.modelstore.manifest import is_name, name_of, read_manifest
from edge_agent.modelstore.store import Entry, Verdict
from edge_agent.modelstore.version import fault_of

EXAMPLES = """\
  edge-agent models list --available      what can be fetched
  edge-agent models get coco_ssd          then `file: coco_ssd` in the configuration
  edge-agent models add my.tflite --name door --licence MIT
  edge-agent models verify                hash all of them again; exit code 1 where one is damaged
  edge-agent models rollback door         the version that was in use before
  edge-agent models get coco_ssd --mirror http://files.local:8000
  edge-agent models keygen -o fleet.pem   then `updates: {keys: [...]}` in the configuration
  edge-agent models release my.tflite --name door --version 2 --key fleet.pem -o public
  edge-agent models add public/door/2 -c edge-agent.yaml

The store belongs to an agent: give its configuration with -c where that sets agent.state_dir. Under
systemd that is /var/lib/edge-agent. A running agent takes a new version by itself.
"""

_TIMEOUT = 30.0  # s without a byte


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the sub-commands."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listed = _action(actions, "list", "what is installed")
    listed.add_argument("--available", action="store_true", help="what can be fetched instead")
    get = _action(actions, "get", "fetch a well-known model and install it")
    get.add_argument("name", metavar="NAME")
    get.add_argument(
        "--mirror", metavar="URL", help="fetch from here; the paths are those of the original"
    )
    get.add_argument(
        "--timeout", type=float, default=_TIMEOUT, metavar="S",
        help=f"give up after so many seconds without a byte (default: {_TIMEOUT:g})",
    )  # fmt: skip
    add = _action(actions, "add", "install a model file of your own, or a release")
    declare_add(add, ".tflite or .npz, or the folder of a release")
    declare_keygen(_action(actions, "keygen", "make a key that signs releases"))
    publish = _action(actions, "release", "sign a model for devices that know your key")
    declare_add(publish, ".tflite or .npz")
    declare_release(publish)
    _action(actions, "verify", "hash everything again, and look at signatures if -c has keys")
    _action(actions, "rollback", "use the version before").add_argument("name", metavar="NAME")
    _action(actions, "remove", "remove all versions").add_argument("name", metavar="NAME")


def _action(actions: Any, name: str, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(name, help=text, description=text)
    parser.add_argument("--json", action="store_true", help="JSON on stdout")
    parser.add_argument(
        "-c", "--config", type=Path, metavar="FILE", help="configuration whose agent's store it is"
    )
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked of the store."""
    if arguments.action == "keygen":
        return keygen(arguments)
    if arguments.action == "release":
        with recorded(arguments) as golden:
            return release(arguments, _manifest(arguments), golden)
    store = _store(arguments.config)
    actions = {
        "list": _list, "get": _get, "add": _add,
        "verify": _verify, "rollback": _rollback, "remove": _remove,
    }  # fmt: skip
    return actions[arguments.action](store, arguments)


def _store(config: Path | None) -> ModelStore:
    chosen = _config(config).agent.state_dir if config else None
    try:
        return ModelStore(store_folder(chosen))
    except RuntimeError as error:
        raise StoreError(f"no folder for the state: {error}", "set agent.state_dir") from error


def _config(file: Path) -> Config:
    """A configuration; silent of models that are not there, which these commands install."""
    loaded = load_config(file)
    return loaded.config or loaded.or_raise()


def _list(store: ModelStore, arguments: argparse.Namespace) -> int:
    if arguments.available:
        return _list_available(arguments.json)
    entries = [entry for name in store.names() for entry in store.entries(name)]
    if arguments.json:
        print_json({"folder": str(store.folder), "models": [_values(each) for each in entries]})
    elif not entries:
        print(f"{store.folder} is empty (see: edge-agent models list --available)")
    else:
        print(table(("model", "version", "in use", "bytes", "licence", "installed"), [
            (e.manifest.name, e.manifest.version, "yes" if e.in_use else "", str(e.manifest.size),
             e.manifest.licence or "?", _date(e.manifest.installed))
            for e in entries
        ]))  # fmt: skip
    return 0


def _date(seconds: float) -> str:
    return time.strftime("%F %T", time.localtime(seconds))


def _list_available(as_json: bool) -> int:
    offers = catalogue()
    if as_json:
        print_json({"models": [_offered(each) for each in offers]})
        return 0
    print(table(("model", "bytes", "licence", "what it is"), [
        (each.name, str(each.file.size), each.licence, each.about) for each in offers
    ]))  # fmt: skip
    return 0


def _offered(offer: Offer) -> dict[str, Any]:
    labels_url = offer.labels.url() if offer.labels else None
    return {**dataclasses.asdict(offer), "url": offer.file.url(), "labels_url": labels_url}


def _values(entry: Entry) -> dict[str, Any]:
    return {**entry.manifest.as_values(), "path": str(entry.path), "in_use": entry.in_use}


def _get(store: ModelStore, arguments: argparse.Namespace) -> int:
    _check_unsigned(arguments)
    offer = offer_of(arguments.name)
    entry = _have(store, offer)
    if entry is None:
        files = (offer.file, *([offer.labels] if offer.labels else []))
        with progress(f"fetching {offer.name}", sum(each.size for each in files)) as bar:
            entry = fetch(offer, store, load_labels, arguments.mirror, arguments.timeout, bar.step)
    return _installed(entry, arguments.json)


def _have(store: ModelStore, offer: Offer) -> Entry | None:
    """The model, where it is in use and sound already."""
    try:
        entry = store.find(offer.name)
    except StoreError:  # what is damaged is fetched again
        return None
    if entry is None or entry.manifest.sha256 != offer.file.sha256 or fault_of(entry.folder):
        return None
    return entry


def _add(store: ModelStore, arguments: argparse.Namespace) -> int:
    file: Path = arguments.file
    if file.is_dir():
        _check_bare(arguments)
        keys = _keys(arguments.config)
        entry = install_release(store, file, keys)
        if not keys:
            hint = "its signature was not looked at: give -c with a YAML that has updates.keys"
            print(f"edge-agent: {hint}", file=sys.stderr)
        return _installed(entry, arguments.json)
    _check_unsigned(arguments)
    manifest = _manifest(arguments)
    if not arguments.golden and _has_golden(store, manifest.name):
        print(
            "edge-agent: the version before has golden samples, this one has none: give --golden",
            file=sys.stderr,
        )
    with recorded(arguments) as golden:
        entry = store.install(manifest, file, golden)
    return _installed(entry, arguments.json)


def _has_golden(store: ModelStore, name: str) -> bool:
    try:
        entry = store.find(name)
    except StoreError:  # what is damaged is installed again
        return False
    return entry is not None and bool(entry.golden)


def _keys(config: Path | None) -> tuple[PublicKey, ...]:
    return _config(config).updates.trusted if config else ()


def _check_unsigned(arguments: argparse.Namespace) -> None:
    """What nobody signed is not installed where it would never be loaded."""
    if _keys(arguments.config):
        raise StoreError(
            f"{arguments.config} has updates.keys, so its agent loads signed releases only",
            "sign it: edge-agent models release FILE --key KEY -o DIR",
        )


def _check_bare(arguments: argparse.Namespace) -> None:
    """All that can be said of a release stands in it, signed."""
    for name in ("name", "version", "labels", "licence", "source", "threshold", "golden"):
        if getattr(arguments, name):
            raise UsageError(f"--{name} is of no use: the release {arguments.file} says it itself")


def _manifest(arguments: argparse.Namespace) -> Manifest:
    """What the options say of a model file."""
    file: Path = arguments.file
    info = read_model_info(file)
    labels = load_labels(arguments.labels) if arguments.labels else info.labels
    return Manifest(
        name=arguments.name or _name_for(file),
        version=arguments.version,
        file="",
        sha256=info.sha256,
        size=info.size,
        task=arguments.task,
        labels=labels,
        licence=arguments.licence,
        source=arguments.source or str(file.absolute()),
        thresholds=dict(arguments.threshold),
    )


def _name_for(file: Path) -> str:
    name = name_of(file)
    if not is_name(name):
        raise UsageError(
            f"{file.name!r} cannot be the name of a model",
            "give --name, of letters, digits, '.', '_' and '-'",
        )
    return name


def _installed(entry: Entry, as_json: bool) -> int:
    manifest = entry.manifest
    if as_json:
        print_json(_values(entry))
        return 0
    print(f"{manifest.name} {manifest.version} is in use: {entry.path}")
    print(f"licence: {manifest.licence or 'not told'}; source: {manifest.source or 'not told'}")
    return 0


def _verify(store: ModelStore, arguments: argparse.Namespace) -> int:
    keys = _keys(arguments.config)
    verdicts = [_signed(store, each, keys) for each in store.verify()]
    if arguments.json:
        print_json({"models": [dataclasses.asdict(each) for each in verdicts]})
    else:
        for each in verdicts:
            print(f"{each.name} {each.version}: {each.fault or 'sound'}")
    return 1 if any(each.fault for each in verdicts) else 0


def _signed(store: ModelStore, verdict: Verdict, keys: Sequence[PublicKey]) -> Verdict:
    """The verdict of an agent with these keys."""
    if verdict.fault or not keys:
        return verdict
    folder = store.folder / verdict.name / verdict.version
    try:
        check_release(folder / read_manifest(folder).file, keys, store.folder)
    except (ModelError, StoreError) as error:
        return dataclasses.replace(verdict, fault=str(error))
    return verdict


def _rollback(store: ModelStore, arguments: argparse.Namespace) -> int:
    return _installed(store.rollback(arguments.name), arguments.json)


def _remove(store: ModelStore, arguments: argparse.Namespace) -> int:
    store.remove(arguments.name)
    if arguments.json:
        print_json({"removed": arguments.name})
    else:
        print(f"{arguments.name} is removed")
    return 0
