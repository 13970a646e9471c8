"""Models on this device: installed whole or not at all, checked, and the ones before at hand.

A store is a folder: `NAME/VERSION/` holds a model file and its `manifest.json`, `NAME/index.json`
says which version is in use and which were before.
"""

from edge_agent.modelstore.manifest import Manifest, golden_samples, stored_labels
from edge_agent.modelstore.store import Entry, ModelStore, store_folder

__all__ = ["Entry", "Manifest", "ModelStore", "golden_samples", "store_folder", "stored_labels"]
