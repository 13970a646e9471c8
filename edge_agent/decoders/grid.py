"""Several outputs that lie over one grid of the model's picture, each with its own channels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from edge_agent.decoders.base import input_size
from edge_agent.model import ModelInfo

_STRIDES = (4, 2, 8, 16, 32)


@dataclass(frozen=True, slots=True)
class Heads:
    """The stride of the grid in px, its rows and columns, and the channels of each output."""

    channels_first: bool
    stride: int
    rows: int
    columns: int
    channels: tuple[int, ...]

    def view(self, output: int, values: NDArray[Any]) -> NDArray[Any]:
        """An output as rows x columns x channels, not copied."""
        count = self.channels[output]
        if self.channels_first:
            return values.reshape(count, self.rows, self.columns).transpose(1, 2, 0)
        table: NDArray[Any] = values.reshape(self.rows, self.columns, count)
        return table


def read_heads(info: ModelInfo, channels_first: bool) -> Heads | None:
    """The outputs as heads of one grid; None where not all have its rows and columns."""
    size = input_size(info)
    shapes = [spec.shape for spec in info.outputs]
    if size is None or not shapes:
        return None
    if any(len(shape) != 4 or shape[0] not in (1, -1) or min(shape[1:]) < 1 for shape in shapes):
        return None
    grids = {shape[2:] if channels_first else shape[1:3] for shape in shapes}
    if len(grids) != 1:
        return None
    rows, columns = grids.pop()
    for stride in _STRIDES:
        if (rows, columns) == (-(-size[1] // stride), -(-size[0] // stride)):
            channels = tuple(shape[1 if channels_first else 3] for shape in shapes)
            return Heads(channels_first, stride, rows, columns, channels)
    return None
