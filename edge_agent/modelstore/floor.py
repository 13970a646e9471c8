"""No way back by an old release: the newest that a store accepted of a model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_agent.errors import StoreError
from edge_agent.modelstore.release import RELEASE, Release, read_release


@dataclass(frozen=True, slots=True)
class Floor:
    """Serial and digest of that release; 0 and empty where there was none."""

    serial: int = 0
    digest: str = ""

    @classmethod
    def of(cls, values: Any) -> Floor:
        """As an index holds it; raises one of MISSHAPEN."""
        if not isinstance(values, dict) or "history" not in values:
            raise ValueError("it is no index of a model")
        if "newest" not in values:
            return cls()
        return cls(int(values["newest"]["serial"]), str(values["newest"]["release"]))

    @classmethod
    def of_releases(cls, folder: Path) -> Floor:
        """The newest of the releases in the folders in there, whoever signed them."""
        found = [cls()]
        for each in folder.glob(f"*/{RELEASE}"):
            try:
                release = read_release(each.parent, ())
            except StoreError:
                continue
            found.append(cls(release.serial, release.digest))
        return max(found, key=lambda floor: floor.serial)

    def as_values(self) -> dict[str, Any]:
        """Plain values, none where there was no release."""
        return {"newest": {"serial": self.serial, "release": self.digest}} if self.serial else {}

    def raised(self, release: Release) -> Floor:
        """What is accepted from now on, once this release is.

        Only a signature that was checked raises it: a forged release must not lock out all that
        are to come. Raises StoreError for an older release, and for another one with its serial.
        """
        manifest = release.manifest
        if release.serial < self.serial:
            raise StoreError(
                f"{manifest.name} {manifest.version} is older than what was here already: its "
                f"serial is {release.serial}, and {self.serial} was accepted",
                "sign it again with a higher --serial, or use edge-agent models rollback",
            )
        if release.serial == self.serial and release.digest != self.digest:
            raise StoreError(
                f"{manifest.name} {manifest.version} has the serial {release.serial} of another "
                "release that was accepted",
                "sign it again with a higher --serial",
            )
        return Floor(release.serial, release.digest) if release.signer else self
