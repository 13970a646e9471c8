"""Keys and signed releases, made as a maker of models makes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edge_agent.modelstore import Manifest
from edge_agent.modelstore.keys import PublicKey, make_key, open_key
from edge_agent.modelstore.publish import publish
from edge_agent.modelstore.release import RELEASE, SIGNATURE, signature_line


class Maker:
    """Someone with a key who releases models below `folder / "public"`."""

    def __init__(self, folder: Path, name: str = "maker") -> None:
        self.pem = folder / f"{name}.pem"
        self.key: PublicKey = make_key(self.pem)
        self.public = folder / "public"
        self._source = folder / f"{name}.tflite"
        self._golden = folder / f"{name}.npz"

    def release(
        self,
        content: bytes = b"model",
        *,
        name: str = "door",
        version: str = "1",
        serial: int | None = 1,
        golden: bytes | None = b"golden",
        **more: Any,
    ) -> Path:
        """The folder of a release of a model with this content."""
        self._source.write_bytes(content)
        samples = []
        if golden is not None:
            self._golden.write_bytes(golden)
            samples = [self._golden]
        manifest = Manifest(name, version, "", "", 0, **more)
        return publish(self.public, manifest, self._source, samples, self.pem, serial)[0]

    def sign(self, folder: Path, content: bytes | None = None) -> Path:
        """Sign a folder's `release.json` anew, after giving it this content."""
        if content is not None:
            (folder / RELEASE).write_bytes(content)
        signature = open_key(self.pem).sign((folder / RELEASE).read_bytes())
        (folder / SIGNATURE).write_bytes(signature_line(self.key, signature))
        return folder

    def edit(self, folder: Path, **changes: Any) -> Path:
        """Change fields of a release and sign it again."""
        values = json.loads((folder / RELEASE).read_bytes())
        return self.sign(folder, json.dumps({**values, **changes}).encode())
