"""Accelerators: a TFLite external delegate, which is a shared library with two known functions.

Contract: tensorflow/lite/delegates/external/external_delegate_interface.h.
"""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from edge_agent.engines.interpreter import Runtime
from edge_agent.errors import DelegateError
from edge_agent.options import Doc, Options

EDGETPU_OPERATOR = "edgetpu-custom-op"

_ENTRY = "tflite_plugin_create_delegate"
_EDGETPU_USB = {("1a6e", "089a"), ("18d1", "9302")}  # before and after its firmware is loaded


@dataclass(frozen=True, slots=True)
class DelegateOptions(Options):
    """Which delegate runs the model."""

    library: Annotated[
        str, Doc("Shared library of the delegate: a path, or a name such as libedgetpu.so.1.")
    ]
    options: Annotated[
        dict[str, str], Doc("Options handed to the delegate; its documentation lists them.")
    ] = field(default_factory=dict)
    fallback: Annotated[
        bool, Doc("Run on the CPU, with a warning, where the delegate cannot be used.")
    ] = False

    @property
    def is_edgetpu(self) -> bool:
        """Whether it is the library of Coral's Edge TPU."""
        return "edgetpu" in Path(self.library).name


def check_model(operators: set[str], delegate: DelegateOptions | None) -> None:
    """Raise DelegateError where Edge TPU models and delegates do not come together."""
    compiled = EDGETPU_OPERATOR in operators
    if compiled and delegate is None:
        raise DelegateError(
            "this model is compiled for the Edge TPU", "set delegate: {library: libedgetpu.so.1}"
        )
    if delegate is not None and delegate.is_edgetpu and not compiled:
        raise DelegateError(
            "this model is not compiled for the Edge TPU, which would run none of it",
            "compile it with edgetpu_compiler, or remove the delegate",
        )


def create_delegate(runtime: Runtime, delegate: DelegateOptions) -> Any:
    """The runtime's delegate object; DelegateError where the library is missing or refuses."""
    _check_library(delegate)
    try:
        return runtime.load_delegate(delegate.library, delegate.options)
    except (ValueError, RuntimeError, OSError) as error:
        said = " ".join(str(error).partition("\n")[2].split())
        reason = f": {said}" if said else " without a reason"
        cure = edgetpu_cure() if delegate.is_edgetpu else "check its options and its device"
        raise DelegateError(f"delegate {delegate.library} does not start{reason}", cure) from error


def _check_library(delegate: DelegateOptions) -> None:
    """Load it ourselves first: the runtime answers a bad library with a traceback on stderr."""
    try:
        library = ctypes.CDLL(delegate.library)
    except OSError as error:
        package = "libedgetpu1-std" if delegate.is_edgetpu else "it"
        raise DelegateError(
            f"delegate {delegate.library} cannot be loaded: {error}",
            f"install {package}, or give the full path of the library",
        ) from error
    if not hasattr(library, _ENTRY):
        raise DelegateError(
            f"{delegate.library} is no TFLite delegate, it has no {_ENTRY}",
            "name the delegate's own library",
        )


def edgetpu_cure(root: Path = Path("/")) -> str:
    """What keeps the Edge TPU from starting, as far as this machine's devices tell."""
    nodes = [*(root / "dev").glob("apex_*"), *_usb_nodes(root)]
    if not nodes:
        return "no Edge TPU is plugged in"
    if not any(os.access(node, os.R_OK | os.W_OK) for node in nodes):
        return f"no access to {nodes[0]}: add the user to the group plugdev or apex, log in again"
    return "another program may be using the Edge TPU; else unplug it and plug it in again"


def _usb_nodes(root: Path) -> list[Path]:
    """Device files of the Edge TPUs on USB."""
    found = []
    for device in (root / "sys/bus/usb/devices").glob("*"):
        if (_read(device / "idVendor"), _read(device / "idProduct")) in _EDGETPU_USB:
            bus, number = int(_read(device / "busnum")), int(_read(device / "devnum"))
            found.append(root / f"dev/bus/usb/{bus:03}/{number:03}")
    return found


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return "0"
