"""No way back by an old release: the newest that a store accepted of a model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edge_agent.errors import StoreError
from edge_agent.modelstore.release import Release


@dataclass(frozen=True, slots=True)
class Floor:
    """Serial and digest of that release; 0 and empty where there was none."""

    serial: int = 0
    digest: str = ""

    @classmethod
    def of(cls, values: dict[str, Any]) -> Floor:
        """As it was kept in `as_values`; raises ValueError, TypeError or KeyError."""
        kept = values["newest"]
        return cls(int(kept["serial"]), str(kept["release"]))

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
