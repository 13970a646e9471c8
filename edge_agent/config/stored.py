"""Models that the YAML names without a file beside it: they may be in the model store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from edge_agent.config.problem import quoted
from edge_agent.config.validate import node_at
from edge_agent.config.yaml_tree import Mapping, Scalar
from edge_agent.errors import StoreError
from edge_agent.modelstore import ModelStore, store_folder
from edge_agent.modelstore.catalogue import catalogue
from edge_agent.modelstore.manifest import name_of


def with_stored_models(given: Mapping, root: Mapping) -> Mapping:
    """`root` with each model file that is not there replaced by that of the store.

    `given` is the tree with the paths as they are written: only relative ones name models.
    """
    models = root.items.get("models")
    store = store_of(root)
    if not isinstance(models, Mapping) or store is None:
        return root
    items = dict(models.items)
    for name, file, full in _missing(given, root):
        model = items[name]
        if isinstance(model, Mapping) and (path := _path_in(store, file)):
            node = replace(full, text=str(path), value=str(path))
            items[name] = replace(model, items={**model.items, "file": node})
    return replace(root, items={**root.items, "models": replace(models, items=items)})


def store_of(root: Mapping) -> ModelStore | None:
    """The store of the agent whose configuration this is; None where there is no home folder."""
    node = node_at(root, ("agent", "state_dir"))
    chosen = node.value if isinstance(node, Scalar) else None
    try:
        return ModelStore(store_folder(Path(chosen) if isinstance(chosen, str) else None))
    except RuntimeError:
        return None


def store_hint(root: Mapping, file: str) -> str:
    """What the store has to do with a model file that is not there."""
    store = store_of(root)
    if store is None:
        return ""
    name = name_of(file)
    try:
        found = store.find(name)
    except StoreError as error:
        return str(error)
    if found is not None and str(found.path) == file:
        return "it is gone from the model store: edge-agent models verify"
    if found is not None:
        return f"the model store has one: write file: {name}"
    can_be_fetched = any(offer.name == name for offer in catalogue())
    command = f"get {name}" if can_be_fetched else "list"
    return f"the model store {store.folder} has no {quoted(name)}: edge-agent models {command}"


def _missing(given: Mapping, root: Mapping) -> Iterator[tuple[str, str, Scalar]]:
    """Name, file as it is written, and full path of models whose file is not there."""
    models = node_at(given, ("models",))
    for name in models.items if isinstance(models, Mapping) else ():
        written, full = (node_at(tree, ("models", name, "file")) for tree in (given, root))
        if not isinstance(written, Scalar) or not isinstance(full, Scalar):
            continue
        if not written.text or Path(written.text).is_absolute() or _is_there(full.text):
            continue
        yield name, written.text, full


def _is_there(path: str) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError):
        return True  # told by the checks


def _path_in(store: ModelStore, file: str) -> Path | None:
    try:
        found = store.find(name_of(file))
    except (StoreError, ValueError):  # told by the checks, which look once more
        return None
    return None if found is None else found.path
