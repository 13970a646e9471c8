"""Opens a model file, and says what it is when it is no model at all."""

from __future__ import annotations

from pathlib import Path

from edge_agent.engines.modelfile.schema import IDENTIFIER
from edge_agent.errors import ModelError

_HEAD = 64  # bytes that tell what a file is
_CONVERT = "convert it to .tflite first"
_AGAIN = "download the file itself, not the page about it"
_NAME_IT = "name the .tflite file"
_FOREIGN = (
    (b"version https://git-lfs", "a Git LFS pointer, not the model", "run: git lfs pull"),
    (b"\x89HDF\r\n\x1a\n", "a Keras model (HDF5)", _CONVERT),
    (b"GGUF", "a GGUF model", "only TFLite models are known"),
    (b"\x1f\x8b", "a gzip archive", "unpack it first"),
    (b"PK\x03\x04", "an archive (.npz, .pt, .keras, .task or .zip)", f"unpack it, or {_CONVERT}"),
    (b"\x80\x02", "a PyTorch model", _CONVERT),
    (b"\x80\x05", "a Python pickle", _CONVERT),
    (b"\x93NUMPY", "a NumPy array", _CONVERT),
    (b"<!doctype", "a web page", _AGAIN),
    (b"<html", "a web page", _AGAIN),
    (b"<?xml", "an XML document", _AGAIN),
    (b"\xff\xd8\xff", "a JPEG picture, not a TFLite model", _NAME_IT),
    (b"\x89PNG", "a PNG picture, not a TFLite model", _NAME_IT),
    (b"{", "a JSON document", _AGAIN),
)
_SUFFIXES = {
    ".onnx": "an ONNX model",
    ".pb": "a TensorFlow graph",
    ".pt": "a PyTorch model",
    ".pth": "a PyTorch model",
    ".h5": "a Keras model",
}


def read_model_file(path: Path) -> bytes:
    """The bytes of the file; ModelError with the cure where that fails.

    They are read and not mapped: who writes another model over the file would change, or end, the
    process that runs it.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
            if head[4:8] == IDENTIFIER:
                file.seek(0)
                return file.read()
    except FileNotFoundError as error:
        raise ModelError(f"model {path} does not exist", "check the path") from error
    except IsADirectoryError as error:
        raise ModelError(f"model {path} is a folder", "name the .tflite file in it") from error
    except PermissionError as error:
        raise ModelError(f"model {path} may not be read", f"run: chmod a+r {path}") from error
    except OSError as error:
        raise ModelError(f"model {path} cannot be read: {error.strerror}") from error
    except MemoryError as error:
        raise ModelError(f"model {path} is too large for this machine") from error
    if not head:
        raise ModelError(f"model {path} is empty", "download or export it again")
    _refuse_foreign(path, head)
    return head


def _refuse_foreign(path: Path, head: bytes) -> None:
    """Raise a ModelError where the file is something else that we know."""
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for magic, what, cure in _FOREIGN:
        if head.startswith(magic) or start.startswith(magic.lower()):
            raise ModelError(f"{path} is {what}", cure)
    if path.suffix.lower() in _SUFFIXES:
        raise ModelError(f"{path} is {_SUFFIXES[path.suffix.lower()]}", _CONVERT)
