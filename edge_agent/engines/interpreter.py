"""Finds the TFLite interpreter that is installed: ai-edge-litert, else tflite-runtime."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

import numpy as np

from edge_agent.errors import ModelError

_PACKAGES = {"ai_edge_litert": "ai-edge-litert", "tflite_runtime": "tflite-runtime"}


@dataclass(frozen=True, slots=True)
class Runtime:
    """An installed interpreter: its name with version, and what we take from it.

    `resolvers` is the enumeration of its sets of kernels.
    """

    name: str
    interpreter: Callable[..., Any]
    load_delegate: Callable[..., Any]
    resolvers: Any


def find_runtime() -> Runtime:
    """The first interpreter that can be imported; ModelError that says what to install."""
    reasons = []
    for module, package in _PACKAGES.items():
        if find_spec(module) is None:
            continue
        _check_numpy(module, package)
        try:
            found = import_module(f"{module}.interpreter")
        except ImportError as error:
            reasons.append(f"{package} cannot be imported: {error}")
            continue
        name = f"{package} {_version(package)}"
        return Runtime(name, found.Interpreter, found.load_delegate, found.OpResolverType)
    raise ModelError("; ".join(reasons) or "no TFLite runtime is installed", _cure())


def _check_numpy(module: str, package: str) -> None:
    """tflite-runtime is built for NumPy 1 and ends the process under NumPy 2."""
    if module == "tflite_runtime" and int(np.__version__.split(".")[0]) >= 2:
        found = f"{package} {_version(package)} needs numpy<2, here is {np.__version__}"
        raise ModelError(found, "run: pip install 'numpy<2', or: pip install ai-edge-litert")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "of unknown version"


def _cure() -> str:
    """What to install on this machine."""
    here = f"Python {platform.python_version()} on {platform.machine()}"
    return (
        "run: pip install 'edge-agent', which brings ai-edge-litert (64-bit, Python 3.11 to 3.14), "
        f"or pip install 'edge-agent[tflite-runtime]' (Python 3.11 or older); here is {here}"
    )
