"""The small zip archive that tools append to a .tflite file: label lists and notes.

Nothing of it is trusted: the directory's size is looked at before `zipfile` reads it, and each
file is unpacked only up to a limit.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from pathlib import Path

from edge_agent.errors import ModelError

MAX_FILES = 64
MAX_FILE_BYTES = 1 << 20

_END = struct.Struct("<4s4H2LH")  # APPNOTE.TXT 4.3.16, end of central directory record
_END_MAGIC = b"PK\x05\x06"
_ZIP64_MAGIC = b"PK\x06\x07"
_ZIP64_SIZE = 20
_MAX_COMMENT = 0xFFFF
_MAX_DIRECTORY = 1 << 20
_SUFFIXES = (".txt", ".json", ".pbtxt", ".csv")


def appended_texts(path: Path, data: memoryview) -> dict[str, bytes]:
    """Content of the text files at the end of a model, by name; ModelError where damaged."""
    if not _has_archive(path, data):
        return {}
    try:
        with zipfile.ZipFile(path) as archive:
            names = [entry for entry in archive.infolist() if _is_text(entry)]
            return {entry.filename: _unpack(archive, entry) for entry in names[:MAX_FILES]}
    except (
        zipfile.BadZipFile,
        zlib.error,
        struct.error,
        EOFError,
        NotImplementedError,
        OSError,
        RuntimeError,
        ValueError,
    ) as error:
        raise ModelError(f"the archive inside {path} is damaged: {error}") from error


def _has_archive(path: Path, data: memoryview) -> bool:
    """Whether an archive is at the very end; ModelError where its directory is too large."""
    tail = bytes(data[-(_MAX_COMMENT + _END.size + _ZIP64_SIZE) :])
    at = tail.rfind(_END_MAGIC)
    if at < 0 or at + _END.size > len(tail):
        return False
    _, _, _, _, _, size, _, comment = _END.unpack_from(tail, at)
    if at + _END.size + comment != len(tail):
        return False
    is_zip64 = tail[max(at - _ZIP64_SIZE, 0) :].startswith(_ZIP64_MAGIC)
    if size > _MAX_DIRECTORY or is_zip64:
        raise ModelError(f"the archive inside {path} is too large", "export the model again")
    return True


def _is_text(entry: zipfile.ZipInfo) -> bool:
    return entry.filename.lower().endswith(_SUFFIXES)


def _unpack(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{entry.filename}: compression {entry.compress_type}")
    if entry.file_size > MAX_FILE_BYTES:
        raise ValueError(f"{entry.filename}: {entry.file_size} bytes (at most {MAX_FILE_BYTES})")
    with archive.open(entry) as file:
        content = file.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise ValueError(f"{entry.filename}: more than {MAX_FILE_BYTES} bytes")
    return content
