"""A text file as lists of whole lines, a piece at a time, in whatever encoding it is."""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import BinaryIO

from edge_agent.errors import SourceUnusable

_PIECE = 256 * 1024  # bytes; some thousand rows
_MAX_LINE = 4 * 2**20  # bytes
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def decode(data: bytes) -> str:
    """The text of UTF-8, or of Latin-1 where it is not valid UTF-8."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


class TextFile:
    """Reads whole lines, ended as any system does, without ever holding the whole file.

    Raises SourceUnusable for a file that cannot be opened or is no text.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO = open_file(path)
        self._rest = b""
        self._ended = False
        head = self._file.read(4)
        bom, encoding = next(
            ((bom, name) for bom, name in _BOMS if head.startswith(bom)), (b"", "utf-8")
        )
        self._file.seek(len(bom))
        self._wide = codecs.getincrementaldecoder(encoding)("replace") if "16" in encoding else None

    def lines(self) -> list[str] | None:
        """The next whole lines; None at the end."""
        while not self._ended:
            piece, self._ended = self._read()
            data = self._rest + piece
            cut = data.rfind(b"\n") + 1 or data.rfind(b"\r", 0, -1) + 1
            cut = len(data) if self._ended else cut
            self._rest = data[cut:]
            if cut:
                text = decode(data[:cut])
                # Not splitlines: some of its line ends stand inside of lines.
                return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
            if len(data) > _MAX_LINE:
                text = f"file {self._path} has a line of more than {_MAX_LINE} bytes"
                raise SourceUnusable(text, "it is no table of numbers")
        return None

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _read(self) -> tuple[bytes, bool]:
        """The next bytes in UTF-8, and whether they are the last."""
        try:
            piece = self._file.read(_PIECE)
        except OSError as error:
            text = f"file {self._path} cannot be read: {error.strerror}"
            raise SourceUnusable(text, "check the disk") from error
        ended = len(piece) < _PIECE
        if self._wide is not None:
            return self._wide.decode(piece, final=ended).encode(), ended
        if b"\0" in piece:
            raise SourceUnusable(f"file {self._path} is no text", "it must hold rows of numbers")
        return piece, ended


def open_file(path: Path) -> BinaryIO:
    """The file, open for reading; raises SourceUnusable."""
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise SourceUnusable(f"file {path} does not exist", "check source.file") from None
    except OSError as error:
        text = f"file {path} cannot be opened: {error.strerror}"
        raise SourceUnusable(text, "check source.file and who may read it") from error
