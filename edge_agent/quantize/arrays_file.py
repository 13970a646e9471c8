"""Layers in an .npz file, so that who trains needs NumPy alone and who quantises no Python.

Each layer is as many arrays as it has fields, named `PLACE/KIND/FIELD`: "0/Dense/weights".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from edge_agent.errors import ModelError
from edge_agent.quantize.layers import Layer

_KINDS: Mapping[str, type[Any]] = {kind.__name__: kind for kind in get_args(Layer)}
_NAME = re.compile(r"(\d+)/(\w+)(?:/(\w+))?")
_ARRAYS = frozenset({"weights", "bias", "gamma", "beta", "mean", "variance"})


def save_layers(path: str | Path, layers: Sequence[Layer]) -> None:
    """Write layers into an .npz file that `edge-agent quantize --from-arrays` reads."""
    arrays: dict[str, Any] = {}
    for place, layer in enumerate(layers):
        prefix = f"{place}/{type(layer).__name__}"
        arrays[prefix] = np.zeros(0)  # a layer without fields is there all the same
        for each in fields(layer):
            value = getattr(layer, each.name)
            if value is not None:
                arrays[f"{prefix}/{each.name}"] = np.asarray(value)
    with Path(path).open("wb") as file:
        np.savez(file, **arrays)


def load_layers(arrays: Mapping[str, NDArray[Any]]) -> list[Layer]:
    """The layers of such a file; raises ModelError that names the array that makes no sense."""
    found: dict[int, tuple[str, dict[str, Any]]] = {}
    for name, values in arrays.items():
        match = _NAME.fullmatch(name)
        if match is None or match[2] not in _KINDS:
            raise ModelError(
                f"array {name!r} names no layer",
                f"name arrays such as 0/Dense/weights; layers are {', '.join(_KINDS)}",
            )
        kind, given = found.setdefault(int(match[1]), (match[2], {}))
        if kind != match[2]:
            raise ModelError(f"layer {match[1]} is a {kind} and a {match[2]}")
        if match[3]:
            given[match[3]] = values if match[3] in _ARRAYS else _plain(values)
    return [_layer(place, *found[place]) for place in sorted(found)]


def _layer(place: int, kind: str, given: Mapping[str, Any]) -> Layer:
    try:
        layer: Layer = _KINDS[kind](**given)
    except TypeError as error:
        known = ", ".join(each.name for each in fields(_KINDS[kind]))
        raise ModelError(f"layer {place} ({kind}) has {sorted(given)}", f"give {known}") from error
    return layer


def _plain(values: NDArray[Any]) -> Any:
    """A number, a truth value or a text; several numbers as a tuple."""
    value = values.tolist()
    return tuple(value) if isinstance(value, list) else value
