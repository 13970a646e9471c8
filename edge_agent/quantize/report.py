"""What a quantisation did, for people and for machines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from edge_agent.quantize.measure import LayerError, kinds

_MOST_HURT = 5
_NOTABLE_DB = 3.0
_LONGEST_NAME = 40


def _short(name: str) -> str:
    """The first of several names that a converter joined, without its beginning if it is long."""
    first = name.split(";", maxsplit=1)[0]
    return first if len(first) <= _LONGEST_NAME else f"...{first[3 - _LONGEST_NAME :]}"


@dataclass(frozen=True, slots=True)
class Report:
    """Bytes of all constants before and after, and the error of every operator.

    `kept` tells which operators stay in float32 and why, by their place.
    """

    float_bytes: int
    int8_bytes: int
    samples: int
    layers: tuple[LayerError, ...]
    kept: Mapping[int, str]

    @property
    def hurt(self) -> tuple[LayerError, ...]:
        """The operators at which most is lost, the worst first."""
        notable = [layer for layer in self.layers if layer.lost_db >= _NOTABLE_DB]
        return tuple(sorted(notable, key=lambda layer: -layer.lost_db)[:_MOST_HURT])

    def as_json(self) -> dict[str, Any]:
        """The same as plain values."""
        return {
            "float_bytes": self.float_bytes,
            "int8_bytes": self.int8_bytes,
            "samples": self.samples,
            "layers": [asdict(layer) for layer in self.layers],
            "kept_float": {str(place): reason for place, reason in self.kept.items()},
            "hurt": [layer.place for layer in self.hurt],
        }

    def text(self) -> str:
        """Some lines."""
        ratio = self.float_bytes / max(self.int8_bytes, 1)
        counts = ", ".join(f"{count} {kind}" for kind, count in kinds(self.layers).items())
        lines = [
            f"constants  {self.float_bytes:,} -> {self.int8_bytes:,} bytes ({ratio:.2f} x smaller)",
            f"operators  {counts}; {self.samples} samples",
        ]
        if self.layers:
            lines.append(f"output     {self.layers[-1].sqnr_db:.1f} dB signal to error")
        lines += [
            f"hurts      {layer.place} {layer.operator} {_short(layer.output)}: "
            f"{layer.sqnr_db:.1f} dB, {layer.lost_db:.1f} dB lost"
            for layer in self.hurt
        ]
        lines += [f"kept float {place} {why}" for place, why in self.kept.items()]
        return "\n".join(lines)
